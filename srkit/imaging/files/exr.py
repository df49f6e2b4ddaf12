"""OpenEXR, as renderers and compositors write it: light of any brightness, which is read."""

from __future__ import annotations

import sys
import threading
from contextlib import redirect_stdout
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from srkit.errors import CorruptFileError, ImageError, ImageTooLargeError
from srkit.extras import missing_extra
from srkit.imaging.files.decoding import Decoded, check_size
from srkit.imaging.files.image_format import ImageFormat, starts_with
from srkit.imaging.files.tiff_directories import LARGEST_TILE
from srkit.imaging.metadata import Metadata
from srkit.imaging.notes import joined, tell
from srkit.imaging.pil import Mode
from srkit.imaging.primaries import in_srgb, matrix_of

# The package decodes all channels of a file, so they are limited with its pixels.
_MOST_CHANNELS = 16
# Attributes that tell of the picture, not of how it is stored (OpenEXR, "Standard Attributes").
_DESCRIBING = (
    *("owner", "comments", "capDate", "utcOffset", "longitude", "latitude", "altitude"),
    *("expTime", "aperture", "isoSpeed", "focus", "keyCode", "timeCode"),
)
_NAMED = 8  # of the channels that are left out
# Names of layers that hold the picture itself, where no channel is without a layer.
_PICTURES = ("combined", "beauty", "rgba", "rgb", "composite", "image")
_MODES: dict[int, Mode] = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
# One thread at a time, or one would put back the output that another has turned.
_turning = threading.Lock()
_LIGHT = (("R", "G", "B"), ("r", "g", "b"), ("Y",))


class _Chosen(NamedTuple):
    """Channels of a part that are the picture, and that of its transparency."""

    part: int
    colour: tuple[str, ...]
    alpha: str | None


