"""Luma and chroma: the full-range transform of JPEG and MATLAB's studio-range luma."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.errors import ImageError

# ITU-R BT.601: luma weights of R, G and B, from which everything else follows.
KR, KG, KB = 0.299, 0.587, 0.114


def rgb_to_ycbcr(rgb: NDArray[Any]) -> NDArray[Any]:
    """Full-range BT.601 luma and chroma, as JPEG files hold them (JFIF 1.02).

    Parameters
    ----------
    rgb
        Float array ``(..., 3)`` in [0, 1].

    Returns
    -------
    NDArray
        Y, Cb and Cr, of the same shape and dtype; chroma is centred on 0.5.

    Raises
    ------
    ImageError
        If `rgb` is not float32 or float64 with three channels last.

    Examples
    --------
    >>> import numpy as np
    >>> rgb_to_ycbcr(np.array([1.0, 0.0, 0.0])).round(4)
    array([0.299 , 0.3313, 1.    ])
    """
    rgb = _three_floats(rgb, "rgb_to_ycbcr")
    red, blue = rgb[..., 0], rgb[..., 2]
    ycc = np.empty_like(rgb)
    luma = KR * red + KG * rgb[..., 1] + KB * blue
    ycc[..., 0] = luma
    ycc[..., 1] = (blue - luma) / (2 * (1 - KB)) + 0.5
    ycc[..., 2] = (red - luma) / (2 * (1 - KR)) + 0.5
    return ycc


def ycbcr_to_rgb(ycc: NDArray[Any]) -> NDArray[Any]:
    """Turn full-range BT.601 back into RGB; the inverse of `rgb_to_ycbcr`.

    Parameters
    ----------
    ycc
        Float array ``(..., 3)``: Y, Cb, Cr, with chroma centred on 0.5.

    Returns
    -------
    NDArray
        RGB of the same shape and dtype. It is not clipped: some luma and
        chroma values name no RGB colour.

    Raises
    ------
    ImageError
        If `ycc` is not float32 or float64 with three channels last.

    Examples
    --------
    >>> import numpy as np
    >>> ycbcr_to_rgb(np.array([0.5, 0.5, 0.5]))
    array([0.5, 0.5, 0.5])
    """
    ycc = _three_floats(ycc, "ycbcr_to_rgb")
    luma = ycc[..., 0]
    rgb = np.empty_like(ycc)
    rgb[..., 0] = luma + (2 * (1 - KR)) * (ycc[..., 2] - 0.5)
    rgb[..., 2] = luma + (2 * (1 - KB)) * (ycc[..., 1] - 0.5)
    rgb[..., 1] = (luma - KR * rgb[..., 0] - KB * rgb[..., 2]) / KG
    return rgb


def studio_luma(rgb: NDArray[Any]) -> NDArray[Any]:
    """Luma of MATLAB's ``rgb2ycbcr``, on which published PSNR and SSIM rest.

    Parameters
    ----------
    rgb
        ``(..., 3)``: uint8, or float32 or float64 in [0, 1].

    Returns
    -------
    NDArray
        Luma ``(...)`` in [16, 235], not rounded; float32 for float32 input,
        otherwise float64.

    Raises
    ------
    ImageError
        If `rgb` has another dtype or not three channels last.

    Examples
    --------
    >>> import numpy as np
    >>> studio_luma(np.array([[255, 255, 255], [0, 0, 0]], np.uint8)).round(4)
    array([235.,  16.])
    """
    rgb = np.asarray(rgb)
    if rgb.dtype == np.uint8 and rgb.shape[-1:] == (3,):
        work, top = np.dtype(np.float64), 255.0
    else:
        work, top = _three_floats(rgb, "studio_luma").dtype, 1.0
    weights = np.array([65.481, 128.553, 24.966], np.float64) / top
    return rgb.astype(work, copy=False) @ weights.astype(work) + work.type(16)


def _three_floats(array: NDArray[Any], name: str) -> NDArray[Any]:
    array = np.asarray(array)
    if array.dtype not in (np.float32, np.float64) or array.shape[-1:] != (3,):
        raise ImageError(
            f"{name} takes float32 or float64 in [0, 1] with three channels last, "
            f"not {array.dtype} of shape {array.shape}"
        )
    return array
