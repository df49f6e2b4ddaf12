"""Zarr stores whose chunks become far more than their array holds, by whatever they are packed."""

import bz2
import gzip
import json
import lzma
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

import srkit
from srkit.errors import CorruptFileError, ImageError, SrkitError, UnsafeFileError
from srkit.imaging.files.by_rows import open_rows

zarr = pytest.importorskip("zarr")
numcodecs = pytest.importorskip("numcodecs")

SHAPE = 20, 30
PIXELS = np.arange(600, dtype=np.uint16).reshape(SHAPE)
SIZE = 1 << 28  # bytes that become of a bomb


def zstd_frame(blocks, stated=None):
    """A frame of blocks that repeat a byte 2**17 times, by RFC 8878."""
    # A window of 2 MB and no size, or a size in eight bytes.
    head = b"\x00\x58" if stated is None else b"\xe0" + struct.pack("<Q", stated)
    bodies = [
        ((1 << 17) << 3 | 1 << 1 | (n == blocks - 1)).to_bytes(3, "little") + b"\0"
        for n in range(blocks)
    ]
    return struct.pack("<I", 0xFD2FB528) + head + b"".join(bodies)


def blosc(size):
    """A packed chunk that states another size than it has."""
    made = bytearray(numcodecs.Blosc().encode(np.zeros(4096, np.uint8)))
    made[4:8] = struct.pack("<I", size)
    return bytes(made)


ZEROS = bytes(SIZE)
BOMBS = {
    "gzip": gzip.compress(ZEROS),
    "gzip, many members": gzip.compress(bytes(1 << 20)) * 256,
    "zlib": zlib.compress(ZEROS),
    "bz2": bz2.compress(ZEROS),
    "lzma": lzma.compress(ZEROS, preset=0),
    "blosc": bytes(numcodecs.Blosc().encode(np.zeros(SIZE, np.uint8))),
    "blosc, only stated": blosc(0x7FFFFF00),
    "lz4": bytes(numcodecs.LZ4().encode(np.zeros(SIZE, np.uint8))),
    "lz4, only stated": struct.pack("<I", 0x7FFFFFFF) + b"\0" * 20,
    "zstd": zstd_frame(SIZE >> 17, SIZE),
    "zstd, no size": zstd_frame(SIZE >> 17),
    "zstd, frames": zstd_frame(1, 1 << 17) * (SIZE >> 17),
    "zstd, only stated": zstd_frame(1, 1 << 40),
}
# Version 3 knows these three by their own names, all others by that of the package.
BLOSC = {"typesize": 2, "cname": "lz4", "clevel": 5, "shuffle": "noshuffle", "blocksize": 0}
OWN = {"gzip": {"level": 5}, "zstd": {"level": 0, "checksum": False}, "blosc": BLOSC}


def version_2(folder, chunk, compressor, filters=None, **more):
    folder.mkdir()
    stated = {
        "zarr_format": 2, "shape": SHAPE, "chunks": SHAPE, "dtype": "<u2", "fill_value": 0,
        "order": "C", "compressor": compressor, "filters": filters, **more,
    }  # fmt: skip
    (folder / ".zarray").write_text(json.dumps(stated))
    if chunk is not None:
        (folder / "0.0").write_bytes(chunk)
    return folder


def version_3(folder, chunk, codecs, **more):
    (folder / "c" / "0").mkdir(parents=True)
    grid = {"name": "regular", "configuration": {"chunk_shape": SHAPE}}
    keys = {"name": "default", "configuration": {"separator": "/"}}
    stated = {
        "zarr_format": 3, "node_type": "array", "shape": SHAPE, "data_type": "uint16",
        "chunk_grid": grid, "chunk_key_encoding": keys, "fill_value": 0, "codecs": codecs,
        "attributes": {}, "storage_transformers": [], **more,
    }  # fmt: skip
    (folder / "zarr.json").write_text(json.dumps(stated))
    if chunk is not None:
        (folder / "c" / "0" / "0").write_bytes(chunk)
    return folder


