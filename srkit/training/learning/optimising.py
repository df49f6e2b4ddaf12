"""Averaged weights, batch norm without batch statistics, and an optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

from srkit.training.learning.expansion import collapsed


def freeze_norms(net: nn.Module) -> None:
    """Put every batch norm in inference mode: a learned scale and shift, no statistics.

    Networks for super-resolution do better without batch statistics (Lim et al.,
    EDSR, 2017); the layers stay, so that weights keep the published form.
    """
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


class Average:
    """Exponential moving average of a network's weights, quick to follow at first."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self._decay = decay
        self.weights = {k: v.detach().clone() for k, v in collapsed(net).items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Take one more step's weights in."""
        decay = min(self._decay, (step + 1) / (step + 10))
        ours: list[Tensor] = []
        theirs: list[Tensor] = []
        for key, value in collapsed(net).items():
            if value.is_floating_point():
                ours.append(self.weights[key])
                theirs.append(value)
            else:
                self.weights[key].copy_(value)
        torch._foreach_lerp_(ours, theirs, 1 - decay)


# Coefficients of the Newton-Schulz iteration, its steps, and the momentum (K. Jordan et al.,
# "Muon: An optimizer for hidden layers in neural networks", 2024).
QUINTIC, ITERATIONS, MOMENTUM = (3.4445, -4.7750, 2.0315), 5, 0.95
# Root of the mean square of a step, in rates: that of AdamW's, so that its rates fit (J. Liu et
# al., "Muon is Scalable for LLM Training", 2025).
STEP_SIZE = 0.2
# Convolutions of fewer channels, such as a first layer, are AdamW's.
LEAST_CHANNELS = 16
# What has one dimension, slopes, biases and scales of norms, steps so many times the rate: at that
# of convolutions, slopes of PReLU that begin near 1 stay there for ten thousands of steps, and
# their layers linear. Muon's author, too, gives them a rate of their own.
FASTER = 10


class Muon(torch.optim.Optimizer):
    """Steps that change all directions of a layer alike; AdamW for what is no convolution.

    A convolution is a matrix from what it sees to its outputs. Its momentum's singular values
    are all brought near 1, so that directions with faint gradients are learned, too. torch has
    such an optimizer for matrices; this one takes convolutions, and all other parameters as well:
    of these, what has one dimension, as slopes and biases, at ten times the rate.

    Parameters
    ----------
    groups
        Of parameters, as torch's optimizers take them.
    lr, betas, weight_decay
        Those of AdamW.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(list(groups), {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step along the gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                change = self._change(parameter, group["betas"])
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                faster = FASTER if parameter.ndim == 1 else 1
                parameter.sub_(change, alpha=faster * group["lr"])

    def _change(self, parameter: Tensor, betas: tuple[float, float]) -> Tensor:
        """What a step of rate 1 takes away."""
        gradient, state = parameter.grad, self.state[parameter]
        if gradient is None:
            raise ValueError("a parameter without a gradient has no step")
        if not state:
            state["mean"] = torch.zeros_like(parameter)
        mean: Tensor = state["mean"]
        if parameter.ndim == 4 and min(parameter.shape[:2]) >= LEAST_CHANNELS:
            mean.lerp_(gradient, 1 - MOMENTUM)
            matrix = gradient.lerp(mean, MOMENTUM).flatten(1)
            size = STEP_SIZE * math.sqrt(max(matrix.shape))
            return (size * orthogonal(matrix)).view_as(parameter)
        if "square" not in state:
            state["square"], state["step"] = torch.zeros_like(parameter), torch.zeros(())
        state["step"] += 1
        mean.lerp_(gradient, 1 - betas[0])
        state["square"].lerp_(gradient.square(), 1 - betas[1])
        done = float(state["step"])
        first, second = 1 - betas[0] ** done, 1 - betas[1] ** done
        change = mean / first / ((state["square"] / second).sqrt() + 1e-8)
        return cast(Tensor, change)


def orthogonal(matrix: Tensor) -> Tensor:
    """A matrix with its singular values brought near 1, from 0.65 to 1.25.

    Examples
    --------
    >>> found = orthogonal(torch.diag(torch.tensor([100.0, 20.0, 5.0])))
    >>> bool((torch.linalg.svdvals(found) - 1).abs().max() < 0.35)
    True
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x
