"""What passes between layers, and what layers' handlers are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from srkit.adapters.readers.ncnn.axes import Axis
from srkit.adapters.readers.ncnn.operations import ACTIVATIONS, Operation, Pointwise
from srkit.adapters.readers.ncnn.stored import Stored
from srkit.adapters.readers.ncnn.text import Layer
from srkit.errors import CorruptFileError, UnsafeFileError, WeightsError

# Far beyond any network for images: bounds of memory and time.
MOST_CHANNELS, MOST_SIDE = 8192, 64


@dataclass(frozen=True)
class Blob:
    """An intermediate result.

    Attributes
    ----------
    channels
        How many.
    rows, columns
        Its sides; None for one number a channel, whatever the size of the image.
    whole
        Whether each number depends on all of the image.
    """

    channels: int
    rows: Axis | None = None
    columns: Axis | None = None
    whole: bool = False

    @property
    def sides(self) -> tuple[Axis, Axis]:
        """Rows and columns.

        Raises
        ------
        WeightsError
            If it has none.
        """
        if self.rows is None or self.columns is None:
            raise WeightsError("it takes planes, and is given one number a channel")
        return self.rows, self.columns

    def of(self, channels: int) -> Blob:
        """The same with so many channels.

        Raises
        ------
        UnsafeFileError
            If they are out of all proportion.
        """
        if not 1 <= channels <= MOST_CHANNELS:
            raise UnsafeFileError(f"it makes {channels} channels; over {MOST_CHANNELS} are refused")
        return replace(self, channels=channels)


Made = tuple[tuple[Operation, ...], Blob]
Handler = Callable[[Layer, Sequence[Blob], Stored], Made]


def joined(blobs: Sequence[Blob], channels: int) -> Blob:
    """What a result depends on that several are combined into, pixel by pixel."""
    planes = [blob for blob in blobs if blob.rows is not None]
    whole = any(blob.whole for blob in blobs)
    if not planes:
        return Blob(0, whole=whole).of(channels)
    rows, columns = planes[0].sides
    for blob in planes[1:]:
        rows, columns = rows.joined(blob.sides[0]), columns.joined(blob.sides[1])
    return Blob(0, rows, columns, whole).of(channels)


def within(number: int, low: int, high: int, what: str) -> int:
    """A number of a line, if it makes sense.

    Raises
    ------
    UnsafeFileError
    """
    if not low <= number <= high:
        raise UnsafeFileError(f"its {what} is {number}; from {low} to {high} make sense")
    return number


def pair(layer: Layer, wide: int, tall: int, default: int, what: str) -> tuple[int, int]:
    """Two numbers, for rows and columns; that of rows is the other's where it is not given."""
    columns = within(layer.whole(wide, default), 1, MOST_SIDE, what)
    return within(layer.whole(tall, columns), 1, MOST_SIDE, what), columns


def activation(layer: Layer) -> tuple[Operation, ...]:
    """What a layer does with its own result (keys 9 and 10)."""
    number = layer.whole(9)
    if not number:
        return ()
    if number not in ACTIVATIONS:
        raise WeightsError(f"its activation is number {number}, which srkit does not know")
    name, count = ACTIVATIONS[number]
    constants = layer.reals(10)
    if len(constants) < count:
        raise CorruptFileError(f"its activation has {len(constants)} of {count} constants")
    constants = constants[:count]
    if name == "clamp" and constants[0] > constants[1]:
        raise CorruptFileError(f"it clips from {constants[0]:g} to {constants[1]:g}")
    if name == "hard_swish" and constants[0] <= 0:
        raise CorruptFileError(f"the slope of its activation is {constants[0]:g}")
    return (Pointwise(name, constants),)


def none_of(layer: Layer, keys: Mapping[int, str]) -> None:
    """Refuse keys that are there and not 0.

    Raises
    ------
    WeightsError
    """
    for key, what in keys.items():
        if layer.keys.get(key, 0):
            raise WeightsError(f"it has {what}, which srkit does not know")
