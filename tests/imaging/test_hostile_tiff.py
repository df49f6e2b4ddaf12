"""TIFF files whose directories never end, lie upon each other or state no picture."""

import resource
import struct
import time

import numpy as np
import pytest
import tifffile

from srkit.errors import CorruptFileError, ImageError, SrkitError
from srkit.imaging.files.by_rows import open_rows, size_of
from srkit.imaging.files.reading import read_image
from srkit.imaging.files.tiff_directories import MOST_DIRECTORIES

PIXELS = np.arange(20 * 24 * 3, dtype=np.uint8).reshape(24, 20, 3)
WIDTH, LENGTH, TILE_WIDTH, TILE_LENGTH, DEPTH = 256, 257, 322, 323, 32997


def written(path, **options):
    tifffile.imwrite(path, PIXELS, photometric="rgb", **options)
    return bytearray(path.read_bytes())


def directory(data):
    """Where the first directory is, and where it names the next."""
    (at,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[at : at + 2])
    return at, at + 2 + 12 * count


def changed(data, code, *entry):
    """The file with a tag's type, number of values and value changed."""
    at, end = directory(data)
    for place in range(at + 2, end, 12):
        if struct.unpack("<H", data[place : place + 2])[0] == code:
            data[place + 2 : place + 12] = struct.pack("<HII", *entry)
            return data
    raise LookupError(code)


def refused(path, data, kind, match):
    """Told by all that open TIFF files, soon and without much memory."""
    path.write_bytes(data)
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(kind, match=match):
        read_image(path)
    with pytest.raises(SrkitError), open_rows(path) as rows:
        rows[0:1, 0:1]
    size_of(path)
    assert time.process_time() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


@pytest.mark.parametrize("length", [1, 2, 3, 150])
def test_directories_in_a_circle_are_damage_however_long_it_is(tmp_path, length):
    data = written(tmp_path / "a.tif")
    _, place = directory(data)
    first = len(data)
    for n in range(length):
        data[place : place + 4] = struct.pack("<I", len(data))
        place = len(data) + 2
        data += struct.pack("<HI", 0, first if n == length - 1 else 0)
    refused(tmp_path / "a.tif", data, CorruptFileError, "a directory twice")


def test_a_directory_that_names_itself(tmp_path):
    data = written(tmp_path / "a.tif")
    at, place = directory(data)
    data[place : place + 4] = struct.pack("<I", at)
    refused(tmp_path / "a.tif", data, CorruptFileError, "a directory twice")


def test_a_big_tiff_whose_directory_names_itself(tmp_path):
    data = written(tmp_path / "a.tif", bigtiff=True)
    (at,) = struct.unpack("<Q", data[8:16])
    (count,) = struct.unpack("<Q", data[at : at + 8])
    place = at + 8 + 20 * count
    data[place : place + 8] = data[8:16]
    refused(tmp_path / "a.tif", data, CorruptFileError, "a directory twice")


def test_chains_of_many_directories(tmp_path):
    data = written(tmp_path / "a.tif")
    _, place = directory(data)
    for _ in range(MOST_DIRECTORIES):
        data[place : place + 4] = struct.pack("<I", len(data))
        place = len(data) + 2
        data += struct.pack("<HI", 0, 0)
    refused(tmp_path / "a.tif", data, ImageError, "over 1000 frames or pages")


def test_lists_of_strips_that_lie_upon_each_other(tmp_path):
    data = written(tmp_path / "a.tif", rowsperstrip=1)
    data += bytes(1 << 20)
    _, place = directory(data)
    entry = struct.pack("<HHII", 273, 4, 1 << 18, 8)
    for _ in range(20):
        data[place : place + 4] = struct.pack("<I", len(data))
        place = len(data) + 2 + 12
        data += struct.pack("<H", 1) + entry + bytes(4)
    refused(tmp_path / "a.tif", data, CorruptFileError, "they overlap")


@pytest.mark.parametrize("code", [WIDTH, LENGTH])
def test_sides_that_are_no_numbers(tmp_path, code):
    data = changed(written(tmp_path / "a.tif"), code, 3, 2, 7 | 9 << 16)
    refused(tmp_path / "a.tif", data, CorruptFileError, "no number|damaged")


@pytest.mark.parametrize("code", [WIDTH, LENGTH])
def test_pictures_of_no_pixels(tmp_path, code):
    data = changed(written(tmp_path / "a.tif"), code, 4, 1, 0)
    refused(tmp_path / "a.tif", data, SrkitError, "empty|damaged")


def test_tiles_far_larger_than_the_picture(tmp_path):
    data = written(tmp_path / "a.tif", tile=(16, 16), compression="zlib")
    data = changed(data, TILE_WIDTH, 4, 1, 1 << 20)
    data = changed(data, TILE_LENGTH, 4, 1, 1 << 20)
    refused(tmp_path / "a.tif", data, CorruptFileError, "larger than its picture")


def test_rows_wider_than_the_file_can_hold(tmp_path):
    data = changed(written(tmp_path / "a.tif"), WIDTH, 4, 1, 1 << 30)
    refused(tmp_path / "a.tif", data, SrkitError, "pixels, more than the limit|damaged")


def test_what_is_in_proportion_is_read(tmp_path):
    path = tmp_path / "a.tif"
    for options in ({}, {"bigtiff": True}, {"tile": (512, 512)}, {"rowsperstrip": 1}):
        written(path, **options)
        np.testing.assert_array_equal(read_image(path).pixels, PIXELS)
        with open_rows(path) as rows:
            np.testing.assert_array_equal(rows[0:24, 0:20], PIXELS)


@pytest.mark.parametrize("seed", range(4))
def test_altered_directories_raise_nothing_else(tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path / "a.tif"
    whole = [written(path), written(path, bigtiff=True), written(path, tile=(16, 16))]
    for _ in range(40):
        data = bytearray(whole[rng.integers(3)])
        for place in rng.integers(min(len(data), 320), size=int(rng.integers(1, 5))):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        try:
            read_image(path)
            with open_rows(path) as rows:
                rows[0 : rows.shape[0], 0 : rows.shape[1]]
        except SrkitError:
            continue
