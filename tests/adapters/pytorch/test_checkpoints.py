"""Checkpoints that load: every form in which users have SRResNet and SRGAN weights."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from tutorial_checkpoints import assert_same, save, save_srgan, save_srresnet, tutorial_models

from srkit.adapters.pytorch.checkpoints import (
    read_checkpoint,
)
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.errors import CorruptFileError, UnsafeFileError, WeightsError
from srkit.models.formats import is_safetensors, is_torch_checkpoint

FORMATS = pytest.mark.parametrize("stream", [False, True], ids=["zip", "stream"])
STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.bias": torch.tensor([1.0, -2.0])}
# As the documentation of `read_checkpoint` has them, in order.
WRAPPERS = (
    "generator", "params_ema", "params-ema", "average", "params", "model_state_dict", "state_dict",
    "model", "net",
)  # fmt: skip


@FORMATS
@pytest.mark.parametrize("cuda", [False, True], ids=["cpu", "cuda"])
def test_tutorial_srresnet_loads_as_torch_loads_it(tmp_path, stream, cuda):
    path = tmp_path / "checkpoint_srresnet.pth.tar"
    expected = save_srresnet(path, stream=stream, cuda=cuda)
    assert (b"cuda:0" in path.read_bytes()) == cuda
    assert_same(read_checkpoint(path).tensors, expected)
    assert "models" not in sys.modules


@FORMATS
@pytest.mark.parametrize("parallel", [False, True], ids=["plain", "data-parallel"])
def test_of_tutorial_srgan_the_generator_loads(tmp_path, stream, parallel):
    path = tmp_path / "checkpoint_srgan.pth.tar"
    expected = save_srgan(path, parallel=parallel, stream=stream, cuda=True)
    assert_same(read_checkpoint(path).tensors, expected)


def test_tutorial_state_dict_fits_our_srresnet(tmp_path):
    path = tmp_path / "checkpoint_srgan.pth.tar"
    save_srgan(path)
    net = SRResNet(scale=4, channels=4, blocks=2)
    net.load_state_dict(read_checkpoint(path).tensors)


@FORMATS
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_loads(tmp_path, stream, protocol):
    path = tmp_path / "weights.pth"
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    torch.save(
        {"model": module, "by": b"bytes", "lucky": {1, 2}},
        path,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=not stream,
    )
    assert is_torch_checkpoint(path.read_bytes()[:512], Path("weights"))
    assert_same(read_checkpoint(path).tensors, module.state_dict())


@pytest.mark.parametrize("optimizer", ["SGD", "RMSprop", "AdamW", "Adagrad", "LBFGS", "NAdam"])
def test_pickled_optimizers_and_what_training_runs_keep_are_passed_over(tmp_path, optimizer):
    module = nn.Linear(2, 2)
    pickled = getattr(torch.optim, optimizer)(module.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(pickled, [3])
    extras = {
        "best_acc": np.float64(0.5),
        "history": np.zeros(3),
        "impedance": 3j,
        "shape": torch.Size([1]),
        "device": torch.device("cuda:0"),
        "dtype": torch.bfloat16,
        "scheduler": scheduler.state_dict(),
        "optimizer": pickled,
        "losses": [1.0, float("nan")],
    }
    save({**extras, "model": module}, tmp_path / "a.pth")
    assert_same(read_checkpoint(tmp_path / "a.pth").tensors, module.state_dict())


@FORMATS
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_state_dicts_load_plain_and_wrapped(tmp_path, stream, wrapper):
    path = tmp_path / "weights.pt"
    for value in (STATE, OrderedDict(STATE), {wrapper: STATE, "epoch": 3, "optimizer": {}}):
        save(value, path, stream=stream)
        assert_same(read_checkpoint(path).tensors, STATE)


def test_of_several_networks_the_documented_one_is_taken(tmp_path):
    networks = {name: {"w": torch.tensor(float(i))} for i, name in enumerate(WRAPPERS)}
    for i, wanted in enumerate(WRAPPERS):
        save(dict(reversed(list(networks.items())[i:])), tmp_path / "a.pth")
        assert_same(read_checkpoint(tmp_path / "a.pth").tensors, networks[wanted])


def test_a_single_key_may_have_any_name(tmp_path):
    for value in ({"G": STATE}, {"params": {"any name": OrderedDict(STATE)}}):
        save(value, tmp_path / "a.pth")
        assert_same(read_checkpoint(tmp_path / "a.pth").tensors, STATE)
    save({"G": STATE, "D": STATE}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="the keys G, D"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "prefix", ["module.", "net.", "netG.", "_orig_mod.", "module.net.", "net.module."]
)
def test_prefixes_that_every_name_has_are_removed(tmp_path, prefix):
    save({prefix + name: t for name, t in STATE.items()}, tmp_path / "a.pth")
    assert_same(read_checkpoint(tmp_path / "a.pth").tensors, STATE)


def test_a_prefix_that_one_name_lacks_stays(tmp_path):
    state = {"net.weight": torch.ones(1), "head.weight": torch.ones(1)}
    save(state, tmp_path / "a.pth")
    assert_same(read_checkpoint(tmp_path / "a.pth").tensors, state)


DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"),
    *("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64"),
    *("bool", "complex64", "complex128"),
)


@FORMATS
def test_every_dtype_loads(tmp_path, stream):
    state = {n: torch.tensor([0.0, 1.0, 3.0]).to(getattr(torch, n)) for n in DTYPES}
    save(state, tmp_path / "a.pth", stream=stream)
    assert_same(read_checkpoint(tmp_path / "a.pth").tensors, state)


@FORMATS
def test_views_and_parameters_load(tmp_path, stream):
    base = torch.arange(24.0)
    tagged = nn.Parameter(torch.ones(3))
    tagged.note = "kept by torch, dropped here"
    state = {
        "base": base,
        "slice": base[5:9],
        "transposed": base.reshape(4, 6).T,
        "every second": base[1::2],
        "zero-dim": base[7],
        "expanded": torch.ones(1).expand(5, 4),
        "empty": torch.zeros(0, 3),
        "parameter": nn.Parameter(base.reshape(2, 12)),
        "frozen": nn.Parameter(torch.arange(3), requires_grad=False),
        "tagged": tagged,
        "parameter of new dtype": nn.Parameter(torch.ones(2).to(torch.uint16), False),
    }
    save(state, tmp_path / "a.pth", stream=stream)
    tensors = read_checkpoint(tmp_path / "a.pth").tensors
    assert_same(tensors, state)
    assert tensors["slice"].data_ptr() == tensors["base"].data_ptr() + 5 * 4


@FORMATS
def test_module_pickled_as_such_gives_its_state_dict(tmp_path, stream):
    module = nn.Sequential(nn.Conv2d(1, 1, 3, bias=False), nn.BatchNorm2d(1))
    module.register_buffer("kept", torch.ones(2))
    module.register_buffer("transient", torch.ones(2), persistent=False)
    module.register_buffer("nothing", None)
    module.tied = module[0]
    save(module, tmp_path / "a.pth", stream=stream)
    assert_same(read_checkpoint(tmp_path / "a.pth").tensors, module.state_dict())


def test_big_endian_archive_loads(tmp_path):
    save(STATE, tmp_path / "little.pth")
    with (
        zipfile.ZipFile(tmp_path / "little.pth") as little,
        zipfile.ZipFile(tmp_path / "big.pth", "w") as big,
    ):
        for name in little.namelist():
            data = little.read(name)
            if "/data/" in name:
                data = np.frombuffer(data, "<f4").astype(">f4").tobytes()
            big.writestr(name, b"big" if name.endswith("byteorder") else data)
    assert_same(read_checkpoint(tmp_path / "big.pth").tensors, STATE)


def test_archive_zipped_anew_with_compression_loads(tmp_path):
    save_srresnet(tmp_path / "a.pth")
    expected = read_checkpoint(tmp_path / "a.pth").tensors
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as plain,
        zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in sorted(plain.namelist()):
            packed.writestr(name, plain.read(name))
    assert_same(read_checkpoint(tmp_path / "b.pth").tensors, expected)


def test_safetensors_loads_with_its_metadata_whatever_its_suffix(tmp_path):
    path = tmp_path / "weights.pth"
    save_file({"module." + n: t.half() for n, t in STATE.items()}, path, {"scale": "4"})
    checkpoint = read_checkpoint(str(path))
    assert dict(checkpoint.metadata) == {"scale": "4"}
    expected = {n: t.half() for n, t in STATE.items()}
    assert_same({n: checkpoint.tensors[n] for n in expected}, expected)
    assert is_safetensors(path.read_bytes()[:512], path)
    assert not is_torch_checkpoint(path.read_bytes()[:512], path)


@FORMATS
def test_torch_files_are_told_by_their_first_bytes(tmp_path, stream):
    save(STATE, tmp_path / "a", stream=stream)
    head = (tmp_path / "a").read_bytes()[:512]
    assert is_torch_checkpoint(head, tmp_path / "a")
    assert not is_safetensors(head, tmp_path / "a")


@pytest.mark.parametrize(
    "head", [b"", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n" + bytes(99), b"\x80\x02}q\x00.", b"BZh9"]
)
def test_other_files_are_not_claimed(head):
    assert not is_torch_checkpoint(head, Path("a.bin"))
    assert not is_safetensors(head, Path("a.bin"))


def tar_with(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 3
            tar.addfile(member, io.BytesIO(b"abc"))
    return path


def test_the_oldest_tar_format_is_refused_with_the_way_out(tmp_path):
    path = tar_with(tmp_path / "a.pth.tar", "sys_info", "pickle", "tensors", "storages")
    assert is_torch_checkpoint(path.read_bytes()[:512], Path("a"))
    with pytest.raises(WeightsError, match=r"before 0\.1\.10.*torch\.load.*torch\.save"):
        read_checkpoint(path)


def test_a_tar_that_holds_a_checkpoint_is_told_apart(tmp_path):
    path = tar_with(tmp_path / "a.pth.tar", "checkpoint_srgan.pth")
    with pytest.raises(WeightsError, match=r"tar archive.*unpack"):
        read_checkpoint(path)


def test_torchscript_is_refused_as_code(tmp_path):
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "code/__torch__.py", "constants.pkl", "version"):
            archive.writestr(f"net/{name}", b"\x80\x02}.")
    with pytest.raises(UnsafeFileError, match=r"TorchScript.*contains code"):
        read_checkpoint(path)


@FORMATS
def test_a_file_without_a_network_is_told_by_its_keys(tmp_path, stream):
    save({"epoch": 3, "optimizer_d": {"lr": 1e-4}}, tmp_path / "a.pth", stream=stream)
    with pytest.raises(WeightsError, match=r"a\.pth.*epoch, optimizer_d.*generator"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize("value", [{}, [1], 3, {"loss": torch.ones(1), "epoch": 1}])
def test_other_objects_are_no_network(tmp_path, value):
    save(value, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="no network"):
        read_checkpoint(tmp_path / "a.pth")


def test_safetensors_without_tensors_is_no_network(tmp_path):
    save_file({}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="no tensors"):
        read_checkpoint(tmp_path / "a.safetensors")


@pytest.mark.parametrize("value", ["missing.pth", "."])
def test_what_cannot_be_opened_is_a_weights_error(tmp_path, value):
    with pytest.raises(WeightsError, match="cannot be read"):
        read_checkpoint(tmp_path / value)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", bytes(999), b"PK\x03\x04junk"])
def test_foreign_files_are_corrupt(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"a\.pth"):
        read_checkpoint(tmp_path / "a.pth")


def test_classes_of_a_users_own_are_refused_by_name(tmp_path):
    with tutorial_models(tmp_path) as models:
        models.SRResNet.__qualname__ = models.SRResNet.__name__ = "MyNet"
        models.MyNet = models.SRResNet
        save({"model": models.MyNet(4, 1)}, tmp_path / "a.pth")
    with pytest.raises(UnsafeFileError, match=r"models\.MyNet.*state_dict"):
        read_checkpoint(tmp_path / "a.pth")


MEASURE = """
import re, sys
from pathlib import Path
import torch
from srkit.adapters.pytorch.checkpoints import read_checkpoint

def memory(what):
    # Not getrusage: its peak is inherited from the process that started this one.
    return int(re.search(what + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

for path in sys.argv[1:]:
    before = memory("VmRSS")
    tensors = read_checkpoint(path).tensors
    # The peak may date from importing torch: then this overestimates.
    print(memory("VmHWM") - before, sum(t.nbytes for t in tensors.values()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_near_the_generators_size(tmp_path):
    paths = [tmp_path / "zip.pth.tar", tmp_path / "stream.pth.tar"]
    for path in paths:
        save_srgan(path, hidden=6_000, width=16, stream=path is paths[1])
        assert path.stat().st_size > 40e6
    command = [sys.executable, "-c", MEASURE, *map(str, paths)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for line in output.splitlines():
        growth, generator = map(int, line.split())
        assert growth < generator + 16e6
    assert len(output.splitlines()) == 2
