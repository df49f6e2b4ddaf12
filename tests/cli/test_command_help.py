"""Help, near misses, and completion in shells."""

import argparse
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import srkit
from srkit.cli import main, make_parser


def commands():
    parser = make_parser()
    (action,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


@pytest.mark.parametrize("name", commands())
def test_every_help_ends_with_examples_that_are_understood(name):
    lines = [line.strip() for line in commands()[name].format_help().splitlines()]
    start = max(n for n, line in enumerate(lines) if line in ("example:", "examples:"))
    # Behind an empty line there may be a word on what to do with the result.
    end = lines.index("", start) if "" in lines[start:] else None
    examples = [line for line in lines[start:end] if line.startswith("srkit ")]
    assert examples
    for line in examples:
        # Beyond two spaces, and a ">", the shell or the reader is spoken to.
        words = shlex.split(line.split("   ")[0].split(" > ")[0])
        assert words[1] == name
        assert callable(make_parser().parse_args(words[1:]).run)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["upscal", "a.png"], "did you mean upscale?"),
        (["upscale", "a.png", "--scal2", "3"], "did you mean --scale?"),
        (["upscale", "a.png", "--ovrwrite"], "did you mean --overwrite?"),
        (["bench", "--data", "x", "--format", "jsn"], "did you mean json?"),
        (["completion", "bsh"], "did you mean bash?"),
        (["info", "x", "--qqqqq"], "unrecognized arguments: --qqqqq\n"),
    ],
)
def test_near_misses(given, told, capsys):
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_the_command_alone_shows_its_help(capsys):
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out == make_parser().format_help()


@pytest.mark.parametrize(
    ("given", "wrong", "see"),
    [
        (["upscal"], "srkit: error: ", "srkit --help"),
        (["upscale"], "srkit upscale: error: the following arguments are required: INPUT",
         "srkit upscale --help"),
        (["upscale", "a.png", "--scale", "two"], "srkit upscale: error: argument --scale: ",
         "srkit upscale --help"),
        (["--nonsense"], "srkit: error: unrecognized arguments: --nonsense", "srkit --help"),
        (["info", "x", "a\n\x1b[31mred"], "srkit info: error: unrecognized arguments: a\\n\\x1b",
         "srkit info --help"),
        (["upscale", "a.png", "--weights=x", "-m=photo"], "srkit: error: ", "srkit upscale --help"),
        (["upscale", "a.png", "-m", "phot"], "srkit: error: no model is named 'phot'",
         "srkit models"),
        (["models", "zz*"], "srkit: error: no model's name fits 'zz*'", "srkit models"),
    ],
)  # fmt: skip
def test_what_is_wrong_and_where_the_help_is_are_two_lines(given, wrong, see, capsys):
    try:
        code = main(given)
    except SystemExit as ended:
        code = ended.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    told, shown = err.splitlines()
    assert told.startswith(wrong)
    assert shown == f"help: {see}"
    words = see.split()[1:]
    if "--help" in words:
        with pytest.raises(SystemExit):
            main(words)
    else:
        assert main(words) == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["-m", "srgann"], "did you mean fsrcnn, realesrgan, srgan?"),
        (["-m", "unet", "--perception", "0.5"], "unet has no option 'perception'; srgan has"),
        (["-m", "photo", "--scale", "3"], "photo exists for x2, x4, not x3"),
    ],
)
def test_near_misses_of_models(given, told, capsys, tmp_path):
    if "unet" in given:
        pytest.importorskip("torch")
    assert main(["upscale", str(tmp_path / "a.png"), *given]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert "precision" not in err


def test_a_missing_file_is_told_without_numbers_of_errors(capsys, tmp_path):
    pytest.importorskip("av")
    lost = str(tmp_path / "lost.mp4")
    assert main(["upscale-video", lost, "-o", str(tmp_path / "a.mp4")]) == 1
    assert capsys.readouterr().err == f"srkit: error: {lost}: No such file or directory\n"


@pytest.fixture
def command(monkeypatch):
    """The ``srkit`` of this environment is the one that shells find."""
    folder = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", folder, prepend=":")
    assert shutil.which("srkit")


def shell(name):
    if shutil.which(name) is None:
        pytest.skip(f"no {name} on this machine")


def completed(shell, line, tmp_path, capsys):
    """What a shell offers for the last word of a line."""
    assert main(["completion", shell]) == 0
    script = tmp_path / f"srkit.{shell}"
    script.write_text(capsys.readouterr().out)
    if shell == "bash":
        words = line.split(" ")
        ask = (
            f"source {script}; COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; "
            f'COMP_LINE={shlex.quote(line)}; _shtab_srkit; printf "%s\\n" "${{COMPREPLY[@]}}"'
        )
    else:
        ask = f"source {script}; complete --do-complete {shlex.quote(line)}"
    ran = subprocess.run(
        [shell, "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    return [offer.split("\t")[0].strip() for offer in ran.stdout.splitlines() if offer]


@pytest.mark.parametrize("name", ["bash", "fish"])
@pytest.mark.usefixtures("command")
def test_a_shell_completes(name, tmp_path, capsys):
    shell(name)
    (tmp_path / "holiday.jpg").touch()
    assert completed(name, "srkit upsc", tmp_path, capsys) == ["upscale", "upscale-video"]
    assert completed(name, "srkit upscale --self", tmp_path, capsys) == ["--self-ensemble"]
    assert completed(name, "srkit upscale holi", tmp_path, capsys) == ["holiday.jpg"]
    assert completed(name, "srkit upscale -m srr", tmp_path, capsys) == ["srresnet"]
    offered = completed(name, "srkit compare --model bi", tmp_path, capsys)
    assert sorted(offered) == srkit.list_models("bi*")
    assert completed(name, "srkit completion z", tmp_path, capsys) == ["zsh"]


@pytest.mark.usefixtures("command")
def test_zsh_takes_the_script(tmp_path, capsys):
    shell("zsh")
    assert main(["completion", "zsh"]) == 0
    (tmp_path / "_srkit").write_text(capsys.readouterr().out)
    # What zsh has under the command's name after it has read its folders of completions.
    ask = f"fpath=({tmp_path} $fpath); autoload -U compinit; compinit -u -D; echo $_comps[srkit]"
    asked = ["zsh", "-f", "-c", ask]
    ran = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "_srkit"
    subprocess.run(["zsh", "-n", str(tmp_path / "_srkit")], check=True)
