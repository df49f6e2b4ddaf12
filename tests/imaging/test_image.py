"""An Image checks its pixels and converts to Pillow, numpy and a notebook preview."""

import io

import numpy as np
import pytest
from PIL import Image as PILImage

from srkit.errors import ImageError
from srkit.imaging.image import Image
from srkit.imaging.metadata import Metadata


@pytest.mark.parametrize(
    ("shape", "mode"),
    [((4, 5), "L"), ((4, 5, 2), "LA"), ((4, 5, 3), "RGB"), ((4, 5, 4), "RGBA")],
)
def test_mode_follows_from_the_channels(shape, mode):
    image = Image(np.zeros(shape, np.uint16))
    assert image.metadata == Metadata(mode)
    assert (image.shape, image.size, image.width, image.height) == (shape, (5, 4), 5, 4)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 5, 1), np.uint8),
        np.zeros((4, 5, 5), np.uint8),
        np.zeros((1, 4, 5, 3), np.uint8),
        np.zeros(5, np.uint8),
        np.zeros((0, 5), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
        np.zeros((4, 5), np.float64),
        np.zeros((4, 5), bool),
        [[1, 2], [3, 4]],
    ],
)
def test_wrong_pixels_are_refused(pixels):
    with pytest.raises(ImageError):
        Image(pixels)


def test_pixels_must_fit_the_mode():
    with pytest.raises(ImageError, match="CMYK"):
        Image(np.zeros((4, 5, 3), np.uint8), Metadata("CMYK"))


def test_it_is_an_array_to_numpy():
    pixels = np.arange(20, dtype=np.uint8).reshape(4, 5)
    image = Image(pixels)
    assert np.asarray(image) is pixels or np.shares_memory(np.asarray(image), pixels)
    assert np.asarray(image, np.float32).dtype == np.float32
    copied = np.array(image)
    copied[:] = 0
    assert pixels[3, 4] == 19
    with pytest.raises(ValueError, match="copy"):
        np.asarray(image, dtype=np.float32, copy=False)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK"])
def test_pillow_gets_the_nearest_mode_it_has(mode, dtype):
    channels = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,), "CMYK": (4,)}[mode]
    values = np.random.default_rng(0).random((4, 5, *channels))
    top = 1 if dtype == "float32" else np.iinfo(dtype).max
    pixels = (values * top).astype(dtype) if dtype == "float32" else np.rint(values * top)
    result = Image(pixels.astype(dtype), Metadata(mode)).to_pil()
    if mode == "L" and dtype != "uint8":
        assert result.mode == {"uint16": "I;16", "float32": "F"}[dtype]
        wanted = pixels * (255 if dtype == "float32" else 1)
        np.testing.assert_allclose(np.asarray(result), wanted, rtol=1e-6)
    else:
        assert result.mode == mode
        wanted = pixels.astype(float) * 255 / top
        assert np.abs(np.asarray(result) - wanted).max() <= 0.5 + 1e-4


def test_pillow_gets_the_metadata():
    meta = Metadata("RGB", icc=b"icc", exif=b"Exif\0\0", xmp=b"<x/>", dpi=(300.0, 200.0))
    info = Image(np.zeros((2, 2, 3), np.uint8), meta).to_pil().info
    assert info == {
        "icc_profile": b"icc",
        "exif": b"Exif\0\0",
        "xmp": b"<x/>",
        "dpi": (300.0, 200.0),
    }


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK"])
def test_notebooks_get_a_small_8_bit_png(mode, dtype):
    shape = (30, 2000) if mode == "L" else (30, 2000, 4)
    data = Image(np.zeros(shape, dtype), Metadata(mode))._repr_png_()
    with PILImage.open(io.BytesIO(data)) as preview:
        assert preview.format == "PNG"
        assert max(preview.size) == 1024
        assert preview.mode in ("L", "RGB", "RGBA")


def test_images_are_equal_by_pixels_and_metadata():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = Image(pixels)
    assert image == Image(pixels.copy())
    others = (
        Image(pixels[::-1]),
        Image(pixels[:2]),
        Image(pixels.astype(np.uint16)),
        Image(pixels, Metadata("L", dpi=(300.0, 300.0))),
        pixels.tolist(),
        None,
    )
    for other in others:
        assert image != other
    with pytest.raises(TypeError, match="unhashable"):
        hash(image)


def test_pillows_way_to_take_arrays_says_how_to_keep_the_profile():
    image = Image(np.arange(12, dtype=np.uint8).reshape(3, 4))
    with pytest.raises(AttributeError, match=r"image\.to_pil\(\)"):
        PILImage.fromarray(image)
    np.testing.assert_array_equal(np.asarray(image), image.pixels)
