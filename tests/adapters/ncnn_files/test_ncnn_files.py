"""Pairs of ncnn files are judged without torch and without ncnn, and refused where need be."""

import random
import struct
import time
import tracemalloc

import numpy as np
import pytest
from ncnn_pairs import HALVES, Pair, all_layers, compact, judged, mutated, normal, shrinking, tagged

import srkit
from srkit import CorruptFileError, SrkitError, UnsafeFileError, WeightsError
from srkit.adapters.readers.ncnn.files import contents, read_network
from srkit.adapters.readers.ncnn.network import understand
from srkit.models.registry import Registry

ESCAPE = "\x1b[31m"


def refusal(pair, kind=SrkitError):
    with pytest.raises(kind) as caught:
        # Networks that are understood may still not enlarge anything.
        _ = judged(pair).scale
    return str(caught.value)


# --- what is found out --------------------------------------------------------------------------


def test_scale_reach_and_channels_follow_from_the_graph():
    network = judged(compact(scale=3))
    assert (network.scale, network.channels, network.multiple) == (3, 3, 1)
    # One for each of four convolutions of 3x3.
    assert network.radius == 4


@pytest.mark.parametrize(
    ("up", "down", "kind", "radius"),
    [
        # A convolution, and at 1/4 pixels the two of bicubic interpolation.
        (4, 2, 3, 2),
        # Of bilinear interpolation by a half, both pixels lie inside.
        (4, 2, 2, 1),
        (2, 2, 1, 1),
    ],
)
def test_the_reach_of_interpolation_counts(up, down, kind, radius):
    network = judged(shrinking(up, down, kind))
    assert (network.scale, network.radius) == (up // down, radius)


def test_a_stride_makes_sides_multiples():
    down = Pair().conv("in", "half", normal(4, 3, 2, 2), None, "3=2")
    weight = tagged(normal(3, 4, 4, 4))
    down.add("Deconvolution", "half", "same", "0=3 1=4 3=2 4=1 6=192", weight)
    network = judged(down)
    assert (network.scale, network.multiple) == (1, 2)


def test_reflection_asks_for_images_as_large_as_it_needs():
    pair = Pair().add("Padding", "in", "wide", "0=2 1=2 2=2 3=2 4=2")
    network = judged(pair.conv("wide", "out", normal(3, 3, 5, 5)))
    assert (network.scale, network.multiple, network.radius) == (1, 3, 2)


def test_luma_is_known_by_the_first_kernel():
    pair = Pair().conv("in", "c", normal(4, 1, 3, 3), None, "4=1")
    assert judged(pair.add("PixelShuffle", "c", "out", "0=2")).channels == 1


@pytest.mark.parametrize("suffix", [".param", ".bin"])
def test_either_file_finds_the_other(tmp_path, suffix):
    path = compact().save(tmp_path, "mine.v2").with_suffix(suffix)
    assert read_network(path).scale == 2
    assert Registry().format_of(path).name == "ncnn network"


def test_what_a_model_holds_is_told_without_torch(tmp_path):
    found = contents(compact().save(tmp_path))
    assert found.header["scale"] == "x2"
    assert found.header["layers"].startswith("1 Input, 1 Split, 4 Convolution, 3 PReLU")
    facts = found.tensors["l2.weight"]
    assert (facts.shape, facts.dtype) == ((8, 3, 3, 3), "float16")
    sizes = [3 * 8 * 9, 8, 8, 8 * 8 * 9, 8, 8, 8 * 8 * 9, 8, 8, 8 * 12 * 9]
    assert found.numbers == sum(sizes)


def test_halves_of_an_odd_number_are_padded():
    pair = Pair().conv("in", "c", normal(3, 3, 1, 1), normal(3), tag=HALVES)
    network = judged(pair.add("Split", "c", "out"))
    np.testing.assert_array_equal(network.steps[1].operations[0].bias, normal(3))


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [".param", ".bin"])
def test_half_of_a_pair_is_refused(tmp_path, missing):
    path = compact().save(tmp_path)
    path.with_suffix(missing).unlink()
    other = path.with_suffix(".bin" if missing == ".param" else ".param")
    with pytest.raises(WeightsError, match=f"net{missing} does not lie beside it"):
        read_network(other)


@pytest.mark.parametrize(
    ("asked", "wanted", "told"),
    [
        (
            "net.param",
            "net.bin",
            "there is renamed.bin: if .*, name it net.bin",
        ),
        ("renamed.bin", "renamed.param", "there is net.param: if .*, name it renamed.param"),
    ],
)
@pytest.mark.parametrize("begin", [b"\x47\x6b\x30\x01", bytes(4)])
def test_a_pair_that_was_renamed_by_half_is_told_what_was_looked_for(
    tmp_path, asked, wanted, told, begin
):
    compact().save(tmp_path).with_suffix(".bin").rename(tmp_path / "renamed.bin")
    # Halves, or floats as they are, which begin as many files do.
    data = (tmp_path / "renamed.bin").read_bytes()
    (tmp_path / "renamed.bin").write_bytes(begin + data[4:])
    assert Registry().format_of(tmp_path / asked).name == "ncnn network"
    with pytest.raises(WeightsError, match=f"half {wanted} does not lie beside it; in .* {told}"):
        read_network(tmp_path / asked)


