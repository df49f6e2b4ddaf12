"""Numbers of an ONNX network that lie in a file beside it, as torch's exporter writes them.

A tensor names its file, and what a stranger's file names must open nothing else: the name is that
of a regular file in the folder of the network, without any path. ONNX Runtime gets a network in
which the numbers are, and opens no file.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import onnx

from srkit.errors import CorruptFileError, UnsafeFileError, WeightsError

# Of the standard; a checksum is not asked for.
_KEYS = ("location", "offset", "length", "checksum")


def is_external(tensor: Any) -> bool:
    """Whether the numbers of a tensor lie in another file."""
    return bool(tensor.external_data) or tensor.data_location == onnx.TensorProto.EXTERNAL


def check_external(tensor: Any) -> tuple[str, int, int]:
    """Name of the file, first byte and number of bytes of a tensor; nothing is opened.

    Raises
    ------
    UnsafeFileError
        If the name is a path, or no plain name.
    CorruptFileError
        If the entries make no sense.
    """
    shown = repr(tensor.name[:60])
    entries: dict[str, str] = {}
    for entry in tensor.external_data:
        if entry.key not in _KEYS or entry.key in entries:
            raise CorruptFileError(f"the tensor {shown} tells its place in another file oddly")
        entries[entry.key] = entry.value
    name = entries.get("location", "")
    if not name or name in (".", "..") or any(c in "/\\:" or not c.isprintable() for c in name):
        raise UnsafeFileError(
            f"the tensor {shown} lies in another file, {name[:60]!r}, and only files beside the "
            "network are opened, by a name without a path; save the network in one file "
            "(onnx.save(..., save_as_external_data=False))"
        )
    size = _bytes_of(tensor)
    offset, length = (_number(entries.get(k, str(v))) for k, v in (("offset", 0), ("length", size)))
    if length != size:
        raise CorruptFileError(f"the tensor {shown} takes {size} bytes, and {length} are stated")
    return name, offset, size


def take_in(tensors: Iterable[Any], path: Path, most: int) -> None:
    """Put the numbers of tensors, which `check_external` passed, into them.

    Parameters
    ----------
    tensors
        ``onnx.TensorProto``, whose numbers lie in other files.
    path
        The network, in whose folder these lie.
    most
        Bytes that are read at most.

    Raises
    ------
    UnsafeFileError
        If a file is a link out of the folder or no regular file, or the bytes are too many.
    WeightsError
        If a file is not there.
    CorruptFileError
        If it is too short.
    """
    files: dict[str, BinaryIO] = {}
    try:
        for tensor in tensors:
            name, offset, size = check_external(tensor)
            most -= size
            if most < 0:
                raise UnsafeFileError(f"{name} and the network have too many bytes together")
            file = files.get(name) or files.setdefault(name, _opened(path, name))
            file.seek(offset)
            data = file.read(size)
            if len(data) < size:
                raise CorruptFileError(
                    f"{name}, which lies beside it, is shorter than the network says: it is cut "
                    "off, or belongs to another network"
                )
            for field in ("external_data", "data_location"):
                tensor.ClearField(field)
            tensor.raw_data = data
    finally:
        for file in files.values():
            file.close()


def _opened(path: Path, name: str) -> BinaryIO:
    """A file beside the network. Both may be links into one folder, as in caches of downloads."""
    beside = path.parent / name
    try:
        real = beside.resolve(strict=True)
        if real.parent not in (path.parent.resolve(), path.resolve().parent):
            raise UnsafeFileError(
                f"{name} is a link to a file in another folder, {real}; put a copy beside it"
            )
        # Not even a pipe that came meanwhile is waited for.
        handle = os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    except FileNotFoundError as error:
        raise WeightsError(
            f"its numbers lie in {name}, which is not beside it; put both files into one folder"
        ) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UnsafeFileError(f"{name}, in which its numbers lie, is no regular file")
    return os.fdopen(handle, "rb")


_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


def _bytes_of(tensor: Any) -> int:
    try:
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except KeyError as error:
        raise CorruptFileError(f"a tensor is of an unknown type {tensor.data_type}") from error
    if kind.kind not in "biufc":
        # Of less than a byte, or texts.
        raise UnsafeFileError(f"numbers of the kind {kind.name} in another file are not read")
    if any(side < 0 for side in tensor.dims):
        raise CorruptFileError("a tensor has a side below zero")
    count: int = math.prod(tensor.dims)
    return count * int(kind.itemsize)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise CorruptFileError(f"it states {text[:20]!r} as a place in another file")
    return int(text)
