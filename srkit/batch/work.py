"""The work on one file of many."""

from __future__ import annotations

import re
from dataclasses import dataclass

from srkit.atomic import check_place
from srkit.batch.plan import Failure, Task
from srkit.errors import ImageError, NotByRowsError, OptionError, SrkitError
from srkit.imaging import folders
from srkit.imaging.files import by_rows as row_files
from srkit.imaging.files import formats
from srkit.imaging.files.reading import MAX_PIXELS, read_image
from srkit.imaging.files.writing import check_fits, why_unfit
from srkit.imaging.image import Image
from srkit.upscaling.upscaler import Progress, Upscaler


@dataclass(frozen=True)
class Request:
    """What is asked of each file, whatever the model.

    Attributes
    ----------
    width, height
        Of the result; one alone keeps proportions, none is the model's scale.
    memory, self_ensemble, consistent
        As in `Upscaler.upscale`.
    quality
        Of JPEG, WebP and AVIF; other formats have none.
    max_pixels
        Files with more are refused, but those that are upscaled by rows.
    """

    width: int | None = None
    height: int | None = None
    memory: int | None = None
    self_ensemble: bool = False
    consistent: bool = False
    quality: int | None = None
    max_pixels: int = MAX_PIXELS

    def size(self, image: Image) -> tuple[int, int] | None:
        """Height and width to reach; one that is left out follows from the other."""
        if self.width and self.height:
            return self.height, self.width
        if self.width:
            return max(1, round(image.height * self.width / image.width)), self.width
        if self.height:
            return self.height, max(1, round(image.width * self.height / image.height))
        return None

    def tag(self, model: str, scale: int) -> str:
        """Model and scale, or the size that was asked for, as parts of a file name.

        Examples
        --------
        >>> Request().tag("srgan", 4), Request(width=800).tag("my model", 2)
        ('srgan_x4', 'my-model_w800')
        """
        name = re.sub(r"[^\w.+-]+", "-", model)
        if self.width and self.height:
            return f"{name}_{self.width}x{self.height}"
        if self.width:
            return f"{name}_w{self.width}"
        return f"{name}_h{self.height}" if self.height else f"{name}_x{scale}"


def attempt(
    task: Task, upscaler: Upscaler, request: Request, progress: Progress = False
) -> Failure | None:
    """Upscale one file, in the place of what may be there; what goes wrong is told, not raised."""
    if reason := folders.why_not(task.source):
        return Failure(task.source, reason)
    try:
        if not _by_rows(task, upscaler, request, progress):
            _whole(task, upscaler, request, progress)
    except MemoryError as error:
        return Failure(task.source, f"out of memory: {error}".removesuffix(": "))
    except OSError as error:
        # Nothing but source and target was touched; a temporary name says little.
        elsewhere = error.filename is not None and str(error.filename) != str(task.source)
        reason = error.strerror or str(error)
        return Failure(task.source, f"{reason}: {task.target}" if elsewhere else reason)
    except SrkitError as error:
        return Failure(task.source, str(error).removeprefix(f"{task.source}: "))
    return None


def _by_rows(task: Task, upscaler: Upscaler, request: Request, progress: Progress) -> bool:
    """Upscale a file that is too large to be read whole; False if it is not, or has to be."""
    exact = request.width or request.height or request.consistent
    if exact or not row_files.is_written(task.target):
        return False
    if (stated := row_files.size_of(task.source)) is None:
        return False
    height, width, depth = stated
    pixels, memory = height * width, request.memory or upscaler.available_memory()
    if pixels <= request.max_pixels and pixels * depth * (1 + upscaler.scale**2) <= memory:
        return False
    task.target.parent.mkdir(parents=True, exist_ok=True)
    check_place(task.target)
    try:
        upscaler.upscale_file(
            task.source,
            task.target,
            memory=request.memory,
            self_ensemble=request.self_ensemble,
            progress=progress,
        )
    except (NotByRowsError, OptionError) as error:
        if pixels <= request.max_pixels:
            return False
        raise type(error)(f"{error} (--max-pixels={pixels} allows to read it whole)") from error
    return True


def _check_fits(task: Task, image: Image, shape: tuple[int, int]) -> None:
    """As `srkit.imaging.files.writing.check_fits`, with advice for a user of the command."""
    if (reasons := why_unfit(image, task.target, shape)) is None:
        check_fits(image, task.target, shape)
        return
    reason = reasons[0]
    own = [form for form in formats.WRITTEN if form.name == image.metadata.format]
    named = formats.named(task.source)
    if own and named and named not in own:
        reason = f"it is a {own[0].name} file, whatever its name, and {reason}"
    suffixes = [suffix for form in (*own, *formats.DEEP) for suffix in form.suffixes]
    fitting = [suffix for suffix in suffixes if not why_unfit(image, f"a{suffix}", shape)]
    advice = f"; use --format {fitting[0][1:]}" if fitting else ""
    raise ImageError(reason + advice)


def _whole(task: Task, upscaler: Upscaler, request: Request, progress: Progress) -> None:
    image = read_image(task.source, max_pixels=request.max_pixels)
    size = request.size(image)
    scaled = (image.height * upscaler.scale, image.width * upscaler.scale)
    _check_fits(task, image, size or scaled)
    task.target.parent.mkdir(parents=True, exist_ok=True)
    check_place(task.target)
    result = upscaler.upscale(
        image,
        size=size,
        memory=request.memory,
        self_ensemble=request.self_ensemble,
        consistent=request.consistent,
        progress=progress,
    )
    form = formats.written_as(task.target)
    result.save(task.target, quality=request.quality if form and form.quality else None)
