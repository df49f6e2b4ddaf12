"""Profile, EXIF, XMP and DPI survive; orientation is applied once; stale tags go."""

import dataclasses
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PILImage
from PIL import ImageCms, ImageOps

from srkit.errors import ImageError
from srkit.imaging.files import exif, xmp
from srkit.imaging.files.reading import read_image
from srkit.imaging.files.writing import save_image
from srkit.imaging.image import Image
from srkit.imaging.metadata import Metadata

MAKER_NOTE = b"Maker\0\0\0whose offsets nobody knows"
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="6" '
    b'tiff:ImageWidth=\'640\' exif:PixelXDimension="640" dc:title="640">'
    b"<exif:PixelYDimension>480</exif:PixelYDimension><tiff:ImageLength>480</tiff:ImageLength>"
    b"<xmp:Thumbnails><rdf:Alt>/9j/4AAQ</rdf:Alt></xmp:Thumbnails>"
    b"<xmp:Rating>5</xmp:Rating></rdf:Description></rdf:RDF></x:xmpmeta>"
)
HOLDERS = [".jpg", ".png", ".tif", ".webp", ".avif"]


def camera_exif(order="<", orientation=6, thumbnail=b"\xff\xd8thumb\xff\xd9"):
    """Lay out an EXIF block by hand as a camera does.

    At 8 the main directory of 6 entries, at 86 the EXIF directory of 4, at 140
    the thumbnail's of 2, then from 170 on values: maker note, make, thumbnail.
    """
    make = b"Acme Cam\0\0"
    note_at, make_at = 170, 170 + len(MAKER_NOTE)
    thumb_at = make_at + len(make)

    def entry(tag, kind, count, value):
        packed = struct.pack(order + ("HH" if kind == 3 else "I"), *([value] + [0] * (kind == 3)))
        return struct.pack(order + "HHI", tag, kind, count) + packed

    def directory(entries, following):
        body = struct.pack(order + "H", len(entries)) + b"".join(entries)
        return body + struct.pack(order + "I", following)

    main = directory(
        [
            entry(0x0100, 3, 1, 640),
            entry(0x0101, 4, 1, 480),
            entry(0x010F, 2, 9, make_at),
            entry(0x0112, 3, 1, orientation),
            entry(0x8769, 4, 1, 86),
            entry(0x9C9D, 1, 1, 0),
        ],
        140,
    )
    details = directory(
        [
            entry(0x8827, 3, 1, 200),
            entry(0x927C, 7, len(MAKER_NOTE), note_at),
            entry(0xA002, 3, 1, 640),
            entry(0xA003, 3, 1, 480),
        ],
        0,
    )
    small = directory([entry(0x0201, 4, 1, thumb_at), entry(0x0202, 4, 1, len(thumbnail))], 0)
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    body = head + main + details + small
    assert len(head + main) == 86
    assert len(head + main + details) == 140
    assert len(body) == 170
    return b"Exif\0\0" + body + MAKER_NOTE + make + thumbnail


