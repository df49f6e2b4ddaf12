"""Between two networks: ``python -m srkit.training.interpolate FIRST SECOND SHARE OUT``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.errors import WeightsError
from srkit.training.common import save_whole


def interpolate(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Weights between those of two networks, one of which was trained on from the other.

    (1 - share) * first + share * second, as in Wang et al., "ESRGAN", 2018, Section 3.4:
    between a network trained for PSNR and its adversarial successor lies a smooth way
    from fidelity to sharpness.

    Parameters
    ----------
    share
        0 gives `first`, 1 gives `second`.

    Raises
    ------
    WeightsError
        If the networks differ in names or shapes.
    """
    apart = first.keys() ^ second.keys() or {
        name for name in first if first[name].shape != second[name].shape
    }
    if apart:
        raise WeightsError(f"the networks differ: {', '.join(sorted(apart)[:3])}")
    return {
        name: value.lerp(second[name], share) if value.is_floating_point() else value
        for name, value in first.items()
    }


if __name__ == "__main__":
    begin, end = (read_checkpoint(path).tensors for path in sys.argv[1:3])
    save_whole(interpolate(begin, end, float(sys.argv[3])), Path(sys.argv[4]))
