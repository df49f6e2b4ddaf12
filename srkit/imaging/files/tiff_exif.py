"""EXIF of TIFF files, whose tags lie all over the file."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

from PIL import Image as PILImage
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from srkit.imaging.files import descriptions, exif
from srkit.imaging.notes import tell

_INTEROP, _MAKER_NOTE, _GPS = 0xA005, 0x927C, 0x8825
# Tags of the main directory that describe the picture rather than the file:
# name, description, make, model, page, software, date, artist, host, copyright.
_TEXTS = (0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298)
MAIN = (*_TEXTS, exif.EXIF_IFD, _GPS, _INTEROP)  # what is read of the main directory
_HEADER, _ASCII = b"II*\x00\x08\x00\x00\x00", 2  # little-endian, directory at 8

_LONG = {b"II": "<Q", b"MM": ">Q"}  # offsets of BigTIFF


def read(file: BinaryIO) -> bytes | None:
    """Gather what describes the picture into one EXIF block.

    In TIFF these tags lie all over the file, so they move, and maker notes,
    which a move would break, stay behind.
    """
    try:
        whole = _BigExif(file) if _is_big(file) else PILImage.Exif()
        file.seek(0)
        if isinstance(whole, PILImage.Exif):
            whole.load_from_fp(file)
        return _block(*_describing(whole))
    except Exception as error:  # noqa: BLE001  # Pillow raises anything on damaged tags
        tell(f"the EXIF tags of the TIFF file are damaged ({error}) and were left out")
        return None


class _BigExif(dict[int, Any]):
    """Tags of a BigTIFF file, which `PIL.Image.Exif` does not read."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        head = file.read(16)
        self._order, self._file = head[:2], file
        super().__init__(self._directory(None, struct.unpack(_LONG[self._order], head[8:])[0]))

    def get_ifd(self, tag: int) -> dict[int, Any]:
        """A directory that is pointed to, as `PIL.Image.Exif.get_ifd`."""
        pointer = self.get(tag)
        if tag == _INTEROP:
            pointer = self.get_ifd(exif.EXIF_IFD).get(tag)
        return self._directory(tag, pointer) if isinstance(pointer, int) else {}

    def _directory(self, group: int | None, start: int) -> dict[int, Any]:
        classic = {b"II": b"II*\0", b"MM": b"MM\0*"}[self._order] + bytes(4)
        found = ImageFileDirectory_v2(classic, group=group)
        found._bigtiff = True  # Pillow sees it in little-endian heads alone
        self._file.seek(start)
        found.load(self._file)
        return dict(found)


def _is_big(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(4) in (b"II+\0", b"MM\0+")


def split(block: bytes | None) -> tuple[dict[int, Any], dict[int, Any]]:
    """Take texts of the main directory, and the EXIF and GPS directories, out of a block."""
    whole = PILImage.Exif()
    if block:
        whole.load(block)
    return _describing(whole)


def without_ome(block: bytes | None) -> bytes | None:
    """An EXIF block without OME-XML, which means nothing outside of TIFF."""
    if not block or b"OME" not in block:
        return block
    try:
        texts, directories = split(block)
    except Exception:  # noqa: BLE001  # Pillow raises anything on damaged tags
        return block
    if not descriptions.is_ome(texts.get(descriptions.TAG, "")):
        return block
    tell("the OME description was left out: it is for TIFF")
    del texts[descriptions.TAG]
    return _block(texts, directories)


def _describing(whole: PILImage.Exif | _BigExif) -> tuple[dict[int, Any], dict[int, Any]]:
    """Collect what describes the picture: texts by tag, and directories by tag."""
    texts = {tag: whole[tag] for tag in _TEXTS if isinstance(whole.get(tag), str)}
    texts = descriptions.without_programs(texts)
    directories = {}
    for tag in (exif.EXIF_IFD, _GPS):
        if not (directory := dict(whole.get_ifd(tag))):
            continue
        if directory.pop(_MAKER_NOTE, None) is not None:
            tell("maker notes were left out: TIFF would move them, which breaks them")
        if _INTEROP in directory:
            directory[_INTEROP] = dict(whole.get_ifd(_INTEROP))
        try:
            _serialised(tag, directory, 0)
        except Exception as error:  # noqa: BLE001  # Pillow raises anything on odd values
            tell(f"EXIF directory {tag:#x} cannot be kept ({error}) and was left out")
        else:
            directories[tag] = directory
    return texts, directories


def _serialised(tag: int, directory: dict[int, Any], start: int) -> bytes:
    """Lay out a little-endian directory that will begin at `start`."""
    ifd = ImageFileDirectory_v2(_HEADER, group=tag)
    for key, value in directory.items():
        # Pillow reads texts as Latin-1 but would write "?" for all beyond ASCII.
        ifd[key] = value.encode("latin-1", "replace") if isinstance(value, str) else value
        if isinstance(value, str):
            ifd.tagtype[key] = _ASCII
    return ifd.tobytes(start)


def _block(texts: dict[int, Any], directories: dict[int, Any]) -> bytes | None:
    """Put texts and directories together as an EXIF block."""
    if not texts and not directories:
        return None
    start = len(_HEADER)
    end = start + len(_serialised(0, texts | dict.fromkeys(directories, 0), start))
    parts, pointers = [], {}
    for tag, directory in directories.items():
        pointers[tag] = end
        parts.append(_serialised(tag, directory, end))
        end += len(parts[-1])
    return b"".join([exif.PREFIX, _HEADER, _serialised(0, texts | pointers, start), *parts])


def append(file: BinaryIO, directories: dict[int, dict[int, Any]]) -> None:
    """Put the EXIF and GPS directories at the end of a little-endian file.

    tifffile does not write them. The main directory, which points to them, is
    written anew behind them; what it points to elsewhere stays where it is.
    """
    if not directories:
        return
    file.seek(4)
    (main,) = struct.unpack("<I", file.read(4))
    file.seek(main)
    (count,) = struct.unpack("<H", file.read(2))
    entries = [file.read(12) for _ in range(count)]
    for tag, directory in directories.items():
        start = _end(file)
        file.write(_serialised(tag, directory, start))
        entries.append(struct.pack("<HHII", tag, 4, 1, start))
    entries.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    main = _end(file)
    file.write(struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
    file.seek(4)
    file.write(struct.pack("<I", main))


def _end(file: BinaryIO) -> int:
    """Go to the end, made even, since directories begin on a word."""
    if file.seek(0, 2) % 2:
        file.write(b"\0")
    return file.tell()
