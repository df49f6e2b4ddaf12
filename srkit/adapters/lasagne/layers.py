"""Layers that Lasagne 0.1 lacks, with the names and defaults they have in later Lasagne."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import lasagne
import theano
import theano.tensor as T  # noqa: N812 as all of Theano's users write it
from lasagne import init
from lasagne.layers import Layer

Shape = tuple[int | None, ...]
# "auto" is all axes but that of the channels.
Axes = Literal["auto"] | tuple[int, ...]


def _axes(axes: Axes, shape: Shape) -> tuple[int, ...]:
    return (0, *range(2, len(shape))) if axes == "auto" else axes


def _kept(axes: tuple[int, ...], shape: Shape, what: str) -> tuple[int, ...]:
    """Sizes of the axes that are not among `axes`; a parameter must have a known shape."""
    sizes = [size for axis, size in enumerate(shape) if axis not in axes]
    known = tuple(size for size in sizes if size is not None)
    if len(known) < len(sizes):
        raise ValueError(f"{what} needs known sizes in all axes but {axes}, not {shape}")
    return known


def _spread(axes: tuple[int, ...], ndim: int) -> list[int | str]:
    """The pattern for ``dimshuffle`` that lays a parameter over an input."""
    rest = iter(range(ndim))
    return ["x" if axis in axes else next(rest) for axis in range(ndim)]


class ParametricRectifierLayer(Layer):
    """Rectifier with a learned slope for negative values (PReLU, He et al. 2015, eq. 1).

    Parameters
    ----------
    incoming
        The layer before, or its output shape.
    alpha
        The slopes, one for each channel unless `shared_axes` says otherwise.
    shared_axes
        Axes along which one slope counts.
    """

    def __init__(
        self,
        incoming: Any,
        alpha: Any = init.Constant(0.25),  # noqa: B008 initializers are values
        shared_axes: Axes = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(incoming, **kwargs)
        self.shared_axes = _axes(shared_axes, self.input_shape)
        shape = _kept(self.shared_axes, self.input_shape, "PReLU")
        self.alpha = self.add_param(alpha, shape, name="alpha", regularizable=False)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:  # noqa: A002
        """See `lasagne.layers.Layer`."""
        alpha = self.alpha.dimshuffle(_spread(self.shared_axes, input.ndim))
        return T.nnet.relu(input, alpha)


class BatchNormLayer(Layer):
    """Batch normalisation (Ioffe and Szegedy 2015, algorithm 1), with running averages.

    ``get_output(..., deterministic=True)`` uses the averages instead of the batch. They are
    updated by every function that is compiled from an output that is not deterministic;
    `batch_norm_use_averages` and `batch_norm_update_averages` choose each on its own.

    Parameters
    ----------
    incoming
        The layer before, or its output shape.
    axes
        Axes that are averaged over.
    epsilon
        Added to the variance.
    alpha
        Weight of the new batch in the running averages.
    beta, gamma
        Shift and factor after the normalisation; None for none.
    mean, inv_std
        The averages to begin with.
    """

    def __init__(
        self,
        incoming: Any,
        axes: Axes = "auto",
        epsilon: float = 1e-4,
        alpha: float = 0.1,
        beta: Any = init.Constant(0),  # noqa: B008
        gamma: Any = init.Constant(1),  # noqa: B008
        mean: Any = init.Constant(0),  # noqa: B008
        inv_std: Any = init.Constant(1),  # noqa: B008
        **kwargs: Any,
    ) -> None:
        super().__init__(incoming, **kwargs)
        self.axes, self.epsilon, self.alpha = _axes(axes, self.input_shape), epsilon, alpha
        shape = _kept(self.axes, self.input_shape, "batch normalisation")
        tags = {"trainable": False, "regularizable": False}
        self.beta = self.gamma = None
        if beta is not None:
            self.beta = self.add_param(beta, shape, name="beta", regularizable=False)
        if gamma is not None:
            self.gamma = self.add_param(gamma, shape, name="gamma")
        self.mean = self.add_param(mean, shape, name="mean", **tags)
        self.inv_std = self.add_param(inv_std, shape, name="inv_std", **tags)

    def get_output_for(
        self,
        input: Any,  # noqa: A002
        deterministic: bool = False,
        batch_norm_use_averages: bool | None = None,
        batch_norm_update_averages: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """See `lasagne.layers.Layer`."""
        use, update = batch_norm_use_averages, batch_norm_update_averages
        seen = input.mean(self.axes), T.inv(T.sqrt(input.var(self.axes) + self.epsilon))
        mean, inv_std = (
            (self.mean, self.inv_std) if (deterministic if use is None else use) else seen
        )
        if not deterministic if update is None else update:
            mean = mean + self._updated(self.mean, seen[0])
            inv_std = inv_std + self._updated(self.inv_std, seen[1])
        return self._normalised(input, mean, inv_std)

    def _updated(self, average: Any, seen: Any) -> Any:
        """Zero, by way of which a compiled function updates an average."""
        # Theano collects default updates of variables that occur in the graph. Of a clone,
        # which has the same memory: the average may occur elsewhere and not be updated there.
        clone = theano.clone(average, share_inputs=False)
        # That memory must not be written before all have read it, so the update gets a copy.
        old = theano.compile.deep_copy_op(clone)
        clone.default_update = (1 - self.alpha) * old + self.alpha * seen
        return 0 * clone

    def _normalised(self, x: Any, mean: Any, inv_std: Any) -> Any:
        pattern = _spread(self.axes, x.ndim)
        factor = inv_std if self.gamma is None else self.gamma * inv_std
        made = (x - mean.dimshuffle(pattern)) * factor.dimshuffle(pattern)
        return made if self.beta is None else made + self.beta.dimshuffle(pattern)


def batch_norm(layer: Any, **kwargs: Any) -> Any:
    """Normalise a layer's output before its nonlinearity.

    The layer is changed: it loses its bias, which the normalisation would cancel, and its
    nonlinearity, which comes after the normalisation instead.

    Parameters
    ----------
    layer
        The layer before.
    **kwargs
        Those of `BatchNormLayer`.

    Returns
    -------
    Layer
        The last of the layers added.
    """
    nonlinearity = getattr(layer, "nonlinearity", None)
    if nonlinearity is not None:
        layer.nonlinearity = lasagne.nonlinearities.identity
    if getattr(layer, "b", None) is not None:
        del layer.params[layer.b]
        layer.b = None
    name = kwargs.pop("name", None) or (layer.name and f"{layer.name}_bn")
    normal = BatchNormLayer(layer, name=name, **kwargs)
    if nonlinearity is None:
        return normal
    name = name and f"{name}_nonlin"
    return lasagne.layers.NonlinearityLayer(normal, nonlinearity, name=name)


class ConcatLayer(lasagne.layers.ConcatLayer):
    """Lasagne's own, of which the sizes along the axis need not be known."""

    def get_output_shape_for(self, input_shapes: Sequence[Shape]) -> Shape:
        """See `lasagne.layers.MergeLayer`; None is an unknown size."""
        sizes = [shape[self.axis] for shape in input_shapes]
        known = [size for size in sizes if size is not None]
        made = list(input_shapes[0])
        made[self.axis] = sum(known) if len(known) == len(sizes) else None
        return tuple(made)


class SubpixelReshuffleLayer(Layer):
    """Channels become pixels (Shi et al. 2016, eq. 4), in the order of torch's `PixelShuffle`.

    Channel ``c * r * r + y * r + x`` becomes the pixels at (y, x) of each r by r block of
    channel c.

    Parameters
    ----------
    incoming
        The layer before, or its output shape (N, C * r * r, H, W).
    factor
        r.
    """

    def __init__(self, incoming: Any, factor: int, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        if self.input_shape[1] % factor**2:
            raise ValueError(
                f"{self.input_shape[1]} channels do not fill blocks of {factor} x {factor} pixels"
            )
        self.factor = factor

    def get_output_shape_for(self, input_shape: Shape) -> Shape:
        """See `lasagne.layers.Layer`."""
        n, c, *sizes = input_shape
        r = self.factor
        return (n, c and c // r**2, *(size and size * r for size in sizes))

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:  # noqa: A002
        """See `lasagne.layers.Layer`."""
        n, c, h, w = input.shape
        r = self.factor
        blocks = input.reshape((n, c // r**2, r, r, h, w))
        return blocks.dimshuffle(0, 1, 4, 2, 5, 3).reshape((n, c // r**2, h * r, w * r))
