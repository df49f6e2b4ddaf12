"""Linear light: exposed, brought to sRGB's curve, and what is clipped is told."""

import io
import json

import numpy as np
import pytest
import tifffile

import srkit
from srkit.cli import main
from srkit.errors import CorruptFileError, ImageError, ImageTooLargeError, OptionError, SrkitError
from srkit.imaging.light import expose, light_of
from srkit.imaging.metadata import Metadata
from srkit.imaging.primaries import matrix_of
from srkit.imaging.profiles import gamma, profile

RNG = np.random.default_rng(0)
GREYS = np.full((8, 12, 3), 0.25, np.float32)
P3 = (0.3127, 0.3290), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)


def radiance(pixels, *, size=None, **variables):
    """A Radiance picture that is not packed, by hand: three mantissas and an exponent."""
    pixels = np.asarray(pixels, float)
    exponents = np.frexp(np.maximum(pixels.max(axis=2), 1e-30))[1]
    mantissas = np.floor(pixels * 2.0 ** (8 - exponents[..., None])).clip(0, 255)
    rgbe = np.concatenate([mantissas, exponents[..., None] + 128], axis=2).astype(np.uint8)
    height, width = pixels.shape[:2]
    stated = "".join(f"{name}={value}\n" for name, value in variables.items())
    head = f"#?RADIANCE\n{stated}\n{size or f'-Y {height} +X {width}'}\n"
    return head.encode() + rgbe.tobytes()


