"""``srkit upscale``: files and folders, what it names its results, and what it does on errors."""

import os
import sys
import sysconfig
from pathlib import Path
from subprocess import PIPE, run

import numpy as np
import pytest
from images import saved
from PIL import Image as PILImage

import srkit
from srkit import ModelCard, Registry, Upscaler
from srkit.cli import main
from srkit.models import loading

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 8, 3), np.uint8)


def doubled(pixels, scale=2):
    """Nearest neighbour, by hand."""
    return pixels.repeat(scale, 0).repeat(scale, 1)


def photo(path, pixels=PIXELS):
    return saved(path, pixels)


def pixels_of(path):
    with PILImage.open(path) as image:
        return np.asarray(image)


def names(folder):
    return sorted(str(p.relative_to(folder).as_posix()) for p in folder.rglob("*") if p.is_file())


def upscale(*arguments, model="nearest", scale=2):
    return main(["upscale", *map(str, arguments), "-m", model, f"--scale={scale}"])


@pytest.fixture
def stopping(monkeypatch):
    """A model that raises what it is told when it sees its second image."""

    def install(error):
        monkeypatch.setattr(loading, "REGISTRY", Registry())
        monkeypatch.setattr(Stopping, "error", error)
        monkeypatch.setattr(Stopping, "runs", 0)
        srkit.register(
            ModelCard("stopping", "", f"{__name__}:Stopping", "numpy", (2,), 2, radius=0)
        )

    return install


class Stopping(Upscaler):
    error: BaseException | None = None
    runs = 0

    def __init__(self, card, scale, weights=None):
        self.card, self.scale = card, scale

    def run(self, tiles):
        type(self).runs += 1
        if self.error is not None and self.runs > 1:
            raise self.error
        return tiles.repeat(2, 1).repeat(2, 2)


# --- names and places -------------------------------------------------------------------


def test_a_photo_is_upscaled_beside_itself_in_its_format(tmp_path, capsys):
    source = photo(tmp_path / "a.b.png")
    assert upscale(source) == 0
    made = tmp_path / "a.b_nearest_x2.png"
    np.testing.assert_array_equal(pixels_of(made), doubled(PIXELS))
    np.testing.assert_array_equal(pixels_of(source), PIXELS)
    out, err = capsys.readouterr()
    assert out == f"{made}\n"
    assert err == ""


@pytest.mark.parametrize(
    ("name", "expected", "content"),
    [
        ("a.JPG", "a_nearest_x2.JPG", "JPEG"),
        ("a.jpeg", "a_nearest_x2.jpeg", "JPEG"),
        ("a.tif", "a_nearest_x2.tif", "TIFF"),
        ("a.webp", "a_nearest_x2.webp", "WEBP"),
        ("a.bmp", "a_nearest_x2.bmp", "BMP"),
        ("a.jfif", "a_nearest_x2.jpg", "JPEG"),
    ],
)
def test_the_format_is_kept(tmp_path, name, expected, content):
    assert upscale(photo(tmp_path / name), "-o", tmp_path / "out") == 0
    assert names(tmp_path / "out") == [expected]
    with PILImage.open(tmp_path / "out" / expected) as image:
        assert image.format == content
        assert image.size == (16, 12)


def test_a_gif_becomes_png_and_the_user_is_told(tmp_path, capsys):
    source = tmp_path / "a.gif"
    PILImage.fromarray(PIXELS[..., 0]).save(source)
    assert upscale(source) == 0
    written = pixels_of(tmp_path / "a_nearest_x2.png")
    grey = written if written.ndim == 2 else written[..., 0]
    np.testing.assert_array_equal(grey, doubled(PIXELS[..., 0]))
    assert "a.gif became PNG" in capsys.readouterr().err


def test_folders_are_searched_and_their_structure_is_kept(tmp_path):
    photos = tmp_path / "photos"
    for name in ("a.png", "deep/er/b.png", ".hidden.png", ".cache/c.png"):
        photo(photos / name)
    (photos / "notes.txt").write_text("not an image")
    single = photo(tmp_path / "elsewhere" / "d.png")
    assert upscale(photos, single, "-o", tmp_path / "out") == 0
    assert names(tmp_path / "out") == [
        "a_nearest_x2.png",
        "d_nearest_x2.png",
        "deep/er/b_nearest_x2.png",
    ]


