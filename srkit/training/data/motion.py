"""Windows of frames for training, from photos under random smooth motion.

Videos at hand are few and compressed; photos are many and sharp. A window is a photo seen
by a camera that pans, zooms and turns a little, while parts of the scene move by
themselves and the exposure changes. Every frame is then shrunk as LR is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.utils.data import Dataset

from srkit.adapters.pytorch.nets.avsr import AVSR, Residual
from srkit.adapters.pytorch.nets.unet import icnr
from srkit.errors import OptionError
from srkit.imaging.color import KB, KG, KR
from srkit.imaging.observation import Observation
from srkit.training.data.photos import PATCH, Patches, Pixels

Floats = NDArray[np.float32]
# HR pixels around a crop, at least, that are computed with it and cut off, since shrinking mirrors
# borders: see `margin_at`.
MARGIN = 16
# Spacing of the grid on which parts of a scene move by themselves, in HR pixels.
GRID = 48
# Factors on what is seen of frames, whose detail is faint, on what residual blocks add at the
# start, and on the last layer.
DETAIL, RESIDUE, NOISE = 4.0, 0.1, 0.01


@dataclass(frozen=True)
class Motion:
    """How much may change from a frame to the next: deviations of normal distributions.

    All of them times a strength that is drawn for the window from an exponential
    distribution of mean 1, since slow motion is commoner than fast: half of what is
    seen moves by less than 0.6 HR pixels a frame, and nine tenths by less than 3.

    Attributes
    ----------
    pan
        HR pixels along each axis.
    zoom, turn
        Relative size, and radians.
    local
        HR pixels that parts of the scene move by themselves.
    exposure
        Relative brightness.
    still
        Share of windows in which nothing moves.
    ends
        Share of windows at the end of a scene, where a frame is repeated before or after.
    """

    pan: float = 0.8
    zoom: float = 0.005
    turn: float = 0.005
    local: float = 0.5
    exposure: float = 0.005
    still: float = 0.1
    ends: float = 0.25


@dataclass
class Windows(Dataset["tuple[Pixels, Pixels]"]):
    """Random windows of luma: LR ``(size, size, frames)`` and HR ``(s*size, s*size, 1)``, uint8.

    Attributes
    ----------
    patches
        Where they are cut from, those with more detail more often.
    scale, size, frames
        Factor, side of the LR crops, and frames of a window.
    seed
        Window n is drawn by a generator seeded with (seed, n).
    flat
        Share of windows of one plain grey.
    motion
        See `Motion`.
    """

    patches: Patches
    scale: int
    size: int
    frames: int
    seed: int = 0
    flat: float = 0.0
    motion: Motion = field(default_factory=Motion)

    def __post_init__(self) -> None:
        most = most_at(self.scale)
        if not 0 < self.size <= most:
            raise OptionError(f"crop is 1 to {most} LR pixels at x{self.scale}, not {self.size}")
        chances = np.cumsum(self.patches.detail + 1e-9)
        self._chances = chances / chances[-1]

    def __getitem__(self, number: int) -> tuple[Pixels, Pixels]:
        """Window number `number`."""
        rng = np.random.default_rng((self.seed, number))
        if rng.random() < self.flat:
            return grey_window(self.size, self.scale, self.frames, rng)
        patch = self.patches.hr[int(np.searchsorted(self._chances, rng.random()))]
        return window_of(patch, self.scale, self.size, self.frames, self.motion, rng)


def window_of(
    patch: Pixels, scale: int, size: int, frames: int, motion: Motion, rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """LR and HR of a window that a camera sees of a patch ``(PATCH, PATCH, 3)``: see `Windows`."""
    rim = margin_at(scale)
    sharp = moved(_turned_luma(patch, rng), size * scale + 2 * rim, frames, motion, rng)
    observation = Observation(sharp.shape[0], sharp.shape[1], scale=scale)
    cut = slice(rim // scale, -(rim // scale))
    lr = _levels(observation.apply(sharp))[cut, cut]
    hr = _levels(sharp[rim:-rim, rim:-rim, frames // 2, None])
    return lr, hr


def middle_of(patch: Pixels, scale: int, rng: np.random.Generator) -> Pixels:
    """HR of the largest window of a patch, by itself: `window_of` takes a hundred times longer.

    The frame in the middle is where it was drawn, and a window of this size can be drawn at
    one place alone.
    """
    rim = margin_at(scale)
    return _levels(_turned_luma(patch, rng)[rim:-rim, rim:-rim, None])


def grey_window(
    size: int, scale: int, frames: int, rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """LR and HR of a window of one grey."""
    grey = np.uint8(rng.integers(256))
    side = scale * size
    return np.full((size, size, frames), grey), np.full((side, side, 1), grey)


def margin_at(scale: int) -> int:
    """HR pixels around a window that are computed with it and cut off: whole LR pixels."""
    return -(-MARGIN // scale) * scale


def most_at(scale: int) -> int:
    """LR pixels of the largest window that a patch holds, along a side."""
    return (PATCH - 2 * margin_at(scale)) // scale


def _turned_luma(rgb: Pixels, rng: np.random.Generator) -> Floats:
    weights = np.array([KR, KG, KB], np.float32)
    luma: Floats = np.asarray(rgb, np.float32) @ weights
    return np.rot90(luma, int(rng.integers(4)))


def _levels(picture: NDArray[np.floating]) -> Pixels:
    levels: Pixels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return levels


def moved(
    picture: Floats, side: int, frames: int, motion: Motion, rng: np.random.Generator
) -> Floats:
    """Frames ``(side, side, frames)`` of a picture ``(H, W)``, the middle one where it was drawn.

    Cubic splines sample the picture; beyond its border it is mirrored.
    """
    strength = 0.0 if rng.random() < motion.still else rng.exponential()
    times = strength * _times(frames, motion.ends, rng)
    top, left = (rng.integers(n - side + 1) for n in picture.shape)
    grid = np.indices((side, side), np.float64)
    middle = np.array([top + (side - 1) / 2, left + (side - 1) / 2])
    offsets = grid - (side - 1) / 2
    pan, turn = rng.normal(0, motion.pan, 2), rng.normal(0, motion.turn)
    zoom, gain = rng.normal(0, motion.zoom), rng.normal(0, motion.exposure)
    local = _smooth(side, motion.local, rng)
    coefficients = ndimage.spline_filter(picture, order=3, mode="mirror")
    made = np.empty((side, side, frames), np.float32)
    for number, time in enumerate(times):
        scale, angle = 1 + zoom * time, turn * time
        rotation = scale * np.array(
            [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        )
        places = np.tensordot(rotation, offsets, 1)
        places += (middle + pan * time)[:, None, None] + local * time
        made[..., number] = ndimage.map_coordinates(
            coefficients, places, order=3, mode="mirror", prefilter=False
        ) * (1 + gain * time)
    return made


def _times(frames: int, ends: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Time of each frame from the middle one; at an end of the scene its last time goes on."""
    reach = frames // 2
    times = np.arange(frames) - reach
    if reach and rng.random() < ends:
        left = int(rng.integers(reach))
        times = np.minimum(times, left) if rng.random() < 0.5 else np.maximum(times, -left)
    return times