def corners(mode="RGB"):
    """Make a 24 by 16 picture whose quarters differ, in flat blocks that JPEG keeps."""
    grey = np.kron([[20, 90, 160], [230, 60, 130]], np.ones((8, 8))).astype(np.uint8)
    return grey if mode == "L" else np.stack([grey, 255 - grey, grey // 2], -1)


def with_exif(path, orientation, picture=None):
    """Write a file with Pillow and nothing else."""
    block = PILImage.Exif()
    block[0x0112] = orientation
    block[0x010F] = "Acme"
    options = {".jpg": {"quality": 98, "subsampling": 0}, ".webp": {"lossless": True}}
    picture = PILImage.fromarray(corners()) if picture is None else picture
    picture.save(path, exif=block, **options.get(path.suffix, {"quality": 95}))


@pytest.mark.parametrize("suffix", HOLDERS)
@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_is_applied_once_and_reset(tmp_path, suffix, turn):
    path = tmp_path / f"a{suffix}"
    with_exif(path, turn)
    with PILImage.open(path) as opened:
        upright = np.asarray(ImageOps.exif_transpose(opened))
    result = read_image(path)
    np.testing.assert_array_equal(result.pixels, upright)
    assert result.size == ((16, 24) if turn >= 5 else (24, 16))
    result.save(tmp_path / f"b{suffix}")
    with PILImage.open(tmp_path / f"b{suffix}") as again:
        assert again.getexif().get(0x0112, 1) == 1
        assert again.size == result.size
    second = read_image(tmp_path / f"b{suffix}")
    slack = 0 if suffix in (".png", ".tif", ".webp") else 12
    assert np.abs(second.pixels.astype(int) - upright).max() <= slack


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_of_16_bit_png_and_tiff(tmp_path, turn):
    pixels = corners().astype(np.uint16) * 257
    for suffix in (".png", ".tif"):
        path = tmp_path / f"a{suffix}"
        save_image(Image(pixels), path)
        if suffix == ".png":
            data = path.read_bytes()
            body = b"eXIf" + camera_exif(orientation=turn)[6:]
            chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
            # After the pixels, where the PNG specification allows it, too.
            path.write_bytes(data[:-12] + chunk + data[-12:])
        else:
            import tifffile

            tifffile.imwrite(path, pixels, extratags=[(274, 3, 1, turn, True)])
        holder = PILImage.fromarray(corners())
        holder.getexif()[0x0112] = turn
        wanted = np.asarray(ImageOps.exif_transpose(holder)).astype(np.uint16) * 257
        np.testing.assert_array_equal(read_image(path).pixels, wanted)


def test_resolution_turns_with_the_picture(tmp_path):
    block = PILImage.Exif()
    block[0x0112] = 6
    PILImage.fromarray(corners()).save(tmp_path / "a.jpg", exif=block, dpi=(300, 150))
    assert read_image(tmp_path / "a.jpg").metadata.dpi == (150, 300)


def test_orientation_stated_in_xmp_alone_counts(tmp_path):
    PILImage.fromarray(corners()).save(tmp_path / "a.webp", xmp=XMP, lossless=True)
    result = read_image(tmp_path / "a.webp")
    np.testing.assert_array_equal(result.pixels, np.rot90(corners(), -1))
    assert b'tiff:Orientation="1"' in result.metadata.xmp


def test_orientation_in_exif_outranks_xmp(tmp_path):
    block = PILImage.Exif()
    block[0x0112] = 3
    PILImage.fromarray(corners()).save(tmp_path / "a.webp", xmp=XMP, exif=block, lossless=True)
    np.testing.assert_array_equal(read_image(tmp_path / "a.webp").pixels, corners()[::-1, ::-1])


def test_exif_in_imagemagicks_png_text_counts(tmp_path):
    block = camera_exif()
    text = f"\nexif\n{len(block):8}\n{block.hex()}\n"
    body = b"zTXtRaw profile type exif\0\0" + zlib.compress(text.encode())
    save_image(Image(corners()), tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, np.rot90(corners(), -1))


def full_metadata(mode="RGB", order="<"):
    return Metadata(mode, icc=SRGB, exif=camera_exif(order), xmp=XMP, dpi=(300.0, 300.0))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", HOLDERS)
def test_metadata_survives_a_save_as_pillow_reads_it(tmp_path, suffix, order):
    path = tmp_path / f"a{suffix}"
    save_image(Image(np.zeros((50, 90, 3), np.uint8), full_metadata(order=order)), path)
    with PILImage.open(path) as opened:
        opened.load()
        block, info = opened.getexif(), opened.info
        assert info["icc_profile"] == SRGB
        assert b"<xmp:Rating>5<" in info["xmp"]
        if suffix in (".jpg", ".png", ".tif"):
            assert np.allclose(info["dpi"], 300, atol=0.01)
        assert block[0x010F].rstrip("\0") == "Acme Cam"
        assert block.get(0x0112, 1) == 1
        details = block.get_ifd(0x8769)
        assert details[0x8827] == 200
        assert (details[0xA002], details[0xA003]) == (90, 50)
        assert not block.get_ifd(1)
        if suffix == ".tif":
            assert 0x927C not in details
        else:
            assert details[0x927C] == MAKER_NOTE
            # Its offsets count from the block's header, so it may not move.
            assert exif.strip(info["exif"]).index(MAKER_NOTE) == 170
            assert (block[0x0100], block[0x0101]) == (90, 50)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_metadata_survives_there_and_back_at_every_depth(tmp_path, suffix, dtype, mode):
    shape = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,)}[mode]
    path = tmp_path / f"a{suffix}"
    save_image(Image(np.zeros((5, 6, *shape), dtype), full_metadata(mode)), path)
    meta = read_image(path).metadata
    assert meta.icc == SRGB
    assert meta.dpi == pytest.approx((300, 300), abs=0.01)
    assert meta.xmp == xmp.refresh(XMP, 6, 5)
    block = PILImage.Exif()
    block.load(meta.exif)
    assert block.get_ifd(0x8769)[0xA002] == 6
    # A second trip changes nothing more.
    read_image(path).save(path)
    assert read_image(path).metadata == meta


