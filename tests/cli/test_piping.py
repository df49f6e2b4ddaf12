"""``srkit upscale - -o -``: bytes in, bytes out, and all else to stderr."""

import io
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from images import saved
from PIL import Image as PILImage

import srkit
from srkit import ModelCard, Registry, Upscaler
from srkit.cli import main
from srkit.models import loading

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
DOUBLED = PIXELS.repeat(2, 0).repeat(2, 1)


def encoded(form, pixels=PIXELS, **options):
    file = io.BytesIO()
    PILImage.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def decoded(data):
    with PILImage.open(io.BytesIO(data)) as image:
        return image.format, np.asarray(image)


class Stdin(io.BytesIO):
    """What a pipe gives."""

    name = "<stdin>"

    def seekable(self):
        return False


class Told(SimpleNamespace):
    """The exit code, the bytes of standard output and the text of standard error."""


@pytest.fixture
def piped(monkeypatch, capsys):
    """The command in this process, between two pipes."""

    def run(data, *arguments, model="nearest", tty=()):
        streams = {"stdin": Stdin(data), "stdout": io.BytesIO()}
        for name, stream in streams.items():
            wrapped = io.TextIOWrapper(stream, encoding="utf-8")
            wrapped.isatty = lambda name=name: name in tty
            monkeypatch.setattr(sys, name, wrapped)
        options = [] if model is None else ["-m", model, "--scale=2"]
        code = main(["upscale", *map(str, arguments), *options])
        sys.stdout.flush()
        return Told(code=code, out=streams["stdout"].getvalue(), err=capsys.readouterr().err)

    return run


# --- what comes out ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_the_format_is_that_of_the_input(piped, form):
    told = piped(encoded(form), "-", "-o", "-")
    assert (told.code, told.err) == (0, "")
    made, pixels = decoded(told.out)
    assert made == form
    assert pixels.shape == (12, 16, 3)
    if form in ("PNG", "TIFF", "BMP"):
        np.testing.assert_array_equal(pixels, DOUBLED)


def test_the_format_that_is_told(piped):
    told = piped(encoded("JPEG"), "-", "-o", "-", "--format", "png")
    assert decoded(told.out)[0] == "PNG"
    small = piped(encoded("PNG"), "-", "-o", "-", "--format", "jpg", "--quality", "5")
    large = piped(encoded("PNG"), "-", "-o", "-", "--format", "jpg", "--quality", "100")
    assert decoded(small.out)[0] == decoded(large.out)[0] == "JPEG"
    assert len(small.out) < len(large.out)
    assert piped(encoded("PNG"), "-", "-o", "-", "--quality", "5").code == 0  # PNG has none


def test_what_is_not_written_becomes_png_and_the_user_is_told(piped):
    told = piped(encoded("GIF", PIXELS[..., 0]), "-", "-o", "-")
    assert decoded(told.out)[0] == "PNG"
    assert told.err == "srkit: note: the picture, GIF, became PNG\n"
    wide = encoded("WEBP", np.zeros((1, 9000, 3), np.uint8))
    told = piped(wide, "-", "-o", "-")
    assert decoded(told.out)[0] == "PNG"
    assert "the picture, WEBP, became PNG: WEBP holds at most 16383 pixels a side" in told.err
    told = piped(encoded("PNG", np.zeros((4, 4, 4), np.uint8)), "-", "-o", "-", "--format=jpg")
    assert (told.code, told.out) == (1, b"")
    assert told.err.startswith("srkit: error: JPEG cannot hold an alpha channel; use ")
    assert "pixels" not in told.err


def test_metadata_come_through(piped):
    told = piped(encoded("PNG", dpi=(300, 300)), "-", "-o", "-")
    assert srkit.read_image(told.out).metadata.dpi == pytest.approx((300, 300), abs=0.01)
    told = piped(encoded("JPEG", comment=b"kept"), "-", "-o", "-", "--format=png")
    assert srkit.read_image(told.out).metadata.texts == (("Comment", "kept"),)


