"""What of srkit reads files of strangers, each with small good files to damage."""

from __future__ import annotations

import bz2
import io
import json
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import srkit

ADAPTERS = Path(__file__).parents[1] / "adapters"
sys.path += [str(ADAPTERS / name) for name in ("graphs", "ncnn_files", "onnx_files", "pytorch")]

Read = Callable[[Path, bytes], object]


def _same(data: bytes) -> bytes:
    return data


@dataclass(frozen=True)
class Parser:
    """A reader under test.

    Attributes
    ----------
    seeds
        Good files.
    read
        Called with an empty folder and the bytes; what it raises beside `SrkitError` is a find.
    pack
        What is around the bytes that are damaged: an archive, checksums.
    count
        Inputs to try: 10⁵, or 10⁴ where one takes over 10 ms.
    """

    seeds: Sequence[bytes]
    read: Read
    pack: Callable[[bytes], bytes] = _same
    count: int = 100_000


def _file(name: str, read: Callable[[Path], object]) -> Read:
    def write_and_read(folder: Path, data: bytes) -> object:
        path = folder / name
        path.write_bytes(data)
        return read(path)

    return write_and_read


def _zipped(data: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("archive/data.pkl", data)
        for key, size in (("0", 64), ("1", 16)):
            file.writestr(f"archive/data/{key}", bytes(range(size)))
    return made.getvalue()


def checkpoints() -> dict[str, Parser]:
    """Formats of torch, and safetensors."""
    import torch
    from safetensors.torch import save

    from srkit.adapters.pytorch.checkpoints.reader import read_checkpoint
    from srkit.models.contents import safetensors_contents

    state = {"w": torch.arange(16.0).reshape(4, 4), "b": torch.ones(4)}
    run = {"epoch": 3, "state_dict": state, "optimizer": {"lr": [1e-4, 2], "betas": (0.9, 0.99)}}
    whole = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.PReLU())

    def saved(value: object, *, new: bool) -> bytes:
        file = io.BytesIO()
        torch.save(value, file, _use_new_zipfile_serialization=new)
        return file.getvalue()

    def instructions(value: object) -> bytes:
        with zipfile.ZipFile(io.BytesIO(saved(value, new=True))) as file:
            return file.read("archive/data.pkl")

    values = (state, run, whole)
    fitting = (state, run)  # of the storages that `_zipped` has
    read = _file("a.pth", read_checkpoint)

    def read_both(path: Path) -> None:
        errors = []
        for reader in (safetensors_contents, read_checkpoint):
            try:
                reader(path)
            except srkit.SrkitError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    tensors = [save(state, {"srkit.scale": "2"}), save({"a": torch.ones(2, 2).half()})]
    return {
        "pickle-in-zip": Parser([*map(instructions, fitting)], read, _zipped),
        "checkpoint-zip": Parser([saved(v, new=True) for v in values], read),
        "checkpoint-stream": Parser([saved(v, new=False) for v in values], read),
        "safetensors": Parser(tensors, _file("a.safetensors", read_both)),
    }


def enhance() -> dict[str, Parser]:
    """Pickles of neural-enhance, packed by bzip2."""
    from srkit.adapters.readers.enhance.config import Config
    from srkit.adapters.readers.enhance.files import read_weights

    config = Config(upscale=1, blocks=1, filters=(4,))
    layers = {
        name: [np.ones(shape, np.float16) for shape in shapes]
        for name, shapes in config.shapes().items()
    }
    seeds = [pickle.dumps((config.as_dict(), layers), protocol) for protocol in (0, 2, 3)]
    read = _file("ne2x-photo-default-0.3.pkl.bz2", read_weights)
    return {
        "enhance-pickle": Parser(seeds, read, lambda data: bz2.compress(data, 1)),
        "enhance-bz2": Parser([bz2.compress(seed) for seed in seeds], read),
    }


def graphs() -> dict[str, Parser]:
    """Frozen graphs, as far as the network that they are understood as."""
    import protobuf as pb

    from srkit.adapters.readers.graphdef.frozen import open_frozen

    kernel = np.ones((3, 3, 1, 4), np.float32)
    espcn = b"".join(
        [
            *(pb.IMAGE, pb.const("k", kernel), pb.conv("c", "image", "k")),
            *(pb.node("r", "Relu", "c", T=pb.number(6, pb.FLOAT)), pb.shuffle("y", "r", 2)),
        ]
    )
    splat = pb.IMAGE + pb.splat("k", 0.5, 3, 3, 1, 4)
    splat += pb.conv("c", "image", "k") + pb.shuffle("y", "c", 2)
    read = _file("a.pb", lambda path: open_frozen(path, None, None, "opencv", "torch"))
    return {"graphdef": Parser([espcn, splat], read)}


