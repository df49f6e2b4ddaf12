"""OpenEXR as renderers write it: its picture, among what else is in a file."""

import io
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import srkit
from srkit.cli import main
from srkit.errors import (
    CorruptFileError,
    ImageError,
    ImageTooLargeError,
    MissingDependencyError,
    SrkitError,
)
from srkit.imaging.light import light_of

RNG = np.random.default_rng(0)
LIGHT = RNG.random((24, 32, 3)).astype(np.float32) * 4
AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)  # SMPTE ST 2065-1


@pytest.fixture
def exr():
    return pytest.importorskip("OpenEXR", reason="needs pip install 'srkit[exr]'")


def write(exr, path, channels, **header):
    stated = {"type": exr.scanlineimage, "compression": exr.ZIP_COMPRESSION, **header}
    exr.File(stated, channels).write(str(path))
    return path


def window(left, top, right, bottom):
    return np.array([left, top], np.int32), np.array([right, bottom], np.int32)


def seen(path, exposure=-2):
    """Light of a file, as what it was exposed to says."""
    return light_of(srkit.read_image(path, exposure=exposure).pixels)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("packing", ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24"])
def test_pixels_are_those_of_the_file(exr, tmp_path, packing, dtype):
    light = LIGHT.astype(dtype)
    compression = getattr(exr, f"{packing}_COMPRESSION")
    path = write(exr, tmp_path / "misleading.png", {"RGB": light}, compression=compression)
    image = srkit.read_image(path, exposure=-2)
    assert (image.metadata.mode, image.metadata.format) == ("RGB", "EXR")
    np.testing.assert_allclose(light_of(image.pixels), light.astype(float) / 4, atol=4e-5)


def test_tiles_and_bytes_are_read(exr, tmp_path):
    tiles = exr.TileDescription()
    tiles.xSize = tiles.ySize = 16
    header = {"type": exr.tiledimage, "tiles": tiles}
    path = write(exr, tmp_path / "a.exr", {"RGB": LIGHT}, **header)
    np.testing.assert_allclose(seen(path), LIGHT / 4, atol=4e-5)
    np.testing.assert_allclose(seen(path.read_bytes()), LIGHT / 4, atol=4e-5)
    np.testing.assert_allclose(seen(io.BytesIO(path.read_bytes())), LIGHT / 4, atol=4e-5)


def test_grey_stays_grey(exr, tmp_path):
    path = write(exr, tmp_path / "a.exr", {"Y": LIGHT[..., 0].copy()})
    image = srkit.read_image(path, exposure=-2)
    assert image.metadata.mode == "L"
    np.testing.assert_allclose(light_of(image.pixels), LIGHT[..., 0] / 4, atol=4e-5)


def test_colour_is_freed_of_alpha_which_it_was_multiplied_with(exr, tmp_path):
    alpha = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (24, 1))[..., None]
    path = write(exr, tmp_path / "a.exr", {"RGBA": np.dstack([LIGHT / 4 * alpha, alpha])})
    image = srkit.read_image(path, exposure=0)
    assert image.metadata.mode == "RGBA"
    light = light_of(image.pixels[..., :3])
    np.testing.assert_allclose(light[:, 1:], LIGHT[:, 1:] / 4, atol=4e-5)
    np.testing.assert_array_equal(image.pixels[..., 3:], np.rint(alpha * 65535))


def test_aces_becomes_srgb(exr, tmp_path):
    # The matrix of AP0 to sRGB by the Bradford adaptation, as published.
    matrix = [[2.5217, -1.1341, -0.3876], [-0.2765, 1.3727, -0.0962], [-0.0154, -0.1530, 1.1684]]
    light = np.full((4, 6, 3), 0.5, np.float32)
    light[0] = [0.3, 0.25, 0.2]
    path = write(exr, tmp_path / "a.exr", {"RGB": light}, chromaticities=AP0)
    found = seen(path, 0)
    np.testing.assert_allclose(found[1:], 0.5, atol=1e-3)
    np.testing.assert_allclose(found[0, 0], np.array(matrix) @ [0.3, 0.25, 0.2], atol=2e-3)


