"""What Theano and Lasagne are given in place of what Python and numpy have lost."""

from __future__ import annotations

import re
import shutil
import sysconfig
from importlib import metadata
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.adapters.lasagne.without_compiler import frompyfunc

# numpy 2 took these from npy_3kcompat.h; Theano's C code still uses them.
PRELUDE = """\
#define NPY_PY3K 1
#define PyInt_Check PyLong_Check
#define PyInt_AsLong PyLong_AsLong
#define PyInt_FromLong PyLong_FromLong
#define PyNumber_Int PyNumber_Long
#define PyInt_Type PyLong_Type
"""


def standins() -> dict[str, ModuleType]:
    """Modules by the names under which Theano and Lasagne import them.

    numpy itself is among them: a copy of its names with the lost ones added.
    """
    include = _module("numpy.distutils.misc_util", get_numpy_include_dirs=_numpy_headers)
    probe = _module("numpy.distutils.__config__")
    build = _module("numpy.distutils", misc_util=include, __config__=probe)
    python = _module("distutils.sysconfig", get_config_var=_config_var, **_python_folders())
    spawn = _module("distutils.spawn", find_executable=shutil.which)
    modules = (
        _module("imp", find_module=find_spec),
        _module("numpy", **{**vars(np), **_lost_names(), "distutils": build}),
        build,
        include,
        probe,
        _module("distutils", sysconfig=python, spawn=spawn),
        python,
        spawn,
        _module(
            "pkg_resources",
            get_distribution=_distribution,
            DistributionNotFound=metadata.PackageNotFoundError,
        ),
    )
    # numpy 2 moved the last one.
    return {module.__name__: module for module in modules} | {"numpy.linalg.linalg": np.linalg}


def _module(name: str, **names: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update({**names, "__name__": name})
    return module


def _lost_names() -> dict[str, Any]:
    """Names of numpy 1 as Theano uses them, and `frompyfunc`, which it uses for speed."""
    return {
        "bool": np.bool_,
        "complex": complex,
        # Under its old name it still works, with a warning at each use.
        "core": getattr(np, "_core", None) or np.core,
        "product": np.prod,
        "cast": _Cast(),
        "sctype2char": lambda dtype: np.dtype(dtype).char,
        "ComplexWarning": np.exceptions.ComplexWarning,
        # Theano hands it to C as the mark for "no axis", which numpy 2 changed.
        "MAXDIMS": 32 if np.lib.NumpyVersion(np.__version__) < "2.0.0" else -(2**31),
        "frompyfunc": frompyfunc,
    }


class _Cast:
    """``np.cast[dtype](value)``; a dtype can be a Theano type, which has one."""

    def __getitem__(self, dtype: Any) -> Any:
        def cast(value: Any) -> NDArray[Any]:
            return np.asarray(value, getattr(dtype, "dtype", dtype))

        return cast


def _numpy_headers() -> list[str]:
    return [np.get_include()]


def _config_var(name: str) -> Any:
    return sysconfig.get_config_var("EXT_SUFFIX" if name == "SO" else name)


def _python_folders() -> dict[str, Any]:
    """`distutils.sysconfig`'s functions for folders, by `sysconfig`."""

    def get_python_inc(plat_specific: bool = False, prefix: str | None = None) -> str:
        return sysconfig.get_path("platinclude" if plat_specific else "include")

    def get_python_lib(
        plat_specific: bool = False, standard_lib: bool = False, prefix: str | None = None
    ) -> str:
        kind = "plat" if plat_specific else "" if standard_lib else "pure"
        return sysconfig.get_path(kind + ("stdlib" if standard_lib else "lib"))

    return {"get_python_inc": get_python_inc, "get_python_lib": get_python_lib}


def _distribution(name: str) -> SimpleNamespace:
    return SimpleNamespace(version=metadata.version(name))


def mended_source(source: str) -> str:
    """C code for numpy 1 as numpy 2 takes it."""
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        return source
    # numpy 2 hides the field; its macro exists in both.
    source = re.sub(r"PyArray_DESCR\((\w+)\)\s*->\s*elsize", r"PyArray_ITEMSIZE(\1)", source)
    # The mark for "no axis" has a name of its own now.
    return PRELUDE + re.sub(r"\bNPY_MAXDIMS\b", "NPY_RAVEL_AXIS", source)
