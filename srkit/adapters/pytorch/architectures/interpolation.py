"""Networks between two networks."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from srkit.errors import WeightsError


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
        name: _between(value, second[name], share) if value.is_floating_point() else value
        for name, value in first.items()
    }


def _between(first: Tensor, second: Tensor, share: float) -> Tensor:
    # Files may hold half precision, in which the way between would be taken in large steps.
    return first.float().lerp(second.float(), share)
