"""One huge image: blocks of a Zarr store, each made by one worker and written once."""

from __future__ import annotations

import functools
import itertools
import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import Client
from numpy.typing import NDArray

from srkit.advice import advise
from srkit.batch.resuming import check_same
from srkit.dask.models import Recipe, budget, model_of, recipe_for
from srkit.dask.sources import BlockSource, left_out, opened, source_digest
from srkit.dask.tasks import all_done, cluster, resources_for
from srkit.errors import ImageError, OptionError
from srkit.imaging.files import formats
from srkit.imaging.files import zarr as zarrs
from srkit.imaging.levels import top_of
from srkit.memory import byte_count
from srkit.progress import Meter
from srkit.upscaling.decisions import decided
from srkit.upscaling.parts import around, check, upscale_part
from srkit.upscaling.tiling import Region
from srkit.upscaling.upscaler import Progress, Upscaler

if TYPE_CHECKING:
    import zarr

# Input pixels along the side of a block: 4 MB of 8-bit RGB for a result of x4 each.
BLOCK = 512
_SETTINGS = "srkit"


@dataclass(frozen=True)
class BlocksReport:
    """What `upscale_blocks` did.

    Attributes
    ----------
    path
        The result.
    shape
        Of the result.
    blocks
        In it.
    resumed
        How many of them had been done before.
    seconds
        That this call took.
    left_out
        What `source` says and a Zarr store has no place for.
    decided
        Options that the model chose for the picture, by name.

    Examples
    --------
    >>> BlocksReport(Path("slide_x2.zarr"), shape=(8000, 6000, 3), blocks=48, resumed=12,
    ...              seconds=30.0, left_out=(), decided={}).blocks
    48
    """

    path: Path
    shape: tuple[int, ...]
    blocks: int
    resumed: int
    seconds: float
    left_out: tuple[str, ...]
    decided: Mapping[str, float]


@dataclass(frozen=True)
class Work:
    """What a worker needs to know, whichever block it makes."""

    recipe: Recipe
    source: Path
    digest: str
    folder: Path
    block: int
    memory: int | None
    ensemble: bool


def upscale_blocks(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    model: str | Path = "photo",
    *,
    client: Client | str,
    scale: int | None = None,
    block: int = BLOCK,
    memory: int | str | None = None,
    self_ensemble: bool = False,
    resume: bool = True,
    overwrite: bool = False,
    retries: int = 2,
    resources: Mapping[str, float] | None = None,
    progress: Progress = False,
    **options: Any,
) -> BlocksReport:
    """Upscale a huge picture on a cluster, block by block, into a Zarr store.

    The pixels are those of `Upscaler.upscale` of the whole. Workers read the blocks and the
    pixels around them from `source` and write into the store, so both lie where all of them
    reach. Stopped at any moment, the same call goes on where it was: until the picture is
    whole, it is in the folder ``.NAME.srkit`` beside `target`.

    Parameters
    ----------
    source
        A Zarr store, or TIFF such as OME-TIFF, of grey or RGB; of any size.
    target
        A .zarr folder to make: version 3, a chunk for each block.
    model, scale, options
        As for `srkit.load`; of `options` plain values.
    client
        Where to work; see `cluster`.
    block
        Input pixels along a block's side.
    memory
        Bytes for the model to work in; by default within the limit of the worker.
    self_ensemble
        See `Upscaler.upscale`.
    resume
        False throws away unfinished work.
    overwrite
        Replace `target` if it exists.
    retries
        How often a block that fails is tried again.
    resources
        That a worker must have, such as ``{"GPU": 1}``, which is meant by ``device="cuda"``.
    progress
        True for a bar, or a function called with blocks done and in all.

    Returns
    -------
    BlocksReport

    Raises
    ------
    ImageError, CorruptFileError, UnsafeFileError
        If `source` is no such picture.
    OptionError
        If `target` exists, the model takes whole planes, or unfinished work is there that was
        made otherwise.
    ClusterError
        If the cluster cannot be reached, or is lost; what is done stays done.
    MissingDependencyError
        If zarr is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from srkit import Image, read_image
    >>> slide = Path(tempfile.mkdtemp()) / "slide.tif"
    >>> Image(np.zeros((40, 60, 3), np.uint8)).save(slide)
    >>> with Client(processes=False, dashboard_address=":0") as client:
    ...     report = upscale_blocks(
    ...         slide, slide.with_suffix(".zarr"), "bicubic", scale=2, block=32, client=client)
    >>> report.shape, report.blocks
    ((80, 120, 3), 4)

    On a cluster of many machines::

        srkit.dask.upscale_blocks("slide.ome.tif", "slide_x2.zarr", "espcn", scale=2,
                                  client="tcp://scheduler:8786")
    """
    begun, memory = time.monotonic(), byte_count(memory)
    origin, place = Path(source).resolve(), Path(target).resolve()
    _check(origin, place, block, overwrite=overwrite)
    recipe, upscaler, chosen = _recipe(model, scale, options, origin)
    check(upscaler)
    folder = place.with_name(f".{place.name}.srkit")
    work = Work(recipe, origin, source_digest(origin), folder, block, memory, self_ensemble)
    result = _result(work, resume=resume)
    lost = left_out(origin)
    missing = list(_missing(result, folder))
    blocks = math.prod(_counts(result))
    label = f"{upscaler.card.name} x{upscaler.scale}"
    if missing:
        with cluster(client) as workers, Meter(progress, blocks, label, "block") as advance:
            advance(blocks - len(missing))
            needs = resources_for(workers, resources, options)
            make = functools.partial(_make, work)
            for _ in all_done(workers, make, missing, retries=retries, resources=needs):
                advance(1)
    if left := list(itertools.islice(_missing(result, folder), 1)):
        raise ImageError(f"{folder} lacks block {left[0]}, which a worker said it wrote")
    _appear(folder, place)
    shape = tuple(int(n) for n in result.shape)
    seconds = time.monotonic() - begun
    return BlocksReport(place, shape, blocks, blocks - len(missing), seconds, lost, chosen)