def codec(name):
    if name in OWN:
        return {"name": name, "configuration": OWN[name]}
    return {"name": f"numcodecs.{name}", "configuration": {}}


BYTES = {"name": "bytes", "configuration": {"endian": "little"}}


def sharded(name, count):
    inside = {"chunk_shape": SHAPE, "codecs": [BYTES, codec(name)], "index_codecs": [BYTES]}
    codecs = [{"name": "sharding_indexed", "configuration": inside}]
    return codecs, struct.pack("<QQ", 0, count)


def told(path, kind=UnsafeFileError, match=None):
    """By all that reads stores, without much memory."""
    tracemalloc.start()
    try:
        with pytest.raises(kind, match=match) as caught:
            srkit.read_image(path)
        assert str(path) in str(caught.value)
        with pytest.raises(kind, match=match), open_rows(path) as rows:
            rows[0:1, 0:1]
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3")
@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("layout", ["2", "3", "shard", "filter", "twice", "twice, 3"])
def test_chunks_that_unpack_to_more_than_the_array_holds_are_refused(tmp_path, bomb, layout):
    name, data = bomb.split(",")[0], BOMBS[bomb]
    old, path = {"id": name}, tmp_path / "a.zarr"
    if layout == "2":
        version_2(path, data, old)
    elif layout == "3":
        version_3(path, data, [BYTES, codec(name)])
    elif layout == "shard":
        codecs, index = sharded(name, len(data))
        version_3(path, data + index, codecs)
    elif layout == "filter":
        version_2(path, data, None, [old])
    elif layout == "twice":
        version_2(path, zlib.compress(data), {"id": "zlib"}, [old])
    else:
        version_3(path, gzip.compress(data), [BYTES, codec(name), codec("gzip")])
    told(path)


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3")
@pytest.mark.parametrize("name", ["gzip", "zlib", "bz2", "lzma", "blosc", "lz4", "zstd"])
@pytest.mark.parametrize("twice", [False, True])
def test_good_chunks_of_each_codec_are_read(tmp_path, name, twice):
    old = [numcodecs.get_codec({"id": name})] * (1 + twice)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 65536, SHAPE, np.uint16)  # nothing packs them: they become more
    packed = pixels
    for one in old:
        packed = one.encode(packed)
    config = {"id": name}
    version_2(tmp_path / "a.zarr", packed, config, [config] if twice else None)
    version_3(tmp_path / "b.zarr", packed, [BYTES, *[codec(name)] * (1 + twice)])
    for path in ("a.zarr", "b.zarr"):
        np.testing.assert_array_equal(srkit.read_image(tmp_path / path).pixels, pixels)


