"""Bounds of checkpoints that no damaged file of the other tests comes to."""

import json
import struct
import zipfile

import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from hand_made_pickles import as_stream, as_zip, pickled

from srkit import CorruptFileError, SrkitError
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.checkpoints.network import MAX_NAME
from srkit.models.contents import safetensors_contents


def refused(path, kind=CorruptFileError, match=None):
    with pytest.raises(kind, match=match) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("order", [b"middle", b"little endian, or so"])
def test_a_byte_order_that_is_none_is_damage(tmp_path, order):
    torch.save({"a": torch.ones(3)}, tmp_path / "a.pth")
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as good,
        zipfile.ZipFile(tmp_path / "b.pth", "w") as made,
    ):
        for entry in good.infolist():
            odd = entry.filename.endswith("byteorder")
            made.writestr(entry.filename, order if odd else good.read(entry))
    refused(tmp_path / "b.pth", match="byte order|larger than")


def test_an_archive_of_two_pickles_is_no_checkpoint(tmp_path):
    path = as_zip(tmp_path / "a.pth", pickled({}))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("other/data.pkl", pickled({}))
    refused(path, match="not one that torch.save writes")


def test_names_longer_than_any_layer_has_are_out_of_proportion(tmp_path):
    torch.save({"a" * (MAX_NAME + 1): torch.ones(3)}, tmp_path / "a.pth")
    refused(tmp_path / "a.pth", match="out of proportion")
    torch.save({"a" * MAX_NAME: torch.ones(3)}, tmp_path / "a.pth")
    assert len(read_checkpoint(tmp_path / "a.pth").tensors) == 1


@pytest.mark.parametrize(
    "instructions", [b"(cos\nsystem\nios\nsystem\n.", b"c" + b"a" * (9 << 20), b"Papple\n."]
)
def test_instructions_of_other_times_are_refused(tmp_path, instructions):
    """INST, a name without an end, and a persistent id of text."""
    refused(as_stream(tmp_path / "a.pth", b"\x80\x02" + instructions), SrkitError)


@pytest.mark.parametrize("call", ["_rebuild_tensor_v2", "_rebuild_parameter", "_rebuild_tensor"])
@pytest.mark.parametrize("args", [b")", b"(K\x01K\x02t", b"(NNNNNNt"])
def test_records_of_tensors_that_are_none_are_damage(tmp_path, call, args):
    data = b"\x80\x02}X\x01\0\0\0actorch._utils\n" + call.encode() + b"\n" + args + b"Rs."
    refused(as_stream(tmp_path / "a.pth", data), SrkitError)


HEADERS = {
    "a list": b"[]",
    "no shape": b'{"w": {"dtype": "F32", "data_offsets": [0, 8]}}',
    "a shape of text": b'{"w": {"dtype": "F32", "shape": ["x"], "data_offsets": [0, 8]}}',
    "an offset too few": b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}',
    "no end": b"[" * 10_000,
    "more than there is": b'{"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}',
    "less than there is": b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}',
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_of_safetensors_are_judged_without_the_package(tmp_path, name):
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(HEADERS[name])) + HEADERS[name] + bytes(8))
    with pytest.raises(CorruptFileError, match=r"a\.safetensors"):
        safetensors_contents(path)
    refused(path)


def test_a_good_header_is_read_by_both(tmp_path):
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<2f", 1, 2))
    assert safetensors_contents(path).tensors["w"].shape == (2,)
    assert read_checkpoint(path).tensors["w"].tolist() == [1, 2]
