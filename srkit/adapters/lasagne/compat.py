"""The import hook that makes Theano and Lasagne load, and touches no other library.

Modules of the two packages are executed with an ``__import__`` of their own, which hands
them stand-ins (`srkit.adapters.lasagne.standins`) for what Python and numpy have lost. Nobody
else can see these: they are never in `sys.modules`, and numpy is not changed.
"""

from __future__ import annotations

import builtins
import functools
import importlib.abc
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any

import numpy as np

from srkit.adapters.lasagne import without_compiler
from srkit.adapters.lasagne.standins import mended_source, standins
from srkit.models.weights import cache_folder

PACKAGES = ("theano", "lasagne")
# A module that Theano dropped and Lasagne 0.1 still imports.
DOWNSAMPLE = "theano.tensor.signal.downsample"
# C code that an old Cython wrote and no compiler takes; without it, Theano runs loops in Python.
LOOPS = "theano.scan_module.scan_perform_ext"
# Steps of Theano's optimisation that refuse convolutions where there is no compiler.
REFUSALS = (
    "AbstractConvCheck",
    "local_conv2d_cpu",
    "local_conv2d_gradweight_cpu",
    "local_conv2d_gradinputs_cpu",
)


def install() -> None:
    """Put the hook before all other finders, once in a process."""
    if not any(isinstance(finder, TheanoFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, TheanoFinder())


class TheanoFinder(importlib.abc.MetaPathFinder):
    """Finds what other finders find, and mends it if it is Theano's or Lasagne's."""

    def __init__(self) -> None:
        self._builtins: dict[str, Any] | None = None

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`; any other package is none of its business."""
        package = name.partition(".")[0]
        if package not in PACKAGES or _is_foreign(sys.modules.get(package)):
            return None
        if name == DOWNSAMPLE:
            return spec_from_loader(name, Downsample())
        if name == LOOPS:
            raise ModuleNotFoundError(f"{name} is not for Python 3.11 and later", name=name)
        spec = _found_by_others(self, name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            if self._builtins is None:
                self._builtins = {**vars(builtins), "__import__": _import_with(standins())}
            spec.loader = TheanoLoader(spec.loader.name, spec.loader.path, self._builtins)
        return spec


def _is_foreign(package: ModuleType | None) -> bool:
    """Whether a package was imported before it could be mended: it stays as it is."""
    spec = getattr(package, "__spec__", None)
    return package is not None and type(getattr(spec, "loader", None)).__name__ != "TheanoLoader"


def _found_by_others(
    own: TheanoFinder, name: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    for finder in sys.meta_path:
        if finder is not own and (spec := finder.find_spec(name, path, target)) is not None:
            return spec
    return None


class TheanoLoader(SourceFileLoader):
    """Executes a module with the stand-ins in view, then mends it."""

    def __init__(self, name: str, path: str, names: dict[str, Any]) -> None:
        super().__init__(name, path)
        self._builtins = names

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Begin anew where an earlier import, without the hook, failed half-way."""
        if spec.name in PACKAGES:
            for name in [name for name in sys.modules if name.startswith(f"{spec.name}.")]:
                del sys.modules[name]
        return None

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        with _undisturbed():
            module.__dict__["__builtins__"] = self._builtins
            super().exec_module(module)
        if mend := MENDS.get(module.__name__):
            mend(module)


class Downsample(importlib.abc.Loader):
    """Makes the module `theano.tensor.signal.downsample`."""

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        module.__dict__["max_pool_2d"] = _max_pool_2d


def _max_pool_2d(
    input: Any,  # noqa: A002 the name is Theano's
    ds: Any,
    ignore_border: bool = False,
    st: Any = None,
    padding: tuple[int, int] = (0, 0),
    mode: str = "max",
) -> Any:
    """The function of Theano 0.7, by the one that took its place."""
    from theano.tensor.signal.pool import pool_2d

    return pool_2d(input, ds, ignore_border=ignore_border, stride=st, pad=padding, mode=mode)


def _import_with(replaced: Mapping[str, ModuleType]) -> Callable[..., ModuleType]:
    """An ``__import__`` that knows other modules by some names."""

    def import_(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 the names are Python's
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level == 0 and name in replaced:
            return replaced[name if fromlist else name.partition(".")[0]]
        found = builtins.__import__(name, globals, locals, fromlist or (), level)
        # ``import numpy.linalg`` is to bind the name numpy to the stand-in, too.
        top = level == 0 and not fromlist and name.partition(".")[0]
        return replaced.get(top, found) if top else found

    return import_


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep what modules say and change while they are imported from the rest of the process."""
    excepthook = sys.excepthook
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        # Theano puts one of its own in place, for tracebacks of its graphs.
        sys.excepthook = excepthook


def _set_flags(configparser: ModuleType) -> None:
    """Give Theano srkit's settings, below the user's THEANO_FLAGS and above a ``.theanorc``."""
    flags = configparser.THEANO_FLAGS_DICT
    defaults = {
        "cxx": "",
        "device": "cpu",
        "floatX": "float32",
        "base_compiledir": os.fspath(cache_folder() / "theano"),
        # Empty: numpy's BLAS. The probe for another needs a numpy.distutils that works.
        "blas.ldflags": "",
        # Theano would change numpy's handling of errors for the whole process.
        "numpy.seterr_all": "None",
    }
    for name, value in defaults.items():
        flags.setdefault(name, value)
    if not flags["cxx"]:
        # A fused operation without a compiler is one Python call a pixel.
        flags.setdefault("tensor.local_elemwise_fusion", "False")
        excluded = flags.get("optimizer_excluding", "").split(":")
        flags["optimizer_excluding"] = ":".join(filter(None, (*excluded, *REFUSALS)))
    # It warns of numpy's BLAS, which is chosen above.
    logger = logging.getLogger("theano.tensor.blas")
    logger.addFilter(lambda record: "NumPy C-API" not in record.getMessage())


def _mend_compiler(cmodule: ModuleType) -> None:
    """Let C code written for numpy 1 compile with numpy 2."""
    compiler = cmodule.GCC_compiler
    compile_str = compiler.compile_str

    def compile_mended(module_name: str, src_code: str, *args: Any, **options: Any) -> Any:
        return compile_str(module_name, mended_source(src_code), *args, **options)

    compiler.compile_str = staticmethod(compile_mended)


def _mend_random(rng_mrg: ModuleType) -> None:
    """Let random numbers be drawn where numpy 2 takes no mask beyond the range of int32."""
    following = rng_mrg.mrg_next_value

    def next_value(state: Any, new: Any, NORM: Any, mask: int, offset: int) -> Any:  # noqa: N803
        return following(state, new, NORM, np.uint32(mask).astype(np.int32), offset)

    rng_mrg.__dict__["mrg_next_value"] = next_value


def _mend_conv2d(nnet: ModuleType) -> None:
    """Take an argument by its old name, as Lasagne 0.1 gives it, without a warning."""
    conv2d = nnet.conv2d

    @functools.wraps(conv2d)
    def renamed(*args: Any, **options: Any) -> Any:
        if "image_shape" in options and "input_shape" not in options:
            options["input_shape"] = options.pop("image_shape")
        return conv2d(*args, **options)

    nnet.__dict__["conv2d"] = renamed


# What is done to a module once it is imported.
MENDS: dict[str, Callable[[ModuleType], None]] = {
    "theano.configparser": _set_flags,
    "theano.gof.cmodule": _mend_compiler,
    "theano.sandbox.rng_mrg": _mend_random,
    "theano.tensor.nnet": _mend_conv2d,
    "theano.tensor.nnet.abstract_conv": without_compiler.replace_convolutions,
    "theano.tensor.signal.pool": without_compiler.replace_pooling,
}
