"""One entry of a folder stops none of the others, and hides none."""

import json
import logging
import os
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image as PILImage
from PIL.PngImagePlugin import PngInfo

from srkit.cli import main
from srkit.imaging import folders

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
posix = pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")


def photo(path, suffix="png"):
    path.parent.mkdir(parents=True, exist_ok=True)
    PILImage.fromarray(PIXELS).save(path, "JPEG" if suffix == "jpg" else None)


def names(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def upscale(*arguments):
    return main(["upscale", *map(str, arguments), "-m", "nearest", "--scale=2"])


def broken(path, kind):
    if kind == "loop":
        path.symlink_to(path.name)
    elif kind == "dangling":
        path.symlink_to("nowhere.png")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "long name":
        photo(path.with_name("m" * 245 + ".png"))
    elif kind == "wide":
        # A side that no PNG that is read by others has: 501,000 becomes 1,002,000.
        PILImage.new("1", (501_000, 1)).save(path)
    elif kind == "bytes":
        photo(path)
        path.rename(path.parent / os.fsdecode(b"m\xff.png"))
    elif kind == "empty":
        path.touch()


@posix
@pytest.mark.parametrize("kind", ["loop", "dangling", "pipe", "long name", "wide", "empty"])
def test_one_bad_entry_is_one_failure_and_the_rest_is_done(tmp_path, capsys, kind):
    photo(tmp_path / "p" / "a.png")
    photo(tmp_path / "p" / "z.png")
    broken(tmp_path / "p" / "m.png", kind)
    # Where no format is asked for, the wide one becomes a TIFF.
    asked = ["--format", "png"] if kind == "wide" else []
    assert upscale(tmp_path / "p", "-o", tmp_path / "out", *asked) == 1
    assert names(tmp_path / "out") == ["a_nearest_x2.png", "z_nearest_x2.png"]
    error = capsys.readouterr().err
    assert "2 written, 1 failed" in error
    assert "Traceback" not in error


@posix
def test_a_name_that_is_no_text_is_upscaled_like_others(tmp_path):
    photo(tmp_path / "p" / "a.png")
    broken(tmp_path / "p" / "m.png", "bytes")
    assert upscale(tmp_path / "p", "-o", tmp_path / "out") == 0
    made = [os.fsencode(path.name) for path in (tmp_path / "out").iterdir()]
    assert sorted(made) == [b"a_nearest_x2.png", b"m\xff_nearest_x2.png"]


@posix
@pytest.mark.parametrize("kind", ["loop", "dangling", "pipe"])
def test_a_bad_name_on_the_command_line_is_one_failure(tmp_path, capsys, kind):
    photo(tmp_path / "a.png")
    broken(tmp_path / "m.png", kind)
    many = [tmp_path / "m.png", tmp_path / ("n" * 300), tmp_path / "a.png"]
    assert upscale(*many, "-o", tmp_path / "out") == 1
    assert names(tmp_path / "out") == ["a_nearest_x2.png"]
    assert "1 written, 2 failed" in capsys.readouterr().err


def test_two_files_of_one_stem_are_told_apart_by_their_suffix(tmp_path):
    for name in ("a.png", "a.gif", "b.jpg"):
        photo(tmp_path / "p" / name)
    assert upscale(tmp_path / "p", "-o", tmp_path / "out") == 0
    made = ["a_gif_nearest_x2.png", "a_nearest_x2.png", "b_nearest_x2.jpg"]
    assert names(tmp_path / "out") == made
    photo(tmp_path / "p" / "a_gif.png")  # whose result has that name
    photo(tmp_path / "p" / "a.jpg")
    assert upscale(tmp_path / "p", "-o", tmp_path / "png", "--format", "png") == 0
    assert names(tmp_path / "png") == [
        "a_gif_2_nearest_x2.png",
        "a_gif_nearest_x2.png",
        "a_jpg_nearest_x2.png",
        "a_nearest_x2.png",
        "b_nearest_x2.png",
    ]


def test_a_second_run_knows_the_results_that_were_told_apart(tmp_path):
    for name in ("a.png", "a.gif"):
        photo(tmp_path / name)
    assert upscale(tmp_path) == 0
    made = names(tmp_path)
    assert upscale(tmp_path, "--skip-existing") == 0
    assert names(tmp_path) == made
    assert len(made) == 4


@posix
def test_folders_behind_links_are_searched_once(tmp_path):
    photo(tmp_path / "real" / "a.png")
    photo(tmp_path / "p" / "b" / "b.png")
    (tmp_path / "p" / "a link").symlink_to("../real")
    (tmp_path / "p" / "twice").symlink_to("../real")
    (tmp_path / "real" / "back").symlink_to("../p")
    (tmp_path / "p" / "b" / "itself").symlink_to(".")
    assert upscale(tmp_path / "p", "-o", tmp_path / "out") == 0
    assert names(tmp_path / "out") == ["a link/a_nearest_x2.png", "b/b_nearest_x2.png"]


@posix
def test_results_behind_a_link_are_not_upscaled_again(tmp_path):
    photo(tmp_path / "p" / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "p" / "results").symlink_to("../out")
    for _ in range(2):
        assert upscale(tmp_path / "p", "-o", tmp_path / "out", "--overwrite") == 0
    assert names(tmp_path / "out") == ["a_nearest_x2.png"]


@posix
def test_training_finds_the_same_and_tells_what_it_leaves_out(tmp_path, caplog):
    photos = pytest.importorskip("srkit.training.data.photos")
    for name in ("p/a.png", "p/b.png", "real/c.png"):
        photo(tmp_path / name)
    (tmp_path / "p" / "link").symlink_to("../real")
    (tmp_path / "p" / "again").symlink_to("../p")
    broken(tmp_path / "p" / "loop.png", "loop")
    broken(tmp_path / "p" / "gone.png", "dangling")
    broken(tmp_path / "p" / "pipe.png", "pipe")
    with caplog.at_level(logging.WARNING):
        found = photos.find_photos(tmp_path / "p")
    assert found == [tmp_path / "p" / name for name in ("a.png", "b.png", "link/c.png")]
    assert sorted(r.getMessage().split(": ")[0] for r in caplog.records) == [
        f"left out {tmp_path / 'p' / name}" for name in ("gone.png", "loop.png", "pipe.png")
    ]
    photos.fingerprint(found)  # which looks at each


def test_a_folder_that_cannot_be_looked_into_is_told(tmp_path, monkeypatch):
    photo(tmp_path / "a.png")
    (tmp_path / "closed").mkdir()
    real, told = os.scandir, []

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = list(folders.walk(tmp_path, (".png",), told.append))
    assert found == [tmp_path / "a.png"]
    assert [error.filename for error in told] == [str(tmp_path / "closed")]


def test_pngs_that_are_too_wide_are_refused_before_any_work(tmp_path):
    from srkit.errors import ImageError
    from srkit.imaging.files.reading import read_image
    from srkit.imaging.image import Image

    wide = Image(np.zeros((1, 1_000_001), np.uint8))
    with pytest.raises(ImageError, match="at most 1000000 pixels a side"):
        wide.save(tmp_path / "a.png")
    most = Image(np.zeros((1, 1_000_000), np.uint8))
    most.save(tmp_path / "a.png")
    width, height = struct.unpack(">II", (tmp_path / "a.png").read_bytes()[16:24])
    assert (width, height) == (1_000_000, 1)
    assert read_image(tmp_path / "a.png").size == (1_000_000, 1)


# --- what is told -----------------------------------------------------------------------------


def test_json_tells_what_was_written_and_what_could_not_be_kept(tmp_path, capsys):
    info = PngInfo()
    info.add_text("parameters", "a cat")
    PILImage.fromarray(PIXELS).save(tmp_path / "a.png", pnginfo=info)
    photo(tmp_path / "b.png")
    (tmp_path / "c.png").touch()
    options = ["--json", "--format", "jpg", "-o", tmp_path / "out"]
    assert upscale(tmp_path, *options) == 1
    out, err = capsys.readouterr()
    told = "JPEG holds no text 'parameters': left out"
    facts = json.loads(out)
    assert facts["written"] == [
        {
            "source": str(tmp_path / f"{name}.png"),
            "target": str(tmp_path / "out" / f"{name}_nearest_x2.jpg"),
            "left_out": [told] if name == "a" else [],
            "decided": {},
        }
        for name in "ab"
    ]
    assert [failure["source"] for failure in facts["failed"]] == [str(tmp_path / "c.png")]
    assert "the file is empty" in facts["failed"][0]["reason"]
    assert facts["failed"][0]["kind"] == "CorruptFileError"
    assert "2 written, 1 failed" in err
    assert upscale(tmp_path / "a.png", *options, "--skip-existing") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["written"], len(facts["skipped"])) == ([], 1)
    kinds = {tmp_path / "gone.png": "FileNotFoundError", tmp_path / "a.png": "FileExistsError"}
    for path, kind in kinds.items():
        assert upscale(path, *options) == 1
        assert [one["kind"] for one in json.loads(capsys.readouterr().out)["failed"]] == [kind]


