"""How near an image is to its original, how natural it looks, and by which protocol.

PSNR, SSIM, MS-SSIM; the perceptual distances ST-LPIPS, LPIPS and DISTS; NIQE and BRISQUE, which
need no original; the flicker of videos.

Two programs that both report "PSNR" can differ by 2 dB on the same pixels: in colour
space, crop, rounding and borders. docs/metrics.md lists the conventions and the
baselines that these functions reproduce.

>>> import numpy as np
>>> black, nearly = np.zeros((24, 24), np.uint8), np.ones((24, 24), np.uint8)
>>> round(psnr(black, nearly), 4)  # 20 log10(255)
48.1308
>>> ssim(black, black)
1.0
"""

from __future__ import annotations

from srkit.metrics.blind import brisque, niqe
from srkit.metrics.fidelity import Window, psnr, ssim
from srkit.metrics.multiscale import ms_ssim
from srkit.metrics.pairs import Channel, Pair, mod_crop, read_pair, rounded_luma
from srkit.metrics.perceptual import Backbone, dists, lpips, st_lpips
from srkit.metrics.protocols import PROTOCOLS, STANDARD, Protocol
from srkit.metrics.temporal import flicker

__all__ = [
    "PROTOCOLS",
    "STANDARD",
    "Backbone",
    "Channel",
    "Pair",
    "Protocol",
    "Window",
    "brisque",
    "dists",
    "flicker",
    "lpips",
    "mod_crop",
    "ms_ssim",
    "niqe",
    "psnr",
    "read_pair",
    "rounded_luma",
    "ssim",
    "st_lpips",
]
