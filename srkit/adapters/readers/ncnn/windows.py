"""Layers that look through a window: convolutions, their inverse, pooling, inner products."""

from __future__ import annotations

from collections.abc import Sequence

from srkit.adapters.readers.ncnn.axes import Axis
from srkit.adapters.readers.ncnn.blobs import (
    MOST_SIDE,
    Blob,
    Made,
    activation,
    none_of,
    pair,
    within,
)
from srkit.adapters.readers.ncnn.operations import (
    Convolution,
    Deconvolution,
    Pool,
    PoolAll,
    Sides,
)
from srkit.adapters.readers.ncnn.stored import Array, Stored
from srkit.adapters.readers.ncnn.text import Layer
from srkit.errors import CorruptFileError, WeightsError

# Padding that keeps the size, with an odd row or column after the image, or before it.
SAME_UPPER, SAME_LOWER = -233, -234


def convolution(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    """Convolution and ConvolutionDepthWise, which has groups."""
    given, groups = blobs[0], 1
    if layer.kind == "ConvolutionDepthWise":
        groups = within(layer.whole(7, 1), 1, given.channels, "number of groups")
    kernel = pair(layer, 1, 11, 0, "kernel")
    dilation, stride = pair(layer, 2, 12, 1, "dilation"), pair(layer, 3, 13, 1, "stride")
    weight, outputs = _kernel(layer, stored["weight"], given.channels, groups, kernel)
    if given.rows is None:
        # ncnn takes it for an inner product.
        if kernel != (1, 1) or groups != 1 or _stated(layer) != (0, 0, 0, 0):
            raise WeightsError("it takes planes, and is given one number a channel")
        return _finished(layer, Convolution(weight, stored.get("bias")), given.of(outputs))
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    sides = _sides(layer, given.sides, extents, stride)
    rows = given.sides[0].window(extents[0], stride[0], sides[2], sides[3])
    columns = given.sides[1].window(extents[1], stride[1], sides[0], sides[1])
    made = Blob(given.channels, rows, columns, given.whole).of(outputs)
    bias, value = stored.get("bias"), layer.real(18)
    return _finished(layer, Convolution(weight, bias, stride, dilation, sides, value, groups), made)


def deconvolution(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    """Deconvolution."""
    none_of(layer, {20: "an output of a fixed size", 21: "an output of a fixed size"})
    given = blobs[0]
    kernel = pair(layer, 1, 11, 0, "kernel")
    dilation, stride = pair(layer, 2, 12, 1, "dilation"), pair(layer, 3, 13, 1, "stride")
    weight, outputs = _kernel(layer, stored["weight"], given.channels, 1, kernel)
    left, right, top, bottom = sides = _stated(layer)
    for side in sides:
        within(side, 0, MOST_SIDE, "cut")
    across = layer.whole(18)
    more = layer.whole(19, across), across
    for extra, step in zip(more, stride, strict=True):
        within(extra, 0, step - 1, "additional row or column")
    if any(more) and (left, top) != (right, bottom):
        raise WeightsError("it cuts its ends unevenly, and adds to them")
    tall, wide = ((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    rows = given.sides[0].spread(tall, stride[0], top, bottom - more[0])
    columns = given.sides[1].spread(wide, stride[1], left, right - more[1])
    made = Blob(given.channels, rows, columns, given.whole).of(outputs)
    operation = Deconvolution(weight, stored.get("bias"), stride, dilation, sides, more)
    return _finished(layer, operation, made)


def inner_product(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    """InnerProduct of one number a channel, which is a convolution of one pixel."""
    given = blobs[0]
    if given.rows is not None:
        raise WeightsError("it takes all pixels of a picture of one size")
    weight, outputs = _kernel(layer, stored["weight"], given.channels, 1, (1, 1))
    return _finished(layer, Convolution(weight, stored.get("bias")), given.of(outputs))


def pooling(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    """Pooling."""
    given, most = blobs[0], within(layer.whole(0), 0, 1, "kind") == 0
    rows, columns = given.sides
    if layer.whole(7) and (layer.whole(8), layer.whole(18, layer.whole(8))) != (1, 1):
        raise WeightsError("it pools to a fixed size, which srkit does not know")
    if layer.whole(4) or layer.whole(7):
        return (PoolAll(most),), Blob(given.channels, whole=True)
    kernel, stride = pair(layer, 1, 11, 0, "kernel"), pair(layer, 2, 12, 1, "stride")
    left = layer.whole(3)
    top = layer.whole(13, left)
    if (layer.whole(14, left), layer.whole(15, top)) != (left, top):
        raise WeightsError("it pads its ends unevenly, which srkit does not know")
    for side, extent in ((top, kernel[0]), (left, kernel[1])):
        within(side, 0, extent // 2, "padding")
    if layer.whole(5) not in (0, 1):
        raise WeightsError("its padding is of a kind that srkit does not know")
    if layer.whole(5) == 0:
        for axis, extent, step, side in zip(given.sides, kernel, stride, (top, left), strict=True):
            if (axis.offset + 2 * side - extent) % step:
                raise WeightsError("its last window is not full, which srkit does not know")
    made = Blob(
        given.channels,
        rows.window(kernel[0], stride[0], top, top),
        columns.window(kernel[1], stride[1], left, left),
        given.whole,
    )
    return (Pool(most, kernel, stride, (top, left), bool(layer.whole(6))),), made


def _kernel(
    layer: Layer, weight: Array, inputs: int, groups: int, kernel: tuple[int, int]
) -> tuple[Array, int]:
    """Weights as (outputs, inputs, rows, columns), and the number of outputs."""
    outputs = layer.whole(0)
    shape = outputs, inputs // groups, *kernel
    if inputs % groups or outputs % groups:
        raise CorruptFileError(f"its {groups} groups do not divide {inputs} or {outputs} channels")
    if weight.size != shape[0] * shape[1] * shape[2] * shape[3]:
        raise CorruptFileError(
            f"it has {weight.size} weights; {outputs} outputs of {inputs} channels take "
            f"{'x'.join(map(str, shape))}"
        )
    return weight.reshape(shape), outputs


def _stated(layer: Layer) -> Sides:
    """Keys of padding: left, right, top, bottom."""
    left = layer.whole(4)
    top = layer.whole(14, left)
    return left, layer.whole(15, left), top, layer.whole(16, top)


def _sides(
    layer: Layer, axes: tuple[Axis, Axis], extents: list[int], stride: tuple[int, int]
) -> Sides:
    """Padding of a convolution in numbers."""
    stated = _stated(layer)
    if len(set(stated)) == 1 and stated[0] in (SAME_UPPER, SAME_LOWER):
        rows, columns = (
            _same(axis, extent, step, odd_after=stated[0] == SAME_UPPER)
            for axis, extent, step in zip(axes, extents, stride, strict=True)
        )
        return *columns, *rows
    for side in stated:
        within(side, 0, MOST_SIDE, "padding")
    return stated


def _same(axis: Axis, extent: int, stride: int, *, odd_after: bool) -> tuple[int, int]:
    """What makes of n places n / stride, rounded up."""
    axis.window(extent, stride, 0, 0)  # raises Uneven where this depends on the image
    spare = max(0, extent - 1 - (axis.offset - 1) % stride)
    return (spare // 2, spare - spare // 2) if odd_after else (spare - spare // 2, spare // 2)


def _finished(layer: Layer, operation: Convolution | Deconvolution, made: Blob) -> Made:
    return (operation, *activation(layer)), made