def test_a_slip_in_the_name_of_a_picture_makes_no_folder(tmp_path, capsys):
    source = tmp_path / "a.png"
    photo(source)
    for slip, meant in (("r.jpgg", "r.jpg"), ("r.pgn", "r.png"), ("r.TFF", "r.tiff")):
        assert upscale(source, "-o", tmp_path / slip) == 2
        assert f"did you mean {meant}? If it is to be a folder" in capsys.readouterr().err
        assert not (tmp_path / slip).exists()
    (tmp_path / "r.jpgg").mkdir()
    assert upscale(source, "-o", tmp_path / "r.jpgg") == 0
    assert upscale(source, "-o", tmp_path / "runs.2026") == 0  # like no format
    assert upscale(tmp_path, "-o", tmp_path / "all.pngs") == 0  # of a folder, to a folder


def test_what_is_not_written_becomes_png_whatever_its_name(tmp_path, capsys):
    for name in ("one.png", "two.jpg"):
        PILImage.new("RGB", (8, 8), "red").save(tmp_path / name, "GIF")
    (tmp_path / "three.jpg").write_bytes(b"#?RADIANCE\n\n-Y 2 +X 2\n" + bytes([9, 9, 9, 128] * 4))
    for name in ("one.png", "two.jpg", "three.jpg"):
        assert upscale(tmp_path / name) == 0
        with PILImage.open(tmp_path / f"{name[:-4]}_nearest_x2.png") as made:
            assert made.format == "PNG"
    told = capsys.readouterr().err
    assert "two.jpg became PNG: it is a GIF file, whatever its name" in told
    assert "three.jpg became PNG: it is a Radiance file, whatever its name" in told


