"""Any kind of image becomes planes of its own dtype and comes back as the same kind."""

import io

import numpy as np
import pytest
from dummies import TOPS
from hypothesis import given
from hypothesis import strategies as st
from images import noise
from PIL import Image as PILImage

import srkit
from srkit.errors import CorruptFileError, ImageError
from srkit.imaging.alpha import bleed, unpremultiply
from srkit.imaging.image import Image
from srkit.imaging.metadata import Metadata
from srkit.imaging.planes import read_planes

DTYPES = ["uint8", "uint16", "float32", "float64"]


def opaque(array):
    """Make RGBA opaque, so that no colour is replaced."""
    if array.ndim > 2 and array.shape[-1] == 4:
        array[..., 3] = TOPS[array.dtype.name]
    return array


def back(planes):
    return planes.rebuild(planes.colour, planes.alpha)


@given(
    dtype=st.sampled_from(DTYPES),
    ending=st.sampled_from([(), (1,), (3,), (4,)]),
    batch=st.sampled_from([(), (1,), (3,)]),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
)
def test_arrays_come_back_with_the_same_dtype_shape_and_values(dtype, ending, batch, height, width):
    if batch and not ending:
        ending = (1,)
    array = opaque(noise((*batch, height, width, *ending), dtype))
    before = array.copy()
    planes = read_planes(array)
    result = back(planes)
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(result, before)
    np.testing.assert_array_equal(array, before)
    assert planes.colour.ndim == 4
    assert planes.colour.dtype == array.dtype
    assert planes.shape == (height, width)
    assert planes.top == TOPS[dtype]
    assert (planes.alpha is not None) == (ending == (4,))
    assert planes.layout == ("rgb" if ending in ((3,), (4,)) else "grey")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4), (2, 4, 5, 3)])
def test_results_of_another_size_keep_dtype_and_channels(dtype, shape):
    planes = read_planes(noise(shape, dtype))
    count, _, _, channels = planes.colour.shape
    alpha = None if planes.alpha is None else np.ones((count, 8, 10, 1), dtype)
    result = planes.rebuild(np.zeros((count, 8, 10, channels), dtype), alpha)
    at = 1 if len(shape) == 4 else 0
    assert result.shape == (*shape[:at], 8, 10, *shape[at + 2 :])
    assert result.dtype == dtype


def test_integer_planes_are_a_view():
    array = noise((5, 6, 3), "uint16")
    assert np.shares_memory(read_planes(array).colour, array)


def test_layout_in_memory_does_not_matter():
    array = noise((6, 8, 3), "uint16")
    wanted = read_planes(array[::2, ::-1]).colour
    frozen = array[::2, ::-1].copy()
    frozen.flags.writeable = False
    for same in (np.asfortranarray(array[::2, ::-1]), frozen, array[::2, ::-1].astype(">u2")):
        planes = read_planes(same)
        np.testing.assert_array_equal(planes.colour, wanted)
        assert planes.colour.dtype == np.dtype("uint16")
        assert planes.colour.dtype.isnative


@pytest.mark.parametrize("shape", [(0, 4), (4, 0, 3), (0, 4, 4, 3), (2, 0, 4, 1)])
def test_empty_arrays_are_refused(shape):
    with pytest.raises(ImageError, match="empty"):
        read_planes(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((5, 7, 2), "srkit.Image"),
        ((5, 7, 5), "expected"),
        ((3, 5, 7), r"transpose\(1, 2, 0\)"),
        ((2, 3, 5, 7), r"transpose\(0, 2, 3, 1\)"),
        ((9, 5, 7), r"\[\.\.\., None\]"),
        ((5,), "expected"),
        ((1, 1, 5, 7, 3), "expected"),
        ((), "expected"),
    ],
)
def test_other_shapes_are_refused_with_a_hint(shape, hint):
    with pytest.raises(ImageError, match=hint):
        read_planes(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("dtype", "hint"),
    [
        ("float16", "float32"),
        ("bool", "255"),
        ("int8", "uint8"),
        ("int32", "uint16"),
        ("int64", "uint8"),
        ("complex64", "float32"),
        ("object", "uint8"),
        ("longdouble", "float32"),
    ],
)
def test_other_dtypes_are_refused_with_a_hint(dtype, hint):
    with pytest.raises(ImageError, match=hint):
        read_planes(np.zeros((4, 4), dtype))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_and_infinity_are_refused(bad, dtype):
    array = np.zeros((4, 4, 3), dtype)
    array[3, 3, 2] = bad
    with pytest.raises(ImageError, match="NaN or infinity"):
        read_planes(array)


@pytest.mark.parametrize(
    ("low", "high", "hint"),
    [
        (0, 255, "divide by 255 "),
        (0, 1.01, r"clip it with numpy\.clip"),
        (-0.02, 1.002, r"clip it with numpy\.clip"),
        (0, 40000, "divide by 65535 "),
        (-1, 1, r"\(image \+ 1\) / 2"),
        (-50, 300, "rescale"),
        (-2e-3, 0.5, "image"),
    ],
)
def test_floats_out_of_range_are_refused_with_a_hint(low, high, hint):
    with pytest.raises(ImageError, match=hint):
        read_planes(np.array([[low, high]], np.float32))


