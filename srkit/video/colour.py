"""Decoded frames to RGB arrays and back, by the matrix and range that the video names.

8-bit frames go through swscale, whose result is within half a level of the formulas of
ITU-R BT.601, BT.709 and BT.2020 (tests hold it to that). Its 16-bit RGB, however, puts white
at 65280 of 65535, so deeper frames are converted here by those formulas, and swscale is left
with the chroma planes' size alone. Where their samples lie counts in both: between two pixels
or on one of them is half a pixel of the source, and more of the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from srkit.errors import VideoError
from srkit.video.siting import USUAL

# Matrix coefficients as ITU-T H.273 numbers them, and KR and KB of each.
RGB, BT709, UNSPECIFIED, FCC, BT470BG, BT601, SMPTE240M, BT2020 = 0, 1, 2, 4, 5, 6, 7, 9
WEIGHTS = {
    BT709: (0.2126, 0.0722),
    FCC: (0.30, 0.11),
    BT470BG: (0.299, 0.114),
    BT601: (0.299, 0.114),
    SMPTE240M: (0.212, 0.087),
    BT2020: (0.2627, 0.0593),
}
LIMITED, FULL = 1, 2
# Lines from which a video that names no matrix is taken for HD.
HD_LINES = 720

_FLAGS = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"


@dataclass(frozen=True)
class Colour:
    """What the numbers of a video's pixels mean, as H.273 codes.

    Attributes
    ----------
    matrix
        Of YUV; 0 for RGB.
    range
        1: limited, black is 16 and white 235 in 8 bits. 2: full.
    primaries, transfer
        Kept as tags; no pixel depends on them. 2 where the video does not say.
    siting
        Where subsampled chroma lies, see `srkit.video.siting`.
    """

    matrix: int
    range: int
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    siting: str = USUAL

    @property
    def weights(self) -> tuple[float, float]:
        """KR and KB."""
        return WEIGHTS[self.matrix]


def colour_of(
    matrix: int,
    range_: int,
    primaries: int,
    transfer: int,
    lines: int,
    form: str,
    siting: str = USUAL,
) -> Colour:
    """What a video's tags say, and what is usual where they are silent.

    Parameters
    ----------
    matrix, range_, primaries, transfer
        Tags; 2 is unspecified, of the range 0.
    lines
        Height: without a tag the matrix is BT.709 from 720 lines up, BT.601 below.
    form
        Name of the pixel format; those that begin with ``yuvj`` are of full range.
    siting
        Where chroma lies.

    Raises
    ------
    VideoError
        If the matrix is one that no simple formula has.

    Examples
    --------
    >>> colour_of(2, 0, 2, 2, 480, "yuv420p")
    Colour(matrix=6, range=1, primaries=2, transfer=2, siting='left')
    """
    if VideoFormat(form).is_rgb:
        return Colour(RGB, FULL, primaries, transfer)
    if matrix in (UNSPECIFIED, RGB):
        matrix = BT709 if lines >= HD_LINES else BT601
    if matrix not in WEIGHTS:
        raise VideoError(
            f"the colours have matrix {matrix} of ITU-T H.273, which is not supported; "
            "convert the video to BT.709 or BT.2020 non-constant luminance first"
        )
    full = range_ == FULL or form.startswith("yuvj")
    return Colour(matrix, FULL if full else LIMITED, primaries, transfer, siting)


def depth_of(form: str) -> int:
    """Bits of a pixel format's components.

    Examples
    --------
    >>> depth_of("yuv420p"), depth_of("yuv422p10le")
    (8, 10)
    """
    return int(VideoFormat(form).components[0].bits)


class ToRGB:
    """Makes RGB arrays of decoded frames.

    Arrays are ``(H, W, 3)``: uint8 of 8-bit frames, else uint16 with white at 65535.
    """

    def __init__(self, colour: Colour) -> None:
        self._colour, self._scaler = colour, _Scaler(colour)

    def __call__(self, frame: VideoFrame) -> NDArray[Any]:
        """The frame's pixels."""
        bits = depth_of(frame.format.name)
        if bits <= 8:
            rgb = self._scaler(frame, "rgb24", self._colour.range, FULL)
            return np.ascontiguousarray(rgb.to_ndarray())
        if frame.format.is_rgb:
            rgb = self._scaler(frame, "gbrp16le", FULL, FULL)
            green, blue, red = (plane_of(rgb, n, np.uint16) for n in range(3))
            return np.stack([red, green, blue], axis=-1)
        range_ = self._colour.range
        yuv = self._scaler(frame, f"yuv444p{_planar(bits)}le", range_, range_)
        return _rgb_of(yuv, _planar(bits), self._colour)


class FromRGB:
    """Makes frames for an encoder of RGB arrays, with the tags that they are made by.

    Parameters
    ----------
    form
        The encoder's pixel format.
    colour
        Matrix and range of what is made.
    """

    def __init__(self, form: str, colour: Colour) -> None:
        self._form, self._colour, self._scaler = form, colour, _Scaler(colour)

    def __call__(self, rgb: NDArray[Any]) -> VideoFrame:
        """The frame of an array ``(H, W, 3)``, uint8 or uint16."""
        bits = depth_of(self._form)
        matrix, range_ = self._colour.matrix, self._colour.range
        if bits <= 8:
            if rgb.dtype == np.uint16:
                rgb = np.rint(rgb / np.float32(257)).astype(np.uint8)
            source = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame = self._scaler(source, self._form, FULL, range_)
        elif VideoFormat(self._form).is_rgb:
            source = _planes(_sixteen(rgb)[..., [1, 2, 0]], "gbrp16le")
            frame = self._scaler(source, self._form, FULL, FULL)
        else:
            source = _yuv_of(_sixteen(rgb), _planar(bits), self._colour)
            frame = self._scaler(source, self._form, range_, range_)
        frame.colorspace, frame.color_range = matrix, range_
        frame.color_primaries, frame.color_trc = self._colour.primaries, self._colour.transfer
        return frame


