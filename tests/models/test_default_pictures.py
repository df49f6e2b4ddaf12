"""What pictures of the default are like: edges are straight, and grain stays or goes as asked.

Stairs and what is left of noise are what people see before all else.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr
from skimage import util

import srkit

pytest.importorskip("torch", reason="the networks need PyTorch: pip install 'srkit[torch]'")

SIDE = 256
DARK, LIGHT = 60, 200
# Deviation, in pixels, of the blur that a good lens leaves.
SOFT = 0.7
# Rows at the border are left out: what lies beyond is not known.
INSIDE = np.s_[24 : SIDE - 24]


def edge(slope: float) -> NDArray[np.uint8]:
    """Dark on the left and light on the right of a line through the middle."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    share = ndtr((x - slope * y) / np.hypot(1, slope) / SOFT)
    grey = (DARK + (LIGHT - DARK) * share).round().astype(np.uint8)
    return grey[..., None].repeat(3, axis=2)


def roughness(picture: NDArray[np.uint8]) -> float:
    """How far an edge is off the straight line that fits it best: RMS, in pixels."""
    places = []
    for row in picture[INSIDE, :, 1].astype(float):
        middle = (DARK + LIGHT) / 2
        left = int(np.flatnonzero((row[:-1] < middle) & (row[1:] >= middle))[0])
        places.append(left + (middle - row[left]) / (row[left + 1] - row[left]))
    rows = np.arange(len(places))
    line = np.polyval(np.polyfit(rows, places, 1), rows)
    return float(np.sqrt(np.mean((places - line) ** 2)))


def test_the_measure_finds_stairs_and_none_where_none_are() -> None:
    assert roughness(edge(0.13)) < 0.03
    stairs = edge(0.25)[::4].repeat(4, axis=0)
    # Of every 4 rows, which are 1 pixel apart: the RMS of a saw tooth of that height.
    assert roughness(stairs) == pytest.approx(np.sqrt(5 / 4) / 4, abs=0.02)


@pytest.mark.parametrize("slope", [0.05, 0.13, 0.4, 0.8])
@pytest.mark.parametrize(("denoise", "most"), [(0, 0.4), (1, 0.55)])
def test_photo_draws_straight_edges(slope: float, denoise: float, most: float) -> None:
    lr = srkit.imresize(edge(slope), 1 / 4)
    made = srkit.load("photo", scale=4, denoise=denoise, device="cpu").upscale(lr)
    assert roughness(made) < most * roughness(srkit.upscale(lr, "bicubic", scale=4))


def grain(picture: NDArray[np.uint8]) -> float:
    """Deviation of the diagonal differences of an even grey, in levels, as large as in LR."""
    side = len(picture) // 4
    x = picture.reshape(side, 4, side, 4, 3).mean((1, 3))[..., 0]
    return float((x[::2, ::2] - x[1::2, ::2] - x[::2, 1::2] + x[1::2, 1::2]).std() / 2)


def test_photo_keeps_grain_at_one_end_of_the_dial_and_takes_it_away_at_the_other() -> None:
    even = np.full((64, 64, 3), 0.5)
    grainy = (255 * util.random_noise(even, var=(6 / 255) ** 2, rng=0)).round().astype(np.uint8)
    left = [
        grain(srkit.load("photo", scale=4, denoise=share, device="cpu").upscale(grainy))
        for share in (0, 0.5, 1)
    ]
    assert left[0] > 6 > left[1] > 3 > 1.5 > left[2]
