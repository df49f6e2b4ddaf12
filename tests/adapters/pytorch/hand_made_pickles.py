"""Pickles made by hand, opcode by opcode, and the checkpoint files around them."""

from __future__ import annotations

import builtins
import functools
import importlib
import operator
import os
import pickle
import runpy
import struct
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import torch

# An object of a known class, without state.
MODULE = b"ctorch.nn.modules.linear\nIdentity\n)\x81"
MAGIC = 0x1950A86A20F9469CFC6C


class Call:
    """Pickles as a call of `function`, which may be another `Call`'s result."""

    def __init__(self, function, *args):
        self.reduced = (function, args)

    def __reduce__(self):
        return self.reduced

    def __call__(self):
        """pickle wants functions to look callable."""


def pickled(value: object, protocol: int = 2) -> bytes:
    return pickle.dumps(value, protocol)


def as_zip(path: Path, data: bytes, **storages: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", data)
        for key, content in storages.items():
            file.writestr(f"archive/data/{key.removeprefix('s')}", content)
    return path


def as_stream(path: Path, data: bytes, keys: bytes | None = None, rest: bytes = b"") -> Path:
    head = pickled(MAGIC) + pickled(1001) + pickled({"little_endian": True})
    path.write_bytes(head + data + (pickled([]) if keys is None else keys) + rest)
    return path


def text(value: object) -> bytes:
    """A text as an opcode."""
    encoded = str(value).encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def nested_evil(marker: Path) -> bytes:
    return pickled(Call(os.system, f"touch {marker}"))


def evil_file(marker: Path) -> Path:
    path = marker.with_name("inner.pth")
    return as_zip(path, nested_evil(marker))


def evil_script(marker: Path) -> str:
    path = marker.with_name("script.py")
    path.write_text(f"open({str(marker)!r}, 'w').close()")
    return str(path)


def evil_array(marker: Path) -> str:
    path = marker.with_name("array.npy")
    np.save(path, np.array([Call(os.system, f"touch {marker}")], dtype=object), allow_pickle=True)
    return str(path)


def imported(module: str) -> Call:
    return Call(importlib.import_module, module)


def by_getattr(m: Path) -> Call:
    return Call(Call(getattr, Call(builtins.__import__, "os"), "system"), f"touch {m}")


# What the payload is -> (does plain pickle run it here?, marker -> pickle)
PAYLOADS = {
    "os.system": (True, lambda m: b"cos\nsystem\n(" + text(f"touch {m}") + b"tR."),
    "posix.system": (True, nested_evil),
    "nt.system": (False, lambda m: b"cnt\nsystem\n(" + text(f"touch {m}") + b"tR."),
    "subprocess.Popen": (True, lambda m: pickled(Call(subprocess.Popen, ["touch", str(m)]), 3)),
    "builtins.eval": (True, lambda m: pickled(Call(eval, f"open({str(m)!r}, 'w').close()"))),
    "builtins.exec": (True, lambda m: pickled(Call(exec, f"open({str(m)!r}, 'w').close()"))),
    "io.open": (True, lambda m: pickled(Call(open, str(m), "w"))),
    "builtins.getattr": (True, lambda m: pickled(by_getattr(m))),
    "builtins.__import__": (
        True,
        lambda m: pickled([Call(builtins.__import__, "os"), by_getattr(m)]),
    ),
    "importlib.import_module": (
        True,
        lambda m: pickled([imported("os"), Call(os.system, f"touch {m}")]),
    ),
    "runpy.run_path": (True, lambda m: pickled(Call(runpy.run_path, evil_script(m)))),
    "torch.serialization.load": (
        False,  # torch's own default refuses by now
        lambda m: pickled(Call(torch.load, str(evil_file(m)))),
    ),
    "torch.hub.load": (False, lambda m: pickled(Call(torch.hub.load, str(m.parent), "net"))),
    "torch.jit._serialization.load": (
        False,
        lambda m: pickled(Call(torch.jit.load, str(evil_file(m)))),
    ),
    "torch.package.package_importer.PackageImporter": (
        False,
        lambda m: (
            b"ctorch.package.package_importer\nPackageImporter\n(" + text(evil_file(m)) + b"tR."
        ),
    ),
    "numpy.load": (True, lambda m: pickled(Call(np.load, evil_array(m), None, True))),
    "functools.partial": (
        True,
        lambda m: pickled(Call(functools.partial(os.system, f"touch {m}"))),
    ),
    "operator.methodcaller": (
        True,
        lambda m: pickled(Call(operator.methodcaller("system", f"touch {m}"), imported("os"))),
    ),
    "operator.attrgetter": (
        True,
        lambda m: pickled(
            Call(Call(operator.attrgetter("system"), imported("os")), f"touch {m}")
        ),
    ),
    "_pickle.loads": (True, lambda m: pickled(Call(pickle.loads, nested_evil(m)), 3)),
    "INST": (True, lambda m: b"(" + text(f"touch {m}") + b"ios\nsystem\n."),
    "OBJ": (False, lambda m: b"(cos\nsystem\n" + text(f"touch {m}") + b"o."),
    "OBJ of a class": (True, lambda m: b"(cio\nFileIO\n" + text(m) + text("w") + b"o."),
    "dotted name": (
        True,
        lambda m: (
            b"\x80\x04" + text("torch") + text("serialization.os.system") + b"\x93("
            + text(f"touch {m}") + b"tR."
        ),
    ),
    "dotted name in an open family": (
        False,
        lambda m: (
            b"\x80\x04" + text("torch.nn.modules.module") + text("torch.os.system") + b"\x93("
            + text(f"touch {m}") + b"tR."
        ),
    ),
    "module in an open family": (
        False,
        lambda m: b"ctorch.nn.modules.os\nsystem\n(" + text(f"touch {m}") + b"tR.",
    ),
    "known class called": (
        False,
        lambda m: b"cmodels\nSRResNet\n(" + text(f"touch {m}") + b"tR.",
    ),
    "known class called with the result of a call": (
        True,
        lambda m: b"ctorch.nn.modules.linear\nIdentity\n(" + nested_evil(m)[2:-1] + b"tR.",
    ),
    "known function called with a function": (
        True,
        lambda m: pickled(Call(torch._tensor._rebuild_from_type_v2, os.system, torch.Tensor,
                               (f"touch {m}",), {})),
    ),
    "argument of NEWOBJ": (
        True,
        lambda m: b"ctorch.nn.modules.linear\nIdentity\n(" + nested_evil(m)[2:-1] + b"t\x81.",
    ),
    "key of a dict": (True, lambda m: b"}" + nested_evil(m)[2:-1] + b"Ns."),
    "factory of a defaultdict": (
        False,
        lambda m: b"ccollections\ndefaultdict\n(cos\nsystem\ntR.",
    ),
    "persistent id": (False, lambda m: nested_evil(m)[2:-1] + b"Q."),
    "thrown away": (True, lambda m: nested_evil(m)[:-1] + b"0}."),
    "extension registry": (False, lambda m: b"\x80\x02\x82\x01" + text(f"touch {m}") + b"\x85R."),
    "NEWOBJ_EX": (
        False,
        lambda m: b"\x80\x04cmodels\nSRResNet\n(" + text(m) + b"t}\x92.",
    ),
}  # fmt: skip


def storage(key="0", numel=4, kind=b"ctorch\nFloatStorage\n", what="storage") -> bytes:
    number = b"\x8a\x08" + struct.pack("<q", numel)
    return b"(" + text(what) + kind + text(key) + text("cpu") + number + b"tQ"


def tensor(store: bytes, offset=0, size=(4,), stride=(1,)) -> bytes:
    """A state dict of one tensor of four floats, unless told otherwise."""
    tail = b"".join(pickled(v)[2:-1] for v in (offset, size, stride, False))
    rebuilt = b"ctorch._utils\n_rebuild_tensor_v2\n(" + store + tail + b"}tR"
    return b"\x80\x02}" + text("w") + rebuilt + b"s."


FOUR = struct.pack("<4f", 1, 2, 3, 4)


def both(tmp_path: Path, data: bytes) -> list[Path]:
    """The same pickle in both formats, with a storage of four floats."""
    return [
        as_zip(tmp_path / "a.pth", data, s0=FOUR),
        as_stream(tmp_path / "b.pth", data, pickled(["0"]), struct.pack("<q", 4) + FOUR),
    ]