def srgb(light):
    """The curve by its definition, in double precision."""
    light = np.clip(np.asarray(light, float), 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def test_the_curve_is_that_of_srgb():
    ramp = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(100, 100)
    levels = expose(ramp, 0, alpha=False)
    assert levels.dtype == np.uint16
    assert np.abs(levels - srgb(ramp) * 65535).max() < 0.51
    np.testing.assert_allclose(light_of(levels), ramp, atol=2e-5)  # half a level


@pytest.mark.parametrize(("stops", "factor"), [(0, 1), (1, 2), (-2, 0.25), (0.5, 2**0.5)])
def test_a_stop_doubles_the_light(stops, factor):
    light = RNG.random((6, 5, 3)).astype(np.float32) * 0.4
    expected = np.rint(srgb(light * factor) * 65535)
    assert np.abs(expose(light, stops, alpha=False) - expected).max() <= 1
    deep = np.rint(light * 65535).astype(np.uint16)
    apart = light_of(expose(deep, stops, alpha=False)) - np.clip(deep / 65535 * factor, 0, 1)
    assert np.abs(apart).max() < 2e-5


def test_auto_brings_the_percentile_to_white(caplog):
    light = RNG.random((100, 100, 3)).astype(np.float32) * 7
    white = np.percentile(light.max(axis=2), 99.9)
    levels = expose(light, "auto", alpha=False)
    assert np.abs(levels - np.rint(srgb(light / white) * 65535)).max() <= 1
    assert "exposed by -2.81 EV, 0.1 % of the pixels were brighter than white" in caplog.text


def test_who_has_a_lamp_in_the_picture_is_told_the_way(caplog):
    light = np.full((40, 50, 3), 0.2, np.float32)
    light[:4, :5] = 40  # a hundredth of it
    assert np.median(expose(light, "auto", alpha=False)) < 5000
    assert "if that is too dark, exposure=0 leaves the numbers as they are" in caplog.text
    caplog.clear()
    expose(light, 0, alpha=False)
    expose(light[10:], "auto", alpha=False)
    assert "too dark" not in caplog.text


def test_what_is_clipped_is_told_by_its_share(caplog):
    light = np.zeros((10, 10, 3), np.float32)
    light[:3, 0, 1], light[0, 1:3, 2] = 1.5, -0.5
    levels = expose(light, 0, alpha=False)
    assert "3 % of the pixels were brighter than white and clipped, 2 % had colours" in caplog.text
    assert levels[0, 0].tolist() == [0, 65535, 0]
    assert levels[0, 1].tolist() == [0, 0, 0]


def test_what_fits_is_not_told(caplog):
    expose(GREYS, 2, alpha=False)
    assert caplog.text == ""


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_hurts_no_other_pixel(caplog, value):
    light = GREYS.copy()
    light[0, 0] = value
    levels = expose(light, 1, alpha=False)
    assert levels[0, 0].tolist() == [65535 if value == np.inf else 0] * 3
    np.testing.assert_array_equal(levels[1:], np.rint(srgb(0.5) * 65535))
    assert ("NaN, which became black" in caplog.text) is bool(np.isnan(value))


def test_black_stays_black_and_alpha_stays_as_it_is():
    assert not expose(np.zeros((4, 4, 3), np.float32), "auto", alpha=False).any()
    light = np.dstack([GREYS, np.full((8, 12), 0.5)]).astype(np.float32)
    light[0, :, :3], light[0, :, 3] = 100, 0  # nobody sees it, so it does not count
    levels = expose(light, "auto", alpha=True)
    assert levels[5, 5].tolist() == [65535, 65535, 65535, 32768]
    assert levels[0, 0].tolist() == [65535, 65535, 65535, 0]


@pytest.mark.parametrize("exposure", ["bright", True, np.nan, np.inf, 65, [1]])
def test_an_exposure_that_makes_no_sense_is_refused(tmp_path, exposure):
    path = tmp_path / "a.hdr"
    path.write_bytes(radiance(GREYS))
    with pytest.raises(OptionError, match="exposure is 'auto', or stops"):
        srkit.read_image(path, exposure=exposure)


def test_primaries_of_p3_are_those_of_its_standard():
    # Columns of XYZ by SMPTE EG 432-1 and by IEC 61966-2-1, with one white.
    p3 = [
        [0.4865709, 0.2656677, 0.1982173],
        [0.2289746, 0.6917385, 0.0792869],
        [0, 0.0451134, 1.0439444],
    ]
    rgb = [
        [0.4123908, 0.3575843, 0.1804808],
        [0.2126390, 0.7151687, 0.0721923],
        [0.0193308, 0.1191948, 0.9505322],
    ]
    found = matrix_of(P3)
    np.testing.assert_allclose(found, np.linalg.solve(rgb, p3), atol=2e-4)
    assert matrix_of(((0.3, 0.3), (0.1, 0.1), (0.1, 0.1), (0.1, 0.1))) is None
    assert matrix_of(((0.3, 0.0), (0.6, 0.3), (0.3, 0.6), (0.1, 0.1))) is None


def test_radiance_is_read(tmp_path, caplog):
    light = RNG.random((9, 7, 3)) * 3
    (tmp_path / "a.hdr").write_bytes(radiance(light, FORMAT="32-bit_rle_rgbe"))
    image = srkit.read_image(tmp_path / "a.hdr", exposure=-2)
    assert (image.metadata.format, image.dtype, image.size) == ("RADIANCE", np.uint16, (7, 9))
    # Mantissas of 8 bits, cut off, of the brightest channel.
    short = light / 4 - light_of(image.pixels)
    assert short.min() > -1e-4
    assert (short <= light.max(axis=2, keepdims=True) / 4 / 128 + 1e-4).all()
    assert caplog.text == ""


@pytest.mark.parametrize("width", [5, 300])
def test_packed_lines_are_read(tmp_path, width):
    codecs = pytest.importorskip("imagecodecs")
    light = np.repeat(RNG.random((6, 1, 3)), width, axis=1).astype(np.float32)
    (tmp_path / "a.hdr").write_bytes(codecs.rgbe_encode(light))
    read = light_of(srkit.read_image(tmp_path / "a.hdr", exposure=0).pixels)
    assert np.abs(read - light).max() < 1 / 128


@pytest.mark.parametrize(
    ("size", "turn"),
    [
        ("-Y 4 +X 3", lambda a: a),
        ("-Y 4 -X 3", np.fliplr),
        ("+Y 4 +X 3", np.flipud),
        ("+Y 4 -X 3", lambda a: a[::-1, ::-1]),
        ("+X 4 -Y 3", lambda a: a.swapaxes(0, 1)),
        ("-X 4 -Y 3", lambda a: np.fliplr(a.swapaxes(0, 1))),
        ("+X 4 +Y 3", lambda a: np.flipud(a.swapaxes(0, 1))),
        ("-X 4 +Y 3", lambda a: a.swapaxes(0, 1)[::-1, ::-1]),
    ],
)
def test_radiance_is_upright_whichever_way_it_is_stored(tmp_path, size, turn):
    stored = (np.arange(36).reshape(4, 3, 3) + 1) / 64
    (tmp_path / "a.hdr").write_bytes(radiance(stored, size=size))
    read = light_of(srkit.read_image(tmp_path / "a.hdr", exposure=0).pixels)
    assert np.abs(read - turn(stored)).max() < 1 / 100


def test_other_primaries_become_those_of_srgb(tmp_path):
    # Red of sRGB, as a display of P3's primaries shows it.
    p3 = "0.680 0.320 0.265 0.690 0.150 0.060 0.3127 0.3290"
    red = np.tile([0.8225, 0.0332, 0.0171], (4, 4, 1))
    (tmp_path / "a.hdr").write_bytes(radiance(red, PRIMARIES=p3))
    read = light_of(srkit.read_image(tmp_path / "a.hdr", exposure=0).pixels)
    assert np.abs(read[0, 0] - [1, 0, 0]).max() < 0.02
    white = np.tile([0.5, 0.5, 0.5], (4, 4, 1))
    (tmp_path / "a.hdr").write_bytes(radiance(white, FORMAT="32-bit_rle_xyze"))
    read = light_of(srkit.read_image(tmp_path / "a.hdr", exposure=0).pixels)
    assert np.abs(read[0, 0] - 0.5).max() < 0.01


def test_size_is_judged_before_decoding(tmp_path):
    (tmp_path / "a.hdr").write_bytes(b"#?RADIANCE\n\n-Y 900000 +X 900000\n")
    with pytest.raises(ImageTooLargeError, match="900000x900000"):
        srkit.read_image(tmp_path / "a.hdr")
    (tmp_path / "a.hdr").write_bytes(b"#?RADIANCE\n\n-Y 16000 +X 16000\n" + bytes(1000))
    with pytest.raises(CorruptFileError, match="truncated"):
        srkit.read_image(tmp_path / "a.hdr")


@pytest.mark.parametrize("width", [5, 300])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_file_cut_off_is_damaged(tmp_path, width, share):
    codecs = pytest.importorskip("imagecodecs")
    whole = codecs.rgbe_encode(RNG.random((20, width, 3)).astype(np.float32))
    (tmp_path / "a.hdr").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CorruptFileError, match=r"a\.hdr: "):
        srkit.read_image(tmp_path / "a.hdr")


