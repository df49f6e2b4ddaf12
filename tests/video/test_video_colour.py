"""Colour of video files: matrices, ranges and depth."""

from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import (
    HEIGHT,
    WIDTH,
    frames_of,
    moving,
    plain,
    planes_of,
    probe,
    upscale,
    write_clip,
)

# --- colour: ITU-R BT.709-6 ---------------------------------------------------------------------

# 75 % colour bars: R', G', B' in levels of 255 and, by sections 3.2 to 3.4, Y, CB, CR in 8 bits:
# Y' = 0.2126 R' + 0.7152 G' + 0.0722 B', CB = (B' - Y') / 1.8556, CR = (R' - Y') / 1.5748,
# Y = 219 Y' + 16, C = 224 C' + 128.
BARS = {
    (191.25, 191.25, 191.25): (180, 128, 128),
    (191.25, 191.25, 0): (168, 44, 136),
    (0, 191.25, 191.25): (145, 147, 44),
    (0, 191.25, 0): (133, 63, 52),
    (191.25, 0, 191.25): (63, 193, 204),
    (191.25, 0, 0): (51, 109, 212),
    (0, 0, 191.25): (28, 212, 120),
}
# The same bars in 10 bits, as SMPTE RP 219 lists them.
BARS_10 = (
    (721, 512, 512), (674, 176, 543), (581, 589, 176), (534, 253, 207),
    (251, 771, 817), (204, 435, 848), (111, 848, 481),
)  # fmt: skip


def bars_clip(path, bits, full=False):
    """The bars as YUV 4:4:4, put into the planes by hand; lossless."""
    form = "yuv444p" if bits == 8 else "yuv444p10le"
    columns = np.array(list(BARS.values()) if bits == 8 else BARS_10).repeat(8, axis=0)
    dtype = np.uint8 if bits == 8 else np.uint16
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = len(columns), 16, form
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 2 if full else 1
        for n in range(3):
            frame = av.VideoFrame(len(columns), 16, form)
            for number, plane in enumerate(frame.planes):
                lines = np.zeros((16, plane.line_size // dtype().itemsize), dtype)
                lines[:, : len(columns)] = columns[:, number]
                plane.update(lines.tobytes())
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return columns


@pytest.mark.parametrize("bits", [8, 10])
def test_colour_bars_of_bt709_come_back(tmp_path, bits):
    wanted = bars_clip(tmp_path / "in.mkv", bits).repeat(2, axis=0)
    upscale(tmp_path / "in.mkv", tmp_path / "out.mkv", codec="ffv1")
    frame, _ = frames_of(tmp_path / "out.mkv")[1]
    assert frame.format.name == ("yuv444p" if bits == 8 else "yuv444p10le")
    assert (frame.colorspace, frame.color_range) == (1, 1)
    assert (frame.color_primaries, frame.color_trc) == (1, 1)
    for number, plane in enumerate(planes_of(frame)):
        assert np.abs(plane - wanted[:, number]).max() <= 1


@pytest.mark.parametrize("bits", [8, 10])
def test_the_model_sees_the_rgb_that_bt709_means(tmp_path, bits):
    from srkit.video.colour import ToRGB
    from srkit.video.reading import Source

    bars_clip(tmp_path / "in.mkv", bits)
    with Source(tmp_path / "in.mkv") as source:
        frame = next(source.frames())
        rgb = ToRGB(source.facts.colour)(frame.picture)
    assert rgb.dtype == (np.uint8 if bits == 8 else np.uint16)
    levels = rgb[8, 4::8].astype(float) / (1 if bits == 8 else 257)
    # YUV is rounded: half a level of chroma is 1.06 of blue, and half a level of luma 0.58.
    # Of 10 bits these are quarters, and of 8 bits RGB is rounded as well.
    assert np.abs(levels - np.array(list(BARS))).max() <= (2.2 if bits == 8 else 0.45)


def test_full_range_stays_full(tmp_path):
    source = write_clip(
        tmp_path / "in.mkv", plain((250, 250, 250), (5, 5, 5)), codec="ffv1",
        pix_fmt="yuv444p", color_range=2, colorspace=1,
    )  # fmt: skip
    with av.open(str(source)) as container:
        before = [planes_of(f)[0][0, 0] for f in container.decode(video=0)]
    upscale(source, tmp_path / "out.mkv", codec="ffv1")
    made = [frame for frame, _ in frames_of(tmp_path / "out.mkv")]
    assert {frame.color_range for frame in made} == {2}
    assert all(abs(planes_of(f)[0][0, 0] - b) <= 1 for f, b in zip(made, before, strict=True))


@pytest.mark.parametrize("form", ["bgra", "bgr0"])
def test_an_alpha_channel_that_is_left_out_is_told(tmp_path, caplog, form):
    source = write_clip(tmp_path / "in.mkv", moving(2), codec="ffv1", pix_fmt=form)
    upscale(source, tmp_path / "%d.png")
    assert ("in.mkv has an alpha channel, which is left out" in caplog.text) == (form == "bgra")


def test_ten_bits_in_are_ten_bits_out(tmp_path):
    # Luma 501 and 502 lie between levels of 8 bits.
    levels = [400 + n for n in range(8)]
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p10le"
        for n, level in enumerate(levels):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p10le")
            for number, plane in enumerate(frame.planes):
                value = level if number == 0 else 512
                plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    upscale(tmp_path / "in.mkv", tmp_path / "out.mkv", codec="ffv1")
    made = [frame for frame, _ in frames_of(tmp_path / "out.mkv")]
    assert {frame.format.name for frame in made} == {"yuv420p10le"}
    assert [int(np.median(planes_of(frame)[0])) for frame in made] == levels
    upscale(tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert probe(tmp_path / "out.mp4")["streams"][0]["pix_fmt"] == "yuv420p10le"
