"""Layers that change the size: interpolation, pixel shuffle, crop, padding; and reshape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from srkit.adapters.readers.ncnn.axes import Axis
from srkit.adapters.readers.ncnn.blobs import MOST_SIDE, Blob, Made, none_of, within
from srkit.adapters.readers.ncnn.operations import Frame, Operation, Pick, Resample, Shuffle
from srkit.adapters.readers.ncnn.resampling import MODES, phases, short_fraction, spans
from srkit.adapters.readers.ncnn.stored import Stored
from srkit.adapters.readers.ncnn.text import Layer
from srkit.errors import CorruptFileError, WeightsError

# What stands for "the rest" in a crop, and for "no such axis" in a reshape.
REST = -233
MOST_FACTOR = 16
PAD_MODES: tuple[Literal["constant", "replicate", "reflect"], ...] = (
    "constant",
    "replicate",
    "reflect",
)


def interpolation(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    """Interp by a factor."""
    fixed = "an output of a fixed size"
    none_of(
        layer,
        {
            3: fixed,
            4: fixed,
            5: "the size of another result",
            6: "corners that stay where they are",
            9: "a size that is computed",
        },
    )
    if len(blobs) != 1:
        raise CorruptFileError(f"it has {len(blobs)} inputs")
    number, given = layer.whole(0), blobs[0]
    factors = short_fraction(layer.real(1, 1.0)), short_fraction(layer.real(2, 1.0))
    if factors[0] != factors[1]:
        raise WeightsError("it resizes rows and columns by different factors")
    if number not in MODES:
        raise WeightsError(f"its interpolation is number {number}, which srkit does not know")
    rows, columns = given.sides
    if factors[0] == 1:
        return (), given
    mode, up, down = MODES[number], factors[0].numerator, factors[0].denominator
    seen = spans(phases(mode, up, down), down)
    made = Blob(
        given.channels,
        rows.resampled(up, down, seen),
        columns.resampled(up, down, seen),
        given.whole,
    )
    return (Resample(given.channels, mode, up, down),), made


def shuffle(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    """PixelShuffle."""
    given, factor = blobs[0], within(layer.whole(0, 1), 1, MOST_FACTOR, "factor")
    if given.channels % factor**2:
        raise CorruptFileError(f"it makes blocks of {factor}x{factor} of {given.channels} channels")
    rows, columns = given.sides
    made = Blob(
        given.channels // factor**2, rows.repeated(factor), columns.repeated(factor), given.whole
    )
    return (Shuffle(factor, made.channels, inner=layer.whole(1) != 0),), made


def padding(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    """Padding of rows and columns."""
    none_of(layer, {6: "a number for each channel", 7: "more channels", 8: "more channels"})
    rows, columns = blobs[0].sides
    top, bottom, left, right = (
        within(layer.whole(key), 0, MOST_SIDE, "padding") for key in range(4)
    )
    mode = PAD_MODES[within(layer.whole(4), 0, 2, "kind")]
    farthest = PAD_MODES.index(mode)
    made = Blob(
        blobs[0].channels,
        rows.mirrored(top, bottom, farthest),
        columns.mirrored(left, right, farthest),
        blobs[0].whole,
    )
    return (Frame((left, right, top, bottom), mode, layer.real(5)),), made


def crop(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    """Crop, whichever way it says what is left."""
    computed = "bounds that are computed"
    none_of(layer, {13: "depth", 15: "depth", 19: computed, 20: computed, 21: computed})
    sliced = bool(layer.wholes(9) and layer.wholes(10))
    stated = sliced or any(layer.whole(key) for key in (3, 4, 5, 6, 7, 8, 14))
    if len(blobs) != 2 - stated:
        raise CorruptFileError(f"it has {len(blobs)} inputs")
    given = blobs[0]
    if sliced:
        cuts = _slices(layer, given)
    elif stated:
        cuts = _offsets(layer, given)
    else:
        cuts = _like(layer, given, blobs[1])
    return _cropped(given, *cuts)


# For channels, rows and columns: how many are left out before and after.
_Cuts = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


def _cropped(
    given: Blob, channels: tuple[int, int], down: tuple[int, int], across: tuple[int, int]
) -> Made:
    operations: list[Operation] = []
    if min(*channels, *down, *across) < 0:
        raise CorruptFileError("it cuts out more than there is")
    made = given
    if any(channels):
        stop = given.channels - channels[1]
        operations.append(Pick(channels[0], stop))
        made = made.of(stop - channels[0])
    if any(down) or any(across):
        rows, columns = given.sides
        operations.append(Frame((-across[0], -across[1], -down[0], -down[1])))
        made = Blob(made.channels, rows.cut(*down), columns.cut(*across), given.whole)
    return tuple(operations), made


def _slices(layer: Layer, given: Blob) -> _Cuts:
    """Starts and ends of axes, counted from the end where negative; keys 9 to 11."""
    starts, ends = layer.wholes(9), layer.wholes(10)
    axes = layer.wholes(11) or tuple(range(len(starts)))
    count = 3 if given.rows is not None else 1
    if not len(starts) == len(ends) == len(axes) <= count:
        raise CorruptFileError(f"it cuts {len(axes)} axes from {len(starts)} to {len(ends)} ends")
    cuts = [(0, 0)] * 3
    for axis, start, end in zip(axes, starts, ends, strict=True):
        if not -count <= axis < count:
            raise CorruptFileError(f"it cuts along the axis {axis}")
        length = (given.channels, given.rows, given.columns)[axis % count]
        cuts[axis % count] = _bounds(length, 0 if start == REST else start, end)
    return cuts[0], cuts[1], cuts[2]


def _bounds(length: int | Axis | None, start: int, end: int) -> tuple[int, int]:
    if isinstance(length, int):
        begin = start if start >= 0 else length + start
        stop = length if end == REST else min(length, end if end > 0 else length + end)
        return begin, length - stop
    if start < 0 or (end > 0):
        raise WeightsError("what is left of it has a fixed size, and the image has not")
    return start, 0 if end == REST else -end


def _offsets(layer: Layer, given: Blob) -> _Cuts:
    """Numbers that are left out on each side; keys 0 to 8."""
    if given.rows is None:
        raise WeightsError("it cuts numbers out of a list")
    across, down, channels = ((layer.whole(key), layer.whole(key + 6)) for key in (0, 1, 2))
    if layer.whole(3) != REST or layer.whole(4) != REST:
        raise WeightsError("what is left of it has a fixed size, and the image has not")
    if layer.whole(5) != REST:
        kept = min(layer.whole(5), given.channels - sum(channels))
        channels = channels[0], given.channels - channels[0] - kept
    return channels, down, across


def _like(layer: Layer, given: Blob, other: Blob) -> _Cuts:
    """The size of another result, from the offsets of keys 0 to 2 on."""
    across, down, first = layer.whole(0), layer.whole(1), layer.whole(2)
    return (
        (first, given.channels - first - other.channels),
        (down, _difference(given.sides[0], other.sides[0]) - down),
        (across, _difference(given.sides[1], other.sides[1]) - across),
    )


def _difference(axis: Axis, other: Axis) -> int:
    if (axis.slope, axis.step) != (other.slope, other.step):
        raise WeightsError("it is cut to the size of a result of another scale")
    return axis.offset - other.offset


def reshape(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    """Reshape of one number a channel, which stays that."""
    none_of(layer, {6: "a shape that is computed"})
    given = blobs[0]
    if any(layer.whole(key, REST) != REST for key in (12, 13)):
        none_of(layer, {12: "batches", 13: "batches"})
    *ones, last = [
        layer.whole(key, REST) for key in (0, 1, 11, 2) if layer.whole(key, REST) != REST
    ] or [0]
    if given.rows is not None or len(ones) == 1 or any(side != 1 for side in ones):
        raise WeightsError("it turns pixels into something else")
    if last not in (-1, given.channels):
        raise CorruptFileError(f"it makes {last} numbers of {given.channels}")
    return (), given