@pytest.mark.parametrize(
    ("name", "mode", "kind", "suffix", "title"),
    [
        ("photo.jpg", "RGBA", "PNG", "png", "PNG"),
        ("photo.jpg", "RGB", "PNG", "png", "PNG"),
        ("photo.jpeg", "RGBA", "WEBP", "webp", "WebP"),
        ("photo.jfif", "RGBA", "PNG", "png", "PNG"),
        ("photo.bmp", "CMYK", "JPEG", "jpg", "JPEG"),
        ("photo.png", "CMYK", "TIFF", "tif", "TIFF"),
    ],
)
def test_a_file_whose_name_lies_keeps_its_format(tmp_path, capsys, name, mode, kind, suffix, title):
    PILImage.new(mode, (8, 8), 7).save(tmp_path / name, kind)
    assert upscale(tmp_path / name) == 0
    note = f"{name} became {title}: it is a {title} file, whatever its name"
    assert note in capsys.readouterr().err
    with PILImage.open(tmp_path / f"photo_nearest_x2.{suffix}") as made:
        assert (made.format, made.mode, made.size) == (kind, mode, (16, 16))
    # Where a format is asked for, it is that, or an error that says what to do.
    held = mode == "RGB" or (mode == "RGBA" and suffix == "webp")
    assert upscale(tmp_path / name, "--format", "jpg", "-o", tmp_path / "o") == (
        0 if mode in ("RGB", "CMYK") else 1
    )
    if mode == "RGBA" and not held:
        assert "use --format png" in capsys.readouterr().err