def test_of_many_files_where_the_other_half_is_not_some_are_named(tmp_path):
    compact().save(tmp_path).with_suffix(".bin").unlink()
    for name in "dbeca":
        (tmp_path / f"{name}.bin").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"there are a\.bin, b\.bin, c\.bin, …: if it"):
        read_network(tmp_path / "net.param")


def test_other_forms_of_ncnns_files_are_refused_by_name(tmp_path):
    binary = tmp_path / "net.param.bin"
    binary.write_bytes(struct.pack("<4i", 7767517, 2, 2, 0))
    assert srkit.inspect(binary).format == "ncnn network"
    assert "binary form" in srkit.inspect(binary).problem
    pnnx = b"7767517\n1 1\npnnx.Input in 0 1 0 #0=(1,3,8,8)f32\n"
    with pytest.raises(WeightsError, match=r"\.ncnn\.param"):
        understand(pnnx, b"")


def test_quantised_weights_are_refused_by_name():
    pair = Pair().conv("in", "out", normal(3, 3, 1, 1))
    pair.data = struct.pack("<I", 0x000D4B38) + bytes(12)
    assert "int8" in refusal(pair, WeightsError)
    pair.data = struct.pack("<I", 5) + bytes(1024 + 12)
    assert "table of 256" in refusal(pair, WeightsError)
    quantised = Pair().conv("in", "out", normal(3, 3, 1, 1), None, "8=1")
    assert "int8" in refusal(quantised, WeightsError)


def test_an_unknown_layer_is_unsafe_and_named():
    message = refusal(Pair().add("NoSuchThing", "in", "out"), UnsafeFileError)
    assert "NoSuchThing" in message
    assert "PixelShuffle" in message


def test_networks_that_need_their_own_program_say_so():
    cut = Pair().conv("in", "c", normal(12, 3, 3, 3)).add("PixelShuffle", "c", "out", "0=2")
    assert "2x - 4 columns of x" in refusal(cut, WeightsError)
    pooled = Pair().add("Split", "in", "a b").add("Pooling", "a", "mean", "0=1 4=1")
    message = refusal(pooled.add("BinaryOp", "b mean", "out", "0=2"), WeightsError)
    assert "over the whole image" in message


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (("Interp", "in", "out", "0=1 3=64 4=64"), "fixed size"),
        (("Interp", "in", "out", "0=2 1=2.0 2=2.0 6=1"), "corners"),
        (("Interp", "in", "out", "0=1 1=2.0 2=3.0"), "different factors"),
        (("Interp", "in", "out", "0=1 1=1.9 2=1.9"), "fraction"),
        (("Interp", "in", "out", "0=1 1=2 2=2"), "no number with a point"),
        (("Crop", "in", "out", "3=32 4=32 5=-233"), "fixed size"),
        (("Crop", "in", "out", "-23309=1,8 -23310=1,40 -23311=1,1"), "fixed size"),
        (("Crop", "in", "out", "19=0,1 20=1,2"), "computed"),
        (("BinaryOp", "in", "out", "0=40 1=1 2=1.0"), "number 40"),
        (("BinaryOp", "in", "out", "0=0 1=1 2=nan"), "'nan'"),
        (("PixelShuffle", "in", "out", "0=2"), "channels"),
        (("ReLU", "in", "out", "0=1e999"), "out of all proportion"),
        (("ReLU", "in", "out", "0=1.0 0=2.0"), "twice"),
        (("ReLU", "in", "out", "7=1"), "key 7"),
        (("ReLU", "in", "out", "-23300=3,1.0"), "array of 3"),
        (("ReLU", "nothing", "out"), "no layer before"),
        (("ReLU", "out", "out"), "no layer before"),
        (("ReLU", "in", "in"), "made twice"),
        (("ReLU", "in in", "out"), "2 inputs"),
        (("Concat", "in", "out", "0=1"), "axis 1"),
        (("Reshape", "in", "out", "0=-1"), "pixels"),
        (("Padding", "in", "out", "0=99999"), "99999"),
        (("Convolution", "in", "out", "0=-3 1=3 6=81"), "81 weights|needs"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_what_is_not_understood_is_refused_with_its_reason(layer, told):
    kind, given, made, *keys = layer
    pair = Pair().add(kind, given, made, *keys)
    with pytest.raises(SrkitError, match=told):
        judged(pair)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (b"7767517\n", b"7767516\n", "first line"),
        (b"\n12 13\n", b"\n13 13\n", "12 layers, and states 13"),
        (b"\n12 13\n", b"\n12 12\n", "13 blobs, and it states 12"),
        (b"\n12 13\n", b"\n12\n", "second line"),
        (b"\n12 13\n", b"\n12 99999999999\n", "32 bits"),
        (b" 1 2 in a b\n", b" 1 900000000 in a b\n", "900000000 outputs"),
        (b"0=8 1=3", b"0=1000000000 1=3", "channels|weights|numbers|needs"),
        (b"6=216", b"6=2000000000", "needs"),
        (b"6=216", b"6=215", "215 weights"),
    ],
)
def test_damaged_lines_are_told(before, after, told):
    pair = compact()
    assert before in pair.text
    with pytest.raises(SrkitError, match=told):
        understand(pair.text.replace(before, after, 1), pair.data)


