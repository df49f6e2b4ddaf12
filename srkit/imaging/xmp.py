"""XMP packets: the few properties that go stale when pixels are resized.

A packet is patched as text, so that everything else in it stays byte for byte.
"""

from __future__ import annotations

import re


def orientation(packet: bytes | None) -> int | None:
    """Tell the ``tiff:Orientation`` of a packet, 1 to 8, or None."""
    found = re.search(_property("tiff:Orientation"), packet or b"")
    value = int(found[2]) if found else 0
    return value if 1 <= value <= 8 else None


def refresh(packet: bytes | None, width: int, height: int) -> bytes | None:
    """Set size properties to the pixels' and orientation to 1; drop thumbnails.

    Parameters
    ----------
    packet
        An XMP packet in UTF-8, or None.
    width, height
        Of the pixels that it will be saved with.

    Returns
    -------
    bytes or None
        The packet with those properties, where it has them, corrected.

    Examples
    --------
    >>> refresh(b'<rdf:Description tiff:Orientation="6" exif:PixelXDimension="40"/>', 80, 60)
    b'<rdf:Description tiff:Orientation="1" exif:PixelXDimension="80"/>'
    """
    if packet is None:
        return None
    for name, value in (
        ("tiff:Orientation", 1),
        ("tiff:ImageWidth", width),
        ("tiff:ImageLength", height),
        ("exif:PixelXDimension", width),
        ("exif:PixelYDimension", height),
    ):
        packet = re.sub(_property(name), rb"\g<1>%d" % value, packet)
    for name in ("xmp:Thumbnails", "xap:Thumbnails"):
        packet = _without_element(packet, name.encode())
    return packet


def _property(name: str) -> bytes:
    # Either an attribute, name="12", or an element, <name>12</name>.
    return rb"""((?<!/)\b%s(?:\s{0,9}=\s{0,9}["']|>)\s{0,9})(\d{1,9})""" % name.encode()


def _without_element(packet: bytes, name: bytes) -> bytes:
    kept, at, end_tag = [], 0, b"</" + name + b">"
    while (start := packet.find(b"<" + name, at)) >= 0:
        end = packet.find(end_tag, start)
        if end < 0:
            break
        kept.append(packet[at:start])
        at = end + len(end_tag)
    return b"".join([*kept, packet[at:]])