def clear_bmp(path, colour, side=8):
    """A BMP with alpha, as BITMAPV5HEADER has it; Pillow writes none."""
    red, green, blue, alpha = colour
    pixels = bytes([blue, green, red, alpha]) * side * side
    head = struct.pack("<IiiHHIIiiII", 124, side, side, 1, 32, 3, len(pixels), 0, 0, 0, 0)
    head += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs"
    head += bytes(124 - len(head))
    path.write_bytes(b"BM" + struct.pack("<IHHI", 138 + len(pixels), 0, 0, 138) + head + pixels)


def test_what_a_format_cannot_hold_becomes_one_that_can(tmp_path, capsys):
    deep = np.arange(0, 64 * 1024, 1024, dtype=np.uint16).reshape(8, 8)
    coded = np.stack([deep >> 6] * 3, -1)
    (tmp_path / "deep.avif").write_bytes(
        imagecodecs.avif_encode(coded, level=100, bitspersample=10)
    )
    clear_bmp(tmp_path / "clear.bmp", (200, 100, 50, 30))
    assert upscale(tmp_path) == 0
    err = capsys.readouterr().err
    assert "deep.avif became PNG: AVIF as srkit writes it holds 8 bits, but the image has 16" in err
    assert "clear.bmp became PNG: BMP cannot hold an alpha channel" in err
    assert "image.pixels" not in err
    # Colour type 2 with 16 bits, and type 6 with 8, by the PNG specification's header.
    header = (tmp_path / "deep_nearest_x2.png").read_bytes()[16:26]
    assert struct.unpack(">IIBB", header) == (16, 16, 16, 2)
    with PILImage.open(tmp_path / "clear_nearest_x2.png") as made:
        assert made.mode == "RGBA"
        assert set(made.get_flattened_data()) == {(200, 100, 50, 30)}
    # What was made is known by its own name.
    assert upscale(tmp_path / "deep.avif") == 1
    assert "deep_nearest_x2.png exists; use --overwrite" in capsys.readouterr().err
    (tmp_path / "deep_nearest_x2.png").write_bytes(b"kept")
    assert upscale(tmp_path / "deep.avif", "--skip-existing") == 0
    assert (tmp_path / "deep_nearest_x2.png").read_bytes() == b"kept"


def test_results_of_other_formats_take_no_names_of_others(tmp_path):
    clear_bmp(tmp_path / "a.bmp", (200, 100, 50, 30))
    PILImage.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "a.png")
    PILImage.new("RGBA", (8, 8), (9, 8, 7, 6)).save(tmp_path / "a.jpg", "PNG")
    assert upscale(tmp_path, "-o", tmp_path / "o") == 0
    found = {path.name: PILImage.open(path).getpixel((0, 0)) for path in (tmp_path / "o").iterdir()}
    assert found == {
        "a_nearest_x2.png": (1, 2, 3),
        "a_bmp_nearest_x2.png": (200, 100, 50, 30),
        "a_jpg_nearest_x2.png": (9, 8, 7, 6),
    }


def test_light_brighter_than_white_is_told_as_such(tmp_path, capsys):
    pixels = np.linspace(0, 3.5, 192, dtype=np.float32).reshape(8, 8, 3)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    assert upscale(tmp_path / "a.tif") == 1
    error = capsys.readouterr().err
    assert "tone-map it" in error
    assert "peak, 3.5" in error
    assert "255" not in error.replace(str(tmp_path), "")
