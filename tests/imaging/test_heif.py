"""HEIC as phones write it: upright, of any depth, with its metadata."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as PILImage
from PIL import ImageCms
from skimage import data

import srkit
from srkit import CorruptFileError, ImageError, ImageTooLargeError, MissingDependencyError
from srkit.cli import main

PHOTO = data.astronaut()[:90, 150:270]
LOSSLESS = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}


@pytest.fixture
def heif():
    return pytest.importorskip("pillow_heif", reason="needs pip install 'srkit[heif]'")


def write(heif, path, picture, **options):
    heif.from_pillow(picture).save(path, **{**LOSSLESS, **options})
    return path


def picture(mode):
    made = PILImage.fromarray(PHOTO).convert(mode)
    if mode == "RGBA":
        made.putalpha(PILImage.fromarray(np.tile(np.arange(120, dtype=np.uint8), (90, 1))))
    return made


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("name", ["a.heic", "a.HEIF", "misleading.jpg"])
def test_pixels_are_those_of_the_file(heif, tmp_path, mode, name):
    given = picture(mode)
    read = srkit.read_image(write(heif, tmp_path / name, given))
    assert (read.metadata.mode, read.metadata.format) == (mode, "HEIF")
    np.testing.assert_array_equal(read.pixels, np.asarray(given))


def test_grey_stays_grey(heif, tmp_path):
    given = picture("L")
    heif.from_pillow(given).save(tmp_path / "a.heic", quality=-1)
    read = srkit.read_image(tmp_path / "a.heic")
    assert read.metadata.mode == "L"
    np.testing.assert_array_equal(read.pixels, np.asarray(given))


@pytest.mark.parametrize("bits", [10, 12])
def test_more_than_8_bits_are_stretched_over_16(heif, tmp_path, monkeypatch, bits):
    monkeypatch.setattr(heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    codes = np.random.default_rng(3).integers(0, 2**bits, (30, 40, 3)).astype(np.uint16)
    codes[0, 0], codes[0, 1] = 0, 2**bits - 1
    stored = (codes << (16 - bits)).tobytes()
    heif.encode("RGB;16", (40, 30), stored, tmp_path / "a.heic", **LOSSLESS)
    read = srkit.read_image(tmp_path / "a.heic").pixels
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, np.rint(codes / (2**bits - 1) * 65535))


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_turned_photo_is_upright_and_turned_once(heif, tmp_path, orientation):
    exif = PILImage.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker"
    path = write(heif, tmp_path / "a.heic", picture("RGB"), exif=exif.tobytes())
    # What Pillow makes of the same EXIF in a PNG.
    plain = io.BytesIO()
    picture("RGB").save(plain, "PNG", exif=exif)
    (tmp_path / "a.png").write_bytes(plain.getvalue())
    expected = srkit.read_image(tmp_path / "a.png")
    read = srkit.read_image(path)
    np.testing.assert_array_equal(read.pixels, expected.pixels)
    kept = PILImage.Exif()
    kept.load(read.metadata.exif)
    assert (kept[0x0112], kept[0x010F]) == (1, "Maker")


def test_profile_and_xmp_are_kept(heif, tmp_path):
    given = picture("RGB")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    given.info.update(icc_profile=profile, xmp=packet)
    metadata = srkit.read_image(write(heif, tmp_path / "a.heic", given)).metadata
    assert metadata.icc == profile
    assert metadata.xmp == packet


def test_of_several_pictures_the_primary_one_is_read(heif, tmp_path):
    file = heif.from_pillow(picture("RGB").rotate(180))
    file.add_from_pillow(picture("RGB"))
    file.save(tmp_path / "a.heic", primary_index=1, **LOSSLESS)
    np.testing.assert_array_equal(srkit.read_image(tmp_path / "a.heic").pixels, PHOTO)


def test_size_is_judged_before_decoding(heif, tmp_path):
    path = write(heif, tmp_path / "a.heic", picture("RGB"))
    with pytest.raises(ImageTooLargeError, match="120x90 = 10800 pixels"):
        srkit.read_image(path, max_pixels=10_799)
    assert srkit.read_image(path, max_pixels=10_800).size == (120, 90)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9])
def test_a_file_cut_off_is_damaged(heif, tmp_path, share):
    path = write(heif, tmp_path / "a.heic", picture("RGB"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CorruptFileError, match=r"a\.heic: the HEIF file is truncated or damaged"):
        srkit.read_image(path)


def test_pillow_is_left_as_it_is(heif, tmp_path):
    path = write(heif, tmp_path / "a.heic", picture("RGB"))
    # In a process of its own: in this one others may have registered the plugin.
    code = "import sys, srkit, PIL.Image as p; srkit.read_image(sys.argv[1]); p.open(sys.argv[1])"
    ran = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert "UnidentifiedImageError" in ran.stderr


def test_the_command_writes_png_and_says_so(heif, tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    write(heif, folder / "one.heic", picture("RGB"))
    write(heif, folder / "two.HIF", picture("RGB"))
    arguments = ["upscale", str(folder), "-m", "bicubic", "--scale", "2", "-o", str(tmp_path)]
    assert main(arguments) == 0
    assert "one.heic became PNG" in capsys.readouterr().err
    expected = srkit.load("bicubic", scale=2).upscale(PHOTO)
    for name in ("one_bicubic_x2.png", "two_bicubic_x2.png"):
        np.testing.assert_array_equal(np.asarray(PILImage.open(tmp_path / name)), expected)
    single = str(folder / "one.heic")
    assert main(["upscale", single, "-m", "bicubic", "-o", str(tmp_path / "one.jpg")]) == 0
    with PILImage.open(tmp_path / "one.jpg") as made:
        assert made.size == (480, 360)


def test_heic_is_not_written(tmp_path):
    with pytest.raises(ImageError, match="is read, not written; use one of"):
        srkit.Image(PHOTO).save(tmp_path / "a.heic")
    assert list(tmp_path.iterdir()) == []


def test_without_pillow_heif_the_error_has_the_line_that_installs_it(tmp_path, monkeypatch):
    # The first box of a HEIC as iPhones write it.
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(300))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingDependencyError, match=r'a\.heic: .*pip install "srkit\[heif\]"'):
        srkit.read_image(tmp_path / "a.heic")