def ncnn() -> dict[str, Parser]:
    """Both files of ncnn's models, one damaged at a time."""
    from ncnn_pairs import Pair, normal

    from srkit.adapters.readers.ncnn.files import contents

    def pair() -> Pair:
        made = Pair().conv("in", "c", normal(12, 3, 3, 3), np.ones(12), "4=1")
        made.add("PReLU", "c", "p", "0=12", np.full(12, 0.1, "<f4").tobytes())
        return made.add("PixelShuffle", "p", "out", "0=2")

    text, data = pair().text, pair().data

    def read_text(folder: Path, damaged: bytes) -> object:
        (folder / "a.bin").write_bytes(data)
        return _file("a.param", contents)(folder, damaged)

    def read_data(folder: Path, damaged: bytes) -> object:
        (folder / "a.param").write_bytes(text)
        return _file("a.bin", contents)(folder, damaged)

    return {"ncnn-param": Parser([text], read_text), "ncnn-bin": Parser([data], read_data)}


def onnx() -> dict[str, Parser]:
    """ONNX files, judged and tried in a process beside this one; also with numbers beside them."""
    from networks import doubling, nearest
    from onnx import TensorProto

    seeds = [doubling().SerializeToString(), nearest().SerializeToString()]
    outside = doubling()
    tensor = outside.graph.initializer[0]
    numbers = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="a.onnx.data")

    def read_both(folder: Path, data: bytes) -> object:
        (folder / "a.onnx.data").write_bytes(numbers)
        return _file("a.onnx", srkit.load)(folder, data)

    return {
        "onnx": Parser(seeds, _file("a.onnx", srkit.load), count=10_000),
        "onnx-external": Parser([outside.SerializeToString()], read_both, count=10_000),
    }


def strangers() -> dict[str, Parser]:
    """Files that hold no weights, of which is told what they are."""
    from srkit.models.strangers import what_it_is

    seeds = [
        _zipped(b"}."),
        b'{"format": "layers-model", "modelTopology": {}, "weightsManifest": []}',
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12345\n",
        b'<?xml version="1.0"?>\n<net name="a" version="11">',
        b"\x1c\0\0\0TFL3\x14\0\x20\0",
    ]
    return {
        "strangers": Parser(seeds, _file("a", lambda path: what_it_is(path, path.read_bytes())))
    }


def texts() -> dict[str, Parser]:
    """Recipes, manifests, records and lists, all in TOML or JSON."""
    from srkit.dask.record import Record
    from srkit.training.data.photos import _open
    from srkit.training.recipe import read_recipe
    from srkit.training.recipes import recipe_named
    from srkit.video.packets import read_packets
    from srkit.video.work import Work

    base = recipe_named("espcn")
    toml = b'steps = 2000\nbatch = 8\nrate = 1e-4\n[[losses]]\nkind = "l1"\nweight = 0.5\n'
    segments = [{"file": "000000.packets", "frames": 2, "delay": 0, "first": 0, "end": 2}]
    work = {"version": 1, "settings": {"scale": 2}, "segments": segments}
    patches = {"detail": [0.5, 1.5], "scale": 2, "skipped": 1}
    line = (
        json.dumps(
            {"target": "a.png", "source": "b.png", "status": "done", "settings": "0"}
        ).encode()
        + b"\n"
    )

    def record(folder: Path, data: bytes) -> object:
        inside = folder / ".srkit"
        inside.mkdir(exist_ok=True)
        (inside / "1.jsonl").write_bytes(data)
        return Record(str(folder))

    def manifest(folder: Path, data: bytes) -> object:
        (folder / "manifest.json").write_bytes(data)
        (folder / "000000.packets").write_bytes(b"")
        return Work(folder, {"scale": 2}, resume=True)

    def patch_list(folder: Path, data: bytes) -> object:
        for name in ("hr.u8", "lr.u8"):
            (folder / name).write_bytes(bytes(1 << 19))
        (folder / "index.json").write_bytes(data)
        return _open(folder)

    packets = struct.pack("<qq?I", 0, 1, True, 4) + b"abcd"
    return {
        "recipe": Parser([toml], _file("a.toml", lambda path: read_recipe(path, base))),
        "record": Parser([line, line * 2], record),
        "work": Parser([json.dumps(work).encode()], manifest),
        "patches": Parser([json.dumps(patches).encode()], patch_list),
        "packets": Parser([packets * 3], _file("a", lambda path: list(read_packets(path)))),
    }
