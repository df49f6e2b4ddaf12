"""One call of `Upscaler.upscale`: the model as often as needed, and what comes after it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from srkit.errors import OptionError
from srkit.imaging.planes import Planes
from srkit.imaging.projection import back_project
from srkit.imaging.resize import resample
from srkit.memory import whole_memory
from srkit.upscaling.decisions import each_decided, together
from srkit.upscaling.engine import Job
from srkit.upscaling.model import Model

# Rows of a resized plane computed at a time.
RESIZE_ROWS = 64


class _Tensor(Protocol):
    """A `torch.Tensor`, for type checkers that may not find torch."""

    def numel(self) -> int: ...
    def is_floating_point(self) -> bool: ...


# What results share with what was given: the dtype of an array, and all of a tensor's type.
S = TypeVar("S", bound=np.generic)
T = TypeVar("T", bound=_Tensor)


class Options(TypedDict, total=False):
    """The keywords of `Upscaler.upscale`, for type checkers."""

    size: tuple[int, int] | None
    memory: int | str | None
    self_ensemble: bool
    consistent: bool
    progress: bool | Callable[[int, int], None]


@dataclass(frozen=True)
class Request:
    """What `Upscaler.upscale` is asked for; attributes are its keywords."""

    size: tuple[int, int] | None
    memory: int | None
    self_ensemble: bool
    consistent: bool
    progress: bool | Callable[[int, int], None]

    def upscale(self, model: Model, planes: Planes) -> Any:
        """Upscale planes, each picture by what is decided for it, and rebuild what they were.

        One meter counts all pictures of a batch, whatever is decided for each.

        Raises
        ------
        OptionError
            If the result takes more memory than there is, in use or not.
        """
        job = Job.within(
            self.memory, model, planes, ensemble=self.self_ensemble, progress=self.progress
        )
        passes = _passes(self.size, planes.shape, model.scale) if self.size else 1
        _check_room(planes, self._sides(planes, model.scale), model.scale**passes)
        with job.meter(planes, passes) as advance:
            results = [
                self._run(replace(job, model=one), part, passes, advance)
                for one, part in each_decided(model, planes)
            ]
        return together(planes, results)

    def _run(self, job: Job, planes: Planes, passes: int, advance: Callable[[int], None]) -> Any:
        (height, width), scale = planes.shape, job.model.scale
        size = self._sides(planes, scale)
        reached = (height * scale**passes, width * scale**passes) == size
        colour, top, rounded = planes.colour, planes.top, False
        for number in range(passes):
            last = reached and number == passes - 1 and not self.consistent
            colour, top, rounded = run_pass(job, colour, top, planes, last=last, advance=advance)
        if self.consistent and passes:
            for picture, observed in zip(colour, planes.colour, strict=True):
                back_project(picture, observed, planes.top)
        return finish(planes, colour, top, size, rounded=rounded)

    def _sides(self, planes: Planes, scale: int) -> tuple[int, int]:
        """Height and width of the result."""
        height, width = planes.shape
        return (self.size[0], self.size[1]) if self.size else (height * scale, width * scale)


def run_pass(
    job: Job,
    colour: NDArray[Any],
    top: float,
    planes: Planes,
    *,
    last: bool,
    advance: Callable[[int], None] = lambda pixels: None,
) -> tuple[NDArray[Any], float, bool]:
    """Run the model once over colour planes.

    Parameters
    ----------
    colour
        ``(N, H, W, C)`` in [0, `top`]: those of `planes`, or what the pass before gave. Also
        ``(N, T, H, W, C)``, frames of a video.
    last
        Whether nothing is done to the result but what the model itself does to whole planes.

    Returns
    -------
    tuple
        The result, what stands for 1.0 in it, and whether it is rounded to the dtype of
        `planes`. Before another pass, a resize or a projection nothing is.
    """
    rounded = last and not job.model.refines
    dtype, out_top = (planes.colour.dtype, planes.top) if rounded else (np.float32, 1.0)
    result = job.upscale_colour(colour, top, planes.layout, dtype, out_top, advance)
    if job.model.refines:
        middle = colour[:, colour.shape[1] // 2] if colour.ndim == 5 else colour
        job.model.refine(result, middle, top)
    return result, out_top, rounded


def finish(
    planes: Planes, colour: NDArray[Any], top: float, size: tuple[int, int], *, rounded: bool
) -> Any:
    """Rebuild what planes were taken from, at a size, of upscaled colour and resized alpha.

    Colour that is `rounded` already is taken as it is, and else resized into the dtype of
    `planes`; where it has its size, that is rounding, or a copy that the caller may write to.
    """
    if not rounded:
        colour = _resized(colour, top, size, planes)
    alpha = None
    if planes.alpha is not None:
        alpha = _resized(planes.alpha, planes.top, size, planes)
    return planes.rebuild(colour, alpha)


def _resized(planes: NDArray[Any], top: float, size: tuple[int, int], like: Planes) -> NDArray[Any]:
    """Planes ``(N, H, W, C)``, resized (antialiased bicubic) into the dtype of `like`."""
    dtype = like.colour.dtype
    result = np.empty((len(planes), *size, planes.shape[-1]), dtype)
    gain = np.float32(like.top / top)
    for source, target in zip(planes, result, strict=True):
        for first in range(0, size[0], RESIZE_ROWS):
            rows = slice(first, min(first + RESIZE_ROWS, size[0]))
            part = np.clip(resample(source, size, rows, slice(None)) * gain, 0, like.top)
            target[rows] = np.rint(part) if np.issubdtype(dtype, np.integer) else part
    return result


def _passes(size: tuple[int, int], shape: tuple[int, int], scale: int) -> int:
    """How often the model must run to reach at least `size`; 0 where nothing grows."""
    factor = max(s / n for s, n in zip(size, shape, strict=True))
    return max(0, math.ceil(math.log(factor, scale) - 1e-9)) if scale > 1 else 1


def _check_room(planes: Planes, size: tuple[int, int], factor: int) -> None:
    """Refuse a result that this machine cannot hold, before any work.

    Parameters
    ----------
    factor
        Of both sides, of what the model makes; beside another `size` it is held in float32.
    """
    pictures, height, width, channels = planes.colour.shape
    made = (height * factor, width * factor)
    kept = channels + (planes.alpha is not None)
    needed = pictures * math.prod(size) * kept * planes.colour.dtype.itemsize
    if made != size:
        needed += pictures * math.prod(made) * channels * np.dtype(np.float32).itemsize
    if (there := whole_memory()) is not None and needed > there:
        raise OptionError(
            f"a result of {size[1]}x{size[0]} pixels takes {needed / 1e9:,.1f} GB to make, and "
            f"this machine has {there / 1e9:,.1f} GB; ask for a smaller one"
        )
