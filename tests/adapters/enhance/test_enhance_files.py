"""neural-enhance's files: read as data, from every Python and numpy; hostile ones refused."""

import bz2
import io
import os
import pickle
import pickletools
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srkit import CorruptFileError, SrkitError, UnsafeFileError, WeightsError
from srkit.adapters.readers.enhance import files
from srkit.adapters.readers.enhance.config import Config
from srkit.adapters.readers.enhance.files import EnhanceWeights, packed_weights, read_weights

CONFIG = Config(upscale=1, downscale=0, blocks=1, filters=(4,))
RNG = np.random.default_rng(0)


def layers(config=CONFIG):
    return {
        name: [RNG.standard_normal(shape).astype(np.float16) for shape in shapes]
        for name, shapes in config.shapes().items()
    }


def saved(path, content, protocol=3):
    path.write_bytes(bz2.compress(pickle.dumps(content, protocol)))
    return path


def raw(path, data):
    path.write_bytes(bz2.compress(data))
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ne2x-photo-default-0.3.pkl.bz2"


def assert_layers(weights, wanted):
    assert weights.layers.keys() == wanted.keys()
    for name, arrays in wanted.items():
        for found, array in zip(weights.layers[name], arrays, strict=True):
            np.testing.assert_array_equal(found, array.astype(np.float32))


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_files_of_every_protocol(path, protocol):
    wanted = layers()
    weights = read_weights(saved(path, (CONFIG.as_dict(), wanted), protocol))
    assert weights.config == CONFIG
    assert_layers(weights, wanted)


def test_names_of_numpy_1_and_2(path):
    wanted = layers()
    data = pickle.dumps((CONFIG.as_dict(), wanted), 3)
    old = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    for content in (old, old.replace(b"numpy.core.multiarray", b"numpy._core.multiarray")):
        assert_layers(read_weights(raw(path, content)), wanted)


def python_2(content):
    """The same pickle with texts as Python 2 has them: strings of bytes."""
    out = io.BytesIO()
    data = pickle.dumps(content, 2)
    spots = list(pickletools.genops(data))
    for (opcode, arg, start), after in zip(
        spots, [*spots[1:], (None, None, len(data))], strict=True
    ):
        if opcode.name == "BINUNICODE":
            text = arg.encode("latin-1")
            out.write(b"T" + struct.pack("<i", len(text)) + text)
        else:
            out.write(data[start : after[2]])
    return out.getvalue()


def test_files_of_python_2(path):
    wanted = layers()
    content = python_2((CONFIG.as_dict(), wanted))
    # As Python 2 wrote it: no bytes, no text in Unicode, arrays' content as a string.
    assert b"generator_blocks" in content
    assert_layers(read_weights(raw(path, content)), wanted)


def test_files_of_python_2_in_its_own_protocol_of_text(path):
    """Protocol 0, whose bytes are quoted and escaped: the default of Python 2."""
    wanted = layers()
    data = python_2((CONFIG.as_dict(), wanted))
    out = io.BytesIO()
    spots = list(pickletools.genops(data))
    for (opcode, arg, start), after in zip(
        spots, [*spots[1:], (None, None, len(data))], strict=True
    ):
        if opcode.name == "BINSTRING":
            # As repr wrote it there: what is no ASCII may stand as it is, or escaped.
            raw_text = arg.encode("latin-1").replace(b"\\", b"\\\\").replace(b"'", b"\\'")
            out.write(b"S'" + raw_text.replace(b"\n", b"\\n").replace(b"\r", b"\\r") + b"'\n")
        else:
            out.write(data[start : after[2]])
    assert any(byte > 127 for byte in out.getvalue())
    assert_layers(read_weights(raw(path, out.getvalue())), wanted)


def _array_of(shape_code):
    """A pickle of one array whose shape is what the given instructions leave."""
    return (
        b"\x80\x03cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
        b"(K\x01" + shape_code + b"cnumpy\ndtype\nX\x02\x00\x00\x00f4K\x00K\x01\x87R\x89C\x00tb."
    )


@pytest.mark.parametrize(
    "shape",
    [
        # One number of a megabyte on eight axes; and one beside a zero, so that no byte is due.
        b"(\x8b"
        + struct.pack("<i", 1 << 20)
        + b"\x7f" * (1 << 20)
        + b"q\x00"
        + b"h\x00" * 7
        + b"t",
        b"K\x00\x8b" + struct.pack("<i", 2500) + b"\x7f" * 2500 + b"\x86",
    ],
)
def test_shapes_of_absurd_numbers_are_refused_before_they_are_multiplied(path, shape):
    begun = time.process_time()
    with pytest.raises(CorruptFileError, match="shape in its pickle is malformed"):
        read_weights(raw(path, _array_of(shape)))
    # To multiply them takes minutes.
    assert time.process_time() - begun < 5


