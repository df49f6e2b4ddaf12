"""What a model costs: time, memory, parameters, multiplications."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from srkit.upscaling.upscaler import Upscaler

HEADINGS = ("s/MP", "peak MB", "params", "GMAC")
# Multiplications are counted for a result of this many pixels, as in most papers.
FRAME = 1280 * 720

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class Costs:
    """What a model costs.

    Attributes
    ----------
    seconds
        For each megapixel of results.
    peak
        Most bytes of main memory in use beyond those before, on the largest image, its result
        included; None where the system does not tell.
    parameters
        Of the network; None for models without one.
    multiply_adds
        For a result of 1280x720 pixels; None where not known.

    Examples
    --------
    >>> Costs(0.5, 2_000_000, 12809, 6.0e9).cells()
    ['0.500', '2', '12,809', '6.0']
    """

    seconds: float = 0.0
    peak: int | None = None
    parameters: int | None = None
    multiply_adds: float | None = None

    def cells(self) -> list[str]:
        """The figures as tables show them; ``-`` for one that is missing."""
        return [
            f"{self.seconds:.3f}",
            "-" if self.peak is None else f"{self.peak / 1e6:.0f}" if self.peak >= 1e6 else "<1",
            "-" if self.parameters is None else f"{self.parameters:,}",
            "-" if self.multiply_adds is None else f"{self.multiply_adds / 1e9:.1f}",
        ]


@dataclass
class Stopwatch:
    """Adds up the time of a model's calls, and holds the memory of one."""

    seconds: float = 0.0
    megapixels: float = 0.0
    peak: int | None = None

    @contextmanager
    def measure(self, pixels: int) -> Iterator[None]:
        """Time one call whose result has so many pixels."""
        begun = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - begun
        self.megapixels += pixels / 1e6

    def weigh(self, call: Callable[[], object]) -> None:
        """Make a call again, only to see how much memory it takes.

        It is not timed, as the memory that earlier calls left is given back before, by which
        models have the same figure whatever ran before them.
        """
        if (before := _begin()) is not None:
            call()
            self.peak = max(0, _kilobytes("VmHWM") * 1024 - before)

    def costs(self, upscaler: Upscaler) -> Costs:
        """The model's costs by what was measured."""
        per_pixel = upscaler.multiply_adds
        return Costs(
            self.seconds / max(self.megapixels, 1e-9),
            self.peak,
            # A module that interpolates has none of either.
            upscaler.parameters or None,
            per_pixel * FRAME / upscaler.scale**2 if per_pixel else None,
        )


def _begin() -> int | None:
    """Bytes in use now, from which the system's record of the peak starts anew."""
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):  # of glibc alone
        ctypes.CDLL(None).malloc_trim(0)
    try:
        _RESET.write_text("5", encoding="ascii")
        return _kilobytes("VmRSS") * 1024
    except OSError:
        return None


def _kilobytes(name: str) -> int:
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise OSError(f"{_STATUS} says nothing of {name}")
