"""Perceptual distance, where torch and the weights are installed."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, Protocol

from numpy.typing import ArrayLike

from srkit.extras import import_named, missing_extra

# By name, since it is a network on torch.
_NETWORK = "srkit.adapters.pytorch.stlpips:StLpips"

Backbone = Literal["alex", "vgg"]


class _Distance(Protocol):
    def distance(self, reference: ArrayLike, test: ArrayLike, *, crop: int = 0) -> float: ...


def st_lpips(
    reference: ArrayLike, test: ArrayLike, *, crop: int = 0, backbone: Backbone = "alex"
) -> float:
    """Shift-tolerant learned perceptual distance (ST-LPIPS).

    Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022.

    Parameters
    ----------
    reference, test
        As in `psnr`; grey is shown to the network as RGB.
    crop
        Pixels left out on each side.
    backbone
        Network whose features are compared: ``"alex"``, at least 21 pixels a side,
        or ``"vgg"``, at least 18.

    Returns
    -------
    float
        0 for equal images; lower looks more alike. Figures of the two backbones
        cannot be compared with each other, nor with those of LPIPS.

    Raises
    ------
    MissingDependencyError
        Without ``pip install "srkit[perceptual]"``.
    ImageError
        As in `psnr`, or if the images are too small for the network.
    OptionError
        If `backbone` is unknown or `crop` leaves nothing.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((32, 32), 100, np.uint8)
    >>> st_lpips(grey, grey)
    0.0
    """
    return _st_lpips(backbone).distance(reference, test, crop=crop)


@lru_cache(maxsize=2)
def _st_lpips(backbone: Backbone) -> _Distance:
    try:
        network: _Distance = import_named(_NETWORK)(backbone)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise missing_extra("ST-LPIPS needs torch, which is not installed", "perceptual") from error
    return network
