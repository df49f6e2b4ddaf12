"""How good a network is on photos held out of training."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from srkit.adapters.pytorch.stlpips import StLpips
from srkit.errors import MissingDependencyError
from srkit.imaging.resize import imresize
from srkit.training.data.crops import Pair, to_pixels
from srkit.training.data.degradations import Degradation, degrade
from srkit.training.data.photos import Patches, Pixels, spread
from srkit.training.families import Family
from srkit.upscaling.model import RIM

# Patches that are checked on, and HR pixels at their borders that are left out.
COUNT, BORDER = 24, 8


def held_out_pairs(patches: Patches, scale: int, degradations: Sequence[Degradation]) -> list[Pair]:
    """The same pairs in every run: whole patches, degraded as the recipe says."""
    pairs = []
    for n in spread(patches, COUNT):
        lr, hr = np.array(patches.lr[n]), np.array(patches.hr[n])
        if degradations:
            lr = degrade(hr, scale, degradations, np.random.default_rng((1, n)))
        pairs.append((lr, hr))
    return pairs


@dataclass
class Check:
    """Figures of a network on held-out pairs.

    Attributes
    ----------
    pairs
        From `held_out_pairs`.
    family
        Of the network.
    perceptual
        Whether to give ST-LPIPS (AlexNet) too, where its weights are installed.
    multiple
        LR pixels of which the network's sides are multiples.
    answers
        What teachers make of each LR, where there are any.
    """

    pairs: Sequence[Pair]
    family: Family
    perceptual: bool
    multiple: int = 1
    answers: Sequence[Pixels] = ()

    @torch.no_grad()
    def figures(self, planes: nn.Module) -> dict[str, float]:
        """Mean PSNR in dB (of RGB, or luma), to teachers too, and mean ST-LPIPS for colour.

        Parameters
        ----------
        planes
            A network between planes in [0, 1].
        """
        made = [self.upscale(planes, lr) for lr, _ in self.pairs]
        found = self._psnrs(made)
        if self.perceptual and self.family.colour == "rgb" and (metric := _metric()):
            both = zip(made, self.pairs, strict=True)
            values = [metric.distance(hr, to_pixels(m[0]), crop=BORDER) for m, (_, hr) in both]
            found["st_lpips"] = float(np.mean(values))
        return found

    def bicubic(self) -> dict[str, float]:
        """Mean PSNR of bicubic interpolation, to compare with; to teachers too."""
        return self._psnrs([self._planes(_bicubic(lr, hr)) for lr, hr in self.pairs])

    def _psnrs(self, made: Sequence[Tensor]) -> dict[str, float]:
        found = {"psnr": self._mean_psnr(made, [hr for _, hr in self.pairs])}
        if self.answers:
            found["psnr_to_teacher"] = self._mean_psnr(made, self.answers)
        return found

    def _mean_psnr(self, made: Sequence[Tensor], wanted: Sequence[Pixels]) -> float:
        values = [_psnr(m, self._planes(w)) for m, w in zip(made, wanted, strict=True)]
        return float(np.mean(values))

    @torch.no_grad()
    def upscale(self, planes: nn.Module, lr: Pixels) -> Tensor:
        """``(1, C, H, W)``, with some pixels reflected around as `Upscaler` does."""
        given = self._planes(lr)
        ends = [RIM + -(n + 2 * RIM) % self.multiple for n in given.shape[-2:]]
        padded = functional.pad(given, [RIM, ends[1], RIM, ends[0]], mode="reflect")
        device = next(planes.parameters()).device
        made: Tensor = planes(padded.to(device)).float().cpu()
        scale = made.shape[-1] // padded.shape[-1]
        rim, (height, width) = RIM * scale, (scale * n for n in given.shape[-2:])
        return made[..., rim : rim + height, rim : rim + width].clamp(0, 1)

    def picture(self, planes: nn.Module, count: int = 4) -> Pixels:
        """Bicubic, result and photo side by side, for some of the pairs: uint8."""
        rows = []
        # Neighbours are often of one photo.
        apart = max(1, len(self.pairs) // count)
        for lr, hr in self.pairs[::apart][:count]:
            made = to_pixels(self.upscale(planes, lr)[0])
            shown, photo = _bicubic(lr, hr), hr
            if self.family.colour == "luma":
                shown, photo = (to_pixels(self._planes(p)[0]) for p in (shown, photo))
            rows.append(np.concatenate([shown, made, photo], axis=1))
        return np.concatenate(rows).repeat(3 if self.family.colour == "luma" else 1, axis=2)

    def _planes(self, picture: Pixels) -> Tensor:
        return self.family.ready(torch.from_numpy(picture[None]))


def _bicubic(
    lr: Pixels,
    hr: Pixels,
) -> Pixels:
    if lr.shape[2] > hr.shape[2]:
        # Of a window the frame in the middle.
        lr = lr[..., lr.shape[2] // 2, None]
    return imresize(lr, size=(hr.shape[0], hr.shape[1]))


def _psnr(made: Tensor, wanted: Tensor) -> float:
    error = (made - wanted)[..., BORDER:-BORDER, BORDER:-BORDER].numpy().astype(np.float64)
    # NumPy's mean, as torch's depends on the number of threads.
    return -10 * math.log10(float(np.square(error).mean()) + 1e-12)


@functools.cache
def _metric() -> StLpips | None:
    try:
        return StLpips("alex")
    except MissingDependencyError:
        return None