def plane_of(frame: VideoFrame, number: int, dtype: type[Any]) -> NDArray[Any]:
    """A view of one plane of a frame, without the padding of its lines."""
    plane = frame.planes[number]
    lines = np.frombuffer(plane, dtype).reshape(plane.height, -1)  # type: ignore[call-overload]
    view: NDArray[Any] = lines[:, : plane.width]
    return view


def _planar(bits: int) -> int:
    """The depth that a planar 4:4:4 format exists for."""
    return next(depth for depth in (10, 12, 14, 16) if depth >= bits)


def _sixteen(rgb: NDArray[Any]) -> NDArray[np.uint16]:
    return rgb if rgb.dtype == np.uint16 else rgb.astype(np.uint16) * np.uint16(257)


class _Scaler:
    """Makes frames of other formats of frames, by swscale, which is told of siting as well."""

    def __init__(self, colour: Colour) -> None:
        self._space = BT601 if colour.matrix == RGB else colour.matrix
        self._siting = colour.siting
        self._set: tuple[Any, ...] = ()
        self._graph: Graph | None = None

    def __call__(self, frame: VideoFrame, form: str, have: int, want: int) -> VideoFrame:
        """A frame in the pixel format `form` and range `want`, of one in the range `have`."""
        # The tags of a frame outrank what a filter is told.
        frame.color_range = have
        frame.colorspace = RGB if frame.format.is_rgb else self._space
        settings = (frame.width, frame.height, frame.format.name, form, have, want)
        if self._graph is None or settings != self._set:
            self._graph, self._set = self._make(frame, form, have, want), settings
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _make(self, frame: VideoFrame, form: str, have: int, want: int) -> Graph:
        graph = Graph()
        # One thread: with more, swscale cuts frames into slices, and this is no bottleneck.
        graph.threads = 1
        source = graph.add(
            "buffer",
            f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1:"
            f"colorspace={frame.colorspace}:range={have}",
        )
        scale = graph.add(
            "scale",
            f"flags={_FLAGS}:in_color_matrix={self._space}:out_color_matrix={self._space}:"
            f"in_range={have}:out_range={want}:"
            f"in_chroma_loc={self._siting}:out_chroma_loc={self._siting}",
        )
        target = graph.add("format", f"pix_fmts={form}")
        graph.link_nodes(source, scale, target, graph.add("buffersink"))
        graph.configure()
        return graph


def _levels(bits: int, range_: int) -> tuple[float, float, float, float]:
    """Black, luma's span, chroma's zero and span (BT.709 section 3, BT.2100 table 9)."""
    unit = float(1 << (bits - 8))
    if range_ == FULL:
        top = float((1 << bits) - 1)
        return 0.0, top, 128 * unit, top
    return 16 * unit, 219 * unit, 128 * unit, 224 * unit


def _rgb_of(frame: VideoFrame, bits: int, colour: Colour) -> NDArray[np.uint16]:
    black, span, zero, chroma_span = _levels(bits, colour.range)
    kr, kb = colour.weights
    luma, cb, cr = (plane_of(frame, n, np.uint16).astype(np.float32) for n in range(3))
    luma = (luma - np.float32(black)) / np.float32(span)
    cb = (cb - np.float32(zero)) / np.float32(chroma_span)
    cr = (cr - np.float32(zero)) / np.float32(chroma_span)
    rgb = np.empty((*luma.shape, 3), np.float32)
    rgb[..., 0] = luma + np.float32(2 * (1 - kr)) * cr
    rgb[..., 2] = luma + np.float32(2 * (1 - kb)) * cb
    rest = luma - np.float32(kr) * rgb[..., 0] - np.float32(kb) * rgb[..., 2]
    rgb[..., 1] = rest / np.float32(1 - kr - kb)
    np.clip(rgb, 0, 1, out=rgb)
    rgb *= np.float32(65535)
    return np.rint(rgb, out=rgb).astype(np.uint16)


def _yuv_of(rgb: NDArray[np.uint16], bits: int, colour: Colour) -> VideoFrame:
    black, span, zero, chroma_span = _levels(bits, colour.range)
    kr, kb = colour.weights
    red, green, blue = (rgb[..., n].astype(np.float32) / np.float32(65535) for n in range(3))
    luma = np.float32(kr) * red + np.float32(1 - kr - kb) * green + np.float32(kb) * blue
    yuv = np.empty(rgb.shape, np.float32)
    yuv[..., 0] = luma * np.float32(span) + np.float32(black)
    yuv[..., 1] = (blue - luma) * np.float32(chroma_span / (2 * (1 - kb))) + np.float32(zero)
    yuv[..., 2] = (red - luma) * np.float32(chroma_span / (2 * (1 - kr))) + np.float32(zero)
    np.rint(np.clip(yuv, 0, (1 << bits) - 1, out=yuv), out=yuv)
    return _planes(yuv.astype(np.uint16), f"yuv444p{bits}le")


def _planes(pixels: NDArray[np.uint16], form: str) -> VideoFrame:
    """A frame of a planar 16-bit format with these planes."""
    height, width, count = pixels.shape
    frame = VideoFrame(width, height, form)
    for number in range(count):
        plane = frame.planes[number]
        lines = np.zeros((height, plane.line_size // 2), np.uint16)
        lines[:, :width] = pixels[..., number]
        plane.update(lines.tobytes())
    return frame
