"""The work on one file of many."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from srkit.atomic import check_place
from srkit.batch.plan import KEPT, Failure, Task
from srkit.errors import ImageError, NotByRowsError, OptionError, SrkitError
from srkit.imaging import folders
from srkit.imaging.files import by_rows as row_files
from srkit.imaging.files import formats
from srkit.imaging.files.image_format import ImageFormat
from srkit.imaging.files.reading import MAX_PIXELS, read_image
from srkit.imaging.files.writing import check_fits, why_unfit
from srkit.imaging.image import Image
from srkit.imaging.light import Exposure, check_exposure
from srkit.memory import byte_count
from srkit.upscaling.upscaler import Progress, Upscaler

Existing = Literal["replace", "skip", "refuse"]


class Skipped(NamedTuple):
    """What has a result already."""

    task: Task


class _ThereError(Exception):
    """A result is there; of what it is."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task


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
        Of JPEG, WebP, AVIF and JPEG XL; other formats have none.
    max_pixels
        Files with more are refused, but those that are upscaled by rows.
    exposure
        Of linear light, as `read_image` takes it.
    existing
        What becomes of a result that is there: ``"replace"``, ``"skip"``, or ``"refuse"``.

    Raises
    ------
    OptionError
        If `memory` or `exposure` makes no sense.
    """

    width: int | None = None
    height: int | None = None
    memory: int | str | None = None
    self_ensemble: bool = False
    consistent: bool = False
    quality: int | None = None
    max_pixels: int = MAX_PIXELS
    exposure: Exposure | None = None
    # Not of what identifies a run on a cluster, where records tell what is there.
    existing: Existing = field(default="replace", repr=False)

    def __post_init__(self) -> None:
        byte_count(self.memory)  # told here, and not of each file
        check_exposure(self.exposure)

    def size(self, image: Image) -> tuple[int, int] | None:
        """Height and width to reach; one that is left out follows from the other."""
        if self.width and self.height:
            return self.height, self.width
        if self.width:
            return max(1, round(image.height * self.width / image.width)), self.width
        if self.height:
            return self.height, max(1, round(image.width * self.height / image.height))
        return None

    def upscale(self, image: Image, upscaler: Upscaler, progress: Progress) -> Image:
        """What is asked for, of a picture that was read whole."""
        return upscaler.upscale(
            image,
            size=self.size(image),
            memory=self.memory,
            self_ensemble=self.self_ensemble,
            consistent=self.consistent,
            progress=progress,
        )

    def quality_of(self, form: ImageFormat | None) -> int | None:
        """The quality of a format, which may have none."""
        return self.quality if form and form.quality else None

    def shape(self, image: Image, scale: int) -> tuple[int, int]:
        """Height and width of the result."""
        return self.size(image) or (image.height * scale, image.width * scale)

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
) -> Task | Skipped | Failure:
    """Upscale one file; what goes wrong is told, not raised.

    Returns
    -------
    Task, Skipped or Failure
        What was done: where its format was not asked for and cannot hold the result, another
        is written.
    """
    if reason := folders.why_not(task.source):
        kind = ImageError if task.source.exists() else FileNotFoundError
        return Failure(task.source, reason, kind.__name__)
    try:
        # As its name says, and as its content does: most that are there need not be opened.
        _check_existing(task, request)
        found = _by_content(task)
        if found != task:
            _check_existing(found, request)
        if _by_rows(found, upscaler, request, progress):
            return found
        return _whole(found, upscaler, request, progress)
    except _ThereError as there:
        if request.existing == "skip":
            return Skipped(there.task)
        reason = f"{there.task.target} exists; use --overwrite or --skip-existing"
        return Failure(task.source, reason, FileExistsError.__name__)
    except MemoryError as error:
        return Failure.of(task.source, error, f"out of memory: {error}".removesuffix(": "))
    except OSError as error:
        # Nothing but source and target was touched; a temporary name says little.
        elsewhere = error.filename is not None and str(error.filename) != str(task.source)
        reason = error.strerror or str(error)
        told = f"{reason}: {task.target}" if elsewhere else reason
        return Failure.of(task.source, error, told)
    except SrkitError as error:
        return Failure.of(task.source, error, str(error).removeprefix(f"{task.source}: "))


def _check_existing(task: Task, request: Request) -> None:
    if request.existing != "replace" and folders.exists(task.target):
        raise _ThereError(task)


def _by_content(task: Task) -> Task:
    """The task with a result in the format that the source is of, whatever its name."""
    if task.spare is None or not task.source.is_file():
        return task
    with task.source.open("rb") as file:
        form = formats.of_file(file.read(formats.HEAD), task.source)
    named = formats.named(task.source)
    if form is None or named in (None, form):
        return task
    usual = (*form.suffixes, *form.aliases)[0]
    suffix = usual if form.is_written else KEPT[usual]
    if formats.written_as(Path(f"a{suffix}")) is formats.written_as(task.target):
        return task
    return task.in_format(suffix, f"it is a {form.title} file, whatever its name")


def _by_rows(task: Task, upscaler: Upscaler, request: Request, progress: Progress) -> bool:
    """Upscale a file that is too large to be read whole; False if it is not, or has to be."""
    # Where white lies is known only when all of a picture has been seen.
    whole = request.width or request.height or request.consistent or request.exposure is not None
    if whole or not row_files.is_written(task.target):
        return False
    if (stated := row_files.size_of(task.source)) is None:
        return False
    height, width, depth = stated
    pixels, memory = height * width, byte_count(request.memory) or upscaler.available_memory()
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


def _fitting(task: Task, image: Image, shape: tuple[int, int]) -> Task:
    """The task, with a result in a format that holds it where none was asked for.

    Raises
    ------
    ImageError
        As `srkit.imaging.files.writing.check_fits`, with advice for a user of the command.
    """
    if (reasons := why_unfit(image, task.target, shape)) is None:
        check_fits(image, task.target, shape)
        return task
    reason = reasons[0]
    own, named = own_format(image), formats.named(task.source)
    if own and named and named is not own:
        reason = f"it is a {own.title} file, whatever its name, and {reason}"
    fitting = fitting_suffixes(image, shape)
    if not fitting:
        raise ImageError(f"{reason}; {reasons[1]}")
    if task.spare is None:
        raise ImageError(f"{reason}; use --format {fitting[0][1:]}, or -o with such a name")
    return task.in_format(fitting[0], reason)


def own_format(image: Image) -> ImageFormat | None:
    """The format that an image was read from; None for one that is not written."""
    return next((form for form in formats.WRITTEN if form.name == image.metadata.format), None)


def fitting_suffixes(image: Image, shape: tuple[int, int]) -> list[str]:
    """Endings of formats that hold an image of another height and width: its own come first."""
    own = own_format(image)
    forms = (*([own] if own else ()), *formats.DEEP)
    suffixes = [suffix for form in forms for suffix in form.suffixes]
    return [suffix for suffix in suffixes if not why_unfit(image, f"a{suffix}", shape)]


def _whole(task: Task, upscaler: Upscaler, request: Request, progress: Progress) -> Task:
    image = read_image(task.source, max_pixels=request.max_pixels, exposure=request.exposure)
    fitting = _fitting(task, image, request.shape(image, upscaler.scale))
    if fitting != task:
        task = fitting
        _check_existing(task, request)
    task.target.parent.mkdir(parents=True, exist_ok=True)
    check_place(task.target)
    result = request.upscale(image, upscaler, progress)
    result.save(task.target, quality=request.quality_of(formats.written_as(task.target)))
    return task
