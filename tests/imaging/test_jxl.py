"""JPEG XL: pixels, depth, colours and metadata there and back, and as other programs have them."""

import io
import struct
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as PILImage
from PIL import ImageCms
from skimage import data

import srkit
from srkit.errors import CorruptFileError, ImageError, ImageTooLargeError, SrkitError
from srkit.imaging.files import jxl_boxes, jxl_coloring
from srkit.imaging.files.color_tags import ColorTags
from srkit.imaging.files.jxl_codestream import parse
from srkit.imaging.metadata import Metadata
from srkit.imaging.profiles import gamma, is_srgb, profile

codecs = pytest.importorskip("imagecodecs")
RNG = np.random.default_rng(0)
PHOTO = np.ascontiguousarray(data.astronaut()[:90, 150:270])
P3 = profile(
    "P3", ((0.3127, 0.3290), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), gamma(1.8), grey=False
)
GREY = profile(
    "Grey", ((0.3127, 0.3290), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), gamma(1.8), grey=True
)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def written(image, **options):
    file = io.BytesIO()
    image.save(file, format="jxl", **options)
    return file.getvalue()


def header(file):
    return parse(jxl_boxes.parse(file).codestream)


def other():
    """Another binding of libjxl, which reads profiles."""
    return pytest.importorskip("pylibjxl", reason="needs pip install 'srkit[jxl]'")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)])
@pytest.mark.parametrize("sides", [(1, 1), (24, 40), (64, 64), (300, 7)])
def test_pixels_come_back_as_they_were(mode, channels, dtype, sides):
    shape = (*sides, channels) if channels > 1 else sides
    pixels = RNG.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    file = written(srkit.Image(pixels, Metadata(mode)))
    read = srkit.read_image(file)
    assert (read.metadata.mode, read.metadata.format, read.dtype) == (mode, "JXL", dtype)
    np.testing.assert_array_equal(read.pixels, pixels)
    # Not linear light, as which imagecodecs would have it.
    assert header(file).colour.transfer == 13
    assert (header(file).width, header(file).height) == (sides[1], sides[0])


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("quality", [30, 90])
def test_a_quality_is_what_it_costs(dtype, quality):
    pixels = PHOTO if dtype == "uint8" else PHOTO.astype("uint16") * 257
    image = srkit.Image(pixels)
    file = written(image, quality=quality)
    assert len(file) < len(written(image)) / 3
    read = srkit.read_image(file)
    assert read.dtype == dtype
    apart = (read.pixels.astype(float) - pixels) / (1 if dtype == "uint8" else 257)
    assert 0.5 < np.abs(apart).mean() < (4 if quality == 90 else 12)
    # sRGB for others, too: another binding sees what Pillow has.
    seen = other().decode(file)
    assert np.abs(seen.astype(float) - PHOTO).mean() < (4 if quality == 90 else 12)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(("mode", "icc"), [("RGB", P3), ("RGB", SRGB), ("L", GREY)])
def test_a_profile_is_kept_and_others_see_it(dtype, mode, icc):
    pixels = PHOTO if mode == "RGB" else PHOTO[..., 0]
    pixels = pixels.astype(dtype) * (1 if dtype == "uint8" else 257)
    for padding in (b"", bytes(100_000)):
        file = written(srkit.Image(pixels, Metadata(mode, icc=icc + padding)))
        read = srkit.read_image(file)
        np.testing.assert_array_equal(read.pixels, pixels)
        assert read.metadata.icc == icc + padding
    if mode == "RGB":
        seen, described = other().decode(
            written(srkit.Image(pixels, Metadata(mode, icc=icc))), True
        )
        assert described["icc"] == icc
        assert np.abs(seen.astype(float) - PHOTO).max() <= 1


@pytest.mark.parametrize("maker", [b"APPL", b"MSFT", b"SGI ", b"SUNW", b"ADBE", b"AP\0\0", b"SX  "])
def test_profiles_of_all_makers_are_kept(maker):
    icc = P3[:40] + maker + P3[44:]
    file = written(srkit.Image(PHOTO, Metadata("RGB", icc=icc)))
    assert srkit.read_image(file).metadata.icc == icc
    assert other().decode(file, True)[1]["icc"] == icc


@pytest.mark.parametrize("length", [1, 3, 8, 50, 128, 129])
def test_a_block_that_is_no_profile_hurts_nothing(length):
    file = written(srkit.Image(PHOTO, Metadata("RGB", icc=P3[:length])))
    stream = jxl_boxes.parse(file).codestream
    assert jxl_coloring.profile_of(stream, parse(stream)) == P3[:length]


