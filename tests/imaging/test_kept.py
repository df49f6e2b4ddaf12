"""IPTC, comments, texts, XMP and resolution are kept, corrected, or told by name."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from kept import PIXELS, doubled
from PIL import Image as PILImage
from PIL import IptcImagePlugin, PngImagePlugin

from srkit.imaging import notes
from srkit.imaging.files import iptc, xmp
from srkit.imaging.files.reading import read_image
from srkit.imaging.image import Image
from srkit.imaging.metadata import Metadata


def record(number, value):
    return b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(value)) + value


IPTC = record(120, b"Harbour at dawn") + record(25, b"harbour") + record(116, b"(c) Ann")
FIELDS = {(2, 120): b"Harbour at dawn", (2, 25): b"harbour", (2, 116): b"(c) Ann"}


def jpeg(path, *segments, behind=b""):
    file = io.BytesIO()
    PILImage.fromarray(PIXELS).save(file, "JPEG")
    data = file.getvalue()
    made = b"".join(
        bytes([255, marker]) + struct.pack(">H", len(content) + 2) + content
        for marker, content in segments
    )
    path.write_bytes(data[:2] + made + data[2:] + behind)
    return path


def resources(*found):
    made = b"".join(
        b"8BIM"
        + struct.pack(">H", number)
        + b"\0\0"
        + struct.pack(">I", len(data))
        + data
        + bytes(len(data) % 2)
        for number, data in found
    )
    return 0xED, b"Photoshop 3.0\0" + made


def pack_xmp(packet):
    return 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet


# --- IPTC, comments, texts --------------------------------------------------------------------


def test_iptc_and_the_comment_of_a_jpeg_are_kept(tmp_path):
    segments = [resources((1005, bytes(16)), (0x0404, IPTC)), (0xFE, "Grüße".encode())]
    source = jpeg(tmp_path / "a.jpg", *segments)
    assert not doubled(source, tmp_path / "b.jpg")
    with PILImage.open(tmp_path / "b.jpg") as made:
        assert IptcImagePlugin.getiptcinfo(made) == FIELDS
        assert made.info["comment"] == "Grüße".encode()
        assert made.size == (32, 24)


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_iptc_goes_to_tiff_and_png_and_back(tmp_path, suffix):
    source = jpeg(tmp_path / "a.jpg", resources((0x0404, IPTC)))
    assert not doubled(source, tmp_path / f"b{suffix}")
    if suffix == ".tif":
        with tifffile.TiffFile(tmp_path / "b.tif") as made:
            assert bytes(made.pages[0].tags[33723].value) == IPTC
    assert not doubled(tmp_path / f"b{suffix}", tmp_path / "c.jpg")
    with PILImage.open(tmp_path / "c.jpg") as made:
        assert IptcImagePlugin.getiptcinfo(made) == FIELDS


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".bmp"])
def test_what_a_format_has_no_place_for_is_told_once_by_name(tmp_path, suffix, caplog):
    source = jpeg(tmp_path / "a.jpg", resources((0x0404, IPTC)), (0xFE, b"my comment"))
    (told,) = doubled(source, tmp_path / f"b{suffix}")
    assert "IPTC" in told
    assert "comment" in told
    assert len(caplog.records) == 1


def test_iptc_of_imagemagick_and_of_tiff_as_numbers_is_read(tmp_path):
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC
    for data in (IPTC, block):
        info = PngImagePlugin.PngInfo()
        info.add_text("Raw profile type iptc", f"\niptc\n{len(data):8}\n{data.hex()}\n", zip=True)
        PILImage.fromarray(PIXELS).save(tmp_path / "a.png", pnginfo=info)
        assert read_image(tmp_path / "a.png").metadata.iptc == IPTC
        assert read_image(tmp_path / "a.png").metadata.texts == ()
    padded = IPTC + bytes(-len(IPTC) % 4)
    numbers = struct.unpack(f"<{len(padded) // 4}I", padded)
    tags = [(33723, 4, len(numbers), numbers, True)]
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", metadata=None, extratags=tags)
    assert read_image(tmp_path / "a.tif").metadata.iptc == IPTC


def test_clipping_paths_are_told(tmp_path):
    source = jpeg(tmp_path / "a.jpg", resources((2000, bytes(26))))
    assert doubled(source, tmp_path / "b.jpg") == ["clipping paths were left out"]


@pytest.mark.parametrize(
    "data", [b"8BIM", b"8BIM\x04\x04\xff", b"8BIM\x04\x04\0\0\xff\xff\xff\xff"]
)
def test_damaged_resources_never_raise(data):
    assert iptc.split(data) in ({}, {0x0404: b""})


def test_texts_of_png_are_kept(tmp_path):
    long = '{"nodes": "' + "x" * 5000 + '"}'
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a cat, Steps: 20, Seed: 7")
    info.add_itxt("Copyright", "© Ann 日本")
    info.add_text("Title", "cat", zip=True)
    info.add_text("workflow", long)
    info.add_itxt("long", "日" * 2000, zip=True)
    for dtype in (np.uint8, np.uint16):
        Image(PIXELS.astype(dtype)).save(tmp_path / "plain.png")
        PILImage.fromarray(PIXELS).save(tmp_path / "a.png", pnginfo=info)
        assert not doubled(tmp_path / "a.png", tmp_path / "b.png")
        with PILImage.open(tmp_path / "a.png") as source, PILImage.open(tmp_path / "b.png") as made:
            assert made.text == source.text
            assert len(made.text) == 5
    (told,) = doubled(tmp_path / "a.png", tmp_path / "b.jpg")
    for name in ("parameters", "Copyright", "Title", "workflow", "long"):
        assert name in told


def test_comments_of_gif_png_and_jpeg_are_one(tmp_path):
    PILImage.fromarray(PIXELS).convert("P").save(tmp_path / "a.gif", comment=b"by Ann")
    assert not doubled(tmp_path / "a.gif", tmp_path / "b.png")
    with PILImage.open(tmp_path / "b.png") as made:
        assert made.text == {"Comment": "by Ann"}
    assert not doubled(tmp_path / "b.png", tmp_path / "c.jpg")
    with PILImage.open(tmp_path / "c.jpg") as made:
        assert made.info["comment"] == b"by Ann"


# --- what was behind the picture --------------------------------------------------------------

HEAD = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description '
TAIL = b"</rdf:RDF></x:xmpmeta>"
CLAIMS = {
    "gain map": HEAD
    + b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" xmp:Rating="5">'
    b"<hdrgm:GainMapMax><rdf:Seq><rdf:li>1</rdf:li></rdf:Seq></hdrgm:GainMapMax></rdf:Description>"
    + TAIL,
    "part behind the picture": HEAD
    + b'xmlns:C="http://ns.google.com/photos/1.0/container/" xmp:Rating="5"><C:Directory><rdf:Seq>'
    b"<rdf:li><C:Item/></rdf:li></rdf:Seq></C:Directory></rdf:Description>" + TAIL,
    "video of a motion photo": HEAD
    + b"xmlns:Camera='http://ns.google.com/photos/1.0/camera/' Camera:MotionPhoto='1' "
    b'Camera:MicroVideoOffset="5000" xmp:Rating="5"><Camera:MicroVideo>1</Camera:MicroVideo>'
    b"</rdf:Description>" + TAIL,
    "depth map": HEAD
    + b'xmlns:GDepth="http://ns.google.com/photos/1.0/depthmap/" GDepth:Near="1" xmp:Rating="5"/>'
    + TAIL,
    "extended part of XMP": HEAD
    + b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="A" xmp:Rating="5"/>'
    + TAIL,
}


@pytest.mark.parametrize("part", CLAIMS)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_the_claim_goes_when_the_part_goes(tmp_path, part, suffix):
    source = jpeg(tmp_path / "a.jpg", pack_xmp(CLAIMS[part]))
    (told,) = doubled(source, tmp_path / f"b{suffix}")
    assert part in told
    packet = read_image(tmp_path / f"b{suffix}").metadata.xmp
    for claim in (b"hdrgm:", b"Directory", b"MotionPhoto", b"MicroVideo", b"GDepth:", b"HasExt"):
        assert claim not in packet.replace(b"xmlns:hdrgm", b"").replace(b"xmlns:GDepth", b"")
    assert b'xmp:Rating="5"' in packet


def test_other_properties_of_a_camera_stay():
    space = b'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"'
    packet = HEAD + space + b' GCamera:BurstID="7" GCamera:MotionPhoto="0"/>' + TAIL
    assert xmp.refresh(packet, 5, 5) == HEAD + space + b' GCamera:BurstID="7"/>' + TAIL


def test_the_sizes_of_a_panorama_follow_the_picture():
    packet = (
        b'<a GPano:CroppedAreaImageWidthPixels="100" GPano:FullPanoWidthPixels="400" '
        b'GPano:CroppedAreaLeftPixels="50"><GPano:CroppedAreaImageHeightPixels>30'
        b"</GPano:CroppedAreaImageHeightPixels><GPano:FullPanoHeightPixels>200"
        b"</GPano:FullPanoHeightPixels></a>"
    )
    made = xmp.refresh(packet, 200, 90)
    assert made == (
        b'<a GPano:CroppedAreaImageWidthPixels="200" GPano:FullPanoWidthPixels="800" '
        b'GPano:CroppedAreaLeftPixels="100"><GPano:CroppedAreaImageHeightPixels>90'
        b"</GPano:CroppedAreaImageHeightPixels><GPano:FullPanoHeightPixels>600"
        b"</GPano:FullPanoHeightPixels></a>"
    )
    assert xmp.refresh(made, 200, 90) == made


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", [b"<hdrgm:a>", b"<hdrgm:a ", b' hdrgm:a="', b"<hdrgm:%d>"])
def test_hostile_xmp_takes_no_time(piece):
    space = b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" '
    many = b"".join(piece % n if b"%" in piece else piece for n in range(100_000))
    xmp.refresh(b"<a " + space + b">" + many, 5, 5)


@pytest.mark.parametrize(
    ("behind", "name"),
    [
        (b"\0\0\0\x18ftypmp42" + bytes(range(200)), "a video"),
        (
            b"\0\0\x30\x0aMotionPhoto_Data\0\0\0\x18ftypmp42" + bytes(range(200)) + b"SEFT",
            "a video",
        ),
        (b"what some program keeps here. " * 9, "other data"),
    ],
)
@pytest.mark.parametrize("progressive", [False, True])
def test_what_lies_behind_a_jpeg_is_told(tmp_path, behind, name, progressive):
    # The end mark in a segment is not the end, nor is padding something.
    PILImage.fromarray(PIXELS).save(
        tmp_path / "a.jpg", progressive=progressive, comment=b"\xff\xd9 " * 40
    )
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole + bytes(1000))
    assert doubled(tmp_path / "a.jpg", tmp_path / "b.jpg") == []
    (tmp_path / "a.jpg").write_bytes(whole + behind)
    (told,) = doubled(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert told.startswith(name)


def test_content_credentials_and_unknown_chunks_are_told(tmp_path):
    box = b"JP\0\1\0\0\0\1\0\0\0\x30jumb\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa"
    source = jpeg(tmp_path / "a.jpg", (0xEB, box))
    assert ["C2PA" in told for told in doubled(source, tmp_path / "b.jpg")] == [True]
    info = PngImagePlugin.PngInfo()
    info.add(b"caBX", box)
    info.add(b"vpAg", bytes(9))
    info.add(b"tIME", bytes(7))
    PILImage.fromarray(PIXELS).save(tmp_path / "a.png", pnginfo=info)
    first, second = doubled(tmp_path / "a.png", tmp_path / "b.png")
    assert "C2PA" in first
    assert second.endswith(": vpAg")


# --- resolution -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "dpi", "kept"),
    [
        (".jpg", 65535, True),
        (".jpg", 101600, False),
        (".jpg", 0.3, False),
        (".png", 101600, True),
        (".png", 1e8, False),
        (".png", 0.001, False),
        (".bmp", 101600, True),
        (".bmp", 1e9, False),
        (".tif", 101600, True),
        (".tif", 1e12, False),
        (".webp", 300, False),
    ],
)
def test_a_resolution_is_kept_or_told_and_never_another(tmp_path, suffix, dpi, kept):
    image = Image(PIXELS, Metadata("RGB", dpi=(dpi, dpi)))
    with notes.collecting() as told:
        image.save(tmp_path / f"a{suffix}")
    found = read_image(tmp_path / f"a{suffix}").metadata.dpi
    if kept:
        assert found == pytest.approx((dpi, dpi), rel=1e-4)
        assert not told
    else:
        assert found is None
        (only,) = told
        assert f"resolution of {dpi:g} dpi" in only


def test_the_log_has_what_was_left_out_for_programs_too(tmp_path, caplog):
    path = tmp_path / "a.webp"
    Image(PIXELS, Metadata("RGB", dpi=(300, 300))).save(path)
    (record,) = (record for record in caplog.records if hasattr(record, "left_out"))
    assert record.picture == str(path)
    assert record.getMessage() == f"{path}: {record.left_out}"
    assert "resolution of 300 dpi" in record.left_out


def test_the_shape_of_pixels_is_told(tmp_path):
    source = jpeg(tmp_path / "a.jpg")
    data = bytearray(source.read_bytes())
    at = data.find(b"JFIF") + 7
    data[at : at + 5] = b"\0" + struct.pack(">HH", 4, 3)
    source.write_bytes(data)
    shape = "the shape of pixels was left out: 4 to 3"
    assert doubled(source, tmp_path / "b.jpg") == [shape]
    PILImage.fromarray(PIXELS).save(tmp_path / "a.png")
    whole, content = (tmp_path / "a.png").read_bytes(), b"pHYs" + struct.pack(">IIB", 4, 3, 0)
    stated = struct.pack(">I", 9) + content + struct.pack(">I", zlib.crc32(content))
    (tmp_path / "a.png").write_bytes(whole[:33] + stated + whole[33:])
    assert doubled(tmp_path / "a.png", tmp_path / "b.png") == [shape]


def test_all_comments_of_a_jpeg_are_kept(tmp_path):
    source = jpeg(tmp_path / "a.jpg", (0xFE, b"one"), (0xFE, "zwölf".encode("latin-1")))
    assert doubled(source, tmp_path / "b.jpg") == []
    with PILImage.open(tmp_path / "b.jpg") as made:
        assert made.info["comment"].decode() == "one\nzwölf"


def test_parts_of_jpeg_that_are_not_known_are_told(tmp_path):
    odd = [(0xE2, b"FPXR\0" + bytes(40)), (0xE6, b"GoPro\0" + bytes(9)), (0xE9, b"\1\2")]
    known = [(0xEC, b"Ducky\0" + bytes(8)), (0xE0, b"JFXX\0" + bytes(8))]
    source = jpeg(tmp_path / "a.jpg", *odd, *known)
    told = "parts of JPEG that srkit does not know were left out: FPXR, GoPro, APP9"
    assert doubled(source, tmp_path / "b.png") == [told]


def test_a_picture_behind_a_jpeg_is_told(tmp_path):
    second = jpeg(tmp_path / "two.jpg").read_bytes()
    source = jpeg(tmp_path / "a.jpg", behind=second)
    assert doubled(source, tmp_path / "b.jpg") == [
        f"a picture behind the picture ({len(second) - 1} bytes) was left out"
    ]


def raw(name, content):
    """As ImageMagick writes a profile into a text of PNG (coders/png.c)."""
    return f"\n{name}\n{len(content):8}\n{content.hex()}\n"


def test_packed_texts_of_png_are_read_or_told(tmp_path):
    texts = PngImagePlugin.PngInfo()
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
    texts.add_text("Raw profile type xmp", raw("xmp", packet), zip=True)
    texts.add_text("Raw profile type APP1", raw("APP1", b"Exif\0\0MM"), zip=True)
    texts.add_text("Raw profile type exif", "\nexif\n 1\nno digits")
    PILImage.fromarray(PIXELS).save(tmp_path / "a.png", pnginfo=texts)
    told = doubled(tmp_path / "a.png", tmp_path / "b.jpg")
    with PILImage.open(tmp_path / "b.jpg") as made:
        assert made.info["xmp"] == packet
    assert sorted(told) == [
        "text 'Raw profile type APP1' was left out: what it packs is not read",
        "text 'Raw profile type exif' is damaged and was left out",
    ]
