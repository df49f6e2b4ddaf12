"""Chunks of Zarr stores, unpacked into no more bytes than their array says they hold.

A kilobyte of a packed chunk can become gigabytes, and a codec that is asked for twice makes that
the square. Codecs of zarr unpack whatever comes; here each is given the most that it may make.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numcodecs
import numcodecs.abc
import numpy as np
import zarr
from zarr.abc.codec import BytesBytesCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore, StorePath

from srkit.errors import CorruptFileError, UnsafeFileError

Config = Mapping[str, Any]
# Memory that a decoder of LZMA may take: presets take 65 MiB at most.
_LZMA_MEMORY = 1 << 28
_LZMA_STREAMS = 1000
_ZSTD_FRAME, _ZSTD_SKIPPED, _ZSTD_BLOCK, _ZSTD_SLACK = 0xFD2FB528, 0x184D2A50, 1 << 17, 1 << 20
_STORED, _REPEATED = 0, 1
# What packing adds at worst to what cannot be packed: a part of it, and a head.
_ADDED, _HEAD = 16, 4096
# Bytes of a checksum at most, and of a shard's index for each chunk.
_CHECKSUM, _INDEX = 8, 16
# What names kinds of numbers in the settings of filters.
_DTYPES = "dtype", "astype", "encode_dtype", "decode_dtype"


def _read(file: Any, most: int) -> bytes:
    """All of a file that unpacks, or an error once it is too much."""
    return _within(file.read(most + 1), most)


def _within(data: bytes, most: int) -> bytes:
    if len(data) > most:
        raise UnsafeFileError(
            f"a chunk unpacks to more than the {most} bytes that the array says it holds"
        )
    return data


def _gzip(data: memoryview, most: int, _: Config) -> bytes:
    return _read(gzip.GzipFile(fileobj=io.BytesIO(data)), most)


def _bz2(data: memoryview, most: int, _: Config) -> bytes:
    return _read(bz2.BZ2File(io.BytesIO(data)), most)


def _zlib(data: memoryview, most: int, _: Config) -> bytes:
    tool = zlib.decompressobj()
    made = _within(tool.decompress(data, most + 1), most)
    if not tool.eof:
        raise CorruptFileError("a chunk ends before its data do")
    return made


def _lzma(data: memoryview, most: int, config: Config) -> bytes:
    """One stream or several; the memory that a stream asks for is bounded."""
    form, filters = config.get("format", lzma.FORMAT_XZ), config.get("filters")
    if any(int(one.get("dict_size", 0)) > _LZMA_MEMORY for one in filters or ()):
        raise UnsafeFileError("chunks are packed by LZMA with a dictionary that is out of bounds")
    limit = None if form == lzma.FORMAT_RAW else _LZMA_MEMORY
    made, rest = b"", bytes(data)
    for _ in range(_LZMA_STREAMS):
        tool = lzma.LZMADecompressor(form, limit, filters)
        made += tool.decompress(rest, most + 1 - len(made))
        _within(made, most)
        if not tool.eof:
            raise CorruptFileError("a chunk ends before its data do")
        rest = tool.unused_data
        if not rest:
            return made
    raise UnsafeFileError(f"a chunk has over {_LZMA_STREAMS} streams of LZMA")


def _stated(size: int, most: int) -> None:
    """Judge the size that a packed chunk itself states, for which memory is then taken."""
    if size > most:
        raise UnsafeFileError(
            f"a chunk says that it unpacks to {size} bytes, the array that it holds {most} at most"
        )


def _blosc(data: memoryview, most: int, config: Config) -> Any:
    size, block, packed = struct.unpack_from("<III", data, 4)
    _stated(size, most)
    # The library goes by what the chunk says of itself, and reads beyond its end.
    if packed > len(data) or block > max(size, 1):
        raise CorruptFileError("a chunk packed by Blosc is shorter than it says")
    return numcodecs.Blosc().decode(data[:packed])


def _lz4(data: memoryview, most: int, config: Config) -> Any:
    _stated(struct.unpack_from("<I", data)[0], most)
    return numcodecs.LZ4().decode(data)


def _zstd(data: memoryview, most: int, config: Config) -> Any:
    stated, unstated = _zstd_sizes(data)
    _stated(stated, most)
    # Blocks of a frame that states no size are known to be full, but for the last of each flush.
    _stated(stated + unstated, 2 * most + _ZSTD_SLACK if unstated else most)
    return _within(numcodecs.Zstd().decode(data), most)


def _zstd_sizes(data: memoryview) -> tuple[int, int]:
    """Bytes that frames of Zstandard say they hold, and the most that those without a word may.

    By RFC 8878, section 3.1. What is damaged is left to the library.
    """
    stated = unstated = at = 0
    while at + 8 <= len(data):
        (magic,) = struct.unpack_from("<I", data, at)
        if magic & ~15 == _ZSTD_SKIPPED:
            at += 8 + int(struct.unpack_from("<I", data, at + 4)[0])
            continue
        if magic != _ZSTD_FRAME:
            break
        size, at, checksum = _zstd_header(data, at + 4)
        blocks, at = _zstd_blocks(data, at)
        at += 4 * checksum
        stated, unstated = (
            (stated, unstated + blocks) if size is None else (stated + size, unstated)
        )
    return stated, unstated


def _zstd_header(data: memoryview, at: int) -> tuple[int | None, int, bool]:
    """What a frame says that it holds, where its blocks begin, and if a checksum follows them."""
    descriptor = data[at]
    single = bool(descriptor & 0x20)
    start = at + 1 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    width = (int(single), 2, 4, 8)[descriptor >> 6]
    size = int.from_bytes(data[start : start + width], "little") + (256 if width == 2 else 0)
    return size if width else None, start + width, bool(descriptor & 4)


def _zstd_blocks(data: memoryview, at: int) -> tuple[int, int]:
    """The most that the blocks of a frame hold, and where they end."""
    most, last = 0, False
    while not last and at + 3 <= len(data):
        header = int.from_bytes(data[at : at + 3], "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        # One is stored, one a byte repeated; what is packed makes a full block at most.
        most += size if kind in (_STORED, _REPEATED) else _ZSTD_BLOCK
        at += 3 + (1 if kind == _REPEATED else size)
    return most, at


_UNPACK: Mapping[str, Callable[[memoryview, int, Config], Any]] = {
    "blosc": _blosc,
    "bz2": _bz2,
    "gzip": _gzip,
    "lz4": _lz4,
    "lzma": _lzma,
    "zlib": _zlib,
    "zstd": _zstd,
}


def _unpacked(name: str, data: Any, most: int, config: Config) -> Any:
    flat = memoryview(np.ascontiguousarray(data).reshape(-1).view(np.uint8).data)
    try:
        return _UNPACK[name](flat, most, config)
    except (struct.error, IndexError) as error:
        raise CorruptFileError("a chunk ends before its data do") from error


class _Bounded(numcodecs.abc.Codec):  # type: ignore[misc]
    """A codec of version 2 that takes and makes no more than an array has room for."""

    codec_id = "srkit.bounded"

    def __init__(self, config: Config, most_packed: int, most: int) -> None:
        self._name, self._config, self._most_packed, self._most = (
            str(config["id"]), config, most_packed, most,
        )  # fmt: skip
        self._codec = numcodecs.get_codec(dict(config))

    def encode(self, buf: Any) -> Any:
        """Refuse: stores of strangers are read alone."""
        raise NotImplementedError

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Unpack a chunk, or do to its numbers what a filter does."""
        if np.asarray(buf).nbytes > self._most_packed:
            raise UnsafeFileError(
                f"a chunk takes {np.asarray(buf).nbytes} bytes, the array that it holds "
                f"{self._most_packed} at most"
            )
        if self._name in _UNPACK:
            return _unpacked(self._name, buf, self._most, self._config)
        return self._codec.decode(buf)


