"""Pixels that tests make, and files of them."""

import numpy as np
from PIL import Image


def noise(shape, dtype="uint8", seed=0):
    """Values over the whole range of their kind, each as likely as another."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, endpoint=True).astype(dtype)


def noisy(photo, sigma, seed=0):
    """Levels of 8 bits, with normal noise of a deviation in each channel."""
    added = photo + np.random.default_rng(seed).normal(0, sigma, photo.shape)
    return np.clip(np.rint(added), 0, 255).astype(np.uint8)


def saved(path, pixels):
    """The path of a file that was written, whose folder need not be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path
