"""Checkpoints whose small files ask for much, or state what is no number."""

import json
import struct
import time
from collections import OrderedDict

import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from hand_made_pickles import as_stream, as_zip, pickled, text

from srkit import CorruptFileError, UnsafeFileError
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.models.contents import MOST_HEADER, safetensors_contents

TRUE, ONE = b"\x88", b"K\x01"


def stored(numel):
    """A storage of bytes, by its persistent id."""
    return b"(" + text("storage") + b"ctorch\nByteStorage\n" + text(0) + text("cpu") + numel + b"tQ"


def tensor(numel=ONE, offset=b"K\x00", side=ONE, stride=ONE):
    """A state dict of one tensor of one byte."""
    view = stored(numel) + offset + side + b"\x85" + stride + b"\x85" + b"\x89" + b"}"
    return b"\x80\x02}" + text("a") + b"ctorch._utils\n_rebuild_tensor_v2\n(" + view + b"tRs."


GIANT = b"\x8b" + struct.pack("<i", 1 << 20) + b"\x7f" * (1 << 20)
ODD = {
    "a side that is true": tensor(side=TRUE),
    "a stride that is true": tensor(stride=TRUE),
    "an offset that is false": tensor(offset=b"\x89"),
    "a storage of a size that is true": tensor(numel=TRUE),
    "a storage of a giant size": tensor(numel=GIANT),
    "a giant side": tensor(side=GIANT),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_number_of_elements_is_told(tmp_path, name):
    zipped = as_zip(tmp_path / "a.pth", ODD[name], s0=b"x")
    stream = as_stream(tmp_path / "b.pth", ODD[name], pickled(["0"]), struct.pack("<q", 1) + b"x")
    for path in (zipped, stream):
        with pytest.raises(CorruptFileError, match=path.name):
            read_checkpoint(path)


def test_the_same_tensor_with_numbers_is_read(tmp_path):
    path = as_zip(tmp_path / "a.pth", tensor(), s0=b"x")
    assert read_checkpoint(path).tensors["a"].tolist() == [ord("x")]


def test_tensors_that_repeat_their_storage_without_end_are_refused(tmp_path):
    one = torch.zeros(1)
    path = tmp_path / "a.pth"
    torch.save({f"t{n}": one.expand(1 << 20) for n in range(5)}, path)
    with pytest.raises(UnsafeFileError, match="repeat what is stored"):
        read_checkpoint(path)


def test_wrappers_that_all_hold_the_same_are_looked_into_once(tmp_path):
    """Nine names for each of three dicts would be 729 ways to one of 50,000 tensors."""
    held = dict.fromkeys((f"t{n}" for n in range(50_000)), torch.zeros(1)) | {"end": 0}
    names = ("generator", "params_ema", "params-ema", "average", "params", "model_state_dict")
    for _ in range(3):
        held = OrderedDict.fromkeys((*names, "state_dict", "model", "net"), held)
    path = tmp_path / "a.pth"
    torch.save(held, path)
    began = time.process_time()
    with pytest.raises(Exception, match="no network found"):
        read_checkpoint(path)
    assert time.process_time() - began < 10


def test_a_header_out_of_proportion_is_refused_unread(tmp_path):
    path = tmp_path / "a.safetensors"
    header = json.dumps({"__metadata__": {"a": "x" * MOST_HEADER}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    for read in (read_checkpoint, safetensors_contents):
        with pytest.raises(UnsafeFileError, match="its header takes"):
            read(path)
