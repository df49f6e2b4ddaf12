"""Perceptual distances, where torch and the weights are installed."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, Protocol

from numpy.typing import ArrayLike

from srkit.extras import import_named, missing_extra

# By name, since they are networks on torch.
_ST_LPIPS = "srkit.adapters.pytorch.stlpips:StLpips"
_LPIPS = "srkit.adapters.pytorch.lpips:Lpips"
_DISTS = "srkit.adapters.pytorch.lpips:Dists"

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
    return _network(_ST_LPIPS, "ST-LPIPS", "perceptual", backbone).distance(
        reference, test, crop=crop
    )


def lpips(
    reference: ArrayLike, test: ArrayLike, *, crop: int = 0, backbone: Backbone = "alex"
) -> float:
    """Learned perceptual image patch similarity (LPIPS), version 0.1.

    Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR
    2018. The network is torchvision's, which downloads its weights once.

    Parameters
    ----------
    reference, test
        As in `psnr`; grey is shown to the network as RGB.
    crop
        Pixels left out on each side.
    backbone
        ``"alex"``, which papers report, at least 31 pixels a side, or ``"vgg"``, at least 16.

    Returns
    -------
    float
        0 for equal images; lower looks more alike.

    Raises
    ------
    MissingDependencyError
        Without ``pip install "srkit[lpips]"``.
    WeightsError
        If torchvision's weights are not there and cannot be downloaded.
    ImageError, OptionError
        As in `st_lpips`.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((64, 64), 100, np.uint8)
    >>> lpips(grey, grey)  # doctest: +SKIP
    0.0
    """
    return _network(_LPIPS, "LPIPS", "lpips", backbone).distance(reference, test, crop=crop)


def dists(reference: ArrayLike, test: ArrayLike, *, crop: int = 0) -> float:
    """Deep image structure and texture similarity (DISTS).

    Ding et al., "Image Quality Assessment: Unifying Structure and Texture Similarity", TPAMI
    2022: textures may differ as long as they look alike. Images are compared at their own size.

    Parameters
    ----------
    reference, test, crop
        As in `lpips`; at least 16 pixels a side.

    Returns
    -------
    float
        0 for equal images; lower looks more alike.

    Raises
    ------
    MissingDependencyError, WeightsError, ImageError, OptionError
        As in `lpips`.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((64, 64), 100, np.uint8)
    >>> dists(grey, grey)  # doctest: +SKIP
    0.0
    """
    return _network(_DISTS, "DISTS", "lpips").distance(reference, test, crop=crop)


@lru_cache(maxsize=5)
def _network(path: str, name: str, extra: str, *options: Backbone) -> _Distance:
    try:
        network: _Distance = import_named(path)(*options)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise missing_extra(f"{name} needs torch, which is not installed", extra) from error
    return network
