"""Where chroma lies: an edge of colour stays where it was, by hand computation.

Two pixels share a chroma sample. It lies on the first (0) or between them (0.5), across and
down (ITU-T H.273, figure 10). The sample i is then at the pixel 2 i + place, and what is at the
pixel x of a picture is at (x + 1/2) s - 1/2 when that is enlarged by s. zimg, for the same edge
through RGB, is off by 0.03 at x2 and 0.05 at x4.
"""

from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import frames_of, planes_of, upscale

from srkit.video.siting import siting_of

PLACES = {"left": (0, 0.5), "center": (0.5, 0.5), "topleft": (0, 0), "top": (0.5, 0)}
LOSSLESS = {
    "libx264": {"qp": "0"},
    "libx265": {"x265-params": "lossless=1:log-level=none"},
    "libvpx-vp9": {"lossless": "1"},
    "mpeg2video": {"qmin": "1", "qmax": "1"},
    "mpeg1video": {"qmin": "1", "qmax": "1"},
    "mjpeg": {"qmin": "1", "qmax": "1"},
    "ffv1": {},
    "prores_ks": {"profile": "standard"},
}
ZIMG = {2: 0.05, 4: 0.07}  # with the rounding of 8 bits


def edge_clip(path, codec, form="yuv420p", told=None):
    """Two colours of one luma, which meet in the middle, both across (CR) and down (CB)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, form
        stream.options = dict(LOSSLESS[codec])
        if told is not None:
            stream.options["chroma_sample_location"] = told
        bits = av.VideoFormat(form).components[0].bits
        unit, dtype = 1 << (bits - 8), np.uint8 if bits == 8 else np.uint16
        for number in range(3):
            frame = av.VideoFrame(64, 48, form)
            for n, plane in enumerate(frame.planes):
                width = plane.line_size // dtype().itemsize
                values = np.full((plane.height, width), 126 if n == 0 else 80, dtype)
                if n == 1:
                    values[plane.height // 2 :] = 176
                if n == 2:
                    values[:, plane.width // 2 :] = 176
                plane.update((values * unit).astype(dtype).tobytes())
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def edge(values):
    """Where samples pass the middle of two levels."""
    values = values.astype(float)
    middle = (values[0] + values[-1]) / 2
    (i,) = np.flatnonzero((values[:-1] < middle) & (values[1:] >= middle))
    return i + (middle - values[i]) / (values[i + 1] - values[i])


def edges(path, place):
    """The places of both edges, in pixels; chroma may be as fine as luma."""
    frame, _ = frames_of(path)[1]
    luma, cb, cr = planes_of(frame)
    found = []
    for values, axis in ((cr[cr.shape[0] // 4], 1), (cb[:, cb.shape[1] // 4], 0)):
        step = luma.shape[axis] // values.size
        found.append(step * edge(values) + (place[1 - axis] if step == 2 else 0))
    return np.array(found)


def siting(path):
    with av.open(str(path)) as container:
        return siting_of(container.streams.video[0])


def off_by(source, target, scale, given, made):
    """By how many pixels of the result its edges are off."""
    wanted = (edges(source, PLACES[given]) + 0.5) * scale - 0.5
    return np.abs(edges(target, PLACES[made]) - wanted).max()


@pytest.mark.parametrize(
    ("name", "codec", "told", "given"),
    [
        ("in.mp4", "libx264", None, "left"),
        ("in.mp4", "libx264", "topleft", "topleft"),
        ("in.mp4", "libx264", "center", "center"),
        ("in.mp4", "libx265", None, "left"),
        ("in.mp4", "libx265", "topleft", "topleft"),
        ("in.mkv", "mpeg2video", None, "left"),
        ("in.webm", "libvpx-vp9", None, "left"),
        ("in.webm", "libvpx-vp9", "topleft", "topleft"),
        ("in.mkv", "mpeg1video", None, "center"),
        ("in.mkv", "ffv1", None, "left"),
        ("in.mkv", "ffv1", "center", "center"),
    ],
)
@pytest.mark.parametrize("scale", [2, 4])
def test_chroma_stays_where_it_is_and_the_result_says_so(tmp_path, name, codec, told, given, scale):
    source = edge_clip(tmp_path / name, codec, told=told)
    assert siting(source) == given
    target = tmp_path / "out.mp4"
    upscale(source, target, "bilinear", scale, crf=0)
    assert siting(target) == given
    assert off_by(source, target, scale, given, given) <= ZIMG[scale]


@pytest.mark.parametrize(
    ("name", "codec", "form", "given"),
    [
        ("in.avi", "mjpeg", "yuvj420p", "center"),
        ("in.mp4", "libx264", "yuv422p", "left"),
        ("in.mov", "prores_ks", "yuv422p10le", "left"),
        ("in.mp4", "libx264", "yuv420p10le", "left"),
    ],
)
def test_other_formats_keep_it_as_well(tmp_path, name, codec, form, given):
    source, target = edge_clip(tmp_path / name, codec, form), tmp_path / "out.mkv"
    upscale(source, target, "bilinear", 2, codec="ffv1", pix_fmt="yuv420p")
    # 4:2:2 is halved across alone.
    assert siting(target) == given
    assert off_by(source, target, 2, given, given) <= ZIMG[2]


@pytest.mark.parametrize(
    ("codec", "suffix", "made"),
    [
        ("mjpeg", ".mkv", "center"),
        ("mpeg2video", ".mkv", "left"),
        ("libx265", ".mp4", "topleft"),
        ("libvpx-vp9", ".webm", "topleft"),
        ("libvpx-vp9", ".mp4", "left"),
    ],
)
def test_codecs_that_cannot_say_a_place_get_chroma_at_their_own(tmp_path, codec, suffix, made):
    source = edge_clip(tmp_path / "in.mp4", "libx264", told="topleft")
    target = tmp_path / f"out{suffix}"
    upscale(source, target, "bilinear", 2, codec=codec, crf=0)
    assert siting(target) == made
    assert off_by(source, target, 2, "topleft", made) <= 0.12  # these codecs lose a little


@pytest.mark.parametrize("told", ["left", "center", "topleft"])
@pytest.mark.parametrize("model", ["espcn", "fsrcnn"])
def test_models_that_see_luma_alone_keep_it_as_well(tmp_path, model, told):
    source = edge_clip(tmp_path / "in.mp4", "libx264", told=told)
    target = tmp_path / "out.mp4"
    upscale(source, target, model, 2, crf=0)
    assert off_by(source, target, 2, told, told) <= ZIMG[2]
