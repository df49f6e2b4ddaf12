"""Colour told by numbers comes out as numbers, as a profile of the same meaning, or is told."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image as PILImage
from PIL import ImageCms
from png_chunks import chunk

import srkit
from srkit.imaging import notes
from srkit.imaging.files.color_tags import ColorTags, to_profile
from srkit.imaging.files.reading import read_image
from srkit.imaging.files.writing import save_image

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
P3_CHRM = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


CHUNKS = {
    "linear": [(b"gAMA", struct.pack(">I", 100000))],
    "P3": [(b"gAMA", struct.pack(">I", 45455)), (b"cHRM", struct.pack(">8I", *P3_CHRM))],
    "sRGB": [(b"gAMA", struct.pack(">I", 45455)), (b"sRGB", b"\1")],
    "PQ": [(b"cICP", bytes([9, 16, 0, 1]))],
    "HLG": [(b"cICP", bytes([9, 18, 0, 1]))],
    "Display P3": [(b"cICP", bytes([12, 13, 0, 1]))],
}


def png(path, chunks, pixels=PIXELS):
    file = imagecodecs.png_encode(np.ascontiguousarray(pixels))
    path.write_bytes(b"".join([file[:33], *(chunk(*c) for c in chunks), file[33:]]))
    return path


def chunks_of(path):
    """Chunks of colour by name, read by hand."""
    data, at, found = path.read_bytes(), 8, {}
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found[data[at + 4 : at + 8]] = data[at + 8 : at + 8 + length]
        at += 12 + length
    return {n: found[n] for n in (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"iCCP") if n in found}


def nclx(path):
    data = path.read_bytes()
    at = data.find(b"colrnclx")
    return struct.unpack_from(">HH", data, at + 8)


def to_srgb(profile, pixels):
    """As littleCMS sees it."""
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    mode = "RGB" if pixels.ndim == 3 else "L"
    made = ImageCms.profileToProfile(
        PILImage.fromarray(pixels), opened, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert opened.profile.xcolor_space.strip() == {"RGB": "RGB", "L": "GRAY"}[mode]
    return np.asarray(made).astype(int)


@pytest.mark.parametrize("told", CHUNKS)
@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[..., 0], PIXELS.astype(np.uint16) * 257])
def test_png_to_png_says_the_same(tmp_path, told, pixels):
    source = png(tmp_path / "a.png", CHUNKS[told], pixels)
    with notes.collecting() as lost:
        srkit.upscale(source, "nearest", scale=2).save(tmp_path / "b.png")
    found = chunks_of(tmp_path / "b.png")
    found.pop(b"iCCP", None) if told == "Display P3" else None
    assert found == dict(CHUNKS[told])
    assert not lost


def test_png_by_rows_says_the_same(tmp_path):
    pytest.importorskip("pyvips")
    for told, chunks in CHUNKS.items():
        source = png(tmp_path / "a.png", chunks)
        srkit.load("nearest", scale=2).upscale_file(source, tmp_path / "b.png")
        assert dict(chunks).items() <= chunks_of(tmp_path / "b.png").items(), told


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".webp", ".avif"])
@pytest.mark.parametrize("told", ["linear", "P3", "sRGB", "Display P3"])
def test_elsewhere_it_becomes_a_profile_or_code_points(tmp_path, suffix, told):
    image = read_image(png(tmp_path / "a.png", CHUNKS[told]))
    with notes.collecting() as lost:
        save_image(image, tmp_path / f"b{suffix}")
    assert not lost
    made = read_image(tmp_path / f"b{suffix}").metadata
    if suffix == ".avif" and told == "Display P3":
        assert nclx(tmp_path / "b.avif") == (12, 13)
        assert made.color == ColorTags(cicp=(12, 13))
        return
    light = (PIXELS / 255) ** {"linear": 1, "P3": 2.2}.get(told, 0)
    if told in ("sRGB", "Display P3"):
        light = np.where(PIXELS > 10, ((PIXELS / 255 + 0.055) / 1.055) ** 2.4, PIXELS / 255 / 12.92)
    if "P3" in told:
        # Linear P3 to linear sRGB: CSS Color 4, by its sample code's matrices.
        light = (
            light
            @ np.array(
                [
                    [1.2249401763, -0.2249401763, 0.0],
                    [-0.0420569547, 1.0420569547, 0.0],
                    [-0.0196375546, -0.0786360456, 1.0982736001],
                ]
            ).T
        )
    light = np.clip(light, 0, 1)
    wanted = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light) * 255
    assert np.abs(to_srgb(made.icc, PIXELS) - wanted).max() <= 1.5


def test_grey_gets_a_grey_profile(tmp_path):
    grey = PIXELS[..., 0]
    save_image(read_image(png(tmp_path / "a.png", CHUNKS["P3"], grey)), tmp_path / "b.jpg")
    made = to_srgb(read_image(tmp_path / "b.jpg").metadata.icc, grey)
    light = (grey / 255) ** 2.2
    wanted = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light) * 255
    assert np.abs(made - wanted[..., None]).max() <= 1.5


def test_profiles_are_those_that_others_publish():
    def opened(cicp):
        profile = to_profile(ColorTags(cicp=cicp), grey=False)
        return ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile

    ours, theirs = opened((1, 13)), ImageCms.createProfile("sRGB")
    theirs = ImageCms.ImageCmsProfile(theirs).profile
    p3 = opened((12, 13))
    for name in ("red", "green", "blue"):
        mine = getattr(ours, f"{name}_colorant")[0]
        assert mine == pytest.approx(getattr(theirs, f"{name}_colorant")[0], abs=1e-4)
    # Display P3.icc of Apple.
    assert p3.red_colorant[0] == pytest.approx((0.51512, 0.24120, -0.00105), abs=1e-4)
    assert p3.green_colorant[0] == pytest.approx((0.29198, 0.69225, 0.04189), abs=1e-4)
    assert p3.blue_colorant[0] == pytest.approx((0.15710, 0.06657, 0.78407), abs=1e-4)


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".webp", ".bmp"])
@pytest.mark.parametrize(("told", "name"), [("PQ", "BT.2020, PQ"), ("HLG", "BT.2020, HLG")])
def test_what_no_profile_says_is_told_once_by_name(tmp_path, caplog, suffix, told, name):
    image = read_image(png(tmp_path / "a.png", CHUNKS[told]))
    save_image(image, tmp_path / f"b{suffix}")
    assert [name in record.getMessage() for record in caplog.records] == [True]
    assert f"b{suffix}" in caplog.text


@pytest.mark.parametrize("cicp", [(12, 13), (9, 16), (9, 18), (9, 1)])
@pytest.mark.parametrize("bits", [8, 10])
def test_nclx_of_avif_is_kept_in_avif_and_png(tmp_path, cicp, bits):
    pixels = PIXELS if bits == 8 else PIXELS.astype(np.uint16) * 4
    made = imagecodecs.avif_encode(
        pixels, level=100, bitspersample=bits, primaries=cicp[0], transfer=cicp[1], matrix=9
    )
    (tmp_path / "a.avif").write_bytes(made)
    image = srkit.upscale(tmp_path / "a.avif", "nearest", scale=2)
    save_image(image, tmp_path / "b.png")
    assert chunks_of(tmp_path / "b.png")[b"cICP"] == bytes([*cicp, 0, 1])
    if bits == 8:
        save_image(image, tmp_path / "b.avif")
        assert nclx(tmp_path / "b.avif") == cicp
        with PILImage.open(tmp_path / "b.avif") as opened:
            assert opened.size == (16, 16)


def test_nclx_of_heic_is_kept(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    file = heif.from_pillow(PILImage.fromarray(PIXELS.repeat(8, 0).repeat(8, 1)))
    file.info["nclx_profile"] = {
        "color_primaries": 12,
        "transfer_characteristics": 13,
        "matrix_coefficients": 6,
        "full_range_flag": 1,
    }
    file.save(tmp_path / "a.heic", quality=95)
    image = read_image(tmp_path / "a.heic")
    save_image(image, tmp_path / "b.png")
    assert chunks_of(tmp_path / "b.png")[b"cICP"] == bytes([12, 13, 0, 1])
    assert b"iCCP" in chunks_of(tmp_path / "b.png")


def test_srgb_and_nothing_stay_unsaid(tmp_path):
    PILImage.fromarray(PIXELS).save(tmp_path / "a.avif")
    assert read_image(tmp_path / "a.avif").metadata.color is None
    save_image(read_image(tmp_path / "a.avif"), tmp_path / "b.png")
    assert not chunks_of(tmp_path / "b.png")


def test_a_profile_outranks_gamma_and_cicp_outranks_a_profile(tmp_path):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = (b"iCCP", b"x\0\0" + zlib.compress(icc))
    image = read_image(png(tmp_path / "a.png", [profile, *CHUNKS["P3"]]))
    assert image.metadata.color is None
    assert image.metadata.icc == icc
    image = read_image(png(tmp_path / "b.png", [profile, *CHUNKS["PQ"]]))
    save_image(image, tmp_path / "c.png")
    assert set(chunks_of(tmp_path / "c.png")) == {b"iCCP", b"cICP"}
    save_image(image, tmp_path / "c.avif")
    assert nclx(tmp_path / "c.avif") == (9, 16)
    assert read_image(tmp_path / "c.avif").metadata.icc is None


@pytest.mark.parametrize(
    "odd",
    [
        (b"cHRM", bytes(32)),
        (b"cHRM", b"\xff" * 32),
        (b"gAMA", bytes(4)),
        (b"gAMA", b"\0\0\0\1"),
        (b"cICP", b"\1\2"),
        (b"sRGB", b"\7"),
    ],
)
def test_senseless_numbers_leave_the_pixels_as_they_are(tmp_path, odd):
    plain = read_image(png(tmp_path / "plain.png", []))
    image = read_image(png(tmp_path / "a.png", [(b"gAMA", struct.pack(">I", 45455)), odd]))
    for suffix in (".png", ".jpg", ".avif"):
        made = []
        for name, picture in (("b", image), ("c", plain)):
            save_image(picture, tmp_path / f"{name}{suffix}")
            made.append(read_image(tmp_path / f"{name}{suffix}").pixels)
        np.testing.assert_array_equal(*made)


# --- video's range, and BMP -----------------------------------------------------------------------


def test_narrow_range_is_kept_in_png_and_told_elsewhere(tmp_path):
    # The last byte is the flag of full range (PNG specification, 11.3.2.6).
    chunks = [(b"cICP", bytes([1, 1, 0, 0]))]
    image = read_image(png(tmp_path / "a.png", chunks))
    with notes.collecting() as lost:
        save_image(image, tmp_path / "b.png")
    assert not lost
    assert chunks_of(tmp_path / "b.png") == dict(chunks)
    for suffix in (".jpg", ".avif", ".tif"):
        with notes.collecting() as lost:
            save_image(image, tmp_path / f"b{suffix}")
        assert len(lost) == 1
        assert "BT.709, BT.709 of narrow range" in lost[0]


def bmp(path, kind, points=bytes(36), exponents=(0, 0, 0), profile=b""):
    """A BMP of BITMAPV5HEADER (Windows GDI, wingdi.h), of eight by eight pixels."""
    head = struct.pack("<IiiHHIIiiII", 124, 8, 8, 1, 24, 0, 192, 0, 0, 0, 0)
    head += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0) + kind + points
    head += struct.pack("<3I", *(round(e * 65536) for e in exponents))
    head += struct.pack("<4I", 4, 124 + 192 if profile else 0, len(profile), 0)
    rows = PIXELS[::-1, :, ::-1].tobytes()
    size = 14 + len(head) + len(rows) + len(profile)
    path.write_bytes(b"BM" + struct.pack("<IHHI", size, 0, 0, 138) + head + rows + profile)
    return path


def test_a_profile_in_a_bmp_is_read(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = read_image(bmp(tmp_path / "a.bmp", b"DEBM", profile=profile))
    assert np.array_equal(image.pixels, PIXELS)
    assert image.metadata.icc == profile
    save_image(image, tmp_path / "b.jpg")
    with PILImage.open(tmp_path / "b.jpg") as made:
        assert made.info["icc_profile"] == profile
    with notes.collecting() as lost:
        save_image(image, tmp_path / "b.bmp")
    assert lost == ["BMP holds no colour profile: left out"]


def test_primaries_and_gamma_of_a_bmp_are_read(tmp_path):
    # X, Y and Z of sRGB's primaries (IEC 61966-2-1), whose sum is D65.
    rows = [(0.4124, 0.2126, 0.0193), (0.3576, 0.7152, 0.1192), (0.1805, 0.0722, 0.9505)]
    points = struct.pack("<9i", *(round(v * 2**30) for row in rows for v in row))
    with notes.collecting() as lost:
        image = read_image(bmp(tmp_path / "a.bmp", bytes(4), points, (2.2, 2.2, 2.2)))
        save_image(image, tmp_path / "b.png")
    assert not lost
    chunks = chunks_of(tmp_path / "b.png")
    assert struct.unpack(">I", chunks[b"gAMA"])[0] == pytest.approx(45455, abs=2)
    srgb = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    assert struct.unpack(">8I", chunks[b"cHRM"]) == pytest.approx(srgb, abs=10)


@pytest.mark.parametrize(
    ("kind", "how", "told"),
    [
        (b"KNIL", {"profile": b"C:\\a.icc\0"}, "in another file"),
        (b"DEBM", {"profile": b"no profile" * 20}, "is damaged"),
        (bytes(4), {"exponents": (2.2, 1.8, 2.2)}, "primaries and gamma of BMP"),
        (bytes(4), {"points": struct.pack("<9i", *range(-9, 0))}, "primaries and gamma of BMP"),
    ],
)
def test_colour_of_a_bmp_that_cannot_be_kept_is_told(tmp_path, kind, how, told):
    with notes.collecting() as lost:
        image = read_image(bmp(tmp_path / "a.bmp", kind, **how))
    assert len(lost) == 1
    assert told in lost[0]
    assert (image.metadata.icc, image.metadata.color) == (None, None)


@pytest.mark.parametrize("kind", [bytes(4), b"BGRs", b" niW"])
def test_a_bmp_of_srgb_says_nothing(tmp_path, kind):
    with notes.collecting() as lost:
        metadata = read_image(bmp(tmp_path / "a.bmp", kind)).metadata
    assert (lost, metadata.icc, metadata.color) == ([], None, None)
