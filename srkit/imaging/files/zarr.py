"""Pictures in Zarr stores, folders that hold arrays in chunks."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from srkit.errors import CorruptFileError, ImageError, NotByRowsError, UnsafeFileError
from srkit.extras import missing_extra
from srkit.imaging.files import zarr_writing
from srkit.imaging.files.decoding import Decoded, check_size, naming
from srkit.imaging.files.image_format import ImageFormat
from srkit.imaging.files.rows import Rows
from srkit.imaging.metadata import Metadata
from srkit.imaging.pil import Mode

if TYPE_CHECKING:
    import zarr

_SUFFIX = ".zarr"
# Files that make a folder an array or a group: of version 3, then of version 2.
_V3, _V2_ARRAY, _V2_GROUP = "zarr.json", ".zarray", ".zgroup"
_MODES: dict[int, Mode] = {1: "L", 3: "RGB", 4: "RGBA"}
_LARGEST_CHUNK = 2**29  # bytes, where that is more than there are
# Chunks that no picture has too many of, and pixels that one has else.
_MANY_CHUNKS, _SMALL_CHUNK = 2**16, 2**10
_LARGEST_METADATA = 2**24
# What packs bytes and changes numbers. Others, such as pickle, run code, or hold no numbers.
_CODECS = {
    *("bytes", "transpose", "sharding_indexed", "crc32c", "blosc", "gzip", "zlib", "zstd"),
    *("lz4", "bz2", "lzma", "delta", "shuffle", "bitround", "fixedscaleoffset", "quantize"),
    *("crc32", "adler32", "fletcher32", "jenkins_lookup3", "astype", "packbits"),
}
# Of them those whose size is known, as an index of shards has to have them.
_INDEX_CODECS = "bytes", "crc32c"


def is_store(path: Path) -> bool:
    """Whether a path is that of a Zarr store, or of an array or a group inside one."""
    markers = (_V3, _V2_ARRAY, _V2_GROUP)
    return path.is_dir() and (
        path.suffix.lower() == _SUFFIX or any((path / name).is_file() for name in markers)
    )


def require() -> None:
    """Check that zarr is there."""
    try:
        import zarr  # noqa: F401
    except ModuleNotFoundError as error:
        raise missing_extra("Zarr stores need zarr, which is not installed", "zarr") from error


def open_array(path: Path) -> zarr.Array[Any]:
    """Open the picture of a store, and read nothing of it.

    Returns
    -------
    zarr.Array
        ``(H, W)``, or ``(H, W, C)`` of 1, 3 or 4 channels; uint8, uint16 or float.

    Raises
    ------
    ImageError
        If there is a group, or an array of another kind.
    UnsafeFileError
        If its chunks are packed by something that could run code.
    CorruptFileError
        If there is no array.
    MissingDependencyError
        If zarr is not installed.
    """
    require()
    from srkit.imaging.files import zarr_codecs

    stated = _stated(path)
    _check_codecs(stated)
    array = zarr_codecs.opened(path, stated)
    shape, dtype = array.shape, np.dtype(array.dtype)
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in _MODES):
        raise ImageError(
            f"a Zarr array of shape {shape} is not a picture: (H, W), or (H, W, C) of 1, 3 or "
            "4 channels, was expected"
        )
    if dtype.name not in ("uint8", "uint16", "float16", "float32", "float64"):
        raise ImageError(f"a Zarr array of {dtype} is not supported; use uint8, uint16 or float32")
    if not math.prod(shape):
        raise ImageError(f"the image is empty: its shape is {shape}")
    _check_chunks(shape, array.shards or array.chunks, array.chunks, dtype.itemsize)
    return array


def _check_chunks(
    shape: tuple[int, ...], outer: tuple[int, ...], inner: tuple[int, ...], itemsize: int
) -> None:
    """Refuse chunks that take memory or time out of all proportion to the picture."""
    whole = math.prod(shape)
    if math.prod(outer) * itemsize > max(_LARGEST_CHUNK, whole * itemsize):
        raise ImageError(f"chunks of {outer} are far larger than the picture, {shape}")
    # Each takes some 0.1 ms, whether it is there or not.
    count = math.prod(-(-side // part) for side, part in zip(shape, inner, strict=True))
    inside = math.prod(-(-side // part) for side, part in zip(outer, inner, strict=True))
    if max(count, inside) > max(_MANY_CHUNKS, whole // _SMALL_CHUNK):
        raise ImageError(f"chunks of {inner} are far too many for a picture of {shape}")


def metadata_of(array: zarr.Array[Any]) -> Metadata:
    """What the shape says; stores say nothing more that srkit knows of."""
    return Metadata(_MODES[array.shape[2] if array.ndim == 3 else 1], format="ZARR")


def read(path: Path, max_pixels: int) -> Decoded:
    """Read a picture whole; see `read_image`. Errors name the store.

    Raises
    ------
    ImageTooLargeError
        If it has more than `max_pixels`.
    """
    with naming(path, "Zarr"):
        array = open_array(path)
        height, width = array.shape[:2]
        check_size(width, height, max_pixels)
        pixels = plain(array[:])
        flat = pixels[..., 0] if pixels.shape[2:] == (1,) else pixels
        return Decoded(flat, metadata_of(array))


def plain(pixels: Any) -> NDArray[Any]:
    """Pixels in this machine's byte order, floats as float32."""
    pixels = np.asarray(pixels)
    if pixels.dtype.kind == "f":
        return np.ascontiguousarray(pixels, np.float32)
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))


