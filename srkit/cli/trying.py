"""Packages are imported, and models built, in a process that may end in any way.

What is installed need not work: a library that was made for another system ends the process, one
that looks for a graphics card may never come back. ``python -m srkit.cli.trying`` is the process
in which `srkit doctor` tries them, one after another.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from operator import attrgetter
from typing import Any, BinaryIO

from srkit.errors import SrkitError

# Seconds for one thing: a framework takes many, where the disk is slow.
SECONDS = 120.0


def try_all(things: Sequence[str | EntryPoint], seconds: float = SECONDS) -> list[str]:
    """Why each thing cannot be used; empty where it can.

    Parameters
    ----------
    things
        Names of modules to import, or of something in one, as ``"module:name"``; and entry
        points of models to build.
    seconds
        For each.

    Examples
    --------
    >>> try_all(["json", "no_such_module"])
    ['', "ModuleNotFoundError: No module named 'no_such_module'"]
    """
    told: list[str] = []
    while len(told) < len(things):
        told += _tried(things[len(told) :], seconds)
    return told


def _tried(things: Sequence[str | EntryPoint], seconds: float) -> list[str]:
    """The same, up to the first that ends the process."""
    paths = os.pathsep.join(path for path in sys.path if path)
    told: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "srkit.cli.trying"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths},
    ) as child:
        if child.stdin is None or child.stdout is None:
            return ["no process can be started to try it"] * len(things)
        for thing in things:
            late = threading.Event()
            timer = threading.Timer(seconds, _stop, (child, late))
            timer.start()
            answer = _asked(child.stdin, child.stdout, thing)
            timer.cancel()
            if not answer.endswith(b"\n"):
                child.kill()
                ended = f"it ends the process ({_end(child.wait())})"
                told.append(f"it takes over {seconds:g} s" if late.is_set() else ended)
                break
            told.append(json.loads(answer))
        child.kill()
    return told


def _stop(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    child.kill()


def _asked(questions: Any, answers: Any, thing: str | EntryPoint) -> bytes:
    given = {"module": thing} if isinstance(thing, str) else {"model": [thing.name, thing.value]}
    try:
        questions.write(json.dumps(given).encode() + b"\n")
        questions.flush()
        answer: bytes = answers.readline()
    except OSError:
        return b""
    return answer


def _end(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


# --- the process --------------------------------------------------------------------------------


def _serve(questions: BinaryIO, answers: BinaryIO) -> None:
    for line in questions:
        try:
            _try(json.loads(line))
            told = ""
        except SrkitError as error:
            told = str(error)
        except BaseException as error:  # noqa: BLE001 what is broken fails in any way
            told = f"{type(error).__name__}: {error}".splitlines()[0]
        answers.write(json.dumps(told).encode() + b"\n")
        answers.flush()


def _try(given: dict[str, Any]) -> None:
    if "module" in given:
        module, _, name = given["module"].partition(":")
        there = importlib.import_module(module)
        if name:
            attrgetter(name)(there)
        return
    from srkit.models.entry_points import MODELS
    from srkit.models.registry import Registry

    name, value = given["model"]
    entry = EntryPoint(name, value, MODELS)
    model = Registry(lambda group: [entry] if group == MODELS else []).load(name)
    # Many a mistake is one of the result alone, such as another scale than the card's.
    import numpy as np

    model.upscale(np.zeros((8, 8, 3), np.uint8))


if __name__ == "__main__":
    # Libraries print to standard output, too.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, out)
