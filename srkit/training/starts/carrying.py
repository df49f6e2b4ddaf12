"""What networks share that start as bicubic interpolation by carrying LR pixels to their end.

Their first layer picks the pixels around each, some channels carry these through, and their last
layer weighs them: beside the one position that it sees beyond its own, that is as far as the
kernel reaches.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from srkit.imaging.resize import phase_kernels

REACH = 2  # of the bicubic kernel, in LR pixels
_UNCHANGED = np.eye(1, 2 * REACH + 1, REACH)

Places = list[tuple[int, int]]


def places_around(inside: int = 1) -> Places:
    """The positions around one that the first layer picks.

    Parameters
    ----------
    inside
        Side of the squares of LR pixels that become channels. Of more than one pixel, what the
        last layer sees beyond its own position is enough.

    Examples
    --------
    >>> len(places_around()), places_around(inside=2)
    (9, [(0, 0)])
    """
    shifts = (-1, 0, 1) if inside < REACH else (0,)
    return [(y, x) for y in shifts for x in shifts]


@torch.no_grad()
def pick(first: nn.Conv2d, places: Places, weight: float = 1.0, bias: float = 0.0) -> None:
    """Let the first channels be the inputs at each of the places, times `weight`, plus `bias`."""
    for number, (y, x) in enumerate(places):
        for given in range(first.in_channels):
            channel = number * first.in_channels + given
            first.weight[channel] = 0
            first.weight[channel, given, 1 + y, 1 + x] = weight
            cast(Tensor, first.bias)[channel] = bias


@torch.no_grad()
def weigh(
    last: nn.Conv2d,
    scale: int,
    places: Places,
    *,
    noise: float,
    inside: int = 1,
    more_than_nearest: bool = False,
) -> None:
    """Let the last layer be, at each phase, the bicubic kernel over what `pick` has picked.

    Parameters
    ----------
    last
        It sees the picked channels first.
    scale, places, inside
        Of the network; see `places_around`.
    noise
        Factor on its weights for all other channels, which start at random.
    more_than_nearest
        Whether it is the kernel less the pixel that nearest-neighbour enlargement repeats.
    """
    kernels = phase_kernels(scale, 2 * REACH + 1) if scale > 1 else _UNCHANGED
    last.weight.mul_(noise)
    last.weight[:, : 3 * inside**2 * len(places)] = 0
    side = scale * inside
    for colour in range(3):
        for place in range(side**2):
            row = last.weight[colour * side**2 + place]
            (y, up), (x, left) = (divmod(n, scale) for n in divmod(place, side))
            plane = np.outer(kernels[up], kernels[left])
            plane[REACH, REACH] -= more_than_nearest
            for dy, dx in np.argwhere(plane):
                weight = float(plane[dy, dx])
                # The pixel's place: a position of the layer, a shift, and one of its squares.
                (tap_y, shift_y, in_y), (tap_x, shift_x, in_x) = (
                    _place(n, inside) for n in (y + int(dy) - REACH, x + int(dx) - REACH)
                )
                picked = places.index((shift_y, shift_x)) * 3 * inside**2
                channel = picked + colour * inside**2 + in_y * inside + in_x
                row[channel, 1 + tap_y, 1 + tap_x] += weight


def _place(pixel: int, inside: int) -> tuple[int, int, int]:
    """Where the last layer finds an LR pixel: its tap, the shift picked first, and the rest.

    Examples
    --------
    >>> [_place(n, 1) for n in (-2, 0, 1)], [_place(n, 2) for n in (-2, 3)]
    ([(-1, -1, 0), (0, 0, 0), (1, 0, 0)], [(-1, 0, 0), (1, 0, 1)])
    """
    position, within = divmod(pixel, inside)
    tap = max(-1, min(1, position))
    return tap, position - tap, within


def shrunk(values: Tensor, new: int) -> Tensor:
    """Weights or bias of a last layer for a smaller scale: its results are shrunk by area.

    Parameters
    ----------
    values
        Of which the first axis is three colours of squares of pixels.
    new
        Side of the squares to be.

    Examples
    --------
    >>> shrunk(torch.arange(3.0).repeat_interleave(16), 2).tolist()
    [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    """
    rest = values.shape[1:]
    old = round((values.shape[0] / 3) ** 0.5)
    # What each new pixel covers of each old one, of a line that both fill.
    ends = np.arange(new + 1)[:, None] * old / new
    covered = np.diff(np.clip(ends - np.arange(old), 0, 1), axis=0)
    line = torch.from_numpy(covered * new / old).to(values)
    squares = values.view(3, old, old, -1)
    return torch.einsum("py,qx,cyxr->cpqr", line, line, squares).reshape(3 * new**2, *rest)
