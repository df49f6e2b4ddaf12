"""Theano's operations in numpy, for where there is no C++ compiler.

Theano's own fallbacks call functions that scipy has made private or dropped, or Python once a
pixel. These multiply matrices of patches ("im2col") instead; planes are (N, C, H, W).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[Any]
Pair = tuple[int, int]
Pads = tuple[Pair, Pair]

# Bytes of patches made at a time.
CHUNK = 32 << 20
ADVICE = "; THEANO_FLAGS=cxx=g++ has Theano compile its own"


# --- convolution ------------------------------------------------------------------------------


def correlate(image: Array, weights: Array, pads: Pads, stride: Pair) -> Array:
    """Correlation of an image with weights (out, in, kh, kw), which are not flipped."""
    image = _padded(image, pads, 0)
    out, _, *kernel = weights.shape
    high, wide = _steps(image, kernel, stride)
    matrix = np.ascontiguousarray(weights.reshape(out, -1))
    made = np.empty((len(image), out, high, wide), np.result_type(image, weights))
    for n, rows, patches in _patches(image, kernel, stride):
        made[n, :, rows] = (matrix @ patches).reshape(out, -1, wide)
    return made


def weight_gradient(image: Array, slope: Array, kernel: Pair, pads: Pads, stride: Pair) -> Array:
    """Gradient by the weights of `correlate`, from the gradient by its output."""
    image = _padded(image, pads, 0)
    out, channels = slope.shape[1], image.shape[1]
    made = np.zeros((out, channels * kernel[0] * kernel[1]), np.result_type(image, slope))
    for n, rows, patches in _patches(image, kernel, stride):
        made += np.ascontiguousarray(slope[n, :, rows]).reshape(out, -1) @ patches.T
    return made.reshape(out, channels, *kernel)


def image_gradient(weights: Array, slope: Array, size: Pair, pads: Pads, stride: Pair) -> Array:
    """Gradient by the image of `correlate`, from the gradient by its output."""
    out, channels, *kernel = weights.shape
    (top, bottom), (left, right) = pads
    shape = (channels, size[0] + top + bottom, size[1] + left + right)
    matrix = np.ascontiguousarray(weights.reshape(out, -1).T)
    made = np.zeros((len(slope), *shape), np.result_type(weights, slope))
    for n, of_one in enumerate(slope):
        patches = matrix @ np.ascontiguousarray(of_one).reshape(out, -1)
        patches = patches.reshape(channels, *kernel, *slope.shape[2:])
        for y, x, part in _shifts(made[n], kernel, stride, slope.shape[2:]):
            part += patches[:, y, x]
    return np.ascontiguousarray(made[:, :, top : top + size[0], left : left + size[1]])


def _padded(image: Array, pads: Pads, value: float) -> Array:
    if not any(map(any, pads)):
        return image
    return np.pad(image, ((0, 0), (0, 0), *pads), constant_values=value)


def _steps(image: Array, kernel: Any, stride: Pair) -> Pair:
    """How often a window fits into an image, down and across."""
    high, wide = (
        (size - k) // s + 1 for size, k, s in zip(image.shape[-2:], kernel, stride, strict=True)
    )
    return high, wide


def _windows(image: Array, kernel: Any, stride: Pair) -> Array:
    """All windows of an image, a view of (..., down, across, kh, kw)."""
    view = sliding_window_view(image, tuple(kernel), axis=(-2, -1))
    return view[..., :: stride[0], :: stride[1], :, :]


def _patches(image: Array, kernel: Any, stride: Pair) -> Iterator[tuple[int, slice, Array]]:
    """Windows as columns, some output rows of one image at a time."""
    _, channels, *_ = image.shape
    high, wide = _steps(image, kernel, stride)
    column = channels * kernel[0] * kernel[1]
    step = max(1, CHUNK // max(1, column * wide * image.itemsize))
    for n, one in enumerate(image):
        windows = _windows(one, kernel, stride).transpose(0, 3, 4, 1, 2)
        for first in range(0, high, step):
            rows = slice(first, min(first + step, high))
            yield n, rows, windows[:, :, :, rows].reshape(column, -1)


def _shifts(
    image: Array, kernel: Any, stride: Pair, steps: Any
) -> Iterator[tuple[int, int, Array]]:
    """For each place in the kernel the pixels that it meets, a view of (..., *steps)."""
    for y in range(kernel[0]):
        for x in range(kernel[1]):
            rows = slice(y, y + stride[0] * (steps[0] - 1) + 1, stride[0])
            columns = slice(x, x + stride[1] * (steps[1] - 1) + 1, stride[1])
            yield y, x, image[..., rows, columns]


def replace_convolutions(abstract_conv: ModuleType) -> None:
    """Let `theano.tensor.nnet.abstract_conv` compute by the functions above."""
    pads_of = abstract_conv.border_mode_to_pad

    def flipped(op: Any, weights: Array) -> Array:
        return weights[:, :, ::-1, ::-1] if op.filter_flip else weights

    def plain(op: Any, kernel: Any) -> tuple[Pads, Pair]:
        if op.num_groups != 1 or op.unshared or tuple(op.filter_dilation) != (1, 1):
            raise NotImplementedError("only plain convolutions run without a compiler" + ADVICE)
        (top, left) = pads_of(op.border_mode, 2, tuple(kernel))
        return (top, left), tuple(op.subsample)

    def forward(op: Any, node: Any, inputs: Any, outputs: Any) -> None:
        image, weights = inputs
        pads, stride = plain(op, weights.shape[2:])
        outputs[0][0] = correlate(image, flipped(op, weights), pads, stride)

    def by_weights(op: Any, node: Any, inputs: Any, outputs: Any) -> None:
        image, slope, kernel = inputs
        size = (int(kernel[0]), int(kernel[1]))
        made = weight_gradient(image, slope, size, *plain(op, size))
        outputs[0][0] = np.ascontiguousarray(flipped(op, made))

    def by_image(op: Any, node: Any, inputs: Any, outputs: Any) -> None:
        weights, slope, size = inputs
        pads, stride = plain(op, weights.shape[2:])
        size = (int(size[0]), int(size[1]))
        outputs[0][0] = image_gradient(flipped(op, weights), slope, size, pads, stride)

    abstract_conv.AbstractConv2d.perform = forward
    abstract_conv.AbstractConv2d_gradWeights.perform = by_weights
    abstract_conv.AbstractConv2d_gradInputs.perform = by_image


# --- pooling ----------------------------------------------------------------------------------


def max_pool(image: Array, window: Pair, stride: Pair, pads: Pads) -> Array:
    """The largest value in each whole window."""
    image = _padded(image, pads, -np.inf)
    steps = _steps(image, window, stride)
    made = np.full((*image.shape[:-2], *steps), -np.inf, image.dtype)
    for _, _, part in _shifts(image, window, stride, steps):
        np.maximum(made, part, out=made)
    return made


def max_pool_gradient(
    image: Array, largest: Array, slope: Array, window: Pair, stride: Pair, pads: Pads
) -> Array:
    """Gradient by the image of `max_pool`; equal maxima all get it, as in Theano."""
    padded = _padded(image, pads, -np.inf)
    made = np.zeros_like(padded)
    steps = largest.shape[-2:]
    parts = _shifts(made, window, stride, steps)
    for (_, _, part), (_, _, seen) in zip(
        parts, _shifts(padded, window, stride, steps), strict=True
    ):
        part += (seen == largest) * slope
    (top, _), (left, _) = pads
    high, wide = image.shape[-2:]
    return np.ascontiguousarray(made[..., top : top + high, left : left + wide])


def replace_pooling(pool: ModuleType) -> None:
    """Let `theano.tensor.signal.pool` compute by the functions above."""

    def plain(op: Any, x: Array, *sizes: Array) -> tuple[Pair, Pair, Pads]:
        if op.mode != "max" or op.ndim != 2 or x.ndim != 4 or not op.ignore_border:
            raise NotImplementedError(
                "only maxima of whole windows of planes run without a compiler" + ADVICE
            )
        window, stride, pad = ((int(down), int(across)) for down, across in sizes)
        return window, stride, ((pad[0], pad[0]), (pad[1], pad[1]))

    def forward(op: Any, node: Any, inputs: Any, outputs: Any, params: Any = None) -> None:
        outputs[0][0] = max_pool(inputs[0], *plain(op, *inputs))

    def backward(op: Any, node: Any, inputs: Any, outputs: Any, params: Any = None) -> None:
        image, largest, slope, *sizes = inputs
        outputs[0][0] = max_pool_gradient(image, largest, slope, *plain(op, image, *sizes))

    pool.Pool.perform = forward
    pool.MaxPoolGrad.perform = backward


# --- operations of single numbers -------------------------------------------------------------


def _second(like: Array, value: Array) -> Array:
    return np.broadcast_to(value, np.broadcast_shapes(like.shape, value.shape)).copy()


def _clip(x: Array, low: Array, high: Array) -> Array:
    # Not np.clip, which differs where low exceeds high.
    return np.where(x < low, low, np.where(x > high, high, x))


def _softplus(x: Array) -> Array:
    # With a float32 beside them bytes do not become float16.
    return np.logaddexp(x, np.zeros((), np.result_type(x, np.float32)))


# By the names of Theano's scalar operations that have no function in numpy, or take any
# number of arguments where numpy's takes two.
VECTORISED: dict[str, Callable[..., Array]] = {
    "Add": lambda *terms: functools.reduce(np.add, terms),
    "Mul": lambda *factors: functools.reduce(np.multiply, factors),
    "ScalarSoftplus": _softplus,
    "ScalarSigmoid": expit,
    "Clip": _clip,
    "Second": _second,
    "Cast": np.copy,
    "Inv": lambda x: np.float32(1) / x,
    "Identity": np.copy,
}


class Vectorised:
    """A function of arrays that Theano takes for a ufunc of one output."""

    nout = 1

    def __init__(self, function: Callable[..., Array]) -> None:
        self._function = function

    def __call__(self, *arrays: Array) -> Array:
        """Compute; Theano casts what comes back to the type of its output."""
        return self._function(*arrays)


def frompyfunc(function: Callable[..., Any], nin: int, nout: int) -> Any:
    """`numpy.frompyfunc` as Theano sees it: operations that are known take whole arrays."""
    operation = type(getattr(function, "__self__", None)).__name__
    known = VECTORISED.get(operation)
    return np.frompyfunc(function, nin, nout) if known is None else Vectorised(known)