@dataclass(frozen=True)
class _Unpacking(BytesBytesCodec):
    """A codec of version 3 that makes no more than an array has room for."""

    is_fixed_size = False

    name: str
    most: int
    configuration: Config

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Refuse: nobody knows."""
        raise NotImplementedError

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        data = _unpacked(self.name, chunk_bytes.as_numpy_array(), self.most, self.configuration)
        return chunk_spec.prototype.buffer.from_bytes(bytes(data))


class _Files(LocalStore):
    """The files of a store; one that is larger than any chunk can be is not read."""

    def __init__(self, root: Path, most: int) -> None:
        super().__init__(root, read_only=True)
        self._most = most

    async def get(self, key: str, *args: Any, **options: Any) -> Buffer | None:
        path = self.root / key
        if path.is_file() and (size := path.stat().st_size) > self._most:
            raise UnsafeFileError(
                f"the chunk {key} takes {size} bytes, the array that it holds {self._most} at most"
            )
        return await super().get(key, *args, **options)


def opened(path: Path, stated: dict[str, Any]) -> zarr.Array[Any]:
    """Open an array so that none of its chunks becomes more than it holds.

    Parameters
    ----------
    path
        The folder of the array.
    stated
        What it says about itself.

    Raises
    ------
    UnsafeFileError
        If packing is asked for that is out of bounds. Reading raises it of such chunks.
    """
    array = zarr.Array.from_dict(StorePath(_Files(path, 0)), stated)
    itemsize = np.dtype(array.dtype).itemsize
    if array.metadata.zarr_format == 2:
        bounded, most = _version_2(stated, math.prod(array.chunks) * itemsize)
    else:
        chunk = tuple(map(int, stated["chunk_grid"]["configuration"]["chunk_shape"]))
        codecs, most = _version_3(stated["codecs"], chunk, math.prod(chunk) * itemsize)
        bounded = stated | {"codecs": codecs}
    return zarr.Array.from_dict(StorePath(_Files(path, most)), bounded)


def _version_2(stated: dict[str, Any], size: int) -> tuple[dict[str, Any], int]:
    """Metadata whose codecs are bounded, and the most bytes of a packed chunk."""
    made = []
    compressor = stated.get("compressor")
    for config in [*(stated.get("filters") or ()), *([compressor] if compressor else ())]:
        most, size = size, _packed(str(config["id"]), config, size)
        made.append(_Bounded(config, size, most))
    last = made.pop() if compressor else None
    return stated | {"filters": made or None, "compressor": last}, size


def _version_3(codecs: Iterable[Any], chunk: tuple[int, ...], size: int) -> tuple[list[Any], int]:
    """Codecs that are bounded, and the most bytes that they make of a chunk of some size."""
    made: list[Any] = []
    for codec in codecs:
        stated: Any = {"name": codec} if isinstance(codec, str) else codec
        name = str(stated["name"]).removeprefix("numcodecs.")
        config = stated.get("configuration") or {}
        if name == "sharding_indexed":
            inner = tuple(map(int, config["chunk_shape"]))
            count = math.prod(-(-whole // part) for whole, part in zip(chunk, inner, strict=True))
            each = -(-size * math.prod(inner) // math.prod(chunk))
            inside, packed = _version_3(config["codecs"], inner, each)
            stated = {"name": name, "configuration": {**config, "codecs": inside}}
            size = count * (packed + _INDEX) + _CHECKSUM
        elif name in _UNPACK:
            stated, size = _Unpacking(name, size, config), _packed(name, config, size)
        else:
            size = _packed(name, config, size)
        made.append(stated)
    return made, size


def _packed(name: str, config: Config, size: int) -> int:
    """The most bytes that a codec makes of some."""
    if name in _UNPACK:
        return size + size // _ADDED + _HEAD
    if name == "packbits":
        return size // 8 + 2
    kinds = {key: np.dtype(config[key]) for key in _DTYPES if key in config}
    for kind in kinds.values():
        if kind.kind not in "biuf":
            raise UnsafeFileError(f"chunks are made of {kind}, which are no plain numbers")
    plain = kinds.get("decode_dtype", kinds.get("dtype"))
    packed = kinds.get("encode_dtype", kinds.get("astype", plain))
    if plain is None or packed is None:
        return size + _CHECKSUM
    return -(-size // plain.itemsize) * packed.itemsize