def test_one_side_of_the_pipe_alone(piped, tmp_path):
    path = saved(tmp_path / "a.png", PIXELS)
    told = piped(b"", path, "-o", "-")
    np.testing.assert_array_equal(decoded(told.out)[1], DOUBLED)
    made = tmp_path / "new" / "b.tif"
    told = piped(path.read_bytes(), "-", "-o", made)
    assert told.out == f"{made}\n".encode()
    np.testing.assert_array_equal(srkit.read_image(made).pixels, DOUBLED)
    before = made.read_bytes()
    told = piped(encoded("PNG", PIXELS[::-1]), "-", "-o", made)
    assert (told.code, told.out) == (1, b"")
    assert "exists; use --overwrite or --skip-existing" in told.err
    assert piped(encoded("PNG", PIXELS[::-1]), "-", "-o", made, "--skip-existing").code == 0
    assert made.read_bytes() == before
    told = piped(encoded("PNG", PIXELS[::-1]), "-", "-o", made, "--overwrite", "--json")
    (written,) = json.loads(told.out)["written"]
    assert written["target"] == str(made)
    assert written["source"] == "-"
    np.testing.assert_array_equal(srkit.read_image(made).pixels, DOUBLED[::-1])


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_standard_output_has_names_of_a_file(piped, tmp_path, name):
    told = piped(b"", saved(tmp_path / "a.png", PIXELS), "-o", name)
    assert told.code == 0
    np.testing.assert_array_equal(decoded(told.out)[1], DOUBLED)


@pytest.mark.skipif(os.name != "posix", reason="POSIX has such pipes")
def test_what_is_a_pipe_by_name_is_told_to_take_standard_output(piped, tmp_path, capsys):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with pytest.raises(SystemExit, match="2"):
        piped(b"", saved(tmp_path / "a.png", PIXELS), "-o", pipe)
    assert f"{pipe} is a pipe or a device: -o - > {pipe} writes to it" in capsys.readouterr().err
    made = piped(b"", pipe, "-o", tmp_path / "b.png")
    assert (made.code, "give it as standard input (-)" in made.err) == (1, True)


