"""`Int8Conv2d`: a convolution that takes and gives floats, and multiplies in 8 bits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

# Steps of a number of 8 bits, of activations from 0 and of weights either side of 0.
LEVELS, STEPS = 255, 127
# What fewer channels save, turning floats into levels costs.
LEAST_CHANNELS = 32


class Int8Conv2d(nn.Conv2d):
    """A convolution whose products are of 8 bits, and whose sums are exact.

    Weights have a step for each channel that they make, activations one for the layer, of a range
    that is fixed, so that a part of a picture gives what it gives in the whole. Zero has a level
    of its own: padding is exact. The sums of 32 bits become floats, which are not rounded again.

    The middle tap may be left out of that. It carries what a network hands on as it is, by weights
    many times as large as the others, to which 8 bits would leave a few steps.

    Parameters
    ----------
    layer
        The convolution that it stands for, whose weights it shares: one that `fits`.
    low, high
        The range of what it is given; what lies beyond is taken for the nearest in it.
    exact
        Of the middle tap, what is computed in float32: nothing, the ``"diagonal"``, which is what
        a channel hands on to itself, or all of the ``"middle"``.

    Examples
    --------
    >>> layer = nn.Conv2d(1, 1, 1, bias=False).requires_grad_(False)
    >>> layer.weight.fill_(2.0).shape
    torch.Size([1, 1, 1, 1])
    >>> coarse = Int8Conv2d(layer, 0.0, 255.0)  # so its steps are whole numbers
    >>> coarse.levels(torch.tensor([-1.0, 0.4, 0.6, 300.0]).view(1, 1, 1, 4)).flatten().tolist()
    [0, 0, 1, 255]
    """

    def __init__(self, layer: nn.Conv2d, low: float, high: float, exact: str = "") -> None:
        super().__init__(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,  # type: ignore[arg-type]
            layer.stride,  # type: ignore[arg-type]
            layer.padding,  # type: ignore[arg-type]
            layer.dilation,  # type: ignore[arg-type]
            device="meta",
        )
        self.weight, self.bias = layer.weight, layer.bias
        low, high = min(0.0, low), max(0.0, high)
        self.step = (high - low) / LEVELS
        self.zero = round(-low / self.step)
        self.exact = exact
        self._pack()

    def _pack(self) -> None:
        """Bring weights into 8 bits, in the order that oneDNN wants them in."""
        weight = self.weight.detach().clone()
        self._middle = self._taken_out(weight)
        # A channel of zeros may have any step.
        steps = (weight.abs().amax((1, 2, 3)) / STEPS).clamp_min(1e-30)
        self._steps, self._zeros = steps, torch.zeros_like(steps, dtype=torch.long)
        whole = (weight / steps.view(-1, 1, 1, 1)).round_().to(torch.int8)
        self._packed = torch.ops.onednn.qconv_prepack(
            whole, steps, self.step, self.zero, [1, 1], [0, 0], list(self.dilation), 1, None
        )
        # A half more, since what follows cuts off.
        self._offset = torch.tensor(self.zero + 0.5)

    def _taken_out(self, weight: Tensor) -> Tensor | None:
        """What of the middle tap stays a float, which the weights then lack."""
        if not self.exact:
            return None
        rows, columns = (size // 2 for size in self.kernel_size)
        middle = weight[:, :, rows, columns]
        if self.exact == "diagonal":
            kept = middle.diagonal().clone()
            middle.fill_diagonal_(0)
            return kept.view(1, -1, 1, 1)
        kept = middle.t().contiguous()
        middle.zero_()
        return kept

    def forward(self, given: Tensor) -> Tensor:
        """See `torch.nn.Conv2d`."""
        return self.convolved(given, (int(self.padding[0]), int(self.padding[1])))

    def convolved(self, given: Tensor, padding: tuple[int, int]) -> Tensor:
        """The convolution with so many zeros above and below, and left and right."""
        made: Tensor = torch.ops.onednn.qconv2d_pointwise(
            self.levels(given), self.step, self.zero,
            self._packed, self._steps, self._zeros, self.bias,
            list(self.stride), list(padding), list(self.dilation), 1,
            1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        if self._middle is None:
            return made
        rows, columns = (
            dilation * (size // 2) - pad
            for dilation, size, pad in zip(self.dilation, self.kernel_size, padding, strict=True)
        )
        under = given[:, :, rows : given.shape[2] - rows, columns : given.shape[3] - columns]
        if self.exact == "diagonal":
            return made.addcmul_(under, self._middle)
        # In this view pixels are the rows of a matrix.
        flat = made.permute(0, 2, 3, 1).reshape(-1, self.out_channels)
        flat.addmm_(under.permute(0, 2, 3, 1).reshape(-1, self.in_channels), self._middle)
        return flat.view(*made.permute(0, 2, 3, 1).shape).permute(0, 3, 1, 2)

    def levels(self, given: Tensor) -> Tensor:
        """Floats as numbers of 8 bits, from 0 to 255."""
        # By way of 16 bits, which takes less than half as long.
        whole = (
            torch.add(self._offset, given, alpha=1 / self.step).clamp_(0, LEVELS).to(torch.int16)
        )
        return whole.to(torch.uint8).contiguous(memory_format=torch.channels_last)

    def __getstate__(self) -> dict[str, Any]:
        """All but the weights in oneDNN's order, which cannot be copied."""
        return {name: value for name, value in vars(self).items() if name != "_packed"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._pack()


def fits(layer: nn.Module) -> bool:
    """Whether a layer can become an `Int8Conv2d`, and would be faster.

    Examples
    --------
    >>> fits(nn.Conv2d(64, 64, 3, padding=1)), fits(nn.Conv2d(3, 64, 3, padding=1))
    (True, False)
    """
    return (
        type(layer) is nn.Conv2d
        and layer.groups == 1
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and max(layer.kernel_size) > 1
        and min(layer.in_channels, layer.out_channels) >= LEAST_CHANNELS
    )


def has_middle(layer: nn.Conv2d) -> bool:
    """Whether the middle tap lies on the pixel itself, so that it may be computed apart.

    Examples
    --------
    >>> has_middle(nn.Conv2d(64, 64, 3, padding=1)), has_middle(nn.Conv2d(64, 64, 3, stride=2))
    (True, False)
    """
    odd = all(size % 2 for size in layer.kernel_size)
    around = [d * (k // 2) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    return odd and tuple(layer.stride) == (1, 1) and list(layer.padding) == around
