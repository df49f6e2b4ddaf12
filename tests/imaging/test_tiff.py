"""TIFF files of other programs: what they hold is read right or refused."""

import numpy as np
import pytest
import tifffile
from images import noise
from PIL import Image as PILImage

from srkit.errors import CorruptFileError, ImageError
from srkit.imaging.files.reading import read_image


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"planarconfig": "separate"},
        {"tile": (16, 16)},
        {"compression": "lzw", "predictor": True},
        {"compression": "zlib", "rowsperstrip": 3},
        {"planarconfig": "separate", "compression": "zlib", "tile": (16, 16)},
    ],
)
def test_every_layout_gives_the_same_pixels(tmp_path, order, bigtiff, dtype, layout):
    pixels = noise((9, 11, 3), dtype)
    stored = np.moveaxis(pixels, -1, 0) if "planarconfig" in layout else pixels
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric="rgb", byteorder=order, bigtiff=bigtiff, **layout
    )
    result = read_image(tmp_path / "a.tif").pixels
    assert result.dtype == dtype
    assert result.dtype.isnative
    np.testing.assert_array_equal(result, pixels)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_floats_become_float32(tmp_path, dtype):
    pixels = noise((5, 6), dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    result = read_image(tmp_path / "a.tif").pixels
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, pixels.astype(np.float32))


@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_grey_where_zero_is_white_is_turned_round(tmp_path, dtype, top):
    pixels = noise((5, 6), dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.tif").pixels, np.asarray(top - pixels, dtype)
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_premultiplied_alpha_is_undone(tmp_path, dtype):
    top = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    straight = np.full((4, 4, 4), 0.6 * top)
    straight[..., 3] = np.linspace(0.5, 1, 16).reshape(4, 4) * top
    stored = straight.copy()
    stored[..., :3] *= straight[..., 3:] / top
    stored = stored if dtype == "float32" else np.rint(stored)
    tifffile.imwrite(
        tmp_path / "a.tif", stored.astype(dtype), photometric="rgb", extrasamples=["assocalpha"]
    )
    result = read_image(tmp_path / "a.tif")
    assert result.metadata.mode == "RGBA"
    slack = 1e-6 if dtype == "float32" else 2
    np.testing.assert_allclose(result.pixels[..., :3], straight[..., :3], atol=slack)


def test_a_reduced_copy_in_the_file_is_passed_over(tmp_path):
    pixels = noise((8, 8, 3), "uint16")
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(pixels, photometric="rgb", metadata=None)
        tiff.write(pixels[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, pixels)


def test_a_file_that_begins_with_a_reduced_copy_is_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(noise((4, 4, 3), "uint16"), photometric="rgb", subfiletype=1, metadata=None)
        tiff.write(noise((8, 8, 3), "uint16"), photometric="rgb", metadata=None)
    with pytest.raises(ImageError, match="full-size"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_pages_are_refused_with_their_number(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", noise((4, 8, 8), dtype), photometric="minisblack")
    with pytest.raises(ImageError, match="4 frames or pages"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint32", "int32", "uint64", "complex64"])
def test_other_depths_are_refused(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6), dtype))
    with pytest.raises(ImageError, match="convert it"):
        read_image(tmp_path / "a.tif")


def test_twelve_bits_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6), np.uint16), bitspersample=12)
    with pytest.raises(ImageError, match="12 bits"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_channels_without_a_meaning_are_refused(tmp_path, dtype):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((5, 6, 5), dtype),
        photometric="rgb",
        extrasamples=["unassalpha", "unspecified"],
    )
    with pytest.raises(ImageError, match="2 extra channels"):
        read_image(tmp_path / "a.tif")


def test_a_colour_space_that_is_not_supported_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6, 3), np.uint8), photometric="cielab")
    with pytest.raises(ImageError, match="photometric 8"):
        read_image(tmp_path / "a.tif")


def test_jpeg_inside_tiff_is_read_as_pillow_reads_it(tmp_path):
    y, x = np.mgrid[0:32, 0:32]
    pixels = np.stack([4 * x, 4 * y, 2 * x + 2 * y], -1).astype(np.uint8)
    PILImage.fromarray(pixels).save(tmp_path / "a.tif", compression="jpeg", quality=95)
    result = read_image(tmp_path / "a.tif")
    assert result.metadata.mode == "RGB"
    assert np.abs(result.pixels.astype(int) - pixels).max() < 12


@pytest.mark.parametrize(
    ("mode", "options"),
    [("1", {}), ("P", {}), ("P", {"compression": "tiff_lzw"}), ("1", {"compression": "group4"})],
)
def test_what_pillow_decodes_is_turned_once(tmp_path, mode, options):
    """Palettes and packed bits, which lie in the file as a camera held on its side saw them."""
    stored = np.zeros((12, 20), np.uint8)
    stored[:3, :5] = 255
    exif = PILImage.Exif()
    exif[0x0112] = 6  # EXIF 2.32: the first row is the right side, the first column the top
    picture = PILImage.fromarray(stored)
    picture = picture.convert("1") if mode == "1" else picture.convert("RGB").quantize(2)
    picture.save(tmp_path / "a.tif", exif=exif, dpi=(100, 200), **options)
    result = read_image(tmp_path / "a.tif")
    pixels = result.pixels if mode == "1" else result.pixels[..., 0]
    np.testing.assert_array_equal(pixels, np.rot90(stored, -1))
    assert result.metadata.dpi == (200, 100)


def test_a_missing_strip_is_corrupt_rather_than_black(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise((16, 8), "uint16"), rowsperstrip=4)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tiff:
        tag = tiff.pages.first.tags["StripByteCounts"]
        tag.overwrite([*tag.value[:-1], 0])
    with pytest.raises(CorruptFileError, match="missing"):
        read_image(tmp_path / "a.tif")