@pytest.mark.parametrize("width", [4, 40])
def test_of_a_long_file_no_more_is_read_than_its_picture_can_take(tmp_path, width):
    class Counted(io.BytesIO):
        most = 0

        def read(self, size=-1):
            data = super().read(size)
            self.most = max(self.most, len(data))
            return data

    whole = radiance(np.full((4, width, 3), 0.5))
    with pytest.raises(CorruptFileError):
        srkit.read_image(file := Counted(whole + bytes(1 << 20)))
    assert file.most <= 1 << 16


def test_lines_that_are_packed_as_badly_as_can_be_are_read():
    levels = RNG.integers(1, 256, (4, 4, 40)).astype(np.uint8)  # of each line four channels
    levels[:, 3] = 128
    single = [b"".join(bytes([1, level]) for level in line.ravel().tolist()) for line in levels]
    head = b"#?RADIANCE\n\n-Y 4 +X 40\n"
    packed = head + b"".join(bytes([2, 2, 0, 40]) + line for line in single)
    plain = head + levels.swapaxes(1, 2).tobytes()
    expected = srkit.read_image(plain, exposure=0).pixels
    np.testing.assert_array_equal(srkit.read_image(packed, exposure=0).pixels, expected)
    assert len(np.unique(expected)) > 50


@pytest.mark.parametrize(
    "head",
    [
        b"\n\n-Y 4 +Y 4\n",
        b"\n\n-Y 0 +X 4\n",
        b"\n\n-Y 4\n",
        b"",
        b"\n" * 5,
        b"\nFORMAT=x\n\n-Y 1 +X 1\n",
    ],
)
def test_a_header_without_sense_is_refused(tmp_path, head):
    (tmp_path / "a.hdr").write_bytes(b"#?RADIANCE" + head + bytes(200))
    with pytest.raises(SrkitError, match=r"a\.hdr: .*(header|format|truncated)"):
        srkit.read_image(tmp_path / "a.hdr")


