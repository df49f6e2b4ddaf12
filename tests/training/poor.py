"""A photo that is made poor, and one step of that by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage import data

PHOTO = data.astronaut()[:96, 160:272]
SIZE = (24, 28)  # of LR, at x4


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def apply(
    step: Any, picture: ArrayLike = PHOTO, seed: int = 0, size: tuple[int, int] = SIZE
) -> NDArray[np.float32]:
    """What a step makes of a picture, where LR has a size."""
    return step.apply(np.asarray(picture, np.float32), size, rng(seed))