def test_a_second_run_over_a_folder_does_not_upscale_results(tmp_path):
    photo(tmp_path / "a.png")
    assert upscale(tmp_path) == 0
    assert upscale(tmp_path, "--skip-existing") == 0
    assert upscale(tmp_path, "-o", tmp_path / "out") == 0  # results beside count as photos here
    before = names(tmp_path / "out")
    assert upscale(tmp_path, "-o", tmp_path / "out", "--overwrite") == 0
    assert names(tmp_path / "out") == before
    assert names(tmp_path)[:2] == ["a.png", "a_nearest_x2.png"]


def test_a_file_that_is_given_twice_is_upscaled_once(tmp_path, capsys):
    source = photo(tmp_path / "a.png")
    assert upscale(source, tmp_path, source) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_one_input_can_be_given_a_name(tmp_path):
    assert upscale(photo(tmp_path / "a.png"), "-o", tmp_path / "big.tif") == 0
    assert names(tmp_path) == ["a.png", "big.tif"]


@pytest.mark.parametrize(
    ("options", "name", "size"),
    [
        (["--width=20"], "a_nearest_w20.png", (20, 15)),
        (["--height=3"], "a_nearest_h3.png", (4, 3)),
        (["--width=5", "--height=50"], "a_nearest_5x50.png", (5, 50)),
    ],
)
def test_sizes(tmp_path, options, name, size):
    assert upscale(photo(tmp_path / "a.png"), *options) == 0
    with PILImage.open(tmp_path / name) as image:
        assert image.size == size


# --- formats, quality, depth --------------------------------------------------------------


def test_quality_is_for_lossy_formats_alone(tmp_path):
    photo(tmp_path / "a.png", RNG.integers(0, 256, (40, 40, 3), np.uint8))
    photo(tmp_path / "b.jpg", RNG.integers(0, 256, (40, 40, 3), np.uint8))
    assert upscale(tmp_path, "-o", tmp_path / "high") == 0
    assert upscale(tmp_path, "-o", tmp_path / "low", "--quality=10") == 0
    high, low = ((tmp_path / f / "b_nearest_x2.jpg").stat().st_size for f in ("high", "low"))
    assert low < high / 2
    assert (tmp_path / "low" / "a_nearest_x2.png").exists()


def test_another_format_can_be_asked_for_and_depth_is_kept(tmp_path):
    deep = RNG.integers(0, 65536, (6, 8), np.uint16)
    photo(tmp_path / "a.png", deep)
    assert upscale(tmp_path / "a.png", "--format=tiff") == 0
    made = srkit.read_image(tmp_path / "a_nearest_x2.tiff")
    np.testing.assert_array_equal(made.pixels, doubled(deep))


def test_a_result_that_its_format_cannot_hold_is_a_failure(tmp_path, capsys):
    wide = photo(tmp_path / "a.webp", RNG.integers(0, 256, (1, 8200, 3), np.uint8))
    assert upscale(wide, "--format", "webp") == 1  # WebP ends at 16383 pixels
    assert "16383" in capsys.readouterr().err
    assert names(tmp_path) == ["a.webp"]
    # Unless nobody asked for it.
    assert upscale(wide) == 0
    assert "a.webp became PNG: WEBP holds at most 16383" in capsys.readouterr().err
    assert pixels_of(tmp_path / "a_nearest_x2.png").shape == (2, 16400, 3)


def test_self_ensemble_runs_the_model_eight_times(tmp_path, stopping):
    stopping(None)
    source = photo(tmp_path / "a.png")
    assert upscale(source, "--self-ensemble", "--memory=1MB", model="stopping") == 0
    assert Stopping.runs == 8
    np.testing.assert_array_equal(pixels_of(tmp_path / "a_stopping_x2.png"), doubled(PIXELS))


# --- what goes wrong ------------------------------------------------------------------------