def test_a_profile_as_others_pack_it_takes_an_extra(caplog, monkeypatch):
    file = other().encode(PHOTO, lossless=True, icc=P3)
    assert srkit.read_image(file).metadata.icc == P3
    monkeypatch.setitem(sys.modules, "pylibjxl", None)
    read = srkit.read_image(file)
    np.testing.assert_array_equal(read.pixels, PHOTO)
    assert read.metadata.icc is None
    assert 'pylibjxl, which unpacks it, is not installed: pip install "srkit[jxl]"' in caplog.text


def test_colours_beyond_srgb_are_written_without_loss(caplog):
    image = srkit.Image(PHOTO, Metadata("RGB", icc=P3))
    np.testing.assert_array_equal(srkit.read_image(written(image, quality=50)).pixels, PHOTO)
    assert "the quality was left out" in caplog.text
    caplog.clear()
    plain = srkit.Image(PHOTO, Metadata("RGB", icc=SRGB))
    assert len(written(plain, quality=50)) < 4000
    assert caplog.text == ""


def test_a_profile_of_srgb_is_known_by_its_colours():
    assert is_srgb(SRGB)
    assert not is_srgb(P3)
    assert not is_srgb(GREY)
    assert not is_srgb(b"no profile")
    assert not is_srgb(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes())


@pytest.mark.parametrize("cicp", [(12, 13), (9, 16), (9, 18), (11, 17), (1, 1)])
def test_colour_by_numbers_is_kept(cicp):
    tags = ColorTags(cicp=cicp)
    read = srkit.read_image(written(srkit.Image(PHOTO, Metadata("RGB", color=tags))))
    np.testing.assert_array_equal(read.pixels, PHOTO)
    assert read.metadata.color == tags


def test_numbers_without_a_place_become_a_profile():
    image = srkit.Image(PHOTO, Metadata("RGB", color=ColorTags(cicp=(5, 4))))
    read = srkit.read_image(written(image))
    assert read.metadata.color is None
    assert read.metadata.icc[16:20] == b"RGB "


def test_exif_and_xmp_are_kept_and_others_see_them():
    block = PILImage.Exif()
    block[0x010F], block[0x0112] = "Maker", 6
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    image = srkit.Image(PHOTO, Metadata("RGB", exif=block.tobytes(), xmp=packet))
    for options in ({}, {"quality": 80}):
        file = written(image, **options)
        read = srkit.read_image(file)
        kept = PILImage.Exif()
        kept.load(read.metadata.exif)
        assert (kept[0x010F], kept[0x0112]) == ("Maker", 1)
        assert read.metadata.xmp == packet
        _, described = other().decode(file, True)
        assert b"Maker" in described["exif"]
        assert described["xmp"] == packet


def test_packed_boxes_are_read(caplog):
    packet = b"<x:xmpmeta>" + b" " * 5000 + b"</x:xmpmeta>"
    stream = codecs.jpegxl_encode(PHOTO, lossless=True)

    def file(content):
        box = struct.pack(">I4s", 12 + len(content), b"brob") + b"xml " + content
        codestream = struct.pack(">I4s", 0, b"jxlc") + stream
        return jxl_boxes.SIGNATURE + jxl_boxes._TYPE + box + codestream

    assert srkit.read_image(file(codecs.brotli_encode(packet))).metadata.xmp == packet
    for hostile in (b"no brotli", codecs.brotli_encode(bytes(1 << 25))):
        assert srkit.read_image(file(hostile)).metadata.xmp is None
        assert "a packed part of JPEG XL is damaged or too long" in caplog.text
        caplog.clear()


def boxed(*parts):
    """A file of boxes."""
    made = (struct.pack(">I4s", 8 + len(content), name) + content for name, content in parts)
    return b"".join([jxl_boxes.SIGNATURE, jxl_boxes._TYPE, *made])


def test_of_two_pictures_the_one_is_decoded_whose_size_was_judged():
    small, large = (codecs.jpegxl_encode(PHOTO[:n, :n], lossless=True) for n in (8, 80))
    packed = (b"brob", b"jxlc" + codecs.brotli_encode(small))
    with pytest.raises(ImageTooLargeError, match="80x80"):
        srkit.read_image(boxed(packed, (b"jxlc", large)), max_pixels=64)
    read = srkit.read_image(boxed((b"jxlc", small), (b"jxlc", large)), max_pixels=64)
    np.testing.assert_array_equal(read.pixels, PHOTO[:8, :8])


