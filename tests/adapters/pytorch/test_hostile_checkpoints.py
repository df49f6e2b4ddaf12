"""Checkpoints that attack: each is really read, refused, and leaves no trace.

Every payload would create a marker file. Most are also run by Python's own pickle
first, to show that they bite.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys

import pytest
import torch
from hand_made_pickles import (
    MAGIC,
    MODULE,
    PAYLOADS,
    Call,
    as_stream,
    as_zip,
    nested_evil,
    pickled,
    text,
)
from tutorial_checkpoints import tutorial_models

from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.errors import UnsafeFileError


@pytest.fixture
def marker(tmp_path):
    """A file that must not exist when the test ends."""
    path = tmp_path / "marker"
    yield path
    assert not path.exists()


@pytest.mark.skipif(os.name != "posix", reason="payloads call touch")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", [name for name, (bites, _) in PAYLOADS.items() if bites])
def test_payloads_bite_where_pickle_reads_them(tmp_path, name):
    data = PAYLOADS[name][1](tmp_path / "marker")
    value = None
    with contextlib.suppress(Exception):  # some fail, but after the call
        value = pickle.loads(data)
    if isinstance(value, subprocess.Popen):
        value.wait()
    assert (tmp_path / "marker").exists()


def test_more_than_fifteen_payloads_are_tried():
    assert len(PAYLOADS) >= 15


@pytest.mark.parametrize("write", [as_zip, as_stream])
@pytest.mark.parametrize("name", PAYLOADS)
def test_payload_is_refused(tmp_path, marker, write, name):
    path = write(tmp_path / "evil.pth", PAYLOADS[name][1](marker))
    before = set(sys.modules)
    with pytest.raises(UnsafeFileError, match="its pickle"):
        read_checkpoint(path)
    assert all(name.startswith("encodings.") for name in set(sys.modules) - before)


@pytest.mark.parametrize("name", [name for name in PAYLOADS if "." in name])
def test_the_refusal_names_the_global_and_the_way_out(tmp_path, marker, name):
    path = as_zip(tmp_path / "evil.pth", PAYLOADS[name][1](marker))
    with pytest.raises(UnsafeFileError) as caught:
        read_checkpoint(path)
    assert f"names {name}," in str(caught.value)
    assert "state_dict" in str(caught.value)
    assert "evil.pth" in str(caught.value)


@pytest.mark.parametrize("position", range(5))
def test_each_pickle_of_a_stream_is_guarded(tmp_path, marker, position):
    pickles = [pickled(v) for v in (MAGIC, 1001, {}, {"w": 1}, [])]
    pickles[position] = nested_evil(marker)
    (tmp_path / "evil.pth").write_bytes(b"".join(pickles))
    # In the first place the file is no torch file either; it is still not run.
    with pytest.raises(UnsafeFileError, match=r"posix\.system"):
        read_checkpoint(tmp_path / "evil.pth")


@pytest.mark.parametrize("stream", [False, True], ids=["zip", "stream"])
@pytest.mark.parametrize("place", ["discriminator", "optimizer_d", "epoch"])
def test_payload_in_a_part_that_is_not_wanted_is_refused(tmp_path, marker, stream, place):
    with tutorial_models(tmp_path) as models:
        parts = {"epoch": 1, "generator": models.Generator(2, 1), "discriminator": {}}
        parts[place] = Call(os.system, f"touch {marker}")
        torch.save(parts, tmp_path / "a.pth", _use_new_zipfile_serialization=not stream)
    with pytest.raises(UnsafeFileError, match=r"posix\.system"):
        read_checkpoint(tmp_path / "a.pth")


BUILDS = {
    "__setstate__": MODULE + b"}" + text("__setstate__") + b"cbuiltins\ndict\nsb.",
    "__class__": MODULE + b"}" + text("__class__") + b"cmodels\nSRResNet\nsb.",
    "__dict__": MODULE + b"}" + text("__dict__") + b"}sb.",
    "__reduce__": MODULE + b"}" + text("__reduce__") + b"Nsb.",
    "slots": MODULE + b"N}" + text("state") + b"Ns\x86b.",
    "text": MODULE + text("state") + b"b.",
    "stand-in class": b"cmodels\nSRResNet\n}" + text("forward") + b"Nsb.",
    "torch.Tensor": b"ctorch\nTensor\n}" + text("add") + b"Nsb.",
    "rebuild function": b"ctorch._utils\n_rebuild_tensor_v2\n}" + text("make") + b"Nsb.",
    "list": b"]}" + text("append") + b"Nsb.",
    "dict": b"}}" + text("__class__") + b"Nsb.",
    "None": b"N}b.",
}


@pytest.mark.parametrize("name", BUILDS)
def test_state_that_would_set_attributes_is_refused(tmp_path, name):
    with pytest.raises(UnsafeFileError, match=r"its pickle (sets|gives)"):
        read_checkpoint(as_zip(tmp_path / "evil.pth", BUILDS[name]))


@pytest.mark.parametrize(
    "data",
    [MODULE + b"Na.", MODULE + b"NNs.", MODULE + b"(N\x90.", b"N(Ne.", b"\x80\x05\x97."],
    ids=["append", "setitem", "additems", "appends", "buffer"],
)
def test_container_instructions_touch_plain_containers_alone(tmp_path, data):
    with pytest.raises(UnsafeFileError):
        read_checkpoint(as_zip(tmp_path / "evil.pth", data))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("torch.nn.modules.conv", "Conv2d.forward"),
        ("torch.nn.modules.conv", "torch"),
        ("torch.nn.modules.conv.torch", "Conv2d"),
        ("torch.nn.modules.conv ", "Conv2d"),
        ("torch.nn.modules.conv\n", "Conv2d"),
        ("torch.nn.modules", "Conv2d"),
        ("torch_nn_modules.conv", "Conv2d"),
        ("xtorch.nn.modules.conv", "Conv2d"),
        ("torch.nn.modules.conv", "C" * 1000),
        ("torch.optim.adam", "Adam\n"),
        ("torch.optim.adam", "adam"),
        ("torch.optim", "os.system"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("torch", "nn.modules.os.system"),
        ("torch", "load"),
        ("torch.storage", "_load_from_bytes"),
        ("models", "os"),
        ("models.models", "SRResNet"),
        ("__main__", "SRResNet"),
        ("builtins", "getattr"),
        ("", ""),
    ],
)
def test_unknown_names_are_refused_even_when_nothing_is_done_with_them(tmp_path, module, name):
    data = b"\x80\x04}" + text("unused") + text(module) + text(name) + b"\x93s."
    with pytest.raises(UnsafeFileError, match="its pickle names"):
        read_checkpoint(as_zip(tmp_path / "evil.pth", data))


@pytest.mark.parametrize(
    "name", ["torch\nTensor", "builtins\ndict", "collections\nOrderedDict", "torch\nfloat32"]
)
def test_objects_are_made_of_networks_classes_alone(tmp_path, name):
    data = b"c" + name.encode() + b"\n)\x81."
    with pytest.raises(UnsafeFileError, match="makes an object of"):
        read_checkpoint(as_zip(tmp_path / "evil.pth", data))
