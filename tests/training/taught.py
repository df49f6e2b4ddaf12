"""Patches, poor versions of them, and what a teacher makes of these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from srkit.training.data.degradations import Downsample, Jpeg, Noise
from srkit.training.data.photos import Patches
from srkit.training.data.store import Questions, Store
from srkit.training.data.teachers import Teacher

POOR = (Downsample(), Noise(sigma=(2.0, 8.0)), Jpeg(quality=(40.0, 90.0)))


def plain_patches(count: int) -> Patches:
    hr = np.zeros((count, 240, 240, 3), np.uint8)
    return Patches(hr, hr[:, ::4, ::4], np.ones(count))


def filled(folder: Path, patches: Patches, count: int, **options: Any) -> Store:
    """A store with answers of bicubic interpolation."""
    store = Store(folder, Questions(patches, 4, POOR), [Teacher("bicubic")], count)
    store.fill(**options)
    return store
