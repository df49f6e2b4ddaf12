"""`VideoUpscaler`: models that see several frames to make one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.errors import ImageError, OptionError
from srkit.imaging.planes import Planes, read_planes
from srkit.memory import byte_count
from srkit.upscaling.asking import refusing_unknown
from srkit.upscaling.decisions import decided
from srkit.upscaling.engine import Job
from srkit.upscaling.model import Model
from srkit.upscaling.passes import Request, finish, run_pass
from srkit.upscaling.scenes import mark_scenes, thumbnail
from srkit.upscaling.upscaler import Upscaler
from srkit.upscaling.windows import windows


class VideoUpscaler(Upscaler):
    """A model that makes one frame of several LR frames around it.

    An adapter like any other, but for `window`, and that `run` takes tiles
    ``(N, T, H, W, C)`` with the frames t-r ... t+r in order and gives
    ``(N, scale*H, scale*W, C)``: the frame in the middle. `radius` holds within each of the
    frames. `bytes_per_pixel` is the working memory for a pixel of the frame in the
    middle, with all that its neighbours take. `upscale` of an image sees it as a video in
    which nothing moves.

    Attributes
    ----------
    window
        T, the number of frames: odd.

    Examples
    --------
    >>> from srkit import ModelCard
    >>> class Mean(VideoUpscaler):
    ...     card = ModelCard(name="mean", summary="Mean of three frames, each pixel repeated.",
    ...                      adapter="here:Mean", framework="numpy",
    ...                      scales=(2,), default_scale=2, radius=0)
    ...     scale, window = 2, 3
    ...     def run(self, tiles):
    ...         return tiles.mean(axis=1).repeat(2, axis=1).repeat(2, axis=2)
    >>> frames = [np.full((1, 1, 3), level, np.uint8) for level in (0, 3, 6)]
    >>> [int(frame.max()) for frame in Mean().upscale_frames(frames)]
    [1, 3, 5]
    """

    window: int = 3

    @refusing_unknown
    def upscale_frames(
        self, frames: Iterable[Any], *, memory: int | str | None = None, self_ensemble: bool = False
    ) -> Iterator[Any]:
        """Upscale the frames of a video: one in, one out, in order.

        At the ends of the video and of each scene (see `srkit.upscaling.scenes`) the first or
        last frame is repeated, so that no frame is made from two scenes. `window` // 2 + 1
        frames are read ahead; memory does not grow with the length of the video.

        Parameters
        ----------
        frames
            Images of any kind that `upscale` takes.
        memory, self_ensemble
            As in `upscale`.

        Yields
        ------
        array, PIL.Image or srkit.Image
            What each frame became, of the kind that it was.

        Raises
        ------
        ImageError, OptionError, MemoryError
            As `upscale` does; `OptionError` also if `window` is even.

        Examples
        --------
        >>> from srkit import ModelCard
        >>> class Median(VideoUpscaler):
        ...     card = ModelCard(name="median", summary="The middle of three frames.",
        ...                      adapter="here:Median", framework="numpy",
        ...                      scales=(1,), default_scale=1, radius=0)
        ...     scale, window = 1, 3
        ...     def run(self, tiles):
        ...         return np.median(tiles, axis=1)
        >>> clip = [np.full((1, 1, 3), level, np.uint8) for level in (10, 10, 14, 10, 10)]
        >>> [int(frame.max()) for frame in Median().upscale_frames(clip)]  # a flash goes
        [10, 10, 10, 10, 10]
        """
        model, budget = self, byte_count(memory)
        for number, window in enumerate(scene_windows(map(read_planes, frames), self.window)):
            if number == 0:
                first = window[len(window) // 2]
                model = decided(self, first.colour[0], first.top, first.jpeg_quality)
            yield upscale_window(model, window, memory=budget, self_ensemble=self_ensemble)


def scene_windows(frames: Iterable[Planes], size: int) -> Iterator[tuple[Planes, ...]]:
    """Windows around the frames of a video, in which no scenes are mixed.

    Raises
    ------
    OptionError
        If `size` is not an odd number.
    """
    if size < 1 or size % 2 == 0:
        raise OptionError(f"a window is an odd number of frames, not {size!r}")
    return windows(mark_scenes(frames, _look), size)


def _look(frame: Planes) -> NDArray[np.float32]:
    return thumbnail(frame.colour[0], frame.top)


def upscale_window(
    model: Model,
    window: tuple[Planes, ...],
    *,
    memory: int | None = None,
    self_ensemble: bool = False,
    size: tuple[int, int] | None = None,
) -> Any:
    """What the frame in the middle of a window becomes, of the kind that it was.

    Parameters
    ----------
    size
        Height and width, which `Upscaler.upscale` has: the model's result, resized. A model of
        several frames runs once, any other as often as needed.

    Raises
    ------
    ImageError
        If the frames are not of one size, depth and kind.
    OptionError
        If `memory` is too little for the smallest tile.
    """
    middle = window[len(window) // 2]
    kinds = {(frame.colour.shape, frame.colour.dtype, frame.layout) for frame in window}
    if len(kinds) > 1:
        shapes = " and ".join(sorted({f"{d} {s}" for s, d, _ in kinds}))
        raise ImageError(f"frames of one scene are of one kind, not {shapes}")
    if model.window == 1 and size is not None:
        request = Request(size, memory, self_ensemble, consistent=False, progress=False)
        return request.upscale(model, middle)
    job = Job.within(memory, model, middle, ensemble=self_ensemble, progress=False)
    frames = _stacked(window) if model.window > 1 else middle.colour
    reached = tuple(side * model.scale for side in middle.shape)
    last = size in (None, reached)
    colour, top, rounded = run_pass(job, frames, middle.top, middle, last=last)
    return finish(middle, colour, top, size or (reached[0], reached[1]), rounded=rounded)


def _stacked(window: tuple[Planes, ...]) -> NDArray[Any]:
    """Colour planes of a window as ``(N, T, H, W, C)``; CMYK is left to the frame itself."""
    middle = window[len(window) // 2]
    if middle.layout == "cmyk" or all(frame is middle for frame in window):
        return middle.colour
    return np.stack([frame.colour for frame in window], axis=1)