def test_packed_parts_that_nobody_asked_for_are_not_unpacked(caplog):
    stream = codecs.jpegxl_encode(PHOTO, lossless=True)
    bomb = codecs.brotli_encode(bytes((1 << 24) - 1))
    hostile = [(b"brob", b"x%03d" % n + bomb) for n in range(200)]
    tracemalloc.start()
    try:
        read = srkit.read_image(boxed(*hostile, (b"jxlc", stream)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(read.pixels, PHOTO)
    assert peak < 1 << 24
    assert "parts of JPEG XL that srkit does not know were left out: x000, x001" in caplog.text


def test_a_codestream_in_parts_is_put_together():
    stream = codecs.jpegxl_encode(PHOTO, lossless=True)
    parts = [(0, stream[:10]), (1, stream[10:3000]), (2 | 1 << 31, stream[3000:])]
    made = b"".join(struct.pack(">I4sI", 12 + len(part), b"jxlp", n) + part for n, part in parts)
    file = jxl_boxes.SIGNATURE + jxl_boxes._TYPE + made
    np.testing.assert_array_equal(srkit.read_image(file).pixels, PHOTO)
    large = struct.pack(">I4sQ", 1, b"jxlc", 16 + len(stream)) + stream
    np.testing.assert_array_equal(
        srkit.read_image(jxl_boxes.SIGNATURE + jxl_boxes._TYPE + large).pixels, PHOTO
    )
    endless = jxl_boxes.SIGNATURE + jxl_boxes._TYPE + struct.pack(">I4s", 7, b"free") + stream
    with pytest.raises(CorruptFileError, match="a part of it has no size"):
        srkit.read_image(endless)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_colours_are_freed_of_alpha_that_they_were_multiplied_with(mode):
    alpha = np.tile(np.arange(1, 121, dtype=np.uint8) * 2, (90, 1))[..., None]
    colour = PHOTO if mode == "RGBA" else PHOTO[..., :1]
    made = np.dstack([np.rint(colour * (alpha / 255.0)), alpha]).astype(np.uint8)
    file = codecs.jpegxl_encode(made, lossless=True)
    # An alpha channel that is as usual is one bit; one that says more takes eleven more.
    head = parse(file)
    at = head.colour_at[0] - 2  # before: whether it is usual; then whether it is XYB
    value = int.from_bytes(file[:64], "little")
    described = 0 | 0b00 << 1 | 0b000 << 3 | 0b00 << 6 | 0b00 << 8 | 1 << 10
    rest = value >> (at + 1)
    end = head.colour_at[1] + 3
    bits = (value & (1 << at) - 1) | described << at | (rest & (1 << end - at - 1) - 1) << at + 11
    size = end + 10
    stated = bits.to_bytes(-(-size // 8), "little") + file[-(-end // 8) :]
    assert parse(stated).premultiplied
    read = srkit.read_image(stated)
    seen = alpha[..., 0] > 100
    apart = read.pixels[..., :-1].astype(int) - colour
    assert np.abs(apart[seen]).max() <= 2
    np.testing.assert_array_equal(read.pixels[..., -1:], alpha)


def test_of_a_jpeg_all_comes_back(caplog):
    block = PILImage.Exif()
    block[0x010F], block[0x0112] = "Maker", 6
    jpeg = io.BytesIO()
    options = {"quality": 85, "icc_profile": P3, "exif": block, "comment": b"of a comment"}
    PILImage.fromarray(PHOTO).save(jpeg, "JPEG", **options)
    expected = srkit.read_image(jpeg.getvalue())
    read = srkit.read_image(codecs.jpegxl_encode_jpeg(jpeg.getvalue(), usecontainer=True))
    np.testing.assert_array_equal(read.pixels, expected.pixels)
    assert read.metadata == replace(expected.metadata, format="JXL")
    assert read.metadata.jpeg_quality == 85
    assert caplog.text == ""


@pytest.mark.parametrize(("dtype", "bits"), [("uint8", 4), ("uint16", 10), ("uint16", 12)])
def test_other_depths_are_stretched_over_all_of_their_range(dtype, bits):
    levels = RNG.integers(0, 2**bits, (20, 30, 3)).astype(dtype)
    levels[0, 0], levels[0, 1] = 0, 2**bits - 1
    file = codecs.jpegxl_encode(levels, lossless=True, bitspersample=bits)
    stream = jxl_coloring.recoloured(jxl_boxes.parse(file).codestream)
    read = srkit.read_image(stream)
    top = np.iinfo(dtype).max
    np.testing.assert_array_equal(read.pixels, np.rint(levels / (2**bits - 1) * top))


def test_light_is_light():
    light = RNG.random((20, 30, 3)).astype(np.float32) * 5
    file = codecs.jpegxl_encode(light, lossless=True)
    read = srkit.read_image(file, exposure=-3)
    curve = 1.055 * (light / 8) ** (1 / 2.4) - 0.055
    seen = light / 8 > 0.0031308
    assert np.abs(read.pixels / 65535 - curve)[seen].max() < 1e-4
    # Whole numbers end at white, so that nothing has to be found for them.
    deep = codecs.jpegxl_encode(np.full((8, 8), 32768, np.uint16), lossless=True)
    assert (srkit.read_image(deep).pixels == 48192).all()


def test_floats_of_the_curve_of_srgb_are_no_light_whatever_the_exposure():
    levels = RNG.random((20, 30, 3)).astype(np.float32)
    light = jxl_boxes.parse(codecs.jpegxl_encode(levels, lossless=True)).codestream
    read = srkit.read_image(jxl_coloring.recoloured(light), exposure=1)
    np.testing.assert_array_equal(read.pixels, levels)


def test_where_loss_was_allowed_a_profile_is_not_for_what_is_decoded(caplog):
    stream = jxl_boxes.parse(written(srkit.Image(PHOTO.astype("uint16") * 257), quality=95))
    tagged = jxl_coloring.recoloured(stream.codestream, profile=P3)
    assert parse(tagged).xyb
    read = srkit.read_image(tagged)
    assert read.metadata.icc is None
    assert np.abs(read.pixels / 257 - PHOTO).mean() < 3
    assert "the colour profile was left out: its colours became those of sRGB" in caplog.text


def test_size_is_judged_before_decoding():
    file = written(srkit.Image(PHOTO))
    with pytest.raises(ImageTooLargeError, match="120x90 = 10800 pixels"):
        srkit.read_image(file, max_pixels=10_799)
    assert srkit.read_image(file, max_pixels=10_800).size == (120, 90)
    # 2^30 x 2^30 in eleven bytes.
    claim = 0b11 << 1 | ((1 << 30) - 1) << 3 | 0b11 << 36 | ((1 << 30) - 1) << 38
    with pytest.raises(ImageTooLargeError, match="1073741824x1073741824"):
        srkit.read_image(b"\xff\x0a" + claim.to_bytes(9, "little") + bytes(100))


def test_what_moves_is_refused():
    frames = np.stack([PHOTO, PHOTO[::-1]])
    file = codecs.jpegxl_encode(frames, lossless=True, photometric="rgb")
    with pytest.raises(ImageError, match="the JPEG XL file moves"):
        srkit.read_image(file)


@pytest.mark.parametrize("options", [{}, {"quality": 90}])
@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.99])
def test_a_file_cut_off_is_damaged(tmp_path, share, options):
    whole = written(srkit.Image(PHOTO.astype("uint16"), Metadata("RGB", xmp=b"<x/>")), **options)
    (tmp_path / "a.jxl").write_bytes(whole[: int(len(whole) * share)])
    # Of less it cannot be told what it is.
    expected = CorruptFileError if len(whole) * share >= 12 else SrkitError
    with pytest.raises(expected, match=r"a\.jxl: "):
        srkit.read_image(tmp_path / "a.jxl")


@pytest.mark.parametrize("quality", [0, 101, 1.5, True])
def test_a_quality_without_sense_leaves_nothing(tmp_path, quality):
    with pytest.raises(srkit.OptionError):
        srkit.Image(PHOTO).save(tmp_path / "a.jxl", quality=quality)
    assert list(tmp_path.iterdir()) == []


def test_without_libjxl_the_error_says_so(tmp_path, monkeypatch):
    def missing():
        raise ImportError("cannot import name 'jpegxl_version'")

    file = written(srkit.Image(PHOTO))
    monkeypatch.setattr(codecs, "jpegxl_version", missing)
    with pytest.raises(srkit.MissingDependencyError, match="built with libjxl"):
        srkit.read_image(file)
    with pytest.raises(srkit.MissingDependencyError, match="built with libjxl"):
        srkit.Image(PHOTO).save(tmp_path / "a.jxl")
    assert list(tmp_path.iterdir()) == []
