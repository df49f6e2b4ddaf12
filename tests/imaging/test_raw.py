"""Raw files of cameras: developed with the camera's white balance, upright, with EXIF."""

import sys

import dng
import numpy as np
import pytest
from PIL import Image as PILImage
from skimage import data

import srkit
from srkit.cli import main
from srkit.errors import (
    CorruptFileError,
    ImageError,
    ImageTooLargeError,
    MissingDependencyError,
    SrkitError,
)
from srkit.imaging.files import formats
from srkit.imaging.light import light_of

PHOTO = light_of(data.astronaut()[:96, 128:272])
LEFT, RIGHT = [0.9, 0.45, 0.2], [0.1, 0.4, 0.8]


@pytest.fixture
def _rawpy():
    pytest.importorskip("rawpy", reason="needs pip install 'srkit[raw]'")


def halves():
    light = np.empty((40, 60, 3), np.float32)
    light[:, :30], light[:, 30:] = LEFT, RIGHT
    return light


@pytest.mark.usefixtures("_rawpy")
@pytest.mark.parametrize("neutral", [(1, 1, 1), (0.5, 1, 0.6)])
@pytest.mark.parametrize("white", [4095, 65535])
def test_colours_are_those_of_the_scene(tmp_path, neutral, white):
    # What the camera measures under a light in which white measures `neutral`.
    measured = halves() * np.array(neutral)
    path = dng.write(tmp_path / "a.dng", measured, neutral=neutral, white=white)
    image = srkit.read_image(path, exposure="auto")
    assert (image.metadata.format, image.dtype, image.size) == ("RAW", np.uint16, (60, 40))
    light = light_of(image.pixels)
    # The brightest channel is white; matrices of LibRaw and of the test differ a little.
    np.testing.assert_allclose(light[20, 10], np.array(LEFT) / 0.9, atol=0.01)
    np.testing.assert_allclose(light[20, 50], np.array(RIGHT) / 0.9, atol=0.01)


@pytest.mark.usefixtures("_rawpy")
def test_a_photo_looks_like_itself(tmp_path):
    path = dng.write(tmp_path / "a.dng", PHOTO)
    image = srkit.read_image(path, exposure=0)
    inner = slice(4, -4), slice(4, -4)
    plain = srkit.Image(np.rint(data.astronaut()[:96, 128:272]).astype(np.uint8))
    seen = (image.pixels / 257).round().astype(np.uint8)
    assert srkit.metrics.psnr(plain.pixels[inner], seen[inner]) > 28


@pytest.mark.usefixtures("_rawpy")
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_turned_photo_is_upright_and_turned_once(tmp_path, orientation):
    path = dng.write(tmp_path / "a.dng", halves(), orientation=orientation)
    turned = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]  # quarters, counter-clockwise
    image = srkit.read_image(path)
    expected = np.rot90(halves(), turned)
    assert image.pixels.shape == expected.shape
    is_left = light_of(image.pixels)[..., 0] > 0.5
    np.testing.assert_array_equal(is_left, expected[..., 0] > 0.5)
    block = PILImage.Exif()
    block.load(image.metadata.exif)
    assert block.get(0x0112, 1) == 1


@pytest.mark.usefixtures("_rawpy")
def test_exif_and_xmp_are_kept(tmp_path):
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    tags = ((306, 2, 0, "2026:11:29 12:00:00", True), (700, 1, len(packet), packet, True))
    metadata = srkit.read_image(dng.write(tmp_path / "a.dng", halves(), tags=tags)).metadata
    block = PILImage.Exif()
    block.load(metadata.exif)
    assert (block[0x010F], block[0x0110], block[0x0132]) == (
        "Maker",
        "Model",
        "2026:11:29 12:00:00",
    )
    assert metadata.xmp == packet


@pytest.mark.usefixtures("_rawpy")
def test_size_is_judged_before_decoding(tmp_path):
    path = dng.write(tmp_path / "a.dng", halves())
    with pytest.raises(ImageTooLargeError, match="60x40 = 2400 pixels"):
        srkit.read_image(path, max_pixels=2399)
    assert srkit.read_image(path, max_pixels=2400).size == (60, 40)
    for ratio, size in (((4, 1, 1, 1), (240, 40)), ((1, 3, 1, 1), (60, 120))):
        # By DefaultScale pixels are no squares, and LibRaw makes more of them.
        path = dng.write(tmp_path / "b.dng", halves(), tags=((50718, 5, 2, ratio, True),))
        number = size[0] * size[1]
        with pytest.raises(ImageTooLargeError, match=f"{size[0]}x{size[1]} = {number} pixels"):
            srkit.read_image(path, max_pixels=number - 1)
        assert srkit.read_image(path, max_pixels=number).size == size


@pytest.mark.usefixtures("_rawpy")
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_a_file_cut_off_is_damaged(tmp_path, share):
    path = dng.write(tmp_path / "a.dng", halves())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CorruptFileError, match=r"a\.dng: the RAW file is truncated or damaged"):
        srkit.read_image(path)


@pytest.mark.usefixtures("_rawpy")
def test_what_libraw_does_not_know_is_refused(tmp_path):
    for head in (b"II*\0" + bytes(400), b"FUJIFILMCCD-RAW" + bytes(400), b"FOVb" + bytes(400)):
        (tmp_path / "a.nef").write_bytes(head)
        with pytest.raises(SrkitError, match=r"a\.nef: "):
            srkit.read_image(tmp_path / "a.nef")


def test_raw_files_are_told_from_tiff(tmp_path):
    def form(path, name="a"):
        return formats.of_file(path.read_bytes()[: formats.HEAD], tmp_path / name)

    raw = dng.write(tmp_path / "a.dng", halves())
    assert form(raw) is formats.RAW
    assert form(raw, "a.dng") is formats.RAW
    plain = tmp_path / "plain.tif"
    srkit.Image(np.zeros((40, 60, 3), np.uint16)).save(plain)
    assert form(plain) is formats.TIFF
    assert form(plain, "a.nef") is formats.RAW
    for length in range(64):
        assert formats.of_file(plain.read_bytes()[:length], plain) in (formats.TIFF, None)


@pytest.mark.usefixtures("_rawpy")
def test_the_command_writes_png_and_says_so(tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    dng.write(folder / "one.DNG", PHOTO)
    arguments = ["upscale", str(folder), "-m", "nearest", "--scale", "2", "-o", str(tmp_path)]
    assert main(arguments) == 0
    assert "one.DNG became PNG" in capsys.readouterr().err
    made = srkit.read_image(tmp_path / "one_nearest_x2.png")
    assert (made.size, made.dtype) == ((288, 192), np.uint16)


def test_raw_is_not_written(tmp_path):
    with pytest.raises(ImageError, match="is read, not written"):
        srkit.Image(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.dng")


def test_without_rawpy_the_error_has_the_line_that_installs_it(tmp_path, monkeypatch):
    dng.write(tmp_path / "a.dng", halves())
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(MissingDependencyError, match=r'a\.dng: .*pip install "srkit\[raw\]"'):
        srkit.read_image(tmp_path / "a.dng")
