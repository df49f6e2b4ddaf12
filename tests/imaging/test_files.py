"""Files of every format are read and written with depth, alpha and mode intact."""

import io

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from images import noise
from PIL import Image as PILImage

import srkit
from srkit.errors import ImageError, OptionError, WeightsError
from srkit.imaging.files.reading import read_image
from srkit.imaging.files.writing import save_image
from srkit.imaging.image import Image
from srkit.imaging.metadata import Metadata

CHANNELS = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,), "CMYK": (4,)}


def smooth(mode, height=32, width=40):
    """Make a picture that lossy formats change little."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [40 + 3 * x, 50 + 4 * y, 200 - 2 * x - 2 * y, 100 + x + y]
    pixels = np.stack(planes, -1).astype(np.uint8)
    count = (CHANNELS[mode] or (1,))[0]
    return pixels[..., 0] if count == 1 else pixels[..., :count]


def of_mode(mode, dtype="uint8", height=5, width=7, seed=0):
    return Image(noise((height, width, *CHANNELS[mode]), dtype, seed), Metadata(mode))


LOSSLESS = [
    *[
        (".png", mode, dtype)
        for mode in ("L", "LA", "RGB", "RGBA")
        for dtype in ("uint8", "uint16")
    ],
    *[(".tif", mode, dtype) for mode in CHANNELS for dtype in ("uint8", "uint16", "float32")],
    *[(".bmp", mode, "uint8") for mode in ("L", "RGB")],
    *[(".webp", mode, "uint8") for mode in ("RGB", "RGBA")],
]


@pytest.mark.parametrize(("suffix", "mode", "dtype"), LOSSLESS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99))
def test_lossless_formats_give_back_every_value(tmp_path, suffix, mode, dtype, height, width, seed):
    image = of_mode(mode, dtype, height, width, seed)
    path = tmp_path / f"a{suffix}"
    image.save(path)
    result = read_image(path)
    assert result.metadata.mode == mode
    assert result.dtype == dtype
    np.testing.assert_array_equal(result.pixels, image.pixels)


@pytest.mark.parametrize(("suffix", "mode", "dtype"), LOSSLESS)
def test_other_programs_read_what_is_written(tmp_path, suffix, mode, dtype):
    image = of_mode(mode, dtype)
    path = tmp_path / f"a{suffix}"
    image.save(path)
    if suffix == ".tif":
        theirs = tifffile.imread(path)
    elif suffix == ".png":
        theirs = imagecodecs.png_decode(path.read_bytes())
    else:
        with PILImage.open(path) as opened:
            assert opened.mode == mode
            theirs = np.asarray(opened)
    assert theirs.dtype == dtype
    np.testing.assert_array_equal(theirs, image.pixels)


@pytest.mark.parametrize("mode", CHANNELS)
def test_pillow_reads_8_bit_tiff_with_the_right_mode(tmp_path, mode):
    image = of_mode(mode)
    image.save(tmp_path / "a.tif")
    with PILImage.open(tmp_path / "a.tif") as opened:
        assert opened.mode == mode
        np.testing.assert_array_equal(np.asarray(opened), image.pixels)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_is_written_at_quality_95_without_chroma_subsampling(tmp_path, mode):
    pixels = smooth(mode)
    save_image(Image(pixels, Metadata(mode)), tmp_path / "a.jpg")
    with PILImage.open(tmp_path / "a.jpg") as opened:
        assert opened.mode == mode
        layers = [layer[1:3] for layer in opened.layer]
        assert all(sampling == (1, 1) for sampling in layers)
        # libjpeg's standard luma table at quality 95 begins with 2 (16 * 0.1, rounded).
        assert opened.quantization[0][0] == 2
        theirs = np.asarray(opened)
    ours = read_image(tmp_path / "a.jpg")
    np.testing.assert_array_equal(ours.pixels, theirs)
    assert np.abs(ours.pixels.astype(int) - pixels).max() <= 6
    assert ours.metadata.format == "JPEG"


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_avif_keeps_the_picture_and_chroma_resolution(tmp_path, mode):
    pixels = smooth(mode)
    save_image(Image(pixels, Metadata(mode)), tmp_path / "a.avif")
    result = read_image(tmp_path / "a.avif").to_pil().convert(mode)
    assert np.abs(np.asarray(result).astype(int) - pixels).max() <= 8
    # Alternate columns of two hues of equal luma survive only in 4:4:4.
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (200, 60, 60), (40, 142, 60)
    save_image(Image(stripes), tmp_path / "b.avif")
    assert np.abs(read_image(tmp_path / "b.avif").pixels.astype(int) - stripes).max() < 40


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
def test_quality_makes_files_smaller(tmp_path, suffix):
    image = Image(noise((48, 48, 3)))
    image.save(tmp_path / f"fine{suffix}", quality=90)
    image.save(tmp_path / f"coarse{suffix}", quality=20)
    fine, coarse = (tmp_path / f"{name}{suffix}" for name in ("fine", "coarse"))
    assert coarse.stat().st_size < 0.7 * fine.stat().st_size


def test_lossless_webp_keeps_colour_under_transparency(tmp_path):
    image = of_mode("RGBA")
    image.pixels[..., 3] = 0
    image.save(tmp_path / "a.webp")
    np.testing.assert_array_equal(read_image(tmp_path / "a.webp").pixels, image.pixels)


@pytest.mark.parametrize("kind", ["adobe", "plain"])
def test_cmyk_jpeg_means_what_pillow_says(tmp_path, kind):
    cmyk = PILImage.frombytes("CMYK", (40, 32), smooth("CMYK").tobytes())
    file = io.BytesIO()
    cmyk.save(file, "JPEG", quality=95)
    data = file.getvalue()
    if kind == "plain":  # without the Adobe marker values are not inverted
        at = data.index(b"\xff\xee")
        data = data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]
    (tmp_path / "a.jpg").write_bytes(data)
    with PILImage.open(tmp_path / "a.jpg") as opened:
        theirs = np.asarray(opened)
    result = read_image(tmp_path / "a.jpg")
    assert result.metadata.mode == "CMYK"
    np.testing.assert_array_equal(result.pixels, theirs)


@pytest.mark.parametrize(("mode", "result"), [("1", "L"), ("P", "RGB"), ("L", "L"), ("RGB", "RGB")])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".gif"])
def test_palettes_and_bits_are_expanded(tmp_path, mode, result, suffix):
    image = PILImage.fromarray(noise((5, 7, 3)))
    image = image.quantize(8) if mode == "P" else image.convert(mode)
    image.save(tmp_path / f"a{suffix}")
    with PILImage.open(tmp_path / f"a{suffix}") as opened:
        wanted = opened.convert("RGB")
    read = read_image(tmp_path / f"a{suffix}")
    if suffix != ".gif":
        assert read.metadata.mode == result
    np.testing.assert_array_equal(np.asarray(read.to_pil().convert("RGB")), np.asarray(wanted))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_in_png_becomes_alpha(tmp_path, bits, channels):
    pixels = noise((4, 5, 3) if channels == 3 else (4, 5), f"uint{bits}")
    key = b"".join(int(v).to_bytes(2, "big") for v in np.atleast_1d(pixels[1, 2]))
    data = imagecodecs.png_encode(pixels)
    chunk = len(key).to_bytes(4, "big") + b"tRNS" + key
    chunk += __import__("zlib").crc32(b"tRNS" + key).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
    result = read_image(tmp_path / "a.png")
    assert result.metadata.mode == ("RGBA" if channels == 3 else "LA")
    assert result.dtype == f"uint{bits}"
    assert result.pixels[1, 2, -1] == 0
    assert (result.pixels[..., -1] == 0).sum() == 1
    np.testing.assert_array_equal(result.pixels[..., :-1].squeeze(), pixels)


@pytest.mark.parametrize(("bits", "top"), [(10, 1023), (12, 4095)])
def test_deep_avif_is_stretched_to_16_bits(tmp_path, bits, top):
    codes = np.linspace(0, top, 32 * 32).astype(np.uint16).reshape(32, 32)
    codes = np.repeat(codes[..., None], 3, -1)
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(codes, level=100, bitspersample=bits))
    result = read_image(tmp_path / "a.avif")
    assert result.dtype == np.uint16
    # Level 100 is lossless.
    np.testing.assert_allclose(result.pixels / 65535, codes / top, atol=1e-4 + 2 / top)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif", ".bmp"])
def test_floats_are_rounded_and_clipped_to_8_bits(tmp_path, suffix):
    # 0.5 * 255 = 127.5, to even 128; 0.4 * 255 = 102
    pixels = np.repeat(np.array([-0.2, 0.4, 0.5, 1.7], np.float32), 16)
    pixels = np.tile(pixels[None, :, None], (16, 1, 3))
    save_image(Image(pixels), tmp_path / f"a{suffix}")
    result = read_image(tmp_path / f"a{suffix}").pixels
    assert result.dtype == np.uint8
    middle = result[8, 8::16, 0].astype(int)
    assert np.abs(middle - [0, 102, 128, 255]).max() <= (0 if suffix in (".png", ".bmp") else 3)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_nan_is_not_written(tmp_path, suffix):
    with pytest.raises(ImageError, match="NaN"):
        save_image(Image(np.full((4, 4), np.nan, np.float32)), tmp_path / f"a{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("suffix", "mode", "dtype", "hint"),
    [
        (".jpg", "RGBA", "uint8", "alpha.*PNG"),
        (".jpg", "LA", "uint8", "alpha"),
        (".bmp", "RGBA", "uint8", "alpha"),
        (".jpg", "RGB", "uint16", "16.*PNG, TIFF or JPEG XL"),
        (".bmp", "L", "uint16", "16"),
        (".webp", "RGB", "uint16", "16"),
        (".avif", "RGB", "uint16", "16"),
        (".png", "CMYK", "uint8", "CMYK.*TIFF"),
        (".webp", "CMYK", "uint8", "CMYK"),
        (".avif", "CMYK", "uint8", "CMYK"),
        (".bmp", "CMYK", "uint8", "CMYK"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path, suffix, mode, dtype, hint):
    with pytest.raises(ImageError, match=hint):
        of_mode(mode, dtype).save(tmp_path / f"a{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("suffix", "side"), [(".webp", 16384), (".jpg", 65501)])
@pytest.mark.parametrize("turned", [False, True])
def test_sides_beyond_the_format_are_refused(tmp_path, suffix, side, turned):
    pixels = np.zeros((side, 1) if turned else (1, side), np.uint8)
    with pytest.raises(ImageError, match=f"{side - 1} pixels a side"):
        save_image(Image(pixels), tmp_path / f"a{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("suffix", "side"), [(".webp", 16383), (".jpg", 65500)])
def test_the_largest_side_can_be_written(tmp_path, suffix, side):
    save_image(Image(np.zeros((1, side), np.uint8)), tmp_path / f"a{suffix}")
    assert read_image(tmp_path / f"a{suffix}").size == (side, 1)


@pytest.mark.parametrize("name", ["a", "a.xyz", "a.gif", "png"])
def test_unknown_suffixes_are_refused_by_listing_known_ones(tmp_path, name):
    with pytest.raises(ImageError, match=r"\.png.*\.bmp"):
        of_mode("RGB").save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("quality", [0, 101, 50.0, "95", True])
def test_senseless_quality_is_refused(tmp_path, quality):
    with pytest.raises(OptionError, match="1 to 100"):
        of_mode("RGB").save(tmp_path / "a.jpg", quality=quality)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_lossless_formats_take_no_quality(tmp_path, suffix):
    with pytest.raises(OptionError, match="losslessly"):
        of_mode("RGB").save(tmp_path / f"a{suffix}", quality=90)


def test_the_content_decides_not_the_suffix(tmp_path):
    of_mode("RGB").save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg").metadata.format == "PNG"


def mpo_bytes():
    first, second = (PILImage.fromarray(noise((16, 16, 3), seed=n)) for n in (1, 2))
    file = io.BytesIO()
    first.save(file, "MPO", save_all=True, append_images=[second], quality=95)
    return file.getvalue()


def test_the_picture_of_a_phone_jpeg_is_taken_and_its_previews_left(tmp_path, caplog):
    (tmp_path / "a.jpg").write_bytes(mpo_bytes())
    with PILImage.open(tmp_path / "a.jpg") as opened:
        assert (opened.format, opened.n_frames) == ("MPO", 2)
        theirs = np.asarray(opened)
    with caplog.at_level("INFO"):
        result = read_image(tmp_path / "a.jpg")
    np.testing.assert_array_equal(result.pixels, theirs)
    assert result.metadata.format == "JPEG"
    assert "2 pictures" in caplog.text


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif", ".avif"])
def test_files_of_several_frames_are_refused_with_their_number(tmp_path, suffix):
    frames = [PILImage.fromarray(noise((16, 16, 3), seed=n)) for n in range(3)]
    path = tmp_path / f"a{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="3 frames or pages"):
        read_image(path)


def test_a_gif_of_one_frame_is_read(tmp_path):
    PILImage.fromarray(noise((5, 7))).save(tmp_path / "a.gif")
    np.testing.assert_array_equal(
        np.asarray(read_image(tmp_path / "a.gif").to_pil().convert("L")), noise((5, 7))
    )


@pytest.mark.parametrize("name", ["a\0b.png", "a\udcffb\ud800.png"], ids=["null", "half"])
def test_what_can_be_no_name_of_a_file_is_refused(name):
    for read in (read_image, srkit.load("nearest").upscale):
        with pytest.raises(ImageError, match="is no name of a file"):
            read(name)
    with pytest.raises(WeightsError, match="is no name of a file"):
        srkit.load(f"./{name}")


def test_a_slip_in_the_suffix_is_answered_by_the_nearest(tmp_path):
    with pytest.raises(ImageError, match=r"cannot tell the format .*; did you mean \.jpg\?"):
        Image(np.zeros((2, 2), np.uint8)).save(tmp_path / "a.jpgg")