FILTERS = {
    "delta": [{"id": "delta", "dtype": "<u2", "astype": "<u4"}],
    "numbers": [{"id": "fixedscaleoffset", "scale": 1024, "offset": 1, "dtype": "<f4"}],
    "checksums": [{"id": "crc32"}, {"id": "adler32"}, {"id": "fletcher32"}],
    "shuffled": [{"id": "shuffle", "elementsize": 2}],
    "rounded": [{"id": "quantize", "digits": 3, "dtype": "<f4"}, {"id": "bitround", "keepbits": 9}],
    "other kind": [{"id": "astype", "encode_dtype": "<f8", "decode_dtype": "<f4"}],
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_go_on_working(tmp_path, name):
    floats = name in ("numbers", "rounded", "other kind")
    dtype = np.dtype("<f4" if floats else "<u2")
    pixels = (PIXELS / (1024 if floats else 1)).astype(dtype)
    zarr.create_array(
        store=tmp_path / "a.zarr", shape=SHAPE, chunks=(7, 30), dtype=dtype, zarr_format=2,
        filters=[numcodecs.get_codec(dict(one)) for one in FILTERS[name]],
        compressors=numcodecs.Zlib(),
    )[:] = pixels  # fmt: skip
    found = srkit.read_image(tmp_path / "a.zarr").pixels
    np.testing.assert_array_equal(found, zarr.open_array(tmp_path / "a.zarr", mode="r")[:])
    np.testing.assert_allclose(found, pixels, atol=1e-2)


def test_filters_that_double_again_and_again_are_refused(tmp_path):
    """Each `packbits` makes eight bytes of one, so that ten make a gigabyte of one."""
    path = version_2(tmp_path / "a.zarr", b"\0" * 4096, None, [{"id": "packbits"}] * 10)
    told(path)


@pytest.mark.parametrize("kind", ["<U100000000", "|S999999999", "|O", [["a", "<f8", [9999999]]]])
@pytest.mark.parametrize("key", ["encode_dtype", "decode_dtype"])
def test_filters_of_no_plain_numbers_are_refused(tmp_path, kind, key):
    config = {"id": "astype", "encode_dtype": "<u2", "decode_dtype": "<u2", key: kind}
    path = version_2(tmp_path / "a.zarr", b"\0" * 1200, None, [config])
    told(path, SrkitError)


def test_files_larger_than_a_chunk_can_be_are_not_read(tmp_path):
    """A file with a hole, which takes no place on the disk."""
    paths = [
        version_2(tmp_path / "a.zarr", b"", None) / "0.0",
        version_3(tmp_path / "b.zarr", b"", [BYTES]) / "c" / "0" / "0",
    ]
    for path in paths:
        os.truncate(path, 1 << 40)
    told(tmp_path / "a.zarr", match="0.0 takes")
    told(tmp_path / "b.zarr", match="c/0/0 takes")
    os.truncate(tmp_path / "b.zarr" / "zarr.json", 1 << 40)
    told(tmp_path / "b.zarr", match="far larger")


def test_a_blosc_chunk_shorter_than_it_says_is_damage(tmp_path):
    """The library reads beyond its end."""
    good = bytes(numcodecs.Blosc(shuffle=0).encode(np.arange(600, dtype=np.uint16)))
    longer = bytearray(good)
    longer[12:16] = struct.pack("<I", 1 << 30)
    for number, data in enumerate((good[:-40], bytes(longer), good[:7], b"")):
        path = version_2(tmp_path / f"{number}.zarr", data, {"id": "blosc"})
        told(path, CorruptFileError)


@pytest.mark.parametrize("name", ["gzip", "zlib", "bz2", "lzma", "lz4", "zstd"])
def test_chunks_that_end_early_are_damage(tmp_path, name):
    data = bytes(numcodecs.get_codec({"id": name}).encode(PIXELS))
    for length in (0, 3, len(data) // 2, len(data) - 1):
        path = version_2(tmp_path / f"{length}.zarr", data[:length], {"id": name})
        told(path, CorruptFileError)


def test_dictionaries_of_lzma_are_bounded(tmp_path):
    """A chunk of some hundred bytes asks for a dictionary of 1.5 GB."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1536 << 20}]
    small = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]
    packed = bytearray(lzma.compress(PIXELS.tobytes(), lzma.FORMAT_XZ, filters=small))
    for number, data in enumerate((lzma.compress(b"a", lzma.FORMAT_RAW, filters=small),)):
        config = {"id": "lzma", "format": lzma.FORMAT_RAW, "filters": filters}
        told(version_2(tmp_path / f"{number}.zarr", data, config), match="dictionary")
    # In the head of the block, behind that of the stream: the filter's one byte of settings.
    at = packed.index(bytes([0x21, 0x01]), 12)
    packed[at + 2] = 39  # 3 GB, by the specification of .xz
    size = (packed[12] + 1) * 4
    packed[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(packed[12 : 12 + size - 4]))
    told(version_2(tmp_path / "xz.zarr", bytes(packed), {"id": "lzma"}), SrkitError)


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_an_index_that_is_packed_is_refused(tmp_path, name):
    codecs, _ = sharded("gzip", 4)
    codecs[0]["configuration"]["index_codecs"] = [BYTES, codec(name)]
    told(version_3(tmp_path / "a.zarr", b"", codecs), match="index is packed")


def test_chunks_far_too_many_are_refused_before_they_are_counted_out(tmp_path):
    """268 million chunks of a pixel, none of which is there."""
    side = 1 << 14
    for version in (2, 3):
        path = tmp_path / f"{version}.zarr"
        if version == 2:
            version_2(path, None, None, shape=[side, side], chunks=[1, 1])
        else:
            inside = {"chunk_shape": [1, 1], "codecs": [BYTES], "index_codecs": [BYTES]}
            codecs = [{"name": "sharding_indexed", "configuration": inside}]
            grid = {"name": "regular", "configuration": {"chunk_shape": [side, side]}}
            version_3(path, None, codecs, shape=[side, side], chunk_grid=grid)
        told(path, ImageError, "far too many")


def test_small_pictures_may_have_chunks_of_a_pixel(tmp_path):
    zarr.create_array(store=tmp_path / "a.zarr", shape=SHAPE, chunks=(1, 1), dtype="uint16")[:] = (
        PIXELS
    )
    np.testing.assert_array_equal(srkit.read_image(tmp_path / "a.zarr").pixels, PIXELS)


def test_shards_within_shards_are_bounded_at_each_level(tmp_path):
    deepest = {"chunk_shape": [5, 6], "codecs": [BYTES, codec("gzip")], "index_codecs": [BYTES]}
    inside = {
        "chunk_shape": [10, 15],
        "codecs": [
            {"name": "sharding_indexed", "configuration": deepest | {"chunk_shape": [5, 5]}}
        ],
        "index_codecs": [BYTES, {"name": "crc32c"}],
    }
    codecs = [{"name": "sharding_indexed", "configuration": inside}]
    path = version_3(tmp_path / "a.zarr", None, codecs)
    zarr.open_array(path, mode="r+")[:] = PIXELS
    np.testing.assert_array_equal(srkit.read_image(path).pixels, PIXELS)


def test_chunks_far_larger_than_their_picture_are_refused(tmp_path):
    path = version_2(tmp_path / "a.zarr", None, None, chunks=[1 << 20, 1 << 20])
    told(path, ImageError, "far larger than the picture")


def test_frames_that_zstandard_skips_are_skipped(tmp_path):
    """Other programs keep notes in them; their length is no size of pixels."""
    packed = bytes(numcodecs.Zstd().encode(PIXELS))
    note = struct.pack("<II", 0x184D2A53, 5) + b"hello"
    path = version_2(tmp_path / "a.zarr", packed + note, {"id": "zstd"})
    np.testing.assert_array_equal(srkit.read_image(path).pixels, PIXELS)
    told(version_2(tmp_path / "b.zarr", note + BOMBS["zstd"], {"id": "zstd"}))


def test_streams_of_lzma_are_counted(tmp_path):
    empty = lzma.compress(b"", lzma.FORMAT_XZ)
    path = version_2(
        tmp_path / "a.zarr", empty * 1200, {"id": "lzma"}, shape=[200, 300], chunks=[200, 300]
    )
    told(path, match="1000 streams")
    two = lzma.compress(PIXELS.tobytes()[:700]) + lzma.compress(PIXELS.tobytes()[700:])
    path = version_2(tmp_path / "b.zarr", two, {"id": "lzma"})
    np.testing.assert_array_equal(srkit.read_image(path).pixels, PIXELS)


def test_codecs_that_are_named_alone_are_known(tmp_path):
    told(version_3(tmp_path / "a.zarr", b"", ["bytes", "pickle"]), match="'pickle'")
