"""The metrics that benchmarks can take, by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from srkit.errors import OptionError
from srkit.metrics import (
    STANDARD,
    Protocol,
    brisque,
    dists,
    lpips,
    ms_ssim,
    niqe,
    psnr,
    ssim,
    st_lpips,
)

DEFAULT = ("psnr", "ssim", "st_lpips")
# Those that know no original.
BLIND = ("niqe", "brisque")


class Case(NamedTuple):
    """An upscaled image beside its original, and by which protocol they are compared."""

    reference: NDArray[Any]
    test: NDArray[Any]
    protocol: Protocol
    crop: int


@dataclass(frozen=True)
class Measure:
    """A metric as benchmarks take it.

    Attributes
    ----------
    name
        As options and columns call it.
    heading
        As the field calls it.
    digits
        After the point, in tables.
    lower
        Whether lower is better.
    what
        What a reader of the figure must know, in a line.
    take
        Its figure.
    """

    name: str
    heading: str
    digits: int
    lower: bool
    what: str
    take: Callable[[Case], float]

    @property
    def told(self) -> str:
        """What belongs in the caption of a table."""
        return f"{self.what}, {'lower' if self.lower else 'higher'} is better"

    def cell(self, value: float | None) -> str:
        """A figure as tables show it; ``-`` for one that is missing."""
        return "-" if value is None else f"{value:.{self.digits}f}"


def _planes(case: Case) -> tuple[NDArray[Any], NDArray[Any]]:
    return case.protocol.plane(case.reference), case.protocol.plane(case.test)


def _psnr(case: Case) -> float:
    return psnr(*_planes(case), channel=case.protocol.channel, crop=case.crop)


def _ssim(case: Case) -> float:
    window = case.protocol.window
    return ssim(*_planes(case), channel=case.protocol.channel, crop=case.crop, window=window)


def _ms_ssim(case: Case) -> float:
    return ms_ssim(*_planes(case), channel=case.protocol.channel, crop=case.crop)


# Names are looked up when they are called, so that tests can put others in their place.
_ALL = (
    Measure("psnr", "PSNR", 3, False, "in dB", _psnr),
    Measure("ssim", "SSIM", 4, False, "at most 1", _ssim),
    Measure(
        "ms_ssim",
        "MS-SSIM",
        4,
        False,
        "SSIM at five sizes, of what PSNR is taken of (Wang et al., 2003)",
        _ms_ssim,
    ),
    Measure(
        "st_lpips",
        "ST-LPIPS",
        4,
        True,
        "distance of a blur-pooled AlexNet's features, on RGB (Ghildyal and Liu, 2022)",
        lambda c: st_lpips(c.reference, c.test, crop=c.crop),
    ),
    Measure(
        "lpips",
        "LPIPS",
        4,
        True,
        "version 0.1, distance of AlexNet's features, on RGB at full size (Zhang et al., 2018)",
        lambda c: lpips(c.reference, c.test, crop=c.crop),
    ),
    Measure(
        "dists",
        "DISTS",
        4,
        True,
        "distance of VGG-16's features, on RGB at full size (Ding et al., 2022)",
        lambda c: dists(c.reference, c.test, crop=c.crop),
    ),
    Measure(
        "niqe",
        "NIQE",
        3,
        True,
        "of the enlarged LR image alone, on MATLAB's grey, by its authors' parameters",
        lambda c: niqe(c.test, crop=c.crop),
    ),
    Measure(
        "brisque",
        "BRISQUE",
        2,
        True,
        "of the enlarged LR image alone, by the model of the package brisque, not its authors'",
        lambda c: brisque(c.test, crop=c.crop),
    ),
)
MEASURES: Mapping[str, Measure] = MappingProxyType({one.name: one for one in _ALL})


def asked_for(names: Iterable[str]) -> tuple[Measure, ...]:
    """Metrics by names or one name, each once; ``MS-SSIM`` and ``ms-ssim`` name ``ms_ssim``.

    Raises
    ------
    OptionError
        If there is no such metric, or no name.

    Examples
    --------
    >>> [one.heading for one in asked_for(["ms-ssim", "NIQE", "niqe"])]
    ['MS-SSIM', 'NIQE']
    """
    found: dict[str, Measure] = {}
    given = [names] if isinstance(names, str) else names
    # Who writes psnr,ssim means two.
    for name in (part for one in given for part in str(one).split(",")):
        key = name.strip().lower().replace("-", "_")
        if key not in MEASURES:
            near = difflib.get_close_matches(key, MEASURES, 1)
            told = ", ".join(one.replace("_", "-") for one in near or MEASURES)
            hint = f"did you mean {told}?" if near else f"there are {told}"
            raise OptionError(f"no metric is named {name!r}; {hint}")
        found[key] = MEASURES[key]
    if not found:
        raise OptionError(f"give at least one metric; there are {', '.join(MEASURES)}")
    return tuple(found.values())


def try_out(measures: Iterable[Measure]) -> None:
    """Take each metric once of noise, so that what is not installed is told before any work.

    Raises
    ------
    MissingDependencyError, WeightsError
        Of the first that cannot be taken.
    """
    noise = np.random.default_rng(0).integers(0, 256, (208, 208, 3)).astype(np.uint8)
    for measure in measures:
        measure.take(Case(noise, noise, STANDARD, 0))