def test_names_of_layers_are_not_spelled_out_where_they_are_huge(path):
    text = "\x01" * (1 << 21)
    extra = {(text,) * 8: [], "x" * 500: []}
    saved(path, (CONFIG.as_dict(), layers() | extra))
    tracemalloc.start()
    with pytest.raises(WeightsError, match=r"no place for the layers 'x{40}', tuple$"):
        read_weights(path)
    assert tracemalloc.get_traced_memory()[1] < 24 << 20
    tracemalloc.stop()


def test_doubles_that_no_float_holds_are_no_numbers(path):
    huge = {name: [array.astype(np.float64) for array in found] for name, found in layers().items()}
    huge["out"][1][0] = 1e300
    with pytest.raises(WeightsError, match="out holds values that are not numbers"):
        read_weights(saved(path, (CONFIG.as_dict(), huge)))


def test_arrays_that_run_by_columns_or_have_other_byte_orders(path):
    wanted = layers()
    odd = {
        name: [np.asfortranarray(array.astype(">f4")) for array in arrays]
        for name, arrays in wanted.items()
    }
    assert_layers(read_weights(saved(path, (CONFIG.as_dict(), odd))), wanted)


def test_what_is_written_is_what_is_read_and_has_the_old_names(path):
    wanted = layers()
    weights = EnhanceWeights(CONFIG, {k: tuple(map(np.float32, v)) for k, v in wanted.items()})
    path.write_bytes(packed_weights(weights))
    assert_layers(read_weights(path), wanted)
    content = bz2.decompress(path.read_bytes())
    named = {arg for opcode, arg, _ in pickletools.genops(content) if opcode.name == "GLOBAL"}
    assert named == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"}
    # Python's own unpickler gets what the original program would.
    config, params = pickle.loads(content)
    assert config == CONFIG.as_dict()
    assert {array.dtype for arrays in params.values() for array in arrays} == {np.dtype(np.float16)}


def test_numbers_beyond_half_precision_are_refused(path):
    found = {k: tuple(map(np.float32, v)) for k, v in layers().items()}
    found["out"][1][0] = 1e6
    with pytest.raises(WeightsError, match="layer out does not fit half precision"):
        packed_weights(EnhanceWeights(CONFIG, found))


# --- hostile -----------------------------------------------------------------------------------


