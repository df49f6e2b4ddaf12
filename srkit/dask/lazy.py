"""Dask arrays in, Dask arrays out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from dask.array.overlap import ensure_minimum_chunksize, overlap
from dask.base import compute, tokenize
from numpy.typing import NDArray

from srkit.dask.models import Recipe, budget, model_of, recipe_for, recipe_of
from srkit.errors import ImageError, OptionError
from srkit.imaging.levels import top_of
from srkit.imaging.noise import bounds, looked_at
from srkit.imaging.planes import check_shape
from srkit.memory import byte_count
from srkit.models import loading
from srkit.models.options import check_scale
from srkit.upscaling.decisions import AUTO, decided
from srkit.upscaling.parts import CHROMA, Part, check, upscale_part
from srkit.upscaling.tiling import Region

_WHOLE = ("size", "consistent")
# Options that choose between cards, which loading does.
_AMONG_CARDS = {"weights", "dist"}


def upscale(
    image: da.Array,
    model: str | Path = "photo",
    *,
    scale: int | None = None,
    memory: int | str | None = None,
    self_ensemble: bool = False,
    **options: Any,
) -> da.Array:
    """Upscale a Dask array, when it is computed.

    Each chunk is upscaled with the pixels around it, so that the result is that of the whole
    image: within 1e-5 for floats, one level in 1e-5 of the values for 8 bits, one level for 16.
    Nothing is loaded until then, but for models whose card does not state how far they see, and
    nothing of the image computed, but the sample that ``denoise="auto"`` is decided by.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, C)`` with C = 1 or 3, or a batch ``(N, H, W, C)``; uint8, uint16,
        or floats in [0, 1]. Chunks narrower than what the model sees around a pixel are joined.
    model, scale, options
        As for `srkit.load`; of `options` plain values.
    memory
        Bytes to work in for each chunk; by default what the machine or the Dask worker has.
    self_ensemble
        See `Upscaler.upscale`.

    Returns
    -------
    dask.array.Array
        Of the dtype of `image`; chunks are `scale` times as high and wide.

    Raises
    ------
    ImageError
        If the array is no image, has an alpha channel, which takes a whole plane, or chunks
        of unknown size.
    OptionError
        If the model, ``size=`` or ``consistent=`` takes whole planes.
    SrkitError
        As `srkit.load`, at once or when computed.

    Examples
    --------
    >>> tall = upscale(da.ones((60, 40), chunks=(20, 40)), "bicubic", scale=2)
    >>> tall.chunks
    ((40, 40, 40), (80,))
    >>> float(tall.compute().min())
    1.0
    """
    if whole := [name for name in _WHOLE if options.get(name)]:
        raise OptionError(
            f"{whole[0]}= takes the whole picture in memory; use srkit.upscale(array.compute(), "
            f"..., {whole[0]}=...)"
        )
    _check(image)
    recipe, halo = _plan(model, scale, _settled(image, model, scale, options))
    rows = max(0, image.ndim - 3)  # the axis of rows: the second of a batch
    image, depths = _fitting(image, rows, halo)
    places = _places(image.chunks[rows]), _places(image.chunks[rows + 1])
    wide = overlap(image, depths, boundary="none", allow_rechunk=False)
    chunks = list(image.chunks)
    for axis in (rows, rows + 1):
        chunks[axis] = tuple(n * recipe.scale for n in chunks[axis])
    return da.map_blocks(
        _block,
        wide,
        recipe=recipe,
        rows=rows,
        places=places,
        halo=halo,
        memory=byte_count(memory),
        ensemble=self_ensemble,
        dtype=image.dtype,
        meta=np.empty((0,) * image.ndim, image.dtype),
        chunks=tuple(chunks),
        name="srkit-" + tokenize(image.name, recipe, memory, self_ensemble),
    )


def _settled(
    image: da.Array, model: str | Path, scale: int | None, options: dict[str, Any]
) -> dict[str, Any]:
    """Options without those that take the whole picture, and with what is decided by a sample."""
    given = {name: value for name, value in options.items() if name not in _WHOLE}
    if not _may_decide(model, given):
        return given
    _, upscaler = recipe_for(model, scale, given)
    if not upscaler.decides:
        return given
    if image.ndim > 3:
        raise OptionError(
            "what is decided for each picture, such as denoise, cannot differ within a lazy batch; "
            "give it a number, such as denoise=0.5, or upscale the pictures one by one"
        )
    sample = _Sampled(image, looked_at(image.shape))
    return given | dict(decided(upscaler, sample, top_of(image.dtype)).decided)


def _may_decide(model: str | Path, options: dict[str, Any]) -> bool:
    """Whether a model may decide something for a picture; told without loading it where it can."""
    named = not isinstance(model, Path) and model in loading.list_models()
    if named and not options.keys() & _AMONG_CARDS:
        options = {**loading.card(str(model)).defaults, **options}
    elif named:
        # Which card it is, and so what its defaults are, is told by loading.
        return True
    return AUTO in (value for value in options.values() if isinstance(value, str))


class _Sampled:
    """A lazy picture of which some parts are computed, all at once, so that no chunk is twice."""

    def __init__(self, image: da.Array, parts: Sequence[tuple[slice, slice]]) -> None:
        self.shape, self.dtype = image.shape, image.dtype
        computed = compute(*(image[part] for part in parts))
        self._parts = {bounds(part): values for part, values in zip(parts, computed, strict=True)}

    def __getitem__(self, part: tuple[slice, slice], /) -> NDArray[Any]:
        found: NDArray[Any] = self._parts[bounds(part)]
        return found


def _check(image: Any) -> None:
    if not isinstance(image, da.Array):
        raise ImageError(
            f"a dask.array was expected, not {type(image).__name__}; for others there is "
            "srkit.upscale"
        )
    if any(math.isnan(n) for n in itertools.chain(*image.chunks)):
        raise ImageError("the array has chunks of unknown size; call compute_chunk_sizes() first")
    check_shape(image.shape)
    top_of(image.dtype)
    if image.ndim > 2 and image.shape[-1] == 4:
        raise ImageError(
            "colour under transparent pixels comes from visible ones, however far away; upscale "
            "image[..., :3] and image[..., 3:] apart, or compute() the array and use srkit.upscale"
        )


def _plan(model: str | Path, scale: int | None, options: dict[str, Any]) -> tuple[Recipe, int]:
    """What workers load, and how many pixels around a chunk it sees."""
    chosen_among = options.keys() & _AMONG_CARDS
    if not (isinstance(model, Path) or chosen_among) and model in loading.list_models():
        card = loading.card(model)
        chosen = check_scale(card, scale)
        if (radius := card.radius_at(chosen)) is not None:
            known = card.weights.get(chosen)
            recipe = recipe_of(model, chosen, options, known.sha256 if known else "")
            return recipe, max(CHROMA, radius + card.multiple - 1)
    recipe, upscaler = recipe_for(model, scale, options)
    check(upscaler)
    return recipe, max(CHROMA, upscaler.radius + upscaler.card.multiple - 1)


def _fitting(image: da.Array, rows: int, halo: int) -> tuple[da.Array, dict[int, int]]:
    """Chunks at least as wide as the halo, and all channels in one; depths for each axis."""
    chunks: dict[int, Any] = {}
    depths = dict.fromkeys(range(image.ndim), 0)
    for axis in (rows, rows + 1):
        least = min(halo, image.shape[axis])
        chunks[axis] = ensure_minimum_chunksize(least, image.chunks[axis])
        # An axis of one chunk has no neighbours.
        depths[axis] = halo if len(chunks[axis]) > 1 else 0
    if image.ndim > 2:
        chunks[image.ndim - 1] = -1
    return image.rechunk(chunks), depths


def _places(chunks: tuple[int, ...]) -> tuple[int, ...]:
    """Where chunks begin, and the last ends."""
    return (0, *itertools.accumulate(chunks))


def _block(
    block: NDArray[Any],
    *,
    recipe: Recipe,
    rows: int,
    places: tuple[tuple[int, ...], tuple[int, ...]],
    halo: int,
    memory: int | None,
    ensemble: bool,
    block_id: tuple[int, ...] = (),
) -> NDArray[Any]:
    """Upscale one chunk, of itself and the pixels around it."""
    (down, across), (y, x) = places, block_id[rows : rows + 2]
    core = Region(down[y], down[y + 1], across[x], across[x + 1])
    top = max(0, core.top - halo) if len(down) > 2 else 0
    left = max(0, core.left - halo) if len(across) > 2 else 0
    pictures = block if block.ndim == 4 else block[None]
    pictures = pictures[..., None] if block.ndim == 2 else pictures
    shape = down[-1], across[-1], pictures.shape[-1]
    with model_of(recipe) as upscaler:
        check(upscaler)
        working = budget(upscaler) if memory is None else memory
        results = [
            upscale_part(
                upscaler, Part(picture, top, left, shape), core, memory=working, ensemble=ensemble
            )
            for picture in pictures
        ]
    if block.ndim == 4:
        return np.stack(results)
    return results[0][..., 0] if block.ndim == 2 else results[0]
