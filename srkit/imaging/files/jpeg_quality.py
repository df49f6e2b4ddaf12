"""The quality that a JPEG file was written with, by its quantisation tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

# ITU-T T.81 (1992), Annex K, table K.1: luminance, row by row.
_LUMINANCE = np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
])  # fmt: skip


def quality_of(tables: Mapping[int, Sequence[int]] | None) -> int | None:
    """The quality of the IJG's library, from 1 to 100, whose luminance table comes nearest.

    Files of libjpeg and of what is built on it, Pillow too, tell exactly. Tables of cameras and of
    Photoshop are their own; theirs is the quality with the least sum of differences.

    Parameters
    ----------
    tables
        As ``PIL.JpegImagePlugin.JpegImageFile.quantization``; None and no tables give None.

    Examples
    --------
    >>> quality_of({0: [1] * 64}), quality_of({0: _LUMINANCE.tolist()}), quality_of({})
    (100, 50, None)
    """
    if not tables or len(tables.get(0, ())) != _LUMINANCE.size:
        return None
    wanted = np.asarray(tables[0])
    apart = [np.abs(luminance_table(quality) - wanted).sum() for quality in range(1, 101)]
    return int(np.argmin(apart)) + 1


def luminance_table(quality: int) -> NDArray[np.int_]:
    """The luminance table of a quality: jpeg_quality_scaling and jpeg_add_quant_table of jcparam.c.

    Of the Independent JPEG Group's release 6b.
    """
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    table: NDArray[np.int_] = np.clip((_LUMINANCE * percent + 50) // 100, 1, 255)
    return table