def latin1(block):
    """Serialise EXIF as Pillow does, with "?" put back to what it stands for."""
    data = block.tobytes()
    return data.replace(b"? J?rg", b"\xa9 J\xf6rg").replace(b"f?r", b"f\xfcr")


def test_gps_and_interoperability_survive_tiff(tmp_path):
    block = PILImage.Exif()
    block.get_ifd(0x8769).update(
        {0x9003: "2024:05:06 07:08:09", 0xA434: "Objektiv f\xfcr Nahes", 0xA005: {1: "R98"}}
    )
    block.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 0.25)})
    # As cameras write them: Latin-1 or UTF-8 in tags meant for ASCII.
    block[0x8298] = "\xa9 J\xf6rg"
    meta = Metadata("RGB", exif=latin1(block))
    save_image(Image(np.zeros((5, 6, 3), np.uint16), meta), tmp_path / "a.tif")
    again = PILImage.Exif()
    again.load(read_image(tmp_path / "a.tif").metadata.exif)
    assert again[0x8298] == "\xa9 J\xf6rg"
    assert again.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
    assert again.get_ifd(0x8769)[0xA434] == "Objektiv f\xfcr Nahes"
    assert again.get_ifd(0xA005)[1] == "R98"
    assert tuple(map(float, again.get_ifd(0x8825)[2])) == (52.0, 30.0, 0.25)


@pytest.mark.parametrize("unit", [1, 2, 3])
def test_tiff_resolution_is_read_in_its_unit(tmp_path, unit):
    import tifffile

    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((4, 4), np.uint16), resolution=(100, 50), resolutionunit=unit
    )
    wanted = {1: None, 2: (100, 50), 3: pytest.approx((254, 127))}[unit]
    assert read_image(tmp_path / "a.tif").metadata.dpi == wanted


def test_files_without_metadata_get_none(tmp_path):
    for suffix in (*HOLDERS, ".bmp"):
        path = tmp_path / f"a{suffix}"
        save_image(Image(np.zeros((5, 6, 3), np.uint8)), path)
        meta = read_image(path).metadata
        assert (meta.icc, meta.exif, meta.xmp) == (None, None, None)
        assert meta.dpi is None or suffix == ".bmp"


def test_cmyk_keeps_its_profile(tmp_path):
    meta = Metadata("CMYK", icc=b"\0" * 16 + b"CMYK" + b"\0" * 108)
    for suffix in (".jpg", ".tif"):
        save_image(Image(np.zeros((8, 8, 4), np.uint8), meta), tmp_path / f"a{suffix}")
        assert read_image(tmp_path / f"a{suffix}").metadata.icc == meta.icc


def test_a_grey_profile_does_not_go_into_an_rgb_file(tmp_path, caplog):
    meta = Metadata("L", icc=b"\0" * 16 + b"GRAY" + b"\0" * 108)
    save_image(Image(np.zeros((8, 8), np.uint8), meta), tmp_path / "a.webp")
    assert read_image(tmp_path / "a.webp").metadata.icc is None
    assert "grey profile" in caplog.text


def test_bmp_leaves_the_profile_out_and_says_so(tmp_path, caplog):
    save_image(Image(np.zeros((8, 8, 3), np.uint8), full_metadata()), tmp_path / "a.bmp")
    assert "BMP holds no colour profile" in caplog.text
    assert read_image(tmp_path / "a.bmp").metadata.dpi == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("field", ["exif", "xmp"])
