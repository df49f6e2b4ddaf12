"""Spandrel imports torchvision for two networks that srkit refuses; it can do without.

A torchvision that was not made for the torch that is installed fails when it is imported, and a
torch for CPUs alone often has none beside it.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from srkit.errors import MissingDependencyError

NAME = "torchvision"
# What spandrel imports of it.
USED = "torchvision.transforms.functional"

_LOCK = threading.RLock()


class StandIn:
    """Something of torchvision's that is not there: an error as soon as it is used.

    Parameters
    ----------
    name
        Such as ``"torchvision.transforms.functional.rotate"``.
    cause
        Why torchvision could not be imported.

    Raises
    ------
    MissingDependencyError
        When it is called, or asked for an attribute.
    """

    def __init__(self, name: str, cause: str) -> None:
        self.__name__, self._cause = name, cause

    def __call__(self, *args: object, **options: object) -> None:
        """Fail."""
        raise self._error()

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):  # Python itself asks, and takes no for an answer
            raise AttributeError(name)
        raise self._error()

    def _error(self) -> MissingDependencyError:
        return MissingDependencyError(
            f"{self.__name__} is not there: torchvision could not be imported when spandrel was "
            f"({self._cause}); it has to be made for the torch that is installed"
        )


class _Module(ModuleType):
    """A module of torchvision's in which any name is found."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(name)
        self._cause = cause

    def __getattr__(self, name: str) -> StandIn:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn(f"{self.__name__}.{name}", self._cause)


class _Finder(MetaPathFinder, Loader):
    """Finds every module of torchvision's, for one thread."""

    def __init__(self, cause: str) -> None:
        self._cause, self._thread = cause, threading.get_ident()

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        """See `MetaPathFinder`."""
        ours = name.split(".")[0] == NAME and threading.get_ident() == self._thread
        return ModuleSpec(name, self, is_package=True) if ours else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """See `Loader`."""
        return _Module(spec.name, self._cause)

    def exec_module(self, module: ModuleType) -> None:
        """See `Loader`."""


@contextlib.contextmanager
def torchvision_or_stand_ins() -> Iterator[None]:
    """Within this, spandrel can be imported whether or not torchvision can.

    Where it cannot, its modules are `StandIn` objects throughout, and are gone from `sys.modules`
    afterwards.

    Examples
    --------
    >>> with torchvision_or_stand_ins():
    ...     from spandrel import ModelLoader
    """
    with _LOCK:
        cause = "" if "spandrel" in sys.modules else _why_not()
        if not cause:
            yield
            return
        # What a torchvision that failed halfway has left behind.
        left = {name: sys.modules.pop(name) for name in _modules()}
        finder = _Finder(cause)
        sys.meta_path.insert(0, finder)
        try:
            yield
        finally:
            sys.meta_path.remove(finder)
            for name in _modules():
                del sys.modules[name]
            sys.modules.update(left)


def _why_not() -> str:
    """Why torchvision cannot be imported; empty if it can."""
    try:
        importlib.import_module(USED)
    except Exception as error:  # noqa: BLE001 beside another torch it fails in ways of its own
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def _modules() -> list[str]:
    return [name for name in sys.modules if name.split(".")[0] == NAME]
