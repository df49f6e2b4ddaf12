"""One call of `Upscaler.upscale`: the model as often as needed, and what comes after it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeVar

import numpy as np

from srkit.errors import OptionError
from srkit.imaging.planes import Planes
from srkit.imaging.projection import back_project
from srkit.upscaling import engine

if TYPE_CHECKING:
    from srkit.upscaling.upscaler import Upscaler


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
    memory: int | None
    self_ensemble: bool
    consistent: bool
    progress: bool | Callable[[int, int], None]


@dataclass(frozen=True)
class Asked:
    """What `Upscaler.upscale` was asked for; attributes are its keywords."""

    size: tuple[int, int] | None
    memory: int | None
    self_ensemble: bool
    consistent: bool
    progress: bool | Callable[[int, int], None]

    def upscale(self, upscaler: Upscaler, planes: Planes) -> Any:
        """Upscale planes, and rebuild what they were taken from."""
        (height, width), scale, memory = planes.shape, upscaler.scale, self.memory
        wanted = (self.size[0], self.size[1]) if self.size else (height * scale, width * scale)
        passes = _passes(wanted, (height, width), scale) if self.size else 1
        job = engine.Job(
            upscaler,
            memory=upscaler.available_memory() if memory is None else memory,
            ensemble=self.self_ensemble,
            progress=self.progress,
        )
        if memory is not None and memory < (least := job.least_memory(planes)):
            raise OptionError(
                f"memory={memory} is too little for one tile of {upscaler.card.name} "
                f"x{scale}: give at least {least} bytes"
            )
        return _finish(job, planes, passes, wanted, consistent=self.consistent)


def _finish(
    job: engine.Job, planes: Planes, passes: int, wanted: tuple[int, int], *, consistent: bool
) -> Any:
    """Run the model `passes` times, resize to `wanted`, and give back the input's kind."""
    scale = job.upscaler.scale
    reached = tuple(n * scale**passes for n in planes.shape)
    exact = reached == wanted
    colour, top = planes.colour, planes.top
    with job.meter(planes, passes) as advance:
        for number in range(passes):
            # Between passes, and before a resize, nothing is rounded.
            last = exact and number == passes - 1 and not (consistent or job.upscaler.refines)
            dtype, out_top = (planes.colour.dtype, planes.top) if last else (np.float32, 1.0)
            given, given_top = colour, top
            colour = job.colour(colour, top, planes.layout, dtype, out_top, advance)
            top = out_top
            if job.upscaler.refines:
                job.upscaler.refine(colour, given, given_top)
    if consistent and passes:
        for made, given in zip(colour, planes.colour, strict=True):
            back_project(made, given, planes.top)
    if not (exact and passes) or consistent or (passes and job.upscaler.refines):
        # Where nothing is to be done, this makes the copy that the caller may write to.
        colour = engine.resize(colour, top, wanted, planes)
    alpha = None
    if planes.alpha is not None:
        alpha = engine.resize(planes.alpha, planes.top, wanted, planes)
    return planes.rebuild(colour, alpha)


def _passes(wanted: tuple[int, int], have: tuple[int, int], scale: int) -> int:
    """How often the model must run to reach at least `wanted`; 0 where nothing grows."""
    factor = max(w / h for w, h in zip(wanted, have, strict=True))
    return max(0, math.ceil(math.log(factor, scale) - 1e-9)) if scale > 1 else 1