@pytest.mark.parametrize("chromaticities", [{}, {"chromaticities": AP0}])
def test_a_sun_beyond_all_numbers_is_white(exr, tmp_path, caplog, recwarn, chromaticities):
    light = np.full((10, 10, 3), 0.25, np.float16)
    light[0, 0], light[0, 1] = np.inf, -np.inf
    path = write(exr, tmp_path / "a.exr", {"RGB": light}, **chromaticities)
    pixels = srkit.read_image(path, exposure=0).pixels
    assert pixels[0, :2].tolist() == [[65535] * 3, [0] * 3]
    assert "NaN" not in caplog.text
    np.testing.assert_allclose(light_of(pixels[1:]), 0.25, atol=1e-3)
    assert not recwarn.list


def test_alpha_next_to_nothing_makes_no_warning(exr, tmp_path, recwarn):
    light = np.full((4, 4, 4), 0.25, np.float32)
    light[0, :, 3], light[1, :, 3] = 1e-40, np.inf
    light[0, :, :3] = 1
    pixels = srkit.read_image(write(exr, tmp_path / "a.exr", {"RGBA": light}), exposure=0).pixels
    assert pixels[0, 0].tolist() == [65535, 65535, 65535, 0]
    assert pixels[2, 0, :3].tolist() == [65535] * 3  # 0.25 / 0.25
    assert not recwarn.list


def test_the_picture_is_what_its_display_window_shows(exr, tmp_path, caplog):
    # Eight columns of overscan on the left, and five rows that were not rendered below.
    windows = {"dataWindow": window(-8, 0, 23, 23), "displayWindow": window(0, 0, 23, 28)}
    path = write(exr, tmp_path / "a.exr", {"RGB": LIGHT}, **windows)
    found = seen(path)
    assert found.shape == (29, 24, 3)
    np.testing.assert_allclose(found[:24], LIGHT[:, 8:] / 4, atol=4e-5)
    assert not found[24:].any()
    assert "pixels beyond the display window were left out" in caplog.text
    apart = {"dataWindow": window(100, 100, 131, 123), "displayWindow": window(0, 0, 9, 9)}
    assert not seen(write(exr, tmp_path / "b.exr", {"RGB": LIGHT}, **apart), 0).any()


def test_of_layers_and_parts_the_picture_is_taken_and_others_are_told(exr, tmp_path, caplog):
    planes = {f"ViewLayer.Combined.{name}": LIGHT[..., n].copy() for n, name in enumerate("RGB")}
    planes |= {"ViewLayer.Depth.Z": LIGHT[..., 0] * 9, "ViewLayer.Normal.R": LIGHT[..., 0] * 3}
    path = write(exr, tmp_path / "a.exr", planes)
    np.testing.assert_allclose(seen(path), LIGHT / 4, atol=4e-5)
    assert "channels were left out: ViewLayer.Depth.Z, ViewLayer.Normal.R" in caplog.text
    header = {"type": exr.scanlineimage}
    depth = exr.Part({**header, "name": "z"}, {"Z": LIGHT[..., 0].copy()}, "z")
    colour = exr.Part({**header, "name": "rgb"}, {"RGB": LIGHT}, "rgb")
    exr.File([depth, colour]).write(str(tmp_path / "b.exr"))
    np.testing.assert_allclose(seen(tmp_path / "b.exr"), LIGHT / 4, atol=4e-5)
    assert "it holds 2 parts: one was taken" in caplog.text


def test_attributes_that_tell_of_the_picture_are_named(exr, tmp_path, caplog):
    path = write(exr, tmp_path / "a.exr", {"RGB": LIGHT}, owner="me", comments="of a scene")
    srkit.read_image(path, exposure=-2)
    assert "attributes of EXR were left out: owner, comments" in caplog.text


def test_what_is_no_picture_is_refused(exr, tmp_path):
    write(exr, tmp_path / "z.exr", {"Z": LIGHT[..., 0].copy()})
    with pytest.raises(ImageError, match="no channels R, G, B or Y, but Z: save the picture"):
        srkit.read_image(tmp_path / "z.exr")
    chroma = {name: LIGHT[..., 0].copy() for name in ("Y", "RY", "BY")}
    write(exr, tmp_path / "yc.exr", chroma)
    with pytest.raises(ImageError, match="luminance and chroma: save it as RGB"):
        srkit.read_image(tmp_path / "yc.exr")
    numbers = {name: LIGHT[..., 0].astype(np.uint32) for name in "RGB"}
    write(exr, tmp_path / "n.exr", numbers)
    with pytest.raises(ImageError, match="channel R is of whole numbers"):
        srkit.read_image(tmp_path / "n.exr")