def test_a_file_that_is_called_so_is_a_file(piped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_bytes(encoded("PNG"))
    told = piped(b"", "./-", "-o", "out")
    assert told.code == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["-_nearest_x2.png"]


def test_sizes_and_limits_hold(piped):
    told = piped(encoded("PNG"), "-", "-o", "-", "--width", "40")
    assert decoded(told.out)[1].shape == (30, 40, 3)
    told = piped(encoded("PNG"), "-", "-o", "-", "--max-pixels=47")
    assert (told.code, told.out) == (1, b"")
    assert "<stdin>: the image has 8x6 = 48 pixels" in told.err
    assert "--max-pixels=48" in told.err


# --- URLs ---------------------------------------------------------------------------------------


@pytest.fixture
def store():
    fsspec = pytest.importorskip("fsspec", reason="needs pip install 'srkit[remote]'")
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


def test_a_url_is_read_and_written(piped, store, tmp_path):
    store.pipe("/photos/a.png", encoded("PNG"))
    told = piped(b"", "memory://photos/a.png", "-o", "memory://results/b.tif", "--json")
    assert told.code == 0, told.err
    (written,) = json.loads(told.out)["written"]
    assert written["source"] == "memory://photos/a.png"
    assert written["target"] == "memory://results/b.tif"
    made = srkit.read_image(store.cat("/results/b.tif")).pixels
    np.testing.assert_array_equal(made, DOUBLED)
    path = tmp_path / "c.png"
    assert piped(b"", "memory://results/b.tif", "-o", path).out == f"{path}\n".encode()
    assert srkit.read_image(path).pixels.shape == (24, 32, 3)
    assert decoded(piped(b"", "memory://photos/a.png", "-o", "-").out)[0] == "PNG"
    assert piped(encoded("PNG"), "-", "-o", "memory://results/d.png").code == 0
    assert store.exists("/results/d.png")


def test_what_is_at_a_url_is_kept_unless_it_is_to_be_replaced(piped, store):
    store.pipe("/a.png", encoded("PNG"))
    store.pipe("/b.png", b"before")
    told = piped(b"", "memory://a.png", "-o", "memory://b.png")
    assert told.code == 1
    assert "memory://b.png exists; use --overwrite or --skip-existing" in told.err
    assert piped(b"", "memory://a.png", "-o", "memory://b.png", "--skip-existing").code == 0
    assert store.cat("/b.png") == b"before"
    assert piped(b"", "memory://a.png", "-o", "memory://b.png", "--overwrite").code == 0
    assert decoded(store.cat("/b.png"))[0] == "PNG"


def test_a_url_that_cannot_be_had_is_told(piped, store, tmp_path):
    told = piped(b"", "memory://me:secret@gone.png", "-o", tmp_path / "b.png", "--json")
    assert told.code == 1
    (failure,) = json.loads(told.out)["failed"]
    assert failure["kind"] == "FileNotFoundError"
    assert "secret" not in told.err + told.out.decode()
    store.pipe("/a.png", encoded("PNG", np.zeros((4, 4, 4), np.uint8)))
    told = piped(b"", "memory://a.png", "-o", "memory://b.jpg")
    assert (told.code, store.exists("/b.jpg")) == (1, False)
    assert "JPEG cannot hold an alpha channel" in told.err


def test_a_url_without_what_it_needs_is_told_what_installs_it(piped, monkeypatch):
    for name in ("fsspec", "fsspec.core"):
        monkeypatch.setitem(sys.modules, name, None)
    told = piped(b"", "https://example.org/a.png", "-o", "-")
    assert told.code == 1
    assert "URLs need fsspec" in told.err
    assert 'pip install "srkit[remote]"' in told.err


def test_a_file_by_its_url_is_that_file(piped, tmp_path):
    path = saved(tmp_path / "a.png", PIXELS)
    told = piped(b"", f"file://{path}", "-o", f"file://{tmp_path}/out/b.png")
    assert (told.code, told.out) == (0, f"{tmp_path}/out/b.png\n".encode())


# --- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "<stdin>: the file is empty"),
        (b"hello", "<stdin>: not an image that srkit reads"),
        (encoded("PNG")[:100], "<stdin>: the PNG file is truncated or damaged"),
    ],
    ids=["empty", "text", "truncated"],
)
def test_what_is_no_picture_is_told_and_nothing_written(piped, tmp_path, data, told):
    for target in ("-", tmp_path / "new" / "a.png"):
        made = piped(data, "-", "-o", target)
        assert (made.code, made.out) == (1, b"")
        assert made.err.startswith(f"srkit: error: {told}")
        assert len(made.err.splitlines()) == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("-",), "add -o - or -o large.png"),
        (("-", "-o", "folder"), "-o folder is no name of a picture"),
        (("-", "a.png", "-o", "-"), "one picture is upscaled, not 2"),
        (("-", "-o", "-", "--json"), "give -o a file name"),
        (("-", "-o", "-", "--overwrite"), "replaces no file"),
        (("-", "-o", "a.png", "--format", "png"), "names the format already"),
        (("-", "-o", "-", "--dask", "local"), "leave --dask"),
        (("https://example.org/a.png",), "https://example.org/a.png has no folder for its result"),
        (("memory://a.png", "b.png", "-o", "out"), "one picture is upscaled, not 2; --dask local"),
        (("-", "-o", "memory://bucket"), "-o memory://bucket is no name of a picture"),
        (("memory://a.png", "-o", "."), "-o . is no name of a picture"),
        ((".", "-o", "-"), "is a folder, and -o - takes one picture"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_read(piped, given, told):
    made = piped(b"never read", *given)
    assert (made.code, made.out) == (2, b"")
    assert made.err.startswith("srkit: error: ")
    assert told in made.err


def test_for_programs_what_goes_wrong_is_json_too(piped, tmp_path):
    made = piped(b"junk", "-", "-o", tmp_path / "a.png", "--json")
    assert made.code == 1
    (failure,) = json.loads(made.out)["failed"]
    assert (failure["source"], failure["kind"]) == ("-", "ImageError")
    assert failure["reason"].startswith("not an image that srkit reads")
    assert "1 failed" in made.err
    (tmp_path / "a.png").touch()
    made = piped(b"never read", "-", "-o", tmp_path / "a.png", "--json")
    assert [one["kind"] for one in json.loads(made.out)["failed"]] == ["FileExistsError"]
    made = piped(b"never read", "-", "-o", tmp_path / "a.png", "--json", "--skip-existing")
    assert made.code == 0
    assert json.loads(made.out)["skipped"] == [{"source": "-", "target": str(tmp_path / "a.png")}]
    assert (tmp_path / "a.png").read_bytes() == b""


def test_terminals_are_no_pictures(piped):
    assert "add < photo.jpg" in piped(b"", "-", "-o", "-", tty=("stdin",)).err
    assert "add > large.png" in piped(encoded("PNG"), "-", "-o", "-", tty=("stdout",)).err


def test_a_file_that_is_not_there(piped, tmp_path):
    made = piped(b"", tmp_path / "a.png", "-o", "-")
    assert (made.code, made.out) == (1, b"")
    assert made.err == f"srkit: error: {tmp_path / 'a.png'}: No such file or directory\n"


class Printing(Upscaler):
    """Prints, as libraries do; with no memory where it is told so."""

    full = False

    def __init__(self, card, scale, weights=None):
        self.card, self.scale = card, scale

    def run(self, tiles):
        sys.stdout.write("loading weights...\n")
        if self.full:
            raise MemoryError
        return tiles.repeat(2, 1).repeat(2, 2)


@pytest.fixture
def printing(monkeypatch):
    monkeypatch.setattr(loading, "REGISTRY", Registry())
    srkit.register(ModelCard("printing", "", f"{__name__}:Printing", "numpy", (2,), 2, radius=0))


@pytest.mark.usefixtures("printing")
def test_what_a_model_prints_is_no_part_of_the_picture(piped):
    made = piped(encoded("PNG"), "-", "-o", "-", model="printing")
    assert made.code == 0
    np.testing.assert_array_equal(decoded(made.out)[1], DOUBLED)
    assert "loading weights..." in made.err


@pytest.mark.usefixtures("printing")
def test_memory_that_runs_out_is_told(piped, monkeypatch):
    monkeypatch.setattr(Printing, "full", True)
    made = piped(encoded("PNG"), "-", "-o", "-", model="printing")
    assert (made.code, made.out) == (1, b"")
    assert made.err.splitlines()[-1].startswith("srkit: error: out of memory")


def test_who_names_no_model_is_told_which_on_stderr(piped):
    pytest.importorskip("torch")
    made = piped(encoded("PNG"), "-", "-o", "-", model=None)
    assert decoded(made.out)[1].shape == (24, 32, 3)
    assert made.err.startswith("srkit: note: photo: denoise=")
    assert "srkit models" in made.err


# --- real pipes -------------------------------------------------------------------------------

COMMAND = [sys.executable, "-c", "import sys; from srkit.cli import main; sys.exit(main())"]
ASKED = ["upscale", "-", "-o", "-", "-m", "nearest", "--scale=2"]


def test_two_commands_in_a_pipe():
    with subprocess.Popen(
        [*COMMAND, *ASKED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as first:
        second = subprocess.Popen(
            [*COMMAND, *ASKED, "--format=tif"],
            stdin=first.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        first.stdin.write(encoded("PNG"))
        first.stdin.close()
        first.stdout.close()
        out, err = second.communicate()
        told = first.stderr.read()
    assert (first.returncode, second.returncode, told, err) == (0, 0, b"", b"")
    form, pixels = decoded(out)
    assert form == "TIFF"
    np.testing.assert_array_equal(pixels, DOUBLED.repeat(2, 0).repeat(2, 1))


@pytest.mark.skipif(os.name != "posix", reason="pipes break as POSIX has them")
def test_a_broken_pipe_ends_quietly():
    """Of a picture larger than any pipe's buffer, nobody reads more than the beginning."""
    pixels = np.random.default_rng(1).integers(0, 256, (400, 400, 3), np.uint8)
    with subprocess.Popen(
        [*COMMAND, *ASKED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdin.write(encoded("BMP", pixels))
        process.stdin.close()
        assert process.stdout.read(2) == b"BM"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
