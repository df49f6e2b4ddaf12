"""Files made of boxes (ISO/IEC 14496-12), of which AVIF and HEIF are."""

from __future__ import annotations


def has_brand(head: bytes, *brands: bytes) -> bool:
    """Whether a file that begins so says that it is of one of these brands.

    Examples
    --------
    >>> head = bytes([0, 0, 0, 24]) + b"ftypavif" + bytes(4) + b"mif1" + b"not one of them"
    >>> has_brand(head, b"mif1", b"heic"), has_brand(head, b"them")
    (True, False)
    """
    stated = head[8 : int.from_bytes(head[:4], "big")] if head[4:8] == b"ftyp" else b""
    return any(brand in stated for brand in brands)
