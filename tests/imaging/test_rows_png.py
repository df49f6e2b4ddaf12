"""PNG by rows: written by our own code, read by libvips."""

import struct
import sys
import zlib

import dummies
import imagecodecs
import numpy as np
import pytest
import tifffile
from growth import growth
from images import noise
from PIL import Image as PILImage
from PIL import PngImagePlugin

import srkit
from srkit.cli import main
from srkit.errors import CorruptFileError, NotByRowsError
from srkit.imaging.files import by_rows as row_files
from srkit.imaging.files import png_writing as png
from srkit.imaging.files import rows_png
from srkit.imaging.metadata import Metadata


@pytest.fixture
def pyvips():
    """For tests that read by rows; what is written takes none."""
    return pytest.importorskip("pyvips")


def written(path, pixels, metadata=None):
    metadata = metadata or Metadata("RGB" if pixels.ndim == 3 else "L")
    srkit.Image(pixels, metadata).save(path)
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def decoded(path):
    """By libpng, which is not what wrote it, with all checksums looked at."""
    return imagecodecs.png_decode(path.read_bytes())


@pytest.mark.parametrize("shape", [(1, 1), (90, 1), (1, 90, 3), (300, 41), (257, 31, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("strip", [40, 2**18])
def test_tiff_becomes_png(tmp_path, monkeypatch, shape, dtype, strip):
    monkeypatch.setattr(png, "rows_per_strip", lambda shape, _: min(shape[0], strip))
    pixels = noise(shape, dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb" if len(shape) == 3 else None)
    dummies.Blur().upscale_file(tmp_path / "a.tif", tmp_path / "b.png")
    made, wanted = decoded(tmp_path / "b.png"), dummies.Blur().upscale(pixels)
    assert made.dtype == dtype
    np.testing.assert_array_equal(made, wanted)
    with PILImage.open(tmp_path / "b.png") as image:
        image.load()
        assert image.size == (wanted.shape[1], wanted.shape[0])


def test_photos_take_hardly_more_than_by_libpng(tmp_path):
    from skimage import data

    pixels = data.astronaut()
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    model = srkit.load("bicubic", scale=2)
    model.upscale_file(tmp_path / "a.tif", tmp_path / "b.png")
    model.upscale(tmp_path / "a.tif").save(tmp_path / "c.png")
    rows, whole = (tmp_path / "b.png").stat().st_size, (tmp_path / "c.png").stat().st_size
    assert rows < 1.1 * whole


@pytest.mark.parametrize("shape", [(1, 1), (90, 1), (2, 90, 3), (300, 41), (257, 31, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("model", [dummies.Streaming, dummies.Luma])
@pytest.mark.usefixtures("pyvips")
def test_png_gives_the_pixels_of_upscaling_the_array(tmp_path, shape, dtype, model):
    pixels = noise(shape, dtype)
    written(tmp_path / "a.png", pixels)
    model().upscale_file(tmp_path / "a.png", tmp_path / "b.png")
    np.testing.assert_array_equal(decoded(tmp_path / "b.png"), model().upscale(pixels))


@pytest.mark.parametrize("model", [dummies.Streaming, dummies.Luma, dummies.Fours])
@pytest.mark.usefixtures("pyvips")
def test_nothing_is_decoded_twice(tmp_path, monkeypatch, model):
    pictures, opened = [], rows_png.PngRows.__init__
    monkeypatch.setattr(
        rows_png.PngRows,
        "__init__",
        lambda self, *given: pictures.append(self) or opened(self, *given),
    )
    pixels = noise((1500, 45, 3), "uint16")
    written(tmp_path / "a.png", pixels)
    model().upscale_file(tmp_path / "a.png", tmp_path / "b.png", memory=10**6)
    np.testing.assert_array_equal(decoded(tmp_path / "b.png"), model().upscale(pixels))
    assert [picture.starts for picture in pictures] == [1]


@pytest.mark.usefixtures("pyvips")
def test_rows_above_are_read_again(tmp_path):
    pixels = noise((1000, 20))
    with rows_png.PngRows.open(written(tmp_path / "a.png", pixels)) as picture:
        for first in (900, 0, 130, 129, 640):
            part = picture[first : first + 70, 3:15]
            np.testing.assert_array_equal(part[..., 0], pixels[first : first + 70, 3:15])
        assert picture.starts == 2


@pytest.mark.usefixtures("pyvips")
def test_metadata_is_that_of_reading_it_whole(tmp_path):
    exif = PILImage.Exif()
    exif[0x010F], exif[0x0131] = "Maker", "A scanner"
    exif.get_ifd(0x8769)[0xA002] = 20
    profile = PILImage.new("L", (1, 1)).info.get("icc_profile") or b"profile" * 20
    metadata = Metadata(
        "RGB", icc=profile, exif=b"Exif\0\0" + exif.tobytes(), xmp=b"<x/>", dpi=(300.0, 150.0)
    )
    source = written(tmp_path / "a.png", noise((30, 20, 3)), metadata)
    dummies.Nearest().upscale_file(source, tmp_path / "rows.png")
    dummies.Nearest().upscale(source).save(tmp_path / "whole.png")
    rows, whole = (srkit.read_image(tmp_path / f"{n}.png").metadata for n in ("rows", "whole"))
    assert rows == whole
    assert rows.icc == profile
    assert rows.xmp == b"<x/>"
    assert rows.dpi == pytest.approx((300, 150), abs=0.02)


@pytest.mark.usefixtures("pyvips")
def test_metadata_behind_the_pixels_is_found(tmp_path):
    source = written(tmp_path / "a.png", noise((30, 20)))
    text = png.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<late/>")
    data = source.read_bytes()
    source.write_bytes(data[:-12] + text + data[-12:])
    dummies.Nearest().upscale_file(source, tmp_path / "b.png")
    assert srkit.read_image(tmp_path / "b.png").metadata.xmp == b"<late/>"


def palette(path):
    PILImage.fromarray(noise((20, 10))).convert("P").save(path)


def bits(path):
    PILImage.fromarray(noise((20, 10))).convert("1").save(path)


def transparent(path):
    PILImage.fromarray(noise((20, 10, 4))).save(path)


def keyed(path):
    PILImage.fromarray(noise((20, 10))).save(path, transparency=7)


def turned(path):
    exif = PILImage.Exif()
    exif[0x0112] = 6
    PILImage.fromarray(noise((20, 10))).save(path, exif=exif)


def interlaced(path):
    # Adam7 of one pixel is that pixel: only the flag differs.
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 1)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(b"\0\7")), (b"IEND", b"")
    path.write_bytes(png.SIGNATURE + b"".join(png.chunk(*parts) for parts in chunks))


@pytest.mark.parametrize("make", [palette, bits, transparent, keyed, turned, interlaced])
@pytest.mark.usefixtures("pyvips")
def test_what_is_not_done_by_rows_is_refused_and_read_whole(tmp_path, monkeypatch, make):
    make(tmp_path / "a.png")
    with pytest.raises(NotByRowsError, match=r"a\.png.*whole"):
        dummies.Blur().upscale_file(tmp_path / "a.png", tmp_path / "b.png")
    assert names(tmp_path) == ["a.png"]
    # With so little, the command tries rows first.
    monkeypatch.setattr(srkit.Upscaler, "available_memory", lambda self: 1)
    assert upscale(tmp_path / "a.png", "-o", tmp_path / "b.png") == 0
    assert (tmp_path / "b.png").exists()


def test_floats_become_png_only_whole(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5), np.float32))
    with pytest.raises(NotByRowsError, match="floats"):
        dummies.Blur().upscale_file(tmp_path / "a.tif", tmp_path / "b.png")


def pixels_at(data):
    """Where the contents of the first IDAT begin."""
    return data.index(b"IDAT") + 4


def cut(data):
    return data[: len(data) // 2]


def flip(data):
    at = pixels_at(data) + 5000
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def repacked(data):
    """Pixels of half the rows, with right checksums."""
    small = zlib.compress(bytes(150 * 51))
    return data[: pixels_at(data) - 8] + png.chunk(b"IDAT", small) + png.chunk(b"IEND", b"")


@pytest.mark.parametrize("damage", [cut, flip, repacked])
@pytest.mark.usefixtures("pyvips")
def test_damage_leaves_nothing_behind(tmp_path, damage):
    source = written(tmp_path / "a.png", noise((300, 50)))
    source.write_bytes(damage(source.read_bytes()))
    with pytest.raises(CorruptFileError, match=r"a\.png"):
        dummies.Streaming().upscale_file(source, tmp_path / "b.png")
    assert names(tmp_path) == ["a.png"]


@pytest.mark.usefixtures("pyvips")
@pytest.mark.parametrize("size", [(1 << 30, 1 << 30), (1 << 20, 1), (1, 1 << 20), (400, 400)])
def test_pictures_that_their_data_can_never_become_are_damaged(tmp_path, size):
    """libvips took gigabytes for rows that a file of 158 bytes states."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)), (b"IDAT", b"\x78\x9c" * 70)]
    whole = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in [*parts, (b"IEND", b"")]
    )
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + whole)
    with pytest.raises(CorruptFileError, match="part of the picture is missing"):
        dummies.Nearest().upscale_file(tmp_path / "a.png", tmp_path / "b.png")


@pytest.mark.usefixtures("pyvips")
def test_pictures_that_are_packed_as_well_as_deflate_can_are_read(tmp_path):
    """A thousand bytes in one, by zlib."""
    PILImage.new("L", (5000, 4000)).save(tmp_path / "a.png", compress_level=9)
    assert 5000 * 4000 / (tmp_path / "a.png").stat().st_size > 900
    with row_files.open_rows(tmp_path / "a.png") as rows:
        assert not rows[3990:4000, 0:5000].any()


@pytest.mark.usefixtures("pyvips")
def test_animations_are_refused(tmp_path):
    frames = [PILImage.fromarray(noise((20, 10)) // n) for n in (1, 2)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with pytest.raises(NotByRowsError, match="frames"):
        dummies.Blur().upscale_file(tmp_path / "a.png", tmp_path / "b.png")
    with pytest.raises(srkit.ImageError, match="2 frames"):
        srkit.read_image(tmp_path / "a.png")


def upscale(*arguments):
    return main(["upscale", "-m", "nearest", "--scale", "2", *map(str, arguments)])


@pytest.mark.usefixtures("pyvips")
def test_the_command_reads_by_rows_what_has_too_many_pixels(tmp_path, capsys):
    pixels = noise((60, 50, 3))
    source = written(tmp_path / "a.png", pixels)
    assert upscale(source, "-o", tmp_path / "b.png", "--max-pixels=2999") == 0
    wanted = pixels.repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(decoded(tmp_path / "b.png"), wanted)
    # JPEG is written whole, so its source is read whole.
    assert upscale(source, "-o", tmp_path / "b.jpg", "--max-pixels=2999") == 1
    assert "more than the limit of 2999" in capsys.readouterr().err
    assert not (tmp_path / "b.jpg").exists()


def test_without_pyvips_the_command_reads_whole_what_it_may(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyvips", None)
    source = written(tmp_path / "a.png", noise((60, 50, 3)))
    assert upscale(source, "-o", tmp_path / "b.png", "--max-pixels=2999") == 1
    assert "srkit[vips]" in capsys.readouterr().err
    assert upscale(source, "-o", tmp_path / "b.png", "--memory=100kB") == 0


def test_other_programs_see_the_profile(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    metadata = Metadata("RGB", icc=profile)
    srkit.Image(noise((30, 20, 3)), metadata).save(tmp_path / "a.tif")
    dummies.Nearest().upscale_file(tmp_path / "a.tif", tmp_path / "b.png")
    with PngImagePlugin.PngImageFile(tmp_path / "b.png") as image:
        assert image.info["icc_profile"] == profile


@pytest.mark.usefixtures("pyvips")
def test_memory_does_not_grow_with_height(tmp_path):
    band = np.tile(np.arange(1000, dtype=np.uint8), (1000, 1))
    short = written(tmp_path / "short.png", band)
    # 12 MB, whose result takes 48 MB.
    tall = written(tmp_path / "tall.png", np.tile(band, (12, 1)))
    imports = "pyvips, PIL.Image"
    grown = growth(short, tall, tmp_path / "made.png", imports=imports, memory=4_000_000)
    assert grown < 6_000  # kB