class Calls:
    """Pickled, it asks for a call."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def touch(tmp_path):
    return Calls(os.system, f"touch {tmp_path / 'acted'}")


PAYLOADS = {
    "a call": touch,
    "a call within layers": lambda p: (CONFIG.as_dict(), layers() | {"out": [touch(p)]}),
    "a call within the config": lambda p: (CONFIG.as_dict() | {"x": touch(p)}, layers()),
    "a call as a key": lambda p: {("a", touch(p)): 1},
    "eval": lambda p: Calls(eval, f"open({str(p / 'acted')!r}, 'w')"),
    "exec": lambda p: Calls(exec, f"open({str(p / 'acted')!r}, 'w')"),
    "open": lambda p: Calls(open, str(p / "acted"), "w"),
    "getattr": lambda p: Calls(getattr, "a", "upper"),
    "a Path": lambda p: p,
    "numpy.load": lambda p: Calls(np.load, str(p / "x.npy")),
    "numpy.fromfile": lambda p: Calls(np.fromfile, str(p / "x")),
    "an array of objects": lambda p: (CONFIG.as_dict(), {"out": [np.array([touch(p)], object)]}),
    "a set": lambda p: {1, 2},
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_payloads_are_refused_and_do_not_act(path, tmp_path, name):
    with pytest.raises(UnsafeFileError, match="ne2x"):
        read_weights(saved(path, PAYLOADS[name](tmp_path)))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_pickled_bytes_that_act_in_python(path, tmp_path):
    """The first payload is no phantom."""
    data = pickle.dumps(touch(tmp_path))
    pickle.loads(data)
    assert (tmp_path / "acted").exists()


def test_a_bomb_is_refused_early(path, monkeypatch):
    monkeypatch.setattr(files, "MOST_BYTES", 1 << 20)
    # A megabyte of text in a few hundred bytes of file.
    bomb = b"\x80\x03" + b"X" + struct.pack("<I", 1 << 30) + b"a" * (1 << 21)
    with pytest.raises(CorruptFileError, match="more bytes than"):
        read_weights(raw(path, bomb))
    many = b"\x80\x03" + (b"C\xff" + b"a" * 255 + b"0") * 10_000
    with pytest.raises(CorruptFileError, match="more bytes than"):
        read_weights(raw(path, many))


def test_texts_that_are_encoded_often_are_copied_never(path):
    """Each call asked for a copy of a text: a few bytes of file for all of memory."""
    text = b"X" + struct.pack("<I", 1 << 22) + b"a" * (1 << 22) + b"q\x00"
    codec = b"X" + struct.pack("<I", 6) + b"latin1" + b"q\x01"
    call = b"c_codecs\nencode\nh\x00h\x01\x86R"
    raw(path, b"\x80\x02]" + text + codec + b"00(" + call * 500 + b"e.")
    tracemalloc.start()
    with pytest.raises(WeightsError, match="no pair"):
        read_weights(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 << 20


def test_what_is_long_is_not_repeated_in_messages(path):
    array = np.zeros(1, np.float16)
    with pytest.raises(WeightsError) as caught:
        read_weights(saved(path, (CONFIG.as_dict(), layers() | {"out": [array] * 100_000})))
    assert len(str(caught.value)) < 1000
    with pytest.raises(WeightsError, match="generator_blocks is int"):
        read_weights(saved(path, (CONFIG.as_dict() | {"generator_blocks": 1 << 20_000}, layers())))


# --- damaged and wrong -----------------------------------------------------------------------


def test_cut_off_and_damaged_files(path):
    whole = saved(path, (CONFIG.as_dict(), layers())).read_bytes()
    for length in (4, 40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CorruptFileError):
            read_weights(path)
    path.write_bytes(whole[:100] + b"\x00" * 50 + whole[150:])
    with pytest.raises(CorruptFileError):
        read_weights(path)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_weights(path.with_name("none.pkl.bz2"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_altered_pickles_raise_typed_errors_or_are_read(data):
    content = bytearray(pickle.dumps((CONFIG.as_dict(), layers()), 3))
    for _ in range(data.draw(st.integers(1, 5))):
        end = data.draw(st.sampled_from([400, len(content)]))
        content[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    folder = Path(os.environ.get("TMPDIR", "/tmp")) if os.name != "nt" else Path.cwd()
    spot = folder / f"srkit-fuzz-{os.getpid()}.pkl.bz2"
    try:
        raw(spot, bytes(content))
        read_weights(spot)
    except SrkitError:
        pass
    finally:
        spot.unlink(missing_ok=True)


CONFIGS = {
    "a million blocks": ({"generator_blocks": 1_000_000}, "generator_blocks is 1000000"),
    "a negative number": ({"generator_upscale": -1}, "generator_upscale is -1"),
    "a text": ({"generator_blocks": "4"}, "generator_blocks is str"),
    "a truth value": ({"generator_downscale": True}, "generator_downscale is True"),
    "no filters": ({"generator_filters": []}, "generator_filters has 0"),
    "enormous filters": ({"generator_filters": [1 << 40]}, "generator_filters is"),
    "shrinking": ({"generator_downscale": 2}, "it shrinks images"),
    "enormous in all": (
        {"generator_blocks": 256, "generator_filters": [1024]},
        r"a network of \d+ numbers",
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_that_no_network_has(path, name):
    change, told = CONFIGS[name]
    with pytest.raises(WeightsError, match=told):
        read_weights(saved(path, (CONFIG.as_dict() | change, layers())))


def test_layers_that_do_not_fit(path):
    good = layers()

    def refused(told, changed):
        with pytest.raises(WeightsError, match=told):
            read_weights(saved(path, (CONFIG.as_dict(), changed)))

    refused("lack iter.0>", {k: v for k, v in good.items() if k != "iter.0>"})
    refused("no place for the layers 'disc1'", good | {"disc1": good["out"]})
    refused(r"layer out holds \(3, 4, 7, 7\), where", good | {"out": good["out"][:1]})
    refused("layer out holds no arrays", good | {"out": [1, 2]})
    turned = [good["out"][0].transpose(1, 0, 2, 3), good["out"][1]]
    refused("layer out holds", good | {"out": turned})
    refused("not numbers", good | {"iter.0>": [np.full(4, np.nan, np.float16)]})
    for other in ([1, 2, 3], {"a": 1}, (CONFIG.as_dict(),), "text", None):
        with pytest.raises(WeightsError, match="no pair of a config and layers"):
            read_weights(saved(path, other))
    short = {k: v for k, v in CONFIG.as_dict().items() if k != "generator_blocks"}
    with pytest.raises(WeightsError, match="no generator_blocks"):
        read_weights(saved(path, (short, good)))


@pytest.mark.parametrize(
    ("config", "scale", "numbers"),
    [
        # Sizes of specs that were counted apart: the original's defaults and two published nets.
        (Config(2, 0, 4, (64,), 2), 4, 462_851),
        (Config(1, 0, 8, (128,)), 2, 1_810_435),
        (Config(2, 2, 8, (128,)), 1, 2_926_083),
    ],
)
def test_sizes_of_the_networks_that_people_have(config, scale, numbers):
    assert (config.scale, config.numbers) == (scale, numbers)