def read(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode the picture of an OpenEXR file to linear light; other layers and parts are told.

    Parameters
    ----------
    file
        Open for reading.
    max_pixels
        Limit of width times height.

    Raises
    ------
    MissingDependencyError
        If OpenEXR is not installed.
    ImageTooLargeError
        From the header, before decoding.
    ImageError
        If there is no picture of grey or RGB in it.
    Exception
        Whatever OpenEXR raises on a damaged file.
    """
    try:
        import OpenEXR
    except ModuleNotFoundError as error:
        raise missing_extra("EXR needs OpenEXR, which is not installed; run", "exr") from error
    file.seek(0)
    with OpenEXR.File(file, header_only=True) as opened:
        # Closed, it forgets them.
        headers = [dict(part.header) for part in opened.parts]
        _check_sizes(headers, max_pixels)
    chosen = _choose([[channel.name for channel in head["channels"]] for head in headers])
    header = headers[chosen.part]
    _tell_the_rest(headers, chosen)
    file.seek(0)
    # OpenEXR prints what it cannot decode, among what commands write for programs.
    with _turning, redirect_stdout(sys.stderr):
        decoded = OpenEXR.File(file, separate_channels=True, num_threads=1)
    with decoded as opened:
        if len(opened.parts) < len(headers):  # it leaves out what it cannot decode
            raise CorruptFileError("the EXR file is truncated or damaged: its pixels are not whole")
        planes = dict(opened.parts[chosen.part].channels)
        names = (*chosen.colour, *((chosen.alpha,) if chosen.alpha else ()))
        light = np.stack([_plane(planes[name]) for name in names], axis=-1)
    if chosen.alpha:
        _unassociate(light)
    if len(chosen.colour) == 3:
        light[..., :3] = in_srgb(light[..., :3], _matrix(header.get("chromaticities")))
    light = _displayed(light, header)
    mode: Mode = _MODES[light.shape[2]]
    pixels = light[..., 0] if mode == "L" else light
    return Decoded(pixels, Metadata(mode, "EXR"), light=True)


def _check_sizes(headers: list[dict[str, Any]], max_pixels: int) -> None:
    """Refuse pictures that are too large, or of kinds that are none, before anything is decoded."""
    samples = 0
    for header in headers:
        if "deep" in str(header["type"]):
            raise ImageError("it holds deep data: flatten it in the program that made it")
        for window in ("dataWindow", "displayWindow"):
            height, width = _size(header[window])
            if min(height, width) < 1:
                raise ImageError(f"the image is empty: its {window} is {width}x{height}")
            check_size(width, height, max_pixels)
        # What is decoded is the data window, whatever is shown of it.
        height, width = _size(header["dataWindow"])
        tile = header.get("tiles")
        if tile is not None and tile.xSize * tile.ySize > max(LARGEST_TILE, 4 * height * width):
            raise CorruptFileError("the EXR file's tiles are far larger than its picture")
        samples += len(header["channels"]) * height * width
    if samples > _MOST_CHANNELS * max_pixels:
        raise ImageTooLargeError(
            f"its layers hold {samples} values, and all of them are decoded: more than the limit "
            f"of {_MOST_CHANNELS} for each of max_pixels={max_pixels}; save the picture alone"
        )


def _size(window: tuple[NDArray[np.int32], NDArray[np.int32]]) -> tuple[int, int]:
    (left, top), (right, bottom) = ((int(x), int(y)) for x, y in window)
    return bottom - top + 1, right - left + 1


def _choose(parts: list[list[str]]) -> _Chosen:
    """The picture among parts and layers: channels without a layer, or those of a known name."""
    for number, names in enumerate(parts):
        layers = {name.rpartition(".")[0] for name in names}
        known = [layer for layer in sorted(layers) if _is_picture(layer)]
        for prefix in (f"{layer}." if layer else "" for layer in ("", *known)):
            for colour in _LIGHT:
                wanted = tuple(prefix + letter for letter in colour)
                if set(wanted) <= set(names):
                    if colour == ("Y",) and f"{prefix}RY" in names:
                        raise ImageError("it holds luminance and chroma: save it as RGB")
                    alpha = next((n for n in (f"{prefix}A", f"{prefix}a") if n in names), None)
                    return _Chosen(number, wanted, alpha)
    every = [name for names in parts for name in names]
    raise ImageError(
        f"it has no channels R, G, B or Y, but {joined(every[:_NAMED], 'and')}: save the picture "
        "that is meant by itself"
    )


def _is_picture(layer: str) -> bool:
    return layer.rpartition(".")[2].lower() in _PICTURES


def _tell_the_rest(headers: list[dict[str, Any]], chosen: _Chosen) -> None:
    """Say what of a file does not come with its picture."""
    taken = {*chosen.colour, chosen.alpha}
    names = [channel.name for channel in headers[chosen.part]["channels"]]
    if others := [name for name in names if name not in taken]:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        tell(f"channels were left out: {', '.join(others[:_NAMED])}{more}")
    if len(headers) > 1:
        tell(f"it holds {len(headers)} parts: one was taken")
    if described := [name for name in _DESCRIBING if name in headers[chosen.part]]:
        tell(f"attributes of EXR were left out: {', '.join(described)}")
    if (aspect := headers[chosen.part].get("pixelAspectRatio", 1.0)) != 1:
        tell(f"the shape of pixels was left out: {aspect:g} to 1")


def _plane(channel: Any) -> NDArray[np.float32]:
    if (channel.xSampling, channel.ySampling) != (1, 1) or channel.pixels.dtype.kind != "f":
        raise ImageError(
            f"its channel {channel.name} is of whole numbers, or of fewer pixels than others; "
            "save it as RGB of half or float"
        )
    return np.asarray(channel.pixels, np.float32)


def _unassociate(light: NDArray[np.float32]) -> None:
    """Divide colour by the alpha that it was multiplied with, in place; glow without any stays."""
    alpha = light[..., -1:]
    # What no float holds becomes infinite, and is clipped as all that is brighter than white.
    with np.errstate(over="ignore", invalid="ignore"):
        np.divide(light[..., :-1], alpha, out=light[..., :-1], where=alpha > 0)


def _matrix(stated: tuple[float, ...] | None) -> NDArray[np.float64]:
    """What brings colours of stated chromaticities to sRGB's, which are those by default."""
    if stated is None:
        return np.eye(3)
    # x and y of each.
    red, green, blue, white = zip(stated[::2], stated[1::2], strict=True)
    if (matrix := matrix_of((white, red, green, blue))) is None:
        tell("chromaticities that make no sense were left out")
        return np.eye(3)
    return matrix


def _displayed(light: NDArray[np.float32], header: dict[str, Any]) -> NDArray[np.float32]:
    """What is to be seen: pixels beyond that are cut off, and those that are not there black."""
    data, shown = header["dataWindow"], header["displayWindow"]
    if all((a == b).all() for a, b in zip(data, shown, strict=True)):
        return light
    height, width = _size(shown)
    canvas = np.zeros((height, width, light.shape[2]), np.float32)
    left, top = (int(n) for n in data[0] - shown[0])
    rows = slice(max(0, top), max(0, top + light.shape[0]))
    columns = slice(max(0, left), max(0, left + light.shape[1]))
    target = canvas[rows, columns]
    down, across = max(0, -top), max(0, -left)
    target[:] = light[down : down + target.shape[0], across : across + target.shape[1]]
    if target.size < light.size:
        tell("pixels beyond the display window were left out")
    return canvas


EXR = ImageFormat(
    "EXR",
    (".exr",),
    sniff=starts_with(b"v/1\x01"),
    read=read,
    title="EXR",
)
