"""Checkpoints that are damaged, on purpose or not: typed errors, bounded time and memory."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from unittest import mock

import pytest
import torch
from hand_made_pickles import FOUR, MODULE, as_stream, as_zip, both, pickled, storage, tensor, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from tutorial_checkpoints import assert_same, save_srgan

from srkit.adapters.pytorch.checkpoints import archive, read_checkpoint
from srkit.adapters.readers.pickles import machine
from srkit.errors import CorruptFileError, SrkitError, UnsafeFileError, WeightsError


def test_the_hand_made_tensor_is_good(tmp_path):
    for path in both(tmp_path, tensor(storage())):
        assert read_checkpoint(path).tensors["w"].tolist() == [1, 2, 3, 4]


BAD_TENSORS = {
    "offset beyond": tensor(storage(), offset=5, size=(0,)),
    "offset negative": tensor(storage(), offset=-1, size=(1,)),
    "size beyond": tensor(storage(), size=(5,)),
    "size negative": tensor(storage(), size=(-4,)),
    "stride beyond": tensor(storage(), stride=(2,)),
    "stride negative": tensor(storage(), offset=3, stride=(-1,)),
    "stride zero, enormous": tensor(storage(), size=(1 << 40,), stride=(0,)),
    "stride zero, enormous product": tensor(storage(), size=(1 << 15,) * 9, stride=(0,) * 9),
    "empty but enormous": tensor(storage(), size=(0, 1 << 62), stride=(1, 1)),
    "absurd stride": tensor(storage(), size=(1,), stride=(1 << 62,)),
    "more strides than sizes": tensor(storage(), stride=(1, 1)),
    "too many dimensions": tensor(storage(), size=(1,) * 99, stride=(1,) * 99),
    "size of text": tensor(storage(), size=("4",)),
    "storage larger than the file": tensor(storage(numel=1 << 60)),
    "storage smaller than the entry": tensor(storage(numel=3), size=(3,)),
    "storage negative": tensor(storage(numel=-4), size=(0,)),
    "storage missing": tensor(storage(key="../../etc/passwd")),
    "two sizes of a storage": tensor(storage() + b"0" + storage(numel=2), size=(2,)),
    "storage of another kind": tensor(storage(what="file")),
    "storage of a class": tensor(storage(kind=b"cmodels\nSRResNet\n")),
    "storage of text": tensor(storage(kind=text("torch.FloatStorage"))),
    "id of text": text("0") + b"Q.",
    "id of old": b"Pstorage\n.",
    "tensor without storage": tensor(b"N"),
    "rebuild without arguments": b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
    "parameter of no tensor": b"ctorch._utils\n_rebuild_parameter\n(NI01\n}tR.",
    "from_type by another function": (
        b"ctorch._tensor\n_rebuild_from_type_v2\n(ccollections\nOrderedDict\nctorch\nTensor\n)}tR."
    ),
}


@pytest.mark.parametrize("name", BAD_TENSORS)
def test_tensors_that_do_not_fit_their_storage_are_corrupt(tmp_path, name):
    for path in both(tmp_path, BAD_TENSORS[name]):
        with pytest.raises(CorruptFileError):
            read_checkpoint(path)


def deep(opening: bytes, closing: bytes, depth: int = 200_000) -> bytes:
    return opening * depth + b"N" + closing * depth


ANNOUNCED = {
    "LONG4": b"\x8b\xff\xff\xff\x7f.",
    "BINSTRING": b"T\xff\xff\xff\x7f.",
    "BINUNICODE": b"X\xff\xff\xff\xff.",
    "BINUNICODE8": b"\x8d" + struct.pack("<Q", 1 << 40) + b".",
    "BINBYTES8": b"\x8e" + struct.pack("<Q", 1 << 62) + b".",
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", 1 << 40) + b".",
}


@pytest.mark.parametrize("name", ANNOUNCED)
@pytest.mark.parametrize("write", [as_zip, as_stream])
def test_announced_lengths_are_refused_before_memory_is_taken(tmp_path, write, name):
    with pytest.raises(CorruptFileError, match="announces more bytes"):
        read_checkpoint(write(tmp_path / "a.pth", ANNOUNCED[name]))


BOMBS = {
    "BINBYTES8 beyond": b"\x8e" + b"\xff" * 8 + b".",
    "LONG in text": b"L" + b"9" * 100_000 + b"L\n.",
    "float in text": b"F" + b"9" * 100_000 + b"x\n.",
    "nested lists as key": b"}" + deep(b"]", b"a") + b"Ns.",
    "nested tuples as key": b"}N" + b"\x85" * 200_000 + b"Ns.",
    "list as key": b"}]Ns.",
    "enormous number as key": b"}\x8a\x09" + b"\x01" * 9 + b"Ns.",
    "long tuple as key": b"}(" + b"N" * 100 + b"tNs.",
    "odd items": b"}(Nu.",
    "empty stack": b"R.",
    "missing mark": b"t.",
    "missing memo": b"h\x07.",
    "unknown opcode": b"\xff.",
    "no STOP": b"}",
    "two results": b"NN.",
    "open mark": b"}(.",
    "protocol 9": b"\x80\x09}.",
    "bad text": b"X\x02\x00\x00\x00\xff\xff.",
    "global without a name": b"NN\x93.",
    "arguments that are no tuple": b"ctorch\nSize\nNR.",
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("write", [as_zip, as_stream])
def test_bombs_and_nonsense_are_typed(tmp_path, write, name):
    with pytest.raises((CorruptFileError, UnsafeFileError)):
        read_checkpoint(write(tmp_path / "a.pth", BOMBS[name]))


@pytest.mark.parametrize(
    "data",
    [deep(b"]", b"a") + b".", b"N" + b"\x85" * 200_000 + b".", b"}" + deep(b"}N", b"s") + b"."],
    ids=["lists", "tuples", "dicts"],
)
def test_deep_nesting_does_not_crash_the_interpreter(tmp_path, data):
    with pytest.raises((WeightsError, CorruptFileError)):
        read_checkpoint(as_zip(tmp_path / "a.pth", data))


def test_an_enormous_memo_index_takes_no_memory(tmp_path):
    good = tensor(storage()).replace(b"}X", b"}r\xff\xff\xff\xffX", 1)
    for path in both(tmp_path, good):
        assert read_checkpoint(path).tensors["w"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(("limit", "most"), [("MAX_BYTES", 50), ("MAX_INSTRUCTIONS", 10)])
def test_long_pickles_are_refused(tmp_path, monkeypatch, limit, most):
    monkeypatch.setattr(machine, limit, most)
    for path in both(tmp_path, tensor(storage())):
        with pytest.raises(CorruptFileError, match="than a checkpoint needs"):
            read_checkpoint(path)


def module_with(children: bytes) -> bytes:
    """A pickled module; `children` makes the dict of its children."""
    tables = text("_parameters") + b"}" + text("_buffers") + b"}" + text("_modules")
    return MODULE + b"}(" + tables + children + b"ub"


def test_modules_that_multiply_are_refused(tmp_path):
    data = module_with(b"}")
    for level in range(40):
        memo = bytes([level])
        twice = b"}(" + text("a") + b"h" + memo + text("b") + b"h" + memo + b"u"
        data = data + b"q" + memo + b"0" + module_with(twice)
    with pytest.raises(CorruptFileError, match="out of proportion"):
        read_checkpoint(as_zip(tmp_path / "a.pth", data + b"."))


@pytest.mark.parametrize("name", ["", "a", "a" * 1000])
def test_a_module_that_holds_itself_is_refused(tmp_path, name):
    tables = text("_parameters") + b"}" + text("_buffers") + b"}" + text("_modules")
    data = MODULE + b"q\x01}(" + tables + b"}" + text(name) + b"h\x01sub."
    with pytest.raises(CorruptFileError, match="out of proportion"):
        read_checkpoint(as_zip(tmp_path / "a.pth", data))


def test_a_module_without_tables_is_corrupt(tmp_path):
    data = module_with(b"}" + text("a") + MODULE + b"s") + b"."
    with pytest.raises(CorruptFileError, match="malformed"):
        read_checkpoint(as_zip(tmp_path / "a.pth", data))


def test_an_archive_that_inflates_out_of_proportion_is_refused(tmp_path):
    zeros = 4 << 20
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/data.pkl", tensor(storage(numel=zeros // 4), size=(zeros // 4,)))
        file.writestr("a/data/0", bytes(zeros))
    with pytest.raises(UnsafeFileError, match="inflates"):
        read_checkpoint(tmp_path / "a.pth")


def test_entries_that_share_their_bytes_are_refused(tmp_path):
    path = as_zip(tmp_path / "a.pth", tensor(storage()), s0=bytes(4000))
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    last = data[data.rindex(b"PK\x01\x02") : end]
    copies = [last.replace(b"data/0", b"data/%c" % (48 + i)) for i in range(1, 70)]
    directory = data[start:end] + b"".join(copies)
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 71, 71, len(directory), start, 0)
    path.write_bytes(data[:start] + directory + tail)
    with pytest.raises(UnsafeFileError, match="inflates"):
        read_checkpoint(path)


def test_a_large_directory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_READ", 70)
    path = as_zip(tmp_path / "a.pth", tensor(storage()), s0=FOUR)
    with pytest.raises(CorruptFileError, match="directory is larger"):
        read_checkpoint(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused(tmp_path):
    path = as_zip(tmp_path / "a.pth", tensor(storage()), s0=FOUR)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("archive/data/0", FOUR)
    with pytest.raises(CorruptFileError, match="two entries"):
        read_checkpoint(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.pth", "w", method) as file:
        file.writestr("a/data.pkl", tensor(storage()))
    with pytest.raises(CorruptFileError, match="compressed"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("keys", "rest"),
    [
        (["0"], b""),
        (["0"], struct.pack("<q", 4) + FOUR[:-1]),
        (["0"], struct.pack("<q", 5) + FOUR),
        (["0"], struct.pack("<q", -1) + FOUR),
        (["1"], struct.pack("<q", 4) + FOUR),
        ([0], struct.pack("<q", 4) + FOUR),
        ([], struct.pack("<q", 4) + FOUR),
        (["0", "0"], (struct.pack("<q", 4) + FOUR) * 2),
        ("0", struct.pack("<q", 4) + FOUR),
    ],
)
def test_streams_whose_storages_do_not_fit_are_corrupt(tmp_path, keys, rest):
    path = as_stream(tmp_path / "a.pth", tensor(storage()), pickled(keys), rest)
    with pytest.raises(CorruptFileError):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "header",
    [
        b'{"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}',
        b'{"w": {"dtype": "F32", "shape": [99999999999999], "data_offsets": [0, 8]}}',
        b'{"w": {"dtype": "X", "shape": [], "data_offsets": [0, 0]}}',
        b"{" * 5000,
        b"{",
    ],
)
def test_damaged_safetensors_are_typed(tmp_path, header):
    (tmp_path / "a").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with pytest.raises(CorruptFileError, match="safetensors"):
        read_checkpoint(tmp_path / "a")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Good files of every kind as (bytes, tensors), small enough to be damaged often."""
    folder = tmp_path_factory.mktemp("good")
    paths = {name: folder / name for name in ("zip", "stream", "module", "safetensors")}
    state = {"w": torch.arange(4.0), "b": torch.ones(2, dtype=torch.bfloat16)}
    torch.save(state, paths["zip"])
    torch.save(state, paths["stream"], _use_new_zipfile_serialization=False)
    save_file(state, paths["safetensors"])
    save_srgan(paths["module"], stream=True)
    return {n: (p.read_bytes(), dict(read_checkpoint(p).tensors)) for n, p in paths.items()}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch") / "damaged.pth"


