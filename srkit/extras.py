"""Optional parts of srkit: what a framework needs, what of it is missing, what installs it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from srkit.errors import BrokenPluginError, MissingDependencyError

# What a framework's adapters import, and the extra that installs it.
PACKAGES = {
    "numpy": (),
    "torch": ("torch", "safetensors"),
    "tensorflow": ("tensorflow", "safetensors"),
    "theano": ("theano", "lasagne", "safetensors"),
    "onnx": ("onnxruntime", "onnx"),
    # Networks for torch that are not srkit's own.
    "spandrel": ("spandrel",),
    "openvino": ("openvino", "onnx", "torch", "safetensors"),
}
EXTRAS = {
    "torch": "torch",
    "tensorflow": "tensorflow",
    "theano": "lasagne",
    "onnx": "onnx",
    "spandrel": "spandrel",
    "openvino": "openvino",
}


def missing_packages(framework: str) -> list[str]:
    """Packages of a framework that are not installed; nothing is imported to find out."""
    return absent(*PACKAGES.get(framework, ()))


def absent(*packages: str) -> list[str]:
    """Those packages that are not installed; nothing is imported to find out.

    Examples
    --------
    >>> absent("numpy", "no_such_package")
    ['no_such_package']
    """
    return [package for package in packages if find_spec(package) is None]


def file_of(package: str, name: str) -> Path | None:
    """A file in an installed package, which is not imported; None where either is missing.

    Examples
    --------
    >>> file_of("numpy", "version.py").name, file_of("no_such_package", "version.py")
    ('version.py', None)
    """
    spec = find_spec(package)
    folders = (spec and spec.submodule_search_locations) or []
    return next((path for folder in folders if (path := Path(folder) / name).is_file()), None)


def extra_line(extra: str) -> str:
    """The command that installs an extra of srkit's.

    Examples
    --------
    >>> extra_line("zarr")
    'pip install "srkit[zarr]"'
    """
    return f'pip install "srkit[{extra}]"'


def missing_extra(need: str, extra: str) -> MissingDependencyError:
    """The error that tells what is needed and not there, and the command that installs it.

    Examples
    --------
    >>> print(missing_extra("the page needs uvicorn, which is not installed", "web"))
    the page needs uvicorn, which is not installed: pip install "srkit[web]"
    """
    return MissingDependencyError(f"{need}: {extra_line(extra)}")


def install_line(framework: str, line: str | None = None) -> str:
    """The command that installs a framework: a card's own, or that of srkit's extra.

    Examples
    --------
    >>> install_line("theano")
    'pip install "srkit[lasagne]"'
    >>> install_line("torch", "pip install theirs")
    'pip install theirs'
    """
    return line or extra_line(EXTRAS[framework])


def import_named(path: str) -> Any:
    """What ``"module:name"`` names. So is used what must not be imported where it is used.

    Examples
    --------
    >>> import_named("math:floor")(2.5)
    2
    """
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def import_adapter(path: str, framework: str, line: str | None) -> Callable[..., Any]:
    """Import ``"module:name"``; a framework that is missing is named with its install line.

    Raises
    ------
    MissingDependencyError
        If the framework, or another module that the adapter imports, is not installed.
    BrokenPluginError
        If it cannot be imported for any other reason.
    """
    require(missing_packages(framework), framework, line)
    try:
        adapter: Callable[..., Any] = import_named(path)
    except ModuleNotFoundError as error:
        # What else an adapter imports only its card knows how to install.
        advice = f"; run: {line}" if line else ""
        raise MissingDependencyError(f"{path} cannot be imported: {error}{advice}") from error
    except Exception as error:
        raise BrokenPluginError(
            f"{path} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return adapter


def require(missing: Sequence[str], framework: str, line: str | None) -> None:
    """Name packages that are missing, and the command that installs them.

    Raises
    ------
    MissingDependencyError
        If any is.
    """
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise MissingDependencyError(
            f"{' and '.join(missing)} {verb} not installed; run: {install_line(framework, line)}"
        )