def test_a_text_that_is_cut_off_never_passes_for_the_model():
    pair = compact()
    # From the last name on nobody can tell: it may be short, and its key has the default.
    for length in range(pair.text.rindex(b"out") + 1):
        with pytest.raises(SrkitError):
            understand(pair.text[:length], pair.data)


def test_a_bin_that_is_cut_off_or_too_long_is_damaged():
    pair = compact()
    for length in range(0, len(pair.data), 7):
        with pytest.raises(CorruptFileError, match="needs"):
            understand(pair.text, pair.data[:length])
    with pytest.raises(CorruptFileError, match="4 bytes more"):
        understand(pair.text, pair.data + bytes(4))


def test_weights_that_are_no_numbers_are_damaged():
    pair = Pair().conv("in", "out", np.full((3, 3, 1, 1), np.nan))
    assert "infinite, or none" in refusal(pair, CorruptFileError)


def test_names_are_shown_without_what_a_terminal_obeys():
    for kind, name in ((f"Evil{ESCAPE}", "a"), ("ReLU", f"out{ESCAPE}")):
        text = Pair().add("ReLU", "in", "x").text.replace(b"ReLU", kind.encode())
        text = text.replace(b" in x", f" {name} x".encode())
        with pytest.raises(SrkitError) as caught:
            understand(text, b"")
        assert "\x1b" not in str(caught.value)
        assert "31m" in str(caught.value)


# --- out of all proportion ----------------------------------------------------------------------


def many_channels():
    pair, names = Pair().add("Concat", "in in", "c0"), "c0"
    for number in range(40):
        pair.add("Concat", f"{names} {names}", f"c{number + 1}")
        names = f"c{number + 1}"
    return pair


def much_larger():
    pair = Pair()
    for number in range(40):
        pair.add("Interp", f"{number or 'in'}", f"{number + 1}", "0=1 1=16.0 2=16.0")
    return pair


def far_apart():
    pair = Pair()
    for number in range(400):
        pair.add("Padding", f"{number or 'in'}", f"{number + 1}", "0=64 2=64")
    return pair


def all_at_once():
    pair = Pair().add("Interp", "in", "large", "0=1 1=16.0 2=16.0")
    copies = [f"r{number}" for number in range(900)]
    for name in copies:
        pair.add("UnaryOp", "large", name, "0=0")
    return pair.add("Concat", " ".join(copies), "out")


def long_filters():
    pair = Pair().conv("in", "many", normal(2048, 3, 1, 1))
    return pair.add("Interp", "many", "out", "0=3 1=1.0666667 2=1.0666667")


@pytest.mark.parametrize("make", [many_channels, much_larger, far_apart, all_at_once, long_filters])
def test_what_is_out_of_proportion_is_refused_before_memory_is_taken(make):
    pair = make()
    tracemalloc.start()
    begun = time.monotonic()
    assert refusal(pair, UnsafeFileError)
    took, (_, peak) = time.monotonic() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
    assert took < 10


def test_files_larger_than_any_model_are_not_read(tmp_path):
    path = compact().save(tmp_path)
    with path.with_suffix(".bin").open("r+b") as file:
        file.truncate(3 << 30)
    with pytest.raises(UnsafeFileError, match="3221225472 bytes"):
        read_network(path)


# --- damage at random ---------------------------------------------------------------------------


def test_damage_at_random_gives_errors_of_srkits_or_a_network():
    chance, outcomes = random.Random(1), set()
    pairs = [compact(), shrinking(4, 2), all_layers()]
    for number in range(3000):
        pair = pairs[number % len(pairs)]
        try:
            network = understand(*mutated(pair.text, pair.data, chance))
            outcomes.add(f"a network {network.scale}")
        except SrkitError as error:
            outcomes.add(type(error).__name__)
    assert outcomes >= {"CorruptFileError", "UnsafeFileError", "WeightsError", "a network 2"}


def test_every_layer_that_changes_something_is_in_the_network_that_is_damaged():
    assert judged(all_layers()).steps
