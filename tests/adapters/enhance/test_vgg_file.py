"""neural-enhance's file of VGG-19: read as data, hostile and damaged ones refused."""

import bz2
import os
import pickle
import struct

import numpy as np
import pytest

from srkit import CorruptFileError, UnsafeFileError, WeightsError
from srkit.adapters.readers.enhance.vgg import read_vgg, vgg_shapes

WIDTH = 4


def random_arrays():
    rng = np.random.default_rng(0)
    shapes = [shape for pair in vgg_shapes(WIDTH).values() for shape in pair]
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def file_of(path, content, protocol=2):
    path.write_bytes(bz2.compress(pickle.dumps(content, protocol)))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_vgg_is_read_from_a_list(tmp_path, protocol):
    arrays = random_arrays()
    found = read_vgg(file_of(tmp_path / "vgg19_conv.pkl.bz2", arrays, protocol), WIDTH)
    for n, (kernel, bias) in enumerate(found.values()):
        np.testing.assert_array_equal(kernel, arrays[2 * n])
        np.testing.assert_array_equal(bias, arrays[2 * n + 1])
    assert (min(found), max(found), len(found)) == ("conv1_1", "conv5_4", 16)
    assert sum(np.prod(shape) for pair in vgg_shapes().values() for shape in pair) == 20_024_384


class Hostile:
    def __reduce__(self):
        return os.system, ("echo run",)


def test_hostile_pickles_are_refused(tmp_path):
    for content in (
        Hostile(),
        [*random_arrays(), Hostile()],
        [np.array([Hostile()])],
    ):
        with pytest.raises(UnsafeFileError, match="vgg"):
            read_vgg(file_of(tmp_path / "vgg.pkl.bz2", content), WIDTH)


def test_damaged_files_are_refused(tmp_path):
    path = file_of(tmp_path / "vgg.pkl.bz2", random_arrays())
    whole = path.read_bytes()
    announced = pickle.BINBYTES + struct.pack("<I", 1 << 30)
    for content, told in (
        (whole[: len(whole) // 2], "is cut off"),
        (whole[:-2], "is cut off"),
        (b"no bzip2" * 9, "is damaged"),
        (bz2.compress(b"\x80\x03" + announced), "more bytes"),
        (bz2.compress(bz2.decompress(whole) + b"more"), "goes on after"),
    ):
        path.write_bytes(content)
        with pytest.raises(CorruptFileError, match=told):
            read_vgg(path, WIDTH)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_vgg(tmp_path / "none.pkl.bz2")


def test_files_of_other_networks_are_refused(tmp_path):
    path, arrays = tmp_path / "vgg.pkl.bz2", random_arrays()
    for content, told in (
        (arrays[:-2], "no list of 32 arrays"),
        ([*arrays[:-1], "bias"], "no list of 32 arrays"),
        ({"conv1_1": arrays[:2]}, "no list of 32 arrays"),
        ([*arrays[:2], arrays[0], *arrays[3:]], r"conv1_2 has shapes \(4, 3, 3, 3\) and"),
        ([*arrays[:-1], arrays[-1] * np.nan], "conv5_4 holds values that are not numbers"),
    ):
        with pytest.raises(WeightsError, match=told):
            read_vgg(file_of(path, content), WIDTH)
    with pytest.raises(WeightsError, match=r"conv1_1 .* not \(64, 3, 3, 3\) and \(64,\)"):
        read_vgg(file_of(path, arrays))
