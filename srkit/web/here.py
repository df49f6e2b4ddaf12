"""Jobs with models that were handed over are done in this process.

A function of a notebook, or a network that was trained a moment ago, is in no other: there is
no file that the worker could load. So nothing can be killed, and a job is ended between tiles.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from srkit.errors import SrkitError
from srkit.upscaling.upscaler import Upscaler
from srkit.web.clock import Tell
from srkit.web.making import made
from srkit.web.worker import CancelledError, Told, too_long


class Here:
    """Does jobs as `srkit.web.worker.Worker` does, in the thread that asks.

    Parameters
    ----------
    models
        By the names under which jobs ask for them.

    Examples
    --------
    >>> here = Here({})
    >>> here.owns({"models": [("bicubic", {})]})
    False
    """

    def __init__(self, models: Mapping[str, Upscaler]) -> None:
        self._models = models

    def owns(self, job: Told) -> bool:
        """Whether a job asks for a model that was handed over."""
        return any(name in self._models for name, _ in job["models"])

    def made(self, job: Told, *, seconds: float, cancelled: threading.Event, tell: Tell) -> Told:
        """What came of a job; see `srkit.web.worker.Worker.made`.

        Raises
        ------
        CancelledError
            If it was given up, when the tile at hand is done.
        SrkitError
            What is wrong with the photo or the model; or that it took too long.
        """
        end = time.monotonic() + seconds

        def tell_on(told: Told) -> None:
            tell(told)
            if cancelled.is_set():
                raise CancelledError
            if time.monotonic() > end:
                raise SrkitError(too_long(seconds))

        return made(**job, tell=tell_on, own=self._models)
