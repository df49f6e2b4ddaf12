"""Theano 1.0.5 and Lasagne 0.1 on today's Python and numpy.

Importing this package installs an import hook for just these two names, and imports neither.
Afterwards ``import theano`` and ``import lasagne`` work everywhere in the process, in the
user's own code too. What is mended, and why, stands in docs/lasagne.md.

Convolutions need no C++ compiler. ``THEANO_FLAGS=cxx=g++``, set before the first import,
chooses Theano's compiled mode; whatever else stands in THEANO_FLAGS wins, too.
"""

from __future__ import annotations

import importlib
from typing import Any

from srkit.adapters.lasagne.compat import install
from srkit.errors import MissingDependencyError
from srkit.extras import install_line

__all__ = ["lasagne", "theano"]

install()


def theano() -> Any:
    """The module `theano`, imported when first wanted.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    return _imported("theano")


def lasagne() -> Any:
    """The module `lasagne`, imported when first wanted.

    Raises
    ------
    MissingDependencyError
        If it or Theano is not installed.
    """
    _imported("theano")
    return _imported("lasagne")


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        line = install_line("theano")
        raise MissingDependencyError(f"{name} is not installed; run: {line}") from error