def _smooth(side: int, deviation: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A field of displacements ``(2, side, side)`` that changes slowly from place to place."""
    nodes = side // GRID + 3
    coarse = rng.normal(0, deviation, (2, nodes, nodes))
    place = np.arange(side) / GRID + 1
    rows, columns = np.meshgrid(place, place, indexing="ij")
    return np.stack([ndimage.map_coordinates(n, [rows, columns], order=3) for n in coarse])


def window_pairs(
    patches: Patches, scale: int, frames: int, numbers: Sequence[int]
) -> list[tuple[Pixels, Pixels]]:
    """Windows to check on, the same in every run: one of each of the patches."""
    size = most_at(scale)
    pairs = []
    for n in numbers:
        one = Patches(patches.hr[n : n + 1], patches.lr[n : n + 1], patches.detail[n : n + 1])
        pairs.append(Windows(one, scale, size, frames, seed=1)[n])
    return pairs


@torch.no_grad()
def start_avsr(net: AVSR) -> None:
    """Let the network begin as little, so that the result is nearly A⁺y.

    Features keep their size from layer to layer, and are smooth at the size of HR. Kernels
    sum to zero: what comes out of a rectifier is positive, and a kernel that sees its mean
    is soon driven below zero for good, with all that it knew of a frame. Nor is brightness
    anything that the network has to tell, as the projection leaves A⁺y's.
    """
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    for module in convolutions:
        nn.init.kaiming_normal_(module.weight)
        cast(Tensor, module.bias).zero_()
    icnr(net.expand, net.scale)
    for module in convolutions:
        module.weight -= module.weight.mean(dim=(1, 2, 3), keepdim=True)
        # Of a rectified normal variable, 1 - 1/pi of the mean square is variance.
        module.weight /= (1 - 1 / math.pi) ** 0.5
    for first in (net.frames, cast(nn.Conv2d, net.encode[0])):
        first.weight.mul_(DETAIL)
    for block in (*net.low, *net.high):
        cast(Residual, block).conv2.weight.mul_(RESIDUE)
    net.out.weight.mul_(NOISE)


class Projected(torch.nn.Module):
    """A network on windows with its projection: ``(N, T, H, W)`` to ``(N, 1, sH, sW)`` in [0, 1].

    For training, on small frames: the matrices of both axes are dense.
    """

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net
        self._matrices: dict[tuple[int, torch.device], tuple[Tensor, Tensor]] = {}

    def forward(self, frames: Tensor) -> Tensor:
        """(I - A⁺A) f + A⁺y."""
        y = frames[:, frames.shape[1] // 2, None]
        made: Tensor = self.net(frames, self._linear(1, y))
        return made + self._linear(1, y - self._linear(0, made))

    def _linear(self, which: int, planes: Tensor) -> Tensor:
        """A (0) or A⁺ (1) of ``(N, 1, H, W)``."""
        scale = int(self.net.scale)  # type: ignore[arg-type]
        rows, columns = (
            self._matrix(n * scale if which else n, planes.device)[which] for n in planes.shape[-2:]
        )
        made: Tensor = rows @ planes @ columns.T
        return made

    def _matrix(self, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
        scale = int(self.net.scale)  # type: ignore[arg-type]
        key = length, device
        if key not in self._matrices:
            a = Observation(length, length, scale).rows.matrix.toarray()
            both = (a, np.linalg.pinv(a))
            shrink, invert = (torch.from_numpy(m).float().to(device) for m in both)
            self._matrices[key] = shrink, invert
        return self._matrices[key]
