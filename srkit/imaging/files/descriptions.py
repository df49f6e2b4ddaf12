"""Descriptions of TIFF by which programs for microscopes know sizes and calibration.

They are corrected where all of it is known, and dropped, with a word, where it is not: what is
stale in them would be taken for the truth.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from srkit.imaging.notes import tell

TAG = 0x010E  # ImageDescription
# How the descriptions of programs begin that hold sizes, planes or calibration.
_PROGRAMS = {
    "ImageJ=": "ImageJ's description, with its calibration,",
    "SCIFIO=": "SCIFIO's description, with its calibration,",
    "Aperio ": "Aperio's description, with its magnification,",
    "<MetaData>": "MetaMorph's description, with its calibration,",
    '{"shape":': "tifffile's description of the shape",
    "shape=(": "tifffile's description of the shape",
}


def without_programs(texts: dict[int, Any]) -> dict[int, Any]:
    """Texts by tag without a description that is stale as soon as the picture has another size.

    An OME description stays here; `refreshed` corrects it when a size is known.
    """
    text = texts.get(TAG)
    if not isinstance(text, str):
        return texts
    for start, name in _PROGRAMS.items():
        if text.lstrip("\ufeff\xef\xbb\xbf ").startswith(start):
            tell(f"{name} was left out: it no longer holds")
            return {tag: other for tag, other in texts.items() if tag != TAG}
    return texts


def is_ome(text: str) -> bool:
    """Whether a description is OME-XML."""
    return text.rstrip("\0 \n\r").endswith("OME>") or "openmicroscopy.org/Schemas/OME" in text


def refreshed(text: str, width: int, height: int, dtype: str, channels: int) -> str | None:
    """OME-XML for pixels of another size; None where it tells of more than one plain picture.

    Examples
    --------
    >>> text = '<OME><Pixels Type="uint8" SizeX="4" SizeY="2" SizeZ="1" SizeC="1" SizeT="1"/></OME>'
    >>> refreshed(text, 8, 4, "uint8", 1)[13:35]
    'Type="uint8" SizeX="8"'
    """
    tags = re.findall(r"<(?:\w+:)?Pixels\b[^>]*>", text)
    if len(tags) != 1 or "FileName=" in text or "<Plate" in text or "<ROI" in text:
        return None
    tag = tags[0]
    stated = dict(re.findall(r"""\s([\w:]+)\s*=\s*["']([^"'<>]*)["']""", tag))
    planes = [stated.get(f"Size{axis}") for axis in "ZT"]
    if planes != ["1", "1"] or stated.get("SizeC") != str(channels) or stated.get("Type") != dtype:
        return None
    try:
        factors = width / int(stated["SizeX"]), height / int(stated["SizeY"])
        changes: dict[str, str] = {"SizeX": str(width), "SizeY": str(height)}
        for key, factor in zip(("PhysicalSizeX", "PhysicalSizeY"), factors, strict=True):
            if key in stated and factor != 1:
                changes[key] = f"{float(stated[key]) / factor:.12g}"
    except (KeyError, ValueError, ZeroDivisionError, OverflowError):
        return None
    corrected = tag
    for key, value in changes.items():
        corrected = re.sub(rf"""(\s{key}\s*=\s*["'])[^"'<>]*""", _after(value), corrected)
    return text.replace(tag, corrected)


def _after(value: str) -> Callable[[re.Match[str]], str]:
    return lambda match: match[1] + value
