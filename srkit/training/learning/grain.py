"""A loss on fine detail that the target has not: grain, weave, specks of colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from srkit.errors import OptionError

# Under the square root, in squared parts of 1: a level of 255 is 1.5e-5. Its slope ends at 0.
LITTLE = 1e-6


@dataclass(frozen=True)
class Grain:
    """How much more fine detail there is than in the target, wherever its own detail lies.

    Losses on features, and judges of them, reward texture and do not look where exactly it is. A
    small network learns from them to draw a fine weave on skin, walls and sky, where a
    teacher is smooth, and a pixel loss alone takes it away together with the detail that is meant.
    This one compares amounts: fine detail is what a mean over `fine` pixels takes from luma
    and from two differences of colour, its amount the standard deviation within `window` pixels.
    Less than the target's costs nothing. (Liang, Zeng, Zhang, "Details or Artifacts", CVPR
    2022, equations 3 and 4, weigh a pixel loss by the local variance of the error, for
    the same end; there faint patterns count little, and detail out of place counts much.)

    Attributes
    ----------
    fine
        Side of the square of pixels over which means are taken: odd.
    window
        Side of the square within which detail is measured: odd.
    target
        See `srkit.training.learning.losses.Pixel`.

    Examples
    --------
    A checkerboard counts where the target is even, and none where it has as much:

    >>> rows = torch.arange(32)
    >>> board = 0.5 + 0.1 * (-1.0) ** (rows[:, None] + rows)[None, None]
    >>> even = torch.full((1, 1, 32, 32), 0.5)
    >>> Grain()(board, even) > 0.09, Grain()(even, board).item(), Grain()(board, board).item()
    (tensor(True), 0.0, 0.0)
    """

    kind: Literal["grain"] = "grain"
    weight: float = 1.0
    fine: int = 5
    window: int = 7
    target: str = "auto"

    def check(self) -> None:
        """Refuse squares without a middle, and of one pixel; raises OptionError."""
        for name, value in (("fine", self.fine), ("window", self.window)):
            if value < 3 or value % 2 == 0:
                raise OptionError(f"{name} of grain is odd, and 3 at least, not {value}")

    def prepare(self, device: torch.device) -> None:
        """Nothing has to be read."""

    def __call__(self, made: Tensor, photo: Tensor) -> Tensor:
        """A scalar, not weighted, of planes ``(N, C, H, W)`` in [0, 1]."""
        return (self._detail(made) - self._detail(photo)).relu().mean()

    def _detail(self, planes: Tensor) -> Tensor:
        planes = opponent(planes)
        fine = planes - _mean(planes, self.fine)
        return (_mean(fine.square(), self.window) + LITTLE).sqrt()


def opponent(planes: Tensor) -> Tensor:
    """Luma, and red and blue without it; planes of one channel as they are."""
    if planes.shape[1] != 3:
        return planes
    red, green, blue = planes.unbind(dim=1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue  # Rec. ITU-R BT.601
    return torch.stack((luma, red - luma, blue - luma), dim=1)


def _mean(planes: Tensor, side: int) -> Tensor:
    return functional.avg_pool2d(planes, side, 1, side // 2, count_include_pad=False)