def test_size_is_judged_before_decoding(exr, tmp_path):
    path = write(exr, tmp_path / "a.exr", {"RGB": LIGHT})
    with pytest.raises(ImageTooLargeError, match="32x24 = 768 pixels"):
        srkit.read_image(path, max_pixels=767)
    assert srkit.read_image(path, max_pixels=768).size == (32, 24)
    many = {f"L{n}.R": LIGHT[..., 0].copy() for n in range(14)} | {"RGB": LIGHT}
    path = write(exr, tmp_path / "many.exr", many)
    with pytest.raises(ImageTooLargeError, match="its layers hold 13056 values"):
        srkit.read_image(path, max_pixels=768)
    # As many are decoded where little of them is shown.
    path = write(exr, tmp_path / "many.exr", many, displayWindow=window(0, 0, 0, 0))
    with pytest.raises(ImageTooLargeError, match="its layers hold 13056 values"):
        srkit.read_image(path, max_pixels=768)


def test_a_claim_of_size_is_refused(exr, tmp_path):
    data = write(exr, tmp_path / "a.exr", {"RGB": LIGHT}).read_bytes()
    for name in (b"dataWindow", b"displayWindow"):
        at = data.index(name) + len(name) + len(b"\0box2i\0") + 4
        for corner in ((1 << 30, 1 << 30), (-5, -5), (31, 2**31 - 1)):
            hostile = data[: at + 8] + np.array(corner, "<i4").tobytes() + data[at + 16 :]
            with pytest.raises(SrkitError):
                srkit.read_image(hostile)


def test_a_tile_is_no_larger_than_pictures_are(exr, tmp_path):
    tiles = exr.TileDescription()
    tiles.xSize = tiles.ySize = 16
    path = write(exr, tmp_path / "a.exr", {"RGB": LIGHT}, type=exr.tiledimage, tiles=tiles)
    data = path.read_bytes()
    at = data.index(b"tiledesc\0") + len(b"tiledesc\0") + 4
    hostile = data[:at] + np.array([1 << 20, 1 << 10], "<u4").tobytes() + data[at + 8 :]
    with pytest.raises(CorruptFileError, match="tiles are far larger"):
        srkit.read_image(hostile)


def test_of_a_damaged_part_nothing_else_is_taken(exr, tmp_path):
    header = {"type": exr.scanlineimage, "compression": exr.ZIP_COMPRESSION}
    flat = np.ones((24, 32, 3), np.float32)
    parts = [exr.Part({**header, "name": name}, {"RGB": flat}, name) for name in ("a", "b")]
    exr.File(parts).write(str(tmp_path / "a.exr"))
    data = bytearray((tmp_path / "a.exr").read_bytes())
    at = re.search(rb"\x78[\x01\x5e\x9c\xda]", data).start()  # how zlib begins
    data[at : at + 2] = b"\0\0"
    with pytest.raises(CorruptFileError, match="its pixels are not whole"):
        srkit.read_image(bytes(data))


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_a_file_cut_off_is_damaged(exr, tmp_path, share):
    whole = write(exr, tmp_path / "a.exr", {"RGB": LIGHT}).read_bytes()
    (tmp_path / "a.exr").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CorruptFileError, match=r"a\.exr: the EXR file is truncated or damaged"):
        srkit.read_image(tmp_path / "a.exr")


def test_of_a_damaged_file_nothing_is_printed_where_programs_read(exr, tmp_path, capsys):
    folder = tmp_path / "frames"
    folder.mkdir()
    whole = write(exr, folder / "a.exr", {"RGB": LIGHT}).read_bytes()
    (folder / "b.exr").write_bytes(whole[:-100])
    command = ["upscale", str(folder), "-m", "nearest", "--scale=2", "--json"]
    assert main([*command, "-o", str(tmp_path)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [len(told[kind]) for kind in ("written", "failed")] == [1, 1]
    stdout = sys.stdout
    with ThreadPoolExecutor(4) as pool:
        tried = [pool.submit(srkit.read_image, folder / "b.exr") for _ in range(12)]
    assert all(isinstance(one.exception(), CorruptFileError) for one in tried)
    assert sys.stdout is stdout


def test_exr_is_not_written(tmp_path):
    with pytest.raises(ImageError, match="is read, not written"):
        srkit.Image(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.exr")


def test_without_openexr_the_error_has_the_line_that_installs_it(tmp_path, monkeypatch):
    (tmp_path / "a.exr").write_bytes(b"v/1\x01" + bytes(300))
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(MissingDependencyError, match=r'a\.exr: .*pip install "srkit\[exr\]"'):
        srkit.read_image(tmp_path / "a.exr")
