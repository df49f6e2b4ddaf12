"""Import TensorFlow without its greetings, and leave the process as it was."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_LOCK = threading.Lock()


def tensorflow() -> Any:
    """The module `tensorflow`, imported when first wanted.

    TensorFlow writes half a dozen lines when it is imported, some from C++ before any
    setting counts. During the import nothing reaches the process's stream of errors, from
    whatever thread; afterwards it is as before. TensorFlow itself leaves some variables of
    its own in the environment.
    """
    with _LOCK:
        if "tensorflow" not in sys.modules:
            with _silent_stderr(), _environment("TF_CPP_MIN_LOG_LEVEL", "3"):
                import tensorflow
        # Waits where another thread of the user's is at it.
        import tensorflow
    return tensorflow


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set a variable unless the user did."""
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Send what C++ writes to the stream of errors nowhere."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:
        # A process without that stream, such as a service, has nothing to silence.
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
