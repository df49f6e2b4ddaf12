"""A pair of ncnn files as a network: judged layer by layer, before memory is taken for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from srkit.adapters.readers.ncnn.axes import Axis, Uneven
from srkit.adapters.readers.ncnn.blobs import Blob
from srkit.adapters.readers.ncnn.layers import known
from srkit.adapters.readers.ncnn.operations import Operation, Resample
from srkit.adapters.readers.ncnn.stored import BinFile, Stored, read_stored
from srkit.adapters.readers.ncnn.text import Layer, parse, shown
from srkit.errors import CorruptFileError, SrkitError, UnsafeFileError, WeightsError

MOST_MULTIPLE, MOST_SCALE = 64, 16
# Numbers of one result for each pixel of the image, and weights of filters made for a network.
MOST_NUMBERS, MOST_FILTERS = 1 << 17, 1 << 24


@dataclass(frozen=True)
class Step:
    """What one layer does: operations one after the other, the first with all inputs."""

    operations: tuple[Operation, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    """A network that was found harmless and understood.

    Attributes
    ----------
    layers
        The lines of the .param file.
    steps
        What each comes down to, with its numbers.
    input, output
        Names of blobs.
    channels
        Of the input: 1 or 3.
    multiple
        Sides of images are multiples of it.
    result
        What comes out.
    """

    layers: tuple[Layer, ...]
    steps: tuple[Step, ...]
    input: str
    output: str
    channels: int
    multiple: int
    result: Blob

    @property
    def scale(self) -> int:
        """Factor of both sides.

        Raises
        ------
        WeightsError
            If the network does not enlarge images by a whole one, or sees all of the image.
        """
        rows, columns = self.result.sides
        factors = {axis.slope / self.multiple for axis in (rows, columns)}
        factor = factors.pop()
        if factors or factor != int(factor) or not 1 <= factor <= MOST_SCALE:
            raise WeightsError("it does not enlarge images by a whole factor")
        scale = int(factor)
        if rows.offset or columns.offset:
            raise WeightsError(
                f"it makes {scale}x{_signed(columns.offset)} columns of x: such a network cuts its "
                "border off (waifu2x, Real-CUGAN), and its own program pads images as it needs "
                "it, which srkit does not do"
            )
        if self.result.channels != self.channels:
            raise WeightsError(f"it makes {self.result.channels} channels of {self.channels}")
        if self.result.whole:
            raise WeightsError(
                "it takes means over the whole image (squeeze and excitation), so that tiles of "
                "an image would not fit together"
            )
        return scale

    @property
    def radius(self) -> int:
        """Pixels around a pixel on which the result depends; for networks that have a scale."""
        return max(axis.radius for axis in self.result.sides)


def _signed(number: int) -> str:
    return f" {'-' if number < 0 else '+'} {abs(number)}"


def understand(param: bytes, weights: bytes) -> Network:
    """Judge the contents of a .param and a .bin file.

    Raises
    ------
    UnsafeFileError
        If a layer is not on the list, or something is out of all proportion.
    CorruptFileError
        If the files are damaged, or contradict each other or themselves.
    WeightsError
        If they hold what srkit does not understand.
    """
    layers = parse(param)
    for layer in layers:
        with _naming(layer):
            known(layer)
    given, output = _ends(layers)
    stored = read_stored(layers, BinFile(weights))
    failure: SrkitError | None = None
    for channels in _channels(layers):
        try:
            steps, blobs, multiple = _aligned(layers, stored, channels)
        except SrkitError as error:
            failure = failure or error
            continue
        return Network(layers, steps, given, output, channels, multiple, blobs[output])
    raise failure or WeightsError("its input has neither 3 channels (RGB) nor 1 (grey)")


@contextmanager
def _naming(layer: Layer) -> Iterator[None]:
    """Say in errors which layer they are about."""
    try:
        yield
    except SrkitError as error:
        raise type(error)(f"layer {shown(layer.name)} ({shown(layer.kind)}): {error}") from error


def _ends(layers: Sequence[Layer]) -> tuple[str, str]:
    """The blob that takes the image, and the one that nothing takes.

    Raises
    ------
    CorruptFileError
        If a layer takes what no layer before it makes, as in a loop.
    WeightsError
        If there is not one of each.
    """
    made: dict[str, None] = {}
    taken: set[str] = set()
    for layer in layers:
        with _naming(layer):
            for name in layer.inputs:
                if name not in made:
                    raise CorruptFileError(f"no layer before it makes {shown(name)}")
            for name in layer.outputs:
                if name in made:
                    raise CorruptFileError(f"{shown(name)} is made twice")
                made[name] = None
        taken.update(layer.inputs)
    inputs = [name for layer in layers if layer.kind == "Input" for name in layer.outputs]
    outputs = [name for name in made if name not in taken]
    if len(inputs) != 1 or len(outputs) != 1:
        raise WeightsError(
            f"it has {len(inputs)} inputs and {len(outputs)} outputs; a network of single images "
            "has one of each"
        )
    return inputs[0], outputs[0]


def _channels(layers: Sequence[Layer]) -> tuple[int, ...]:
    """Channels that the input may have: what its layer states, or what can be tried."""
    stated = next(layer.whole(2) for layer in layers if layer.kind == "Input")
    return tuple(channels for channels in (3, 1) if stated in (0, channels))


def _aligned(
    layers: Sequence[Layer], stored: Sequence[Stored], channels: int
) -> tuple[tuple[Step, ...], Mapping[str, Blob], int]:
    """All steps and results, and the least multiple that sides of images have to be of."""
    multiple = 1
    while multiple <= MOST_MULTIPLE:
        try:
            steps, blobs = _walk(layers, stored, Blob(channels, Axis(multiple), Axis(multiple)))
        except Uneven as uneven:
            multiple *= uneven.factor
            continue
        return steps, blobs, multiple
    raise WeightsError(f"sides of its images are multiples of over {MOST_MULTIPLE}")


def _walk(
    layers: Sequence[Layer], stored: Sequence[Stored], image: Blob
) -> tuple[tuple[Step, ...], Mapping[str, Blob]]:
    blobs: dict[str, Blob] = {}
    steps = []
    filters = 0
    for layer, numbers in zip(layers, stored, strict=True):
        with _naming(layer):
            given = [image] if layer.kind == "Input" else [blobs[name] for name in layer.inputs]
            operations, blob = known(layer).handle(layer, given, numbers)
            _check_size(blob)
            filters += sum(_made(operation) for operation in operations)
            if filters > MOST_FILTERS:
                raise UnsafeFileError("its filters are out of all proportion")
        steps.append(Step(operations, layer.inputs, layer.outputs))
        blobs.update(dict.fromkeys(layer.outputs, blob))
    return tuple(steps), blobs


def _check_size(blob: Blob) -> None:
    if blob.rows is None:
        return
    area = math.prod(1 / axis.step for axis in blob.sides)
    if blob.channels * area > MOST_NUMBERS or any(axis.slope < 1 for axis in blob.sides):
        raise UnsafeFileError("its result is out of all proportion to the image")


def _made(operation: Operation) -> int:
    """Weights of the filter that an interpolation becomes."""
    if not isinstance(operation, Resample):
        return 0
    return operation.channels * (operation.up * (operation.down + 4)) ** 2
