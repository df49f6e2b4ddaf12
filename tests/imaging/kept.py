"""A picture whose metadata are kept, or told of when they are not."""

from pathlib import Path

import numpy as np

import srkit
from srkit.imaging import notes

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)


def doubled(source: Path, target: Path) -> list[str]:
    """Upscale to a file; returns what was told."""
    with notes.collecting() as told:
        srkit.upscale(source, "nearest", scale=2).save(target)
    return told
