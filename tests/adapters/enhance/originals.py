"""What the original neural-enhance made, and networks of its form, for every framework."""

import numpy as np

from srkit.adapters.readers.enhance.config import Config
from srkit.adapters.readers.enhance.vgg import vgg_shapes

SHAPES = {
    "x2": Config(1, 0, 3, (8,)),
    "x4, all filters given": Config(2, 0, 2, (8, 12, 4, 16)),
    "repair": Config(2, 2, 2, (4, 8, 12, 12, 8, 4)),
    "x2 by way of x4": Config(2, 1, 1, (6, 6, 8, 4)),
    "no blocks": Config(1, 0, 0, (8,)),
}
# Pictures of the original program by a weights file and the way they were made.
GOLD = [
    *(("ne2x-photo-default", kind) for kind in ("", "-tile40-overlap4", "-small", "-histogram")),
    *(("ne1x-photo-repair", kind) for kind in ("", "-tile40-overlap4", "-histogram")),
    *(("ne4x-photo-default", kind) for kind in ("", "-histogram")),
]
OPTIONS = {
    "-tile40-overlap4": {"tile": 40, "overlap": 4},
    "-histogram": {"match_histograms": True},
}
INPUTS = {"-small": "input_small.png", "-histogram": "input_full_range.png"}


def random_vgg(rng, width):
    """VGG under which values neither vanish nor explode."""
    return {
        name: (
            (rng.standard_normal(kernel) * np.sqrt(2 / np.prod(kernel[1:]))).astype(np.float32),
            rng.standard_normal(bias).astype(np.float32),
        )
        for name, (kernel, bias) in vgg_shapes(width).items()
    }