def test_rounding_beyond_the_range_is_allowed():
    beyond = np.array([[-0.9e-3, 1 + 0.9e-3]])
    np.testing.assert_array_equal(back(read_planes(beyond)), beyond)


def test_what_half_precision_rounds_beyond_the_range_is_clipped():
    above = np.full((2, 3, 3), np.nextafter(np.float16(1), np.float16(2)), np.float32)
    assert above.max() > 1
    assert srkit.upscale(above, "bicubic", scale=2).max() == 1


@pytest.mark.parametrize(
    ("thing", "hint"),
    [([[1, 2]], "numpy.asarray"), (None, "NoneType"), (3.5, "float")],
)
def test_other_objects_are_refused_by_naming_what_is_accepted(thing, hint):
    with pytest.raises(ImageError, match=rf"numpy array, a torch\.Tensor, a PIL\.Image.*{hint}"):
        read_planes(thing)


def test_masked_arrays_are_refused():
    with pytest.raises(ImageError, match="filled"):
        read_planes(np.ma.masked_less(np.zeros((3, 3)), 1))


def pil_of(mode, size=(7, 5)):
    width, height = size
    if mode == "1":
        return PILImage.fromarray(noise((height, width))).convert("1")
    if mode == "P":
        return PILImage.fromarray(noise((height, width, 3))).quantize(16)
    if mode == "I;16":
        return PILImage.fromarray(noise((height, width), "uint16"))
    if mode == "F":
        return PILImage.fromarray(noise((height, width), "float32") * 255)
    if mode == "CMYK":
        return PILImage.frombytes("CMYK", size, noise((height, width, 4)).tobytes())
    shape = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,)}[mode]
    array = noise((height, width, *shape))
    if mode in ("LA", "RGBA"):
        array[..., -1] |= 1  # nowhere fully transparent
    return PILImage.fromarray(array)


@pytest.mark.parametrize(
    ("mode", "result", "top", "layout"),
    [
        ("1", "L", 255, "grey"),
        ("L", "L", 255, "grey"),
        ("LA", "LA", 255, "grey"),
        ("P", "RGB", 255, "rgb"),
        ("RGB", "RGB", 255, "rgb"),
        ("RGBA", "RGBA", 255, "rgb"),
        ("I;16", "I;16", 65535, "grey"),
        ("F", "F", 255, "grey"),
        ("CMYK", "CMYK", 255, "cmyk"),
    ],
)
def test_pillow_modes_come_back_as_promised(mode, result, top, layout):
    image = pil_of(mode)
    image.info.update(icc_profile=b"profile", dpi=(300, 300), exif=b"Exif\0\0x")
    before = image.tobytes()
    planes = read_planes(image)
    made = back(planes)
    assert (made.mode, made.size) == (result, image.size)
    assert (planes.top, planes.layout) == (top, layout)
    # Pillow's own conversion says what the pixels are.
    wanted = image if image.mode == result else image.convert(result)
    assert made.tobytes() == wanted.tobytes()
    assert image.tobytes() == before
    assert made.info["icc_profile"] == b"profile"
    assert made.info["dpi"] == (300, 300)
    assert made.info["exif"] == b"Exif\0\0x"


@pytest.mark.parametrize("mode", ["I;16B", "I;16L"])
def test_other_byte_orders_of_16_bit_pillow_images_become_the_usual_one(mode):
    array = noise((5, 7), "uint16")
    raw = array.astype(">u2" if mode == "I;16B" else "<u2").tobytes()
    made = back(read_planes(PILImage.frombytes(mode, (7, 5), raw)))
    assert made.mode == "I;16"
    np.testing.assert_array_equal(np.asarray(made), array)


def test_palette_transparency_becomes_alpha():
    image = PILImage.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((0, 0), 0)
    image.info["transparency"] = 0
    made = back(read_planes(image))
    assert made.mode == "RGBA"
    assert made.getpixel((1, 1)) == (200, 100, 50, 255)
    # The transparent pixel takes the colour of its neighbours.
    assert made.getpixel((0, 0)) == (200, 100, 50, 0)
    assert "transparency" not in made.info


def test_palette_with_alpha_of_its_own_becomes_rgba():
    image = PILImage.new("P", (3, 3), 0)
    image.putpalette([10, 20, 30, 40], "RGBA")
    assert back(read_planes(image)).getpixel((1, 1)) == (10, 20, 30, 40)


@pytest.mark.parametrize(
    ("mode", "key", "result"),
    [("L", 7, "LA"), ("RGB", (7, 7, 7), "RGBA"), ("1", 0, "LA")],
)
def test_a_transparent_colour_becomes_alpha(mode, key, result):
    image = PILImage.new(mode, (3, 3), 255 if mode == "1" else 90 if mode == "L" else (9, 8, 7))
    image.putpixel((2, 2), key)
    image.info["transparency"] = key
    made = back(read_planes(image))
    assert made.mode == result
    assert [made.getpixel(at)[-1] for at in ((0, 0), (2, 2))] == [255, 0]
    assert image.info["transparency"] == key


