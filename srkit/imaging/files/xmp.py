"""XMP packets: the few properties that go stale when pixels are resized.

A packet is patched as text, so that everything else in it stays byte for byte.
"""

from __future__ import annotations

import re

from srkit.imaging.notes import tell

_MOST_NAMES = 64  # of one name space, which have some ten
# Name spaces, the names in them that tell of a part, and what the part is.
_GOOGLE = b"http://ns.google.com/photos/1.0/"
_CLAIMS = (
    (b"http://ns.adobe.com/hdr-gain-map/1.0/", rb"[\w.-]+", "gain map"),
    (b"http://ns.apple.com/HDRGainMap/1.0/", rb"[\w.-]+", "gain map"),
    (_GOOGLE + b"camera/", rb"(?:MotionPhoto|MicroVideo)[\w.-]*", "video of a motion photo"),
    (_GOOGLE + b"container/", rb"Directory", "part behind the picture"),
    (_GOOGLE + b"depthmap/", rb"[\w.-]+", "depth map"),
    (b"http://ns.google.com/photos/dd/1.0/device/", rb"[\w.-]+", "depth map"),
    (_GOOGLE + b"image/", rb"[\w.-]+", "picture within the picture"),
    (_GOOGLE + b"audio/", rb"[\w.-]+", "sound"),
    (b"http://ns.adobe.com/xmp/note/", rb"HasExtendedXMP", "extended part of XMP"),
)


def orientation(packet: bytes | None) -> int | None:
    """Tell the ``tiff:Orientation`` of a packet, 1 to 8, or None."""
    match = re.search(_property("tiff:Orientation"), packet or b"")
    value = int(match[2]) if match else 0
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
    for side, size in (("Width", width), ("Height", height)):
        packet = _scaled_panorama(packet, side, size)
    return _without_claims(packet)


def _scaled_panorama(packet: bytes, side: str, size: int) -> bytes:
    """Sizes and places of a panorama (Google's GPano), which are in pixels of the picture."""
    found = re.search(_property(f"GPano:CroppedAreaImage{side}Pixels"), packet)
    if not found or not int(found[2]):
        return packet
    factor = size / int(found[2])
    start = "Left" if side == "Width" else "Top"
    names = (f"CroppedAreaImage{side}Pixels", f"FullPano{side}Pixels", f"CroppedArea{start}Pixels")
    for name in names:
        packet = re.sub(
            _property(f"GPano:{name}"),
            lambda found: found[1] + b"%d" % round(int(found[2]) * factor),
            packet,
        )
    return packet


def _without_claims(packet: bytes) -> bytes:
    """Drop what tells of parts that phones put behind a picture, and that its copy does not have.

    Prefixes are whatever the packet binds to a name space.
    """
    for space, names, part in _CLAIMS:
        bound = rb"""xmlns:([\w.-]+)\s*=\s*["']%s["']""" % re.escape(space)
        kept = packet
        for prefix in set(re.findall(bound, packet)):
            used = rb"(?<![\w.-])%s:%s(?![\w.-])" % (re.escape(prefix), names)
            for name in sorted(set(re.findall(used, kept)))[:_MOST_NAMES]:
                kept = _without_property(kept, name)
        if kept != packet:
            tell(f"the {part} was left out, and XMP no longer tells of it")
        packet = kept
    return packet


def _without_property(packet: bytes, name: bytes) -> bytes:
    """Drop attributes of a name, and elements, empty or with all that is in them."""
    escaped = re.escape(name)
    packet = re.sub(rb"<%s(?=[\s/])[^<>]*/>" % escaped, b"", packet)
    packet = re.sub(rb"""\s%s\s{0,9}=\s{0,9}("[^"<]*"|'[^'<]*')""" % escaped, b"", packet)
    return _without_element(packet, name)


def _property(name: str) -> bytes:
    # Either an attribute, name="12", or an element, <name>12</name>.
    return rb"""((?<!/)\b%s(?:\s{0,9}=\s{0,9}["']|>)\s{0,9})(\d{1,9})""" % name.encode()


def _without_element(packet: bytes, name: bytes) -> bytes:
    kept, at, end_tag = [], 0, b"</" + name + b">"
    while (start := packet.find(b"<" + name, at)) >= 0:
        end = packet.find(end_tag, start)
        if end < 0:
            break
        if packet[start + 1 + len(name)] not in b"> \t\r\n":  # another, longer name
            kept.append(packet[at : start + 1])
            at = start + 1
            continue
        kept.append(packet[at:start])
        at = end + len(end_tag)
    return b"".join([*kept, packet[at:]])