def test_a_bad_file_does_not_stop_the_others_and_is_listed(tmp_path, capsys):
    for name in ("a.png", "c.png"):
        photo(tmp_path / name)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    text = tmp_path / "notes.txt"
    text.write_text("named, so it should be an image")
    gone = tmp_path / "gone.png"
    (tmp_path / "empty").mkdir()
    assert upscale(tmp_path, text, gone, tmp_path / "empty", "-o", tmp_path / "out") == 1
    assert names(tmp_path / "out") == ["a_nearest_x2.png", "c_nearest_x2.png"]
    error = capsys.readouterr().err
    assert "srkit: 2 written, 4 failed:" in error
    lines = dict(line.strip().split(": ", 1) for line in error.splitlines() if line[:2] == "  ")
    assert list(lines) == [str(gone), str(tmp_path / "empty"), str(tmp_path / "b.png"), str(text)]
    assert lines[str(gone)] == "no such file or folder"
    assert "truncated or damaged" in lines[str(tmp_path / "b.png")]
    assert "not an image" in lines[str(text)]
    assert "Traceback" not in error


def test_existing_results_are_refused_skipped_or_replaced(tmp_path, capsys):
    photo(tmp_path / "a.png")
    old = tmp_path / "a_nearest_x2.png"
    old.write_bytes(b"old")
    photo(tmp_path / "b.png")
    assert upscale(tmp_path) == 1
    assert "exists; use --overwrite or --skip-existing" in capsys.readouterr().err
    assert upscale(tmp_path, "--skip-existing") == 0
    assert "0 written, 2 skipped" in capsys.readouterr().err
    assert old.read_bytes() == b"old"
    assert upscale(tmp_path / "a.png", "--overwrite") == 0
    np.testing.assert_array_equal(pixels_of(old), doubled(PIXELS))