def test_a_transparent_colour_in_16_bits_is_refused():
    image = pil_of("I;16")
    image.info["transparency"] = 3
    with pytest.raises(ImageError, match="read_image"):
        read_planes(image)


@pytest.mark.parametrize("mode", ["I", "HSV", "LAB", "YCbCr", "PA", "La", "RGBa", "RGBX"])
def test_other_pillow_modes_are_refused_by_naming_a_conversion(mode):
    with pytest.raises(ImageError, match="convert"):
        read_planes(PILImage.new(mode, (3, 3)))


def test_mode_f_must_be_within_0_and_255():
    with pytest.raises(ImageError, match="0-255"):
        read_planes(PILImage.fromarray(np.full((3, 3), 255.1, np.float32)))


def test_animated_pillow_images_are_refused_with_the_number_of_frames():
    frames = [PILImage.new("L", (8, 8), level) for level in (10, 90, 200)]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        file = io.BytesIO()
        frames[0].save(file, kind, save_all=True, append_images=frames[1:])
        with PILImage.open(file) as image, pytest.raises(ImageError, match="3 frames"):
            read_planes(image)


def test_a_copied_frame_is_accepted():
    frames = [PILImage.new("L", (8, 8), level) for level in (10, 90)]
    file = io.BytesIO()
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:])
    with PILImage.open(file) as image:
        image.seek(1)
        assert read_planes(image.copy()).colour.max() == 90


def test_an_empty_pillow_image_is_refused():
    with pytest.raises(ImageError, match="empty"):
        read_planes(PILImage.new("RGB", (0, 5)))


def test_a_lazily_opened_truncated_file_is_corrupt():
    file = io.BytesIO()
    pil_of("RGB", (60, 60)).save(file, "JPEG")
    with (
        PILImage.open(io.BytesIO(file.getvalue()[:-900])) as image,
        pytest.raises(CorruptFileError, match="truncated"),
    ):
        read_planes(image)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK"])
def test_srkit_images_come_back_with_their_metadata(mode, dtype):
    channels = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,), "CMYK": (4,)}[mode]
    pixels = noise((5, 7, *channels), dtype)
    pixels[..., -1] = np.maximum(pixels[..., -1], pixels.dtype.type(TOPS[dtype]) / 2)
    image = Image(pixels, Metadata(mode, icc=b"profile"))
    planes = read_planes(image)
    made = back(planes)
    assert made.metadata == image.metadata
    np.testing.assert_array_equal(made.pixels, pixels)
    assert made.dtype == dtype
    wanted = {"L": "grey", "LA": "grey", "CMYK": "cmyk"}.get(mode, "rgb")
    assert planes.layout == wanted


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_paths_return_images(tmp_path, kind):
    path = tmp_path / "a.png"
    PILImage.fromarray(noise((5, 7, 3))).save(path)
    made = back(read_planes(kind(path)))
    assert isinstance(made, Image)
    np.testing.assert_array_equal(made.pixels, noise((5, 7, 3)))


def test_a_missing_path_stays_pythons_own_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_planes(tmp_path / "none.png")


def test_hidden_colour_is_that_of_the_nearest_visible_pixel():
    rng = np.random.default_rng(3)
    colour = rng.integers(0, 65536, (2, 9, 11, 3)).astype(np.uint16)
    alpha = rng.integers(0, 5, (2, 9, 11, 1)).astype(np.uint16) // 3 * 20000
    result = bleed(colour, alpha)
    for n, row, column in np.ndindex(2, 9, 11):
        visible = np.argwhere(alpha[n, ..., 0] > 0)
        distance = ((visible - (row, column)) ** 2).sum(axis=1)
        nearest = visible[distance == distance.min()]  # ties may go either way
        assert any((result[n, row, column] == colour[n, r, c]).all() for r, c in nearest)


@pytest.mark.parametrize("level", [0, 255])
def test_wholly_transparent_or_opaque_images_keep_their_colour(level):
    colour = noise((1, 4, 4, 3))
    assert bleed(colour, np.full((1, 4, 4, 1), level, np.uint8)) is colour


def test_planes_of_rgba_do_not_bleed_and_leave_the_input_alone():
    array = np.zeros((4, 6, 4), np.uint8)
    array[:, :3] = (200, 150, 100, 255)
    before = array.copy()
    planes = read_planes(array)
    assert (planes.colour == (200, 150, 100)).all()
    np.testing.assert_array_equal(planes.alpha[0, ..., 0], array[..., 3])
    np.testing.assert_array_equal(array, before)


def test_unpremultiply_divides_and_rounds():
    colour = np.array([[[30, 0, 50], [9, 9, 9]]], np.uint16)
    alpha = np.array([[[32768], [0]]], np.uint16)
    # 30 * 65535 / 32768 = 59.999; 50 gives 99.998
    assert unpremultiply(colour, alpha, 65535.0).tolist() == [[[60, 0, 100], [0, 0, 0]]]