def test_radiance_is_not_written(tmp_path):
    with pytest.raises(ImageError, match="is read, not written"):
        srkit.Image(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.hdr")


def test_float_tiff_is_light_where_an_exposure_is_given(tmp_path):
    light = np.full((4, 6, 3), 4.0, np.float32)
    tifffile.imwrite(tmp_path / "a.tif", light, photometric="rgb")
    assert srkit.read_image(tmp_path / "a.tif").dtype == np.float32
    exposed = srkit.read_image(tmp_path / "a.tif", exposure=-3)
    np.testing.assert_array_equal(exposed.pixels, np.rint(srgb(0.5) * 65535))
    levels = np.full((4, 6, 3), 1000, np.uint16)
    tifffile.imwrite(tmp_path / "b.tif", levels, photometric="rgb")
    np.testing.assert_array_equal(srkit.read_image(tmp_path / "b.tif", exposure=5).pixels, levels)


def test_float_zarr_is_light_where_an_exposure_is_given(tmp_path, caplog):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(tmp_path / "a.zarr", shape=(4, 6, 3), dtype="float32")
    array[:] = 4.0
    assert srkit.read_image(tmp_path / "a.zarr").dtype == np.float32
    exposed = srkit.read_image(tmp_path / "a.zarr", exposure="auto")
    assert (exposed.pixels == 65535).all()
    assert "a.zarr: light was exposed by -2.00 EV" in caplog.text


def test_a_profile_of_light_is_left_out_and_told(tmp_path, caplog):
    icc = profile("P3", P3, gamma(1.0), grey=False)
    path = tmp_path / "a.tif"
    srkit.Image(np.full((4, 6, 3), 0.5, np.float32), Metadata("RGB", icc=icc)).save(path)
    assert srkit.read_image(path).metadata.icc == icc
    assert caplog.text == ""
    assert srkit.read_image(path, exposure=0).metadata.icc is None
    assert "the colour profile was left out: light is taken as that of sRGB's" in caplog.text


def test_the_command_exposes_and_tells(tmp_path, capsys):
    light = RNG.random((20, 20, 3)) * 0.5
    light[0, :10] = 2
    (tmp_path / "a.hdr").write_bytes(radiance(light))
    command = ["upscale", str(tmp_path / "a.hdr"), "-m", "nearest", "--scale=2", "--json"]
    assert main([*command, "--exposure", "0.5"]) == 0
    told = json.loads(capsys.readouterr().out)["written"][0]
    assert told["target"].endswith("a_nearest_x2.png")
    assert told["left_out"] == ["2.5 % of the pixels were brighter than white and clipped"]
    read = srkit.read_image(told["target"])
    assert (read.dtype, read.size) == (np.uint16, (40, 40))
    apart = light_of(read.pixels)[::2, ::2] - np.clip(light * 2**0.5, 0, 1)
    assert np.abs(apart).max() < 0.02
    with pytest.raises(SystemExit, match="2"):
        main([*command, "--exposure", "bright"])
    assert "expected stops (EV) such as 1.5 or -1, or auto, not 'bright'" in capsys.readouterr().err


def test_float_tiff_brighter_than_white_is_exposed_by_the_command(tmp_path, capsys):
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 6), 3, np.float32), photometric="minisblack")
    command = ["upscale", str(tmp_path / "a.tif"), "-m", "nearest", "--scale=2"]
    assert main(command) == 1
    assert "expose it, of a file by srkit upscale --exposure auto" in capsys.readouterr().err
    assert main([*command, "--exposure", "auto", "-o", str(tmp_path / "b.png")]) == 0
    assert (srkit.read_image(tmp_path / "b.png").pixels == 65535).all()