def test_two_inputs_for_one_result_are_refused_before_any_work(tmp_path, capsys):
    for name in ("x/a.png", "y/a.png", "0.png"):
        photo(tmp_path / name)
    inputs = [tmp_path / "0.png", tmp_path / "x", tmp_path / "y"]
    assert upscale(*inputs, "-o", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.startswith("srkit: error: ")
    assert str(tmp_path / "x" / "a.png") in error
    assert str(tmp_path / "y" / "a.png") in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("output", [["-o", "a.png"], []])
def test_no_input_is_ever_replaced(tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "a.png")
    photo(tmp_path / "a_nearest_x2.png")
    inputs = ["a.png"] if output else ["a.png", "a_nearest_x2.png"]
    assert upscale(*inputs, *output, "--overwrite") == 2
    assert names(tmp_path) == ["a.png", "a_nearest_x2.png"]
    np.testing.assert_array_equal(pixels_of("a.png"), PIXELS)


def test_an_output_folder_that_cannot_be_made(tmp_path, capsys):
    source = photo(tmp_path / "a.png")
    (tmp_path / "file").write_text("in the way")
    assert upscale(source, "-o", tmp_path / "file" / "out") == 1
    error = capsys.readouterr().err
    assert error.startswith("srkit: error: ")
    assert "Traceback" not in error


def test_a_subfolder_that_cannot_be_made_fails_its_files_alone(tmp_path, capsys):
    photo(tmp_path / "photos" / "a.png")
    photo(tmp_path / "photos" / "sub" / "b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").write_text("in the way")
    assert upscale(tmp_path / "photos", "-o", tmp_path / "out") == 1
    assert names(tmp_path / "out") == ["a_nearest_x2.png", "sub"]
    assert str(tmp_path / "out" / "sub" / "b_nearest_x2.png") in capsys.readouterr().err


def test_too_many_pixels(tmp_path, capsys):
    assert upscale(photo(tmp_path / "a.jpg"), "--max-pixels=47") == 1
    assert "47" in capsys.readouterr().err
    assert upscale(tmp_path / "a.jpg", "--max-pixels=48") == 0


def test_ctrl_c_leaves_whole_files_only(tmp_path, stopping, capsys):
    for name in "abc":
        photo(tmp_path / f"{name}.png")
    stopping(KeyboardInterrupt())
    assert upscale(tmp_path, "-o", tmp_path / "out", model="stopping") == 130
    assert names(tmp_path / "out") == ["a_stopping_x2.png"]
    assert "interrupted" in capsys.readouterr().err


def test_out_of_memory_is_that_files_failure(tmp_path, stopping, capsys):
    for name in "ab":
        photo(tmp_path / f"{name}.png", PIXELS[:1, :1])
    stopping(MemoryError())
    assert upscale(tmp_path, "-o", tmp_path / "out", model="stopping") == 1
    assert names(tmp_path / "out") == ["a_stopping_x2.png"]
    assert "b.png: out of memory" in capsys.readouterr().err


def test_errors_of_the_program_itself_are_not_hidden(tmp_path, stopping):
    for name in "ab":
        photo(tmp_path / f"{name}.png")
    stopping(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        upscale(tmp_path, "-o", tmp_path / "out", model="stopping")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["-m", "bicubik"], "did you mean bicubic"),
        (["-m", "bicubic", "--scale=99"], "not x99"),
        (["-m", "bicubic", "--perception=0.5"], "no option 'perception'"),
        (["-m", "bicubic", "-o", "x.png", "--format=jpg"], "leave --format out"),
        (["-m", "bicubic", "-o", "x.gif"], "not written"),
        (["b.png", "-m", "bicubic", "-o", "x.png"], "name a folder"),
    ],
)
def test_arguments_that_make_no_sense(tmp_path, monkeypatch, capsys, arguments, hint):
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "a.png")
    assert main(["upscale", "a.png", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("srkit: error: ")
    assert error.count("\n") == 2  # what is wrong, and where the help is
    assert hint in error
    assert names(tmp_path) == ["a.png"]


@pytest.mark.parametrize(
    "argument",
    ["--memory=much", "--memory=0", "--scale=0", "--scale=two", "--quality=101", "--format=gif"],
)
def test_values_that_are_no_values(argument, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["upscale", "a.png", argument])
    assert stop.value.code == 2
    assert argument.split("=")[0] in capsys.readouterr().err


def test_a_missing_weights_file_is_an_error_of_one_line(tmp_path, capsys):
    assert main(["upscale", str(photo(tmp_path / "a.png")), "-m", str(tmp_path / "no.pth")]) == 1
    assert capsys.readouterr().err.startswith("srkit: error: ")


# --- as a program -------------------------------------------------------------------------------


def test_the_installed_program(tmp_path):
    program = Path(sysconfig.get_path("scripts")) / "srkit"
    if not program.exists():
        pytest.skip("the srkit program is not installed beside this Python")
    photo(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"junk")
    command = [program, "upscale", ".", "-m", "nearest", "--scale=2"]
    done = run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == "a_nearest_x2.png\n"
    assert "srkit: 1 written, 1 failed:\n  b.png: " in done.stderr
    assert "Traceback" not in done.stderr
    np.testing.assert_array_equal(pixels_of(tmp_path / "a_nearest_x2.png"), doubled(PIXELS))


def test_no_framework_is_imported_and_a_closed_pipe_is_no_error():
    code = (
        "import sys, srkit.cli; code = srkit.cli.main(['models']);"
        "assert not {'torch', 'tensorflow', 'theano', 'skimage'} & set(sys.modules);"
        "sys.exit(code)"
    )
    listed = run([sys.executable, "-c", code], capture_output=True, text=True)
    assert listed.stderr == ""
    assert listed.returncode == 0
    assert "srresnet" in listed.stdout
    reader, writer = os.pipe()
    os.close(reader)
    closed = run([sys.executable, "-c", code], stdout=writer, stderr=PIPE, text=True)
    os.close(writer)
    assert closed.stderr == ""
    assert closed.returncode == 1


def test_a_format_that_cannot_hold_the_result_is_told_before_work(tmp_path, capsys, monkeypatch):
    source = photo(tmp_path / "a.png", np.zeros((4, 4, 4), np.uint8))
    monkeypatch.delattr(Upscaler, "upscale")
    assert main(["upscale", str(source), "-m", "nearest", "--format", "jpg"]) == 1
    assert "JPEG cannot hold an alpha channel" in capsys.readouterr().err
