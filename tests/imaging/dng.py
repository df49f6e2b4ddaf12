"""DNG files as cameras write them: a mosaic of RGGB, by the tags of TIFF and of DNG 1.4."""

import numpy as np
import tifffile

# From XYZ of D65 to linear light of sRGB (IEC 61966-2-1): a camera whose colours are sRGB's.
COLOURS = [3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570]
_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _SIGNED = 1, 2, 3, 4, 5, 10
_MOSAIC, _D65 = 32803, 21


def write(path, light, *, neutral=(1, 1, 1), orientation=1, white=16383, tags=(), **options):
    """Write light ``(H, W, 3)`` of such a camera, in [0, 1]; both sides are even."""
    mosaic = np.empty(light.shape[:2])
    for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[row::2, column::2] = light[row::2, column::2, channel]
    stated = [
        (50706, _BYTE, 4, b"\1\4\0\0", True),  # DNGVersion
        (50707, _BYTE, 4, b"\1\1\0\0", True),
        (50708, _ASCII, 0, "Maker Model", True),
        (33421, _SHORT, 2, (2, 2), True),  # CFARepeatPatternDim, and CFAPattern
        (33422, _BYTE, 4, b"\0\1\1\2", True),
        (50721, _SIGNED, 9, _ratios(COLOURS), True),  # ColorMatrix1, and its light
        (50778, _SHORT, 1, _D65, True),
        (50728, _RATIONAL, 3, _ratios(neutral), True),  # AsShotNeutral
        (50717, _LONG, 1, white, True),
        (271, _ASCII, 0, "Maker", True),
        (272, _ASCII, 0, "Model", True),
        (274, _SHORT, 1, orientation, True),
        *tags,
    ]
    data = np.rint(mosaic * white).astype(np.uint16)
    tifffile.imwrite(
        path, data, photometric=_MOSAIC, extratags=stated, metadata=None, software=False, **options
    )
    return path


def _ratios(numbers):
    return [part for number in numbers for part in (round(number * 10_000), 10_000)]
