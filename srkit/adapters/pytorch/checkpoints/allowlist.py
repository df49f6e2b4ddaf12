"""The globals that a checkpoint may name, and the inert record each becomes.

Names are matched whole, as pairs of module and name; none is imported, and a dotted
name matches nothing. Only two families are open: classes of ``torch.nn.modules.*``
and of ``torch.optim.*``. They may be, because a class becomes a `StandIn`, a record
of its name: whatever stands behind such a name is never looked up, so a surprising
module or class among them can do no more than be called by its name. The lists
exist to tell files with foreign objects from files that srkit understands.
"""

from __future__ import annotations

import re

import torch

from srkit.adapters.pytorch.checkpoints import rebuild
from srkit.adapters.pytorch.checkpoints.records import StorageType
from srkit.adapters.readers.pickles.records import DictStandIn, Label, Rebuild, StandIn, shown
from srkit.errors import UnsafeFileError

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
_DTYPES = (
    "float64",
    "float32",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
    "complex64",
    "complex128",
    "uint16",
    "uint32",
    "uint64",
    "float8_e4m3fn",
    "float8_e5m2",
    "float8_e4m3fnuz",
    "float8_e5m2fnuz",
)
_TUTORIAL = (
    "SRResNet",
    "Generator",
    "Discriminator",
    "TruncatedVGG19",
    "ConvolutionalBlock",
    "ResidualBlock",
    "SubPixelConvolutionalBlock",
)
_REBUILDS = {
    ("torch._utils", "_rebuild_tensor"): rebuild.tensor,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild.tensor,
    ("torch._utils", "_rebuild_tensor_v3"): rebuild.tensor_v3,
    ("torch._utils", "_rebuild_parameter"): rebuild.parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): rebuild.parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): rebuild.from_type,
    ("torch", "Size"): rebuild.torch_size,
    ("collections", "OrderedDict"): rebuild.ordered_dict,
    ("collections", "defaultdict"): rebuild.default_dict,
    ("collections", "deque"): rebuild.queue,
    ("builtins", "set"): rebuild.members,
}
_OPAQUE = (
    ("torch", "device"),
    ("collections", "Counter"),
    ("builtins", "complex"),
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
)
# What training programs keep of their settings beside the weights: paths, times, namespaces.
_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
_SETTINGS = (
    *((module, name) for module in ("pathlib", "pathlib._local") for name in _PATHS),
    *(("datetime", name) for name in ("datetime", "date", "timedelta")),
)
_PARTS = 64  # of a path
_DICTS = (
    ("lightning.fabric.utilities.data", "AttributeDict"),
    ("lightning_fabric.utilities.data", "AttributeDict"),
    ("pytorch_lightning.utilities.parsing", "AttributeDict"),
)
_LABELS = (
    ("torch", "Tensor"),
    ("torch.nn.parameter", "Parameter"),
    ("torch.nn.parameter", "Buffer"),
    ("numpy", "ndarray"),
    ("builtins", "dict"),
    ("builtins", "list"),
    ("builtins", "int"),
    ("builtins", "float"),
)


def _known() -> dict[tuple[str, str], object]:
    known: dict[tuple[str, str], object] = {
        pair: Rebuild(".".join(pair), make) for pair, make in _REBUILDS.items()
    }
    for pair in _OPAQUE:
        name = ".".join(pair)
        known[pair] = Rebuild(name, rebuild.opaque(name))
    for pair in _SETTINGS:
        name = ".".join(pair)
        known[pair] = Rebuild(name, rebuild.opaque(name), _PARTS)
    known |= {pair: DictStandIn(".".join(pair)) for pair in _DICTS}
    known["argparse", "Namespace"] = StandIn("argparse.Namespace")
    known |= {pair: Label(".".join(pair)) for pair in _LABELS}
    known |= {("torch", name): getattr(torch, name) for name in _DTYPES}
    for module in ("torch", "torch.cuda"):
        known |= {(module, name): StorageType(name, t) for name, t in _STORAGES.items()}
    for name in ("UntypedStorage", "_UntypedStorage"):
        known["torch.storage", name] = StorageType(name, torch.uint8)
    known |= {("models", name): StandIn(f"models.{name}") for name in _TUTORIAL}
    parallel = "torch.nn.parallel.data_parallel"
    known[parallel, "DataParallel"] = StandIn(f"{parallel}.DataParallel")
    return known


_KNOWN = _known()
_OPEN_MODULE = re.compile(r"torch\.(nn\.modules|optim)\.[a-z][a-z0-9_]{0,63}")
_CLASS_NAME = re.compile(r"_?[A-Z][A-Za-z0-9]{0,63}")


def find_global(module: str, name: str) -> object:
    """Return the inert record for a global that a pickle names.

    Parameters
    ----------
    module, name
        As in the pickle; Python 2's ``__builtin__`` is ``builtins``.

    Returns
    -------
    object
        A `Label`, `StandIn`, `StorageType`, `Rebuild` or ``torch.dtype``.

    Raises
    ------
    UnsafeFileError
        If the global is not known to be harmless.

    Examples
    --------
    >>> find_global("torch.nn.modules.conv", "Conv2d")
    StandIn(name='torch.nn.modules.conv.Conv2d')
    """
    module = "builtins" if module == "__builtin__" else module
    found = _KNOWN.get((module, name))
    if found is not None:
        return found
    if _OPEN_MODULE.fullmatch(module) and _CLASS_NAME.fullmatch(name):
        return StandIn(f"{module}.{name}")
    raise UnsafeFileError(
        f"its pickle names {shown(module)}.{shown(name)}, which is not among the globals known to "
        "be harmless; nothing was run. If you trust the file, load it in the program that "
        "made it and save the tensors alone: torch.save(model.state_dict(), 'weights.pth')"
    )
