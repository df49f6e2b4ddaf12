"""numpy arrays in pickles, read as data."""

from __future__ import annotations

import bz2
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from srkit.adapters.readers.pickles.machine import PickleSource
from srkit.adapters.readers.pickles.records import Fillable, Label, Rebuild, shown
from srkit.errors import CorruptFileError, UnsafeFileError
from srkit.guard import reading

Array = NDArray[np.generic]
Args = tuple[object, ...]

MOST_AXES, LONGEST = 8, 1 << 31
# What weights and configs are made of: floats, whole numbers, truth values.
_CODES = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}


@dataclass(slots=True, eq=False)
class DType(Fillable):
    """A ``numpy.dtype`` of plain numbers; its byte order comes as its state."""

    code: str
    order: str = "="

    def fill(self, state: object) -> None:
        """Take the byte order of ``(version, order, ...)``."""
        match state:
            case (int(), str() as order, None, None, None, *_) if order in ("<", ">", "|", "="):
                self.order = order
            case _:
                raise CorruptFileError("a dtype in its pickle is malformed")

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """As numpy has it."""
        return np.dtype(self.code).newbyteorder(self.order)  # type: ignore[arg-type]


@dataclass(slots=True, eq=False)
class ArrayRecord(Fillable):
    """A ``numpy.ndarray``: nothing, until its state brings shape, dtype and bytes."""

    shape: tuple[int, ...] | None = None
    kind: DType | None = None
    order: Literal["C", "F"] = "C"
    content: bytes | str = field(default=b"", repr=False)

    def fill(self, state: object) -> None:
        """Take ``(version, shape, dtype, whether columns run first, bytes)``."""
        match state:
            case (int(), tuple() as shape, DType() as kind, flag, Encoded(text=content)):
                pass
            case (int(), tuple() as shape, DType() as kind, flag, bytes() | str() as content):
                pass
            case _:
                raise CorruptFileError("an array in its pickle is malformed")
        # Sides are bounded before they are multiplied: integers in a pickle may be megabytes long.
        if len(shape) > MOST_AXES or not all(type(n) is int and 0 <= n <= LONGEST for n in shape):
            raise CorruptFileError("an array's shape in its pickle is malformed")
        if math.prod(shape) * kind.dtype.itemsize != len(content):
            raise CorruptFileError(f"an array of shape {shape} has {len(content)} bytes")
        self.shape, self.kind, self.content = shape, kind, content
        self.order = "F" if flag in (True, 1) else "C"

    def array(self) -> Array:
        """The numbers; made when they are wanted, so that a pickle cannot ask for many."""
        if self.shape is None or self.kind is None:
            raise CorruptFileError("an array in its pickle has no content")
        data = self.content if isinstance(self.content, bytes) else _python_2(self.content)
        return np.frombuffer(data, self.kind.dtype).reshape(self.shape, order=self.order)


def _python_2(text: str) -> bytes:
    """Python 2's strings of bytes, which the pickle machine decodes as Latin-1."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise CorruptFileError("an array's bytes in its pickle are text") from error


def _reconstruct(args: Args) -> ArrayRecord:
    """``numpy.core.multiarray._reconstruct(ndarray, (0,), b"b")``."""
    match args:
        case (Label("numpy.ndarray"), (0,), b"b" | "b" | Encoded(text="b")):
            return ArrayRecord()
    raise CorruptFileError("an array in its pickle is malformed")


def _dtype(args: Args) -> DType:
    """``numpy.dtype(code, align, copy)``."""
    match args:
        case (str() as code, *_) if code in _CODES:
            return DType(code)
    raise UnsafeFileError("its pickle has arrays of other things than numbers")


@dataclass(slots=True, eq=False)
class Encoded(Fillable):
    """Bytes that are still text. A pickle can ask for them as often as it likes: no copy."""

    text: str = field(repr=False)

    def fill(self, state: object) -> None:
        """Bytes have no state."""
        raise CorruptFileError("bytes in its pickle are given a state")


def _encode(args: Args) -> Encoded:
    """``_codecs.encode(text, "latin1")``: how Python 3 writes bytes for Python 2."""
    match args:
        case (str() as text, "latin1" | "latin-1"):
            return Encoded(text)
    raise CorruptFileError("bytes in its pickle are malformed")


def _empty_bytes(args: Args) -> bytes:
    """``bytes()``: the same, of none."""
    if args:
        raise CorruptFileError("bytes in its pickle are malformed")
    return b""


_KNOWN: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): Label("numpy.ndarray"),
    ("numpy", "dtype"): Rebuild("numpy.dtype", _dtype),
    ("numpy.core.multiarray", "_reconstruct"): Rebuild("numpy's _reconstruct", _reconstruct),
    ("numpy._core.multiarray", "_reconstruct"): Rebuild("numpy's _reconstruct", _reconstruct),
    ("_codecs", "encode"): Rebuild("_codecs.encode", _encode),
    ("builtins", "bytes"): Rebuild("bytes", _empty_bytes),
    ("__builtin__", "bytes"): Rebuild("bytes", _empty_bytes),
}


def find_global(module: str, name: str) -> object:
    """The inert record for a global that a pickle names.

    Raises
    ------
    UnsafeFileError
        If it is none that arrays of numbers need.
    """
    found = _KNOWN.get((module, name))
    if found is None:
        raise UnsafeFileError(
            f"its pickle names {shown(module)}.{shown(name)}, which arrays of numbers do not "
            "need; nothing was run"
        )
    return found


T = TypeVar("T")


def read_pickle(path: Path, most: int, understand: Callable[[object], T]) -> T:
    """What a ``.pkl.bz2`` of arrays holds; nothing in it is run.

    Parameters
    ----------
    most
        Bytes after decompression.
    understand
        Makes of arrays, as `ArrayRecord`, dicts, lists, texts and numbers what is wanted,
        or raises WeightsError.

    Raises
    ------
    UnsafeFileError
        If its pickle asks for anything else.
    CorruptFileError
        If it is damaged, or out of proportion.
    WeightsError
        If it cannot be opened, or is not understood.
    """
    with reading(path, "neural-enhance file"):
        try:
            with bz2.open(path) as file:
                found = PickleSource(file, find_global, most=most).run()
                # Only at its end does bzip2 tell that a stream is whole.
                if file.read(1):
                    raise CorruptFileError("it goes on after its pickle")
        except EOFError as error:
            raise CorruptFileError("it is cut off") from error
        return understand(found)