def read_damaged(path: Path, data: bytes):
    """The tensors, or None if refused with one of srkit's own errors."""
    path.write_bytes(data)
    with mock.patch("os.system", side_effect=AssertionError("run")):
        try:
            return read_checkpoint(path).tensors
        except SrkitError:
            return None


FUZZ = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("kind", ["zip", "stream", "module", "safetensors"])
@FUZZ
@given(st.data())
def test_damaged_files_are_typed_errors_or_read(good, scratch, kind, data):
    content, tensors = good[kind]
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4), "flips")):
        # Most bytes are numbers; the front, where the structure is, gets half of the hits.
        end = data.draw(st.sampled_from([min(600, len(content)), len(content)]))
        damaged[data.draw(st.integers(0, end - 1), "where")] = data.draw(st.integers(0, 255))
    found = read_damaged(scratch, bytes(damaged))
    if kind == "zip" and found is not None:
        assert_same(found, tensors)  # zip has checksums; the other formats have none


@pytest.mark.parametrize("kind", ["zip", "stream", "module", "safetensors"])
@FUZZ
@given(st.data())
def test_truncated_files_are_typed_errors(good, scratch, kind, data):
    content, _ = good[kind]
    length = data.draw(st.integers(0, len(content) - 1))
    assert read_damaged(scratch, content[:length]) is None


@FUZZ
@given(st.binary(max_size=200))
def test_random_pickles_are_typed_errors(scratch, data):
    as_stream(scratch, b"\x80\x02" + data)
    assert read_damaged(scratch, scratch.read_bytes()) is None


OPCODES = st.sampled_from(
    [
        *(bytes([opcode]) for opcode in b"()]}lt0124NabdeosuQR."),
        *(b"\x81", b"\x85", b"\x86", b"\x88", b"\x8f", b"\x90", b"\x91", b"\x93", b"\x94"),
        *(b"h\x00", b"q\x00", b"K\x01", text("a"), text("_modules"), storage()),
        *(b"cos\nsystem\n", b"cmodels\nSRResNet\n", b"ccollections\nOrderedDict\n"),
        *(b"ctorch\nSize\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"cbuiltins\nset\n"),
    ]
)


@FUZZ
@given(st.lists(OPCODES, max_size=40))
def test_random_instructions_are_typed_errors(scratch, opcodes):
    as_stream(scratch, b"\x80\x04" + b"".join(opcodes) + b".")
    assert read_damaged(scratch, scratch.read_bytes()) is None