def test_metadata_too_long_for_jpeg_is_refused(tmp_path, field):
    block = camera_exif(thumbnail=b"") + bytes(65600) if field == "exif" else XMP + b" " * 65600
    meta = dataclasses.replace(Metadata("L"), **{field: block})
    with pytest.raises(ImageError, match=f"{field.upper()}.*PNG or TIFF"):
        save_image(Image(np.zeros((8, 8), np.uint8), meta), tmp_path / "a.jpg")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_patched_in_place(order):
    before = camera_exif(order)
    after = exif.refresh(before, 70000, 50)
    assert exif.orientation(before) == 6
    assert exif.orientation(after) == 1
    # Nothing moved: the maker note lies where it lay, and the thumbnail is cut off.
    assert after.index(MAKER_NOTE) == before.index(MAKER_NOTE)
    assert b"thumb" not in after
    block = PILImage.Exif()
    block.load(after)
    assert (block[0x0100], block[0x0101]) == (70000, 50)
    assert block.get_ifd(0x8769)[0xA002] == 70000
    assert exif.refresh(after, 70000, 50) == after


def test_a_thumbnail_within_the_block_is_blanked():
    block = camera_exif() + b"something that follows"
    after = exif.refresh(block, 1, 1)
    assert b"thumb" not in after
    assert after.endswith(b"something that follows")
    assert len(after) == len(block)


@pytest.mark.parametrize("order", ["<", ">"])
def test_taking_the_orientation_out_moves_nothing_else(order):
    before = exif.refresh(camera_exif(order), 90, 50)
    after = exif.without_orientation(before)
    block = PILImage.Exif()
    block.load(after)
    assert 0x0112 not in block
    assert block[0x010F] == "Acme Cam"
    assert block.get_ifd(0x8769)[0x927C] == MAKER_NOTE
    assert len(after) == len(before)


@pytest.mark.parametrize("junk", [b"Exif\0\0", b"Exif\0\0junk", b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_damaged_exif_is_left_out(junk, caplog):
    assert exif.orientation(junk) is None
    assert exif.refresh(junk, 5, 5) is None
    assert "damaged" in caplog.text


@given(st.data())
def test_scrambled_exif_never_raises(data):
    block = bytearray(camera_exif())
    for _ in range(data.draw(st.integers(1, 5))):
        block[data.draw(st.integers(6, len(block) - 1))] = data.draw(st.integers(0, 255))
    block = block[: data.draw(st.integers(6, len(block)))]
    exif.orientation(bytes(block))
    after = exif.refresh(bytes(block), 5, 5)
    if after is not None:
        exif.without_orientation(after)


def test_xmp_twins_are_corrected_and_thumbnails_dropped():
    after = xmp.refresh(XMP, 90, 50)
    for piece in (
        b'tiff:Orientation="1"',
        b"tiff:ImageWidth='90'",
        b'exif:PixelXDimension="90"',
        b"<exif:PixelYDimension>50</exif:PixelYDimension>",
        b"<tiff:ImageLength>50</tiff:ImageLength>",
        b'dc:title="640"',
        b"<xmp:Rating>5</xmp:Rating>",
    ):
        assert piece in after
    assert b"Thumbnails" not in after
    assert xmp.refresh(after, 90, 50) == after


def test_what_follows_an_element_is_not_its_value():
    packet = b"<tiff:ImageWidth>640</tiff:ImageWidth>640"
    assert xmp.refresh(packet, 9, 5) == b"<tiff:ImageWidth>9</tiff:ImageWidth>640"


def test_png_states_resolution_in_whole_pixels_a_metre(tmp_path):
    save_image(Image(np.zeros((4, 4), np.uint8), Metadata("L", dpi=(72, 96))), tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    at = data.index(b"pHYs") + 4
    # 72 / 0.0254 = 2834.6 and 96 / 0.0254 = 3779.5
    assert struct.unpack_from(">IIB", data, at) == (2835, 3780, 1)


def test_an_unclosed_thumbnail_is_left_alone():
    packet = b"<xmp:Thumbnails>" * 1000
    assert xmp.refresh(packet, 1, 1) == packet


def test_what_pillow_gets_carries_upright_exif(tmp_path):
    with_exif(tmp_path / "a.jpg", 6)
    image = read_image(tmp_path / "a.jpg").to_pil()
    file = io.BytesIO()
    image.save(file, "JPEG", exif=image.info["exif"])
    with PILImage.open(file) as opened:
        assert opened.getexif()[0x0112] == 1
        assert opened.getexif()[0x010F] == "Acme"