def _check(source: Path, target: Path, block: int, *, overwrite: bool) -> None:
    zarrs.require()
    if not source.exists():
        raise FileNotFoundError(2, os.strerror(2), str(source))
    if formats.written_as(target) is not zarrs.ZARR:
        raise OptionError(f"{target.name}: blocks are written as Zarr; name a .zarr folder")
    if not target.parent.is_dir():
        raise FileNotFoundError(2, os.strerror(2), str(target.parent))
    if target == source:
        raise OptionError(f"the result would replace its source, {source}; name another")
    if target.exists() and not overwrite:
        again = advise("pass overwrite=True", "use --overwrite")
        raise OptionError(f"{target} exists; {again} to replace it")
    zarrs.check_target(target)
    if isinstance(block, bool) or not isinstance(block, int) or block < 1:
        raise OptionError(f"block is a whole number of pixels, not {block!r}")


def _recipe(
    model: str | Path, scale: int | None, options: dict[str, Any], source: Path
) -> tuple[Recipe, Upscaler, dict[str, float]]:
    """What workers load, the model itself, and what it decided by a sample of the whole picture."""
    recipe, upscaler = recipe_for(model, scale, options)
    if not upscaler.decides:
        return recipe, upscaler, {}
    picture = BlockSource(source)
    try:
        chosen = dict(decided(upscaler, picture, top_of(picture.dtype)).decided)
    finally:
        picture.close()
    if chosen:
        recipe, upscaler = recipe_for(model, scale, options | chosen)
    return recipe, upscaler, chosen


def _result(work: Work, *, resume: bool) -> zarr.Array[Any]:
    """The array that blocks go into: the one of unfinished work, or a new one."""
    import zarr

    picture = BlockSource(work.source)
    picture.close()
    height, width, channels = picture.shape
    settings = work.recipe.settings(
        source=work.digest,
        shape=list(picture.shape),
        block=work.block,
        self_ensemble=work.ensemble,
    )
    if work.folder.exists() and not resume:
        shutil.rmtree(work.folder)
    if (work.folder / "zarr.json").is_file():
        result = zarr.open_array(work.folder, mode="r")
        check_same(work.folder, result.attrs.get(_SETTINGS), settings, OptionError)
        return result
    side = work.block * work.recipe.scale
    shape: tuple[int, ...] = (height * work.recipe.scale, width * work.recipe.scale)
    chunks: tuple[int, ...] = (min(side, shape[0]), min(side, shape[1]))
    if not picture.flat:
        shape, chunks = (*shape, channels), (*chunks, channels)
    return zarr.create_array(
        store=work.folder,
        shape=shape,
        chunks=chunks,
        dtype=picture.dtype,
        zarr_format=3,
        chunk_key_encoding={"name": "default", "separator": "/"},
        attributes={_SETTINGS: settings},
    )


def _counts(result: zarr.Array[Any]) -> tuple[int, int]:
    down, across = (
        math.ceil(n / chunk) for n, chunk in zip(result.shape[:2], result.chunks[:2], strict=True)
    )
    return down, across


def _missing(result: zarr.Array[Any], folder: Path) -> Iterator[tuple[int, int]]:
    """Blocks that were not written; each file of a chunk appears whole, so it is done."""
    last = ("0",) if result.ndim == 3 else ()
    for y, x in itertools.product(*map(range, _counts(result))):
        if not folder.joinpath("c", str(y), str(x), *last).is_file():
            yield y, x


def _make(work: Work, place: tuple[int, int]) -> None:
    """Make one block and write it."""
    picture, (y, x) = opened(work.source, work.digest), (n * work.block for n in place)
    height, width, _ = picture.shape
    core = Region(y, min(y + work.block, height), x, min(x + work.block, width))
    with model_of(work.recipe) as upscaler:
        part = picture.read(around(upscaler, (height, width), core))
        memory = budget(upscaler) if work.memory is None else work.memory
        pixels = upscale_part(upscaler, part, core, memory=memory, ensemble=work.ensemble)
    _write(work, core, pixels[..., 0] if picture.flat else pixels)


def _write(work: Work, core: Region, pixels: NDArray[Any]) -> None:
    import zarr

    s = work.recipe.scale
    # Blocks of zeros too, whose files would be left out: a file says that a block is done. Of this
    # array alone, since zarr.config is of all threads of a worker.
    result = zarr.open_array(work.folder, mode="r+").with_config({"write_empty_chunks": True})
    result[core.top * s : core.bottom * s, core.left * s : core.right * s] = pixels


def _appear(folder: Path, target: Path) -> None:
    """Give the finished store its name; an old one is moved aside before."""
    old = target.with_name(f".{target.name}.old-{os.urandom(4).hex()}")
    if target.exists():
        target.rename(old)
    folder.rename(target)
    shutil.rmtree(old, ignore_errors=True)