def check_target(path: Path) -> None:
    """Refuse to write in the place of a folder that is no store."""
    require()
    if path.is_dir() and any(path.iterdir()) and not _kind(path):
        raise ImageError(f"{path} is a folder that is no Zarr store: it is not replaced")


def _stated(path: Path) -> dict[str, Any]:
    """What an array says about itself."""
    kind = _kind(path)
    if kind is None:
        raise CorruptFileError(f"there is no Zarr array: neither {_V3} nor {_V2_ARRAY} is there")
    if kind == "group":
        arrays = [os.fspath(inside.relative_to(path)) for inside in _arrays(path)]
        advice = f"name one of them, such as {path / arrays[0]}" if arrays else "without any array"
        raise ImageError(f"a Zarr group of arrays, not a picture; {advice}")
    stated: dict[str, Any] = _json(path / (_V3 if (path / _V3).is_file() else _V2_ARRAY))
    return stated


def _kind(path: Path) -> str | None:
    """``"array"``, ``"group"``, or None for a folder that is neither."""
    if (path / _V3).is_file():
        return "array" if _json(path / _V3).get("node_type") == "array" else "group"
    if (path / _V2_ARRAY).is_file():
        return "array"
    return "group" if (path / _V2_GROUP).is_file() else None


def _json(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _LARGEST_METADATA:
        raise UnsafeFileError(f"{path.name} is far larger than what an array says about itself")
    stated = json.loads(path.read_bytes())
    return stated if isinstance(stated, dict) else {}


def _arrays(group: Path) -> Iterator[Path]:
    """Arrays in a group and the groups in it; folders of chunks are not looked into."""
    for inside in sorted(path for path in group.iterdir() if path.is_dir()):
        if (kind := _kind(inside)) == "array":
            yield inside
        elif kind == "group":
            yield from _arrays(inside)


def _check_codecs(stated: dict[str, Any]) -> None:
    for name in _codecs(stated):
        if name.removeprefix("numcodecs.") not in _CODECS:
            raise UnsafeFileError(f"chunks are packed by {name!r}, which srkit does not trust")


def _codecs(stated: dict[str, Any]) -> Iterator[str]:
    """Names of what packs the chunks, also inside shards."""
    old = [stated.get("compressor"), *(stated.get("filters") or [])]
    yield from (str(codec["id"]) for codec in old if codec)
    for key in ("codecs", "index_codecs"):
        for codec in stated.get(key) or []:
            if isinstance(codec, str):
                yield codec
            else:
                yield str(codec["name"])
                if key == "index_codecs" and codec["name"] not in _INDEX_CODECS:
                    raise UnsafeFileError(f"an index is packed by {str(codec['name'])!r}")
                yield from _codecs(codec.get("configuration") or {})


class ZarrRows(Rows):
    """The picture of a Zarr store.

    Raises
    ------
    NotByRowsError
        If it is transparent, and has to be read whole.
    ImageError, UnsafeFileError, CorruptFileError, MissingDependencyError
        As `open_array`.
    """

    def __init__(self, path: Path) -> None:
        self._array = array = open_array(path)
        metadata = metadata_of(array)
        if metadata.mode == "RGBA":
            # Colour under transparent pixels comes from visible ones, however far away.
            raise NotByRowsError("a picture with transparency has to be read whole")
        height, width = array.shape[:2]
        shape = height, width, array.shape[2] if array.ndim == 3 else 1
        stored, tall = np.dtype(array.dtype), min(array.chunks[0], height)
        super().__init__(path, "Zarr", shape, stored, metadata, tall)

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open a store; errors name it."""
        with naming(path, "Zarr"):
            picture = cls(path)
        yield picture

    def decode(self, first: int, last: int) -> NDArray[Any]:
        """See `Rows.decode`."""
        return plain(self._array[first:last]).reshape(last - first, *self.shape[1:])

    @classmethod
    def size_of(cls, path: Path) -> tuple[int, int, int]:
        """See `Rows.size_of`."""
        array = open_array(path)
        height, width = array.shape[:2]
        return height, width, math.prod(array.shape[2:]) * np.dtype(array.dtype).itemsize


ZARR = ImageFormat(
    "ZARR",
    (_SUFFIX,),
    sniff=lambda _, path: is_store(path),
    read=read,
    write=zarr_writing.write,
    title="Zarr",
    folder=True,
    check_target=check_target,
    rows=ZarrRows,
    row_writer=zarr_writing,
    modes=("L", "RGB", "RGBA"),
    dtypes=("uint8", "uint16", "float32"),
)
