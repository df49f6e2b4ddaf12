"""`Upscaler`: what every model is to its users, and what an adapter has to write."""

from __future__ import annotations

import math
import numbers
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from srkit.card import ModelCard
from srkit.errors import OptionError
from srkit.imaging.luma import BicubicChroma, LumaRule
from srkit.imaging.planes import read_planes
from srkit.memory import free_memory, give_back
from srkit.upscaling import engine
from srkit.upscaling.decisions import Findings, decided, each_decided
from srkit.upscaling.passes import Asked, Options, S, T

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

    from srkit.imaging.image import Image

Progress = bool | Callable[[int, int], None]

# Sides of an image after `size=` are bounded, so that a slip of the hand is an error.
LONGEST_SIDE = 1 << 20


class Upscaler(ABC):
    """A model that is ready to upscale images.

    Several threads may use one upscaler at once, and results are those of one thread. What
    takes memory takes it for each of them: give `memory` where many work.

    An adapter states `card` and `scale` and writes `run`. Kinds of image, alpha,
    grey, models that know brightness alone, padding, tiles, progress and memory
    are the business of this class.

    Attributes
    ----------
    card
        The model's static facts.
    scale
        Factor of both sides.
    luma_rule
        For models that see brightness alone: what luma is, and where colour comes from.
    rim
        Pixels of the card's border rule that the model sees around an image, if it sees so
        far; beyond them lies what its own layers pad with.
    window
        Frames of a video that the model sees for each one it makes; 1 for models of single
        images. See `srkit.VideoUpscaler`.
    short_halo
        For models whose receptive field is wider than most memories hold: a shorter halo,
        in LR pixels, with which tiles are blended where the whole one does not fit. The result
        is then not exact. None for models that are always exact.
    decided
        What `for_picture` decided, by names of options.

    Examples
    --------
    >>> class Double(Upscaler):
    ...     card = ModelCard(name="double", summary="Each pixel becomes four.",
    ...                      adapter="here:Double", framework="numpy",
    ...                      scales=(2,), default_scale=2, radius=0)
    ...     scale = 2
    ...     def run(self, tiles):
    ...         return tiles.repeat(2, axis=1).repeat(2, axis=2)
    >>> Double().upscale(np.array([[0, 255]], np.uint8))
    array([[  0,   0, 255, 255],
           [  0,   0, 255, 255]], dtype=uint8)
    """

    card: ModelCard
    scale: int
    luma_rule: LumaRule = BicubicChroma()
    rim: int = engine.RIM
    short_halo: int | None = None
    window: int = 1
    decided: tuple[tuple[str, float], ...] = ()

    @abstractmethod
    def run(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upscale tiles of one size.

        Parameters
        ----------
        tiles
            ``(N, H, W, C)`` in [0, 1]; C is 3, or 1 where ``card.colour`` is
            ``"luma"``. Not to be modified.

        Returns
        -------
        NDArray
            ``(N, scale*H, scale*W, C)``, float32; values beyond [0, 1] are clipped
            later.

        Raises
        ------
        MemoryError
            Where memory ran out, on whatever device: smaller tiles follow.
        """

    def run_rows(self, strips: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Upscale an image that arrives as full-width strips of rows, top to bottom.

        Optional: a model that overrides it is fed so, and no halo is computed twice.

        Parameters
        ----------
        strips
            ``(1, h, W, C)`` each, ``h`` as it comes; ``(1, T, h, W, C)`` for models with a
            window.

        Yields
        ------
        NDArray
            Rows of the result, ``(1, h', scale*W, C)``, as soon as they are known;
            in all ``scale`` times the rows that came in.
        """
        raise NotImplementedError

    def refine(self, made: NDArray[np.float32], given: NDArray[Any], top: float) -> None:
        """Change whole results, in place, by what they were made of.

        Optional: for what no tile can do, such as a projection.

        Parameters
        ----------
        made
            What the tiles gave, ``(N, scale*H, scale*W, C)``, also beyond [0, 1]; it is clipped
            after this.
        given
            Planes ``(N, H, W, C)`` in [0, `top`].
        top
            The value of `given` that stands for 1.0.
        """
        raise NotImplementedError

    def for_picture(self, found: Findings) -> Upscaler:
        """The upscaler for one picture, by what was found out about it.

        Optional: for models with options that are decided for each picture. It is asked once,
        before the picture, or the first frame of a clip, is cut into tiles.

        Returns
        -------
        Upscaler
            Of the same card, scale and radius, which states `decided`.
        """
        raise NotImplementedError

    @property
    def decides(self) -> bool:
        """Whether something is still to be decided for each picture.

        By default, whether `for_picture` is there and this is not what it returned.
        """
        return type(self).for_picture is not Upscaler.for_picture and not self.decided

    @property
    def refines(self) -> bool:
        """Whether the model overrides `refine`."""
        return type(self).refine is not Upscaler.refine

    @property
    def streams(self) -> bool:
        """Whether `run_rows` is there to be used: by default, whether it is overridden."""
        return type(self).run_rows is not Upscaler.run_rows

    @property
    def radius(self) -> int:
        """Receptive-field radius in LR pixels; the card's, unless an adapter knows better."""
        radius = self.card.radius_at(self.scale)
        if radius is None:
            raise OptionError(f"the card of {self.card.name} states no radius for x{self.scale}")
        return radius

    @property
    def bytes_per_pixel(self) -> float:
        """Working memory of `run` in bytes for each LR pixel of its tiles.

        The default suits light filters in numpy; an adapter should measure.
        """
        return 64.0 * self.scale**2

    def strip_bytes(self, rows: int, width: int) -> float:
        """Working memory of `run_rows` in bytes, with strips of so many LR pixels.

        The default is that of `run`.
        """
        return self.bytes_per_pixel * rows * width

    @property
    def quick_strip_bytes(self) -> float:
        """Working memory of `run_rows` beyond which higher strips are no faster.

        Where memory allows more, strips are still only as high as this, or `engine.LOW_ROWS`.
        """
        return math.inf

    @property
    def parameters(self) -> int | None:
        """Numbers that were trained; None for models without a network."""
        return None

    @property
    def multiply_adds(self) -> float | None:
        """Multiplications, each with an addition, for one LR pixel; None if not known."""
        return None

    def available_memory(self) -> int:
        """Bytes that `upscale` may work with when the caller sets no `memory`.

        Half of what the machine has free, and at most 4 GiB.
        """
        return min(4 << 30, free_memory() // 2)

    @overload
    def upscale(self, image: NDArray[S], **asked: Unpack[Options]) -> NDArray[S]: ...
    @overload
    def upscale(self, image: PILImage, **asked: Unpack[Options]) -> PILImage: ...
    @overload
    def upscale(self, image: Image | str | os.PathLike[str], **asked: Unpack[Options]) -> Image: ...
    @overload
    def upscale(self, image: T, **asked: Unpack[Options]) -> T: ...

    def upscale(
        self,
        image: Any,
        *,
        size: tuple[int, int] | None = None,
        memory: int | None = None,
        self_ensemble: bool = False,
        consistent: bool = False,
        progress: Progress = False,
    ) -> Any:
        """Upscale an image.

        Parameters
        ----------
        image
            numpy array ``(H, W)`` or ``(H, W, C)`` with C = 1, 3 or 4, or a batch
            ``(N, H, W, C)``, of dtype uint8, uint16, float32 or float64 (floats in
            [0, 1]); a torch tensor ``(H, W)``, ``(C, H, W)`` or ``(N, C, H, W)`` of these
            dtypes or in half precision; a `PIL.Image`; an `srkit.Image`; or a path.
        size
            ``(height, width)`` to reach exactly: the model as often as needed, then
            an antialiased bicubic resize. Without it, both sides times `scale`.
        memory
            Bytes to work in, beyond input and output. The image is cut into tiles
            that fit; the result stays the same, but for models with a `short_halo`.
            Little memory is slow, since each tile needs a halo around it.
        self_ensemble
            Run the model on all eight flips and quarter turns and take the mean:
            a little better, eight times slower (Timofte et al., 2016).
        consistent
            Make the result agree with the input: shrunk by MATLAB's bicubic it gives
            the input again, but for rounding and clipping. Good where the input is a
            clean, bicubically shrunk image, and not for a photo with noise. Takes twice
            the result in floats besides `memory`.
        progress
            True for a progress bar, or a function called with pixels done and
            pixels in all, in the caller's thread. What it raises ends the work and
            comes out of here; the upscaler can be used on.

        Returns
        -------
        array, torch.Tensor, PIL.Image or srkit.Image
            Arrays for arrays, of the same dtype and channels; tensors for tensors, on the
            same device, without a gradient; PIL for PIL; `Image` for `Image` and for
            paths. The input is not modified.

        Raises
        ------
        ImageError
            If the image is empty, of a wrong shape or dtype, not finite, or beyond
            its range.
        OptionError
            If `size` or `memory` make no sense, or not even the smallest tile fits
            in `memory`.
        MemoryError
            If memory runs out even on the smallest tile.
        """
        _check(size, memory)
        asked = Asked(size, memory, self_ensemble, consistent, progress)
        planes = read_planes(image)
        made = (
            each_decided(self, planes, asked.upscale)
            if self.decides
            else asked.upscale(self, planes)
        )
        give_back()
        return made

    def upscale_file(
        self,
        source: str | os.PathLike[str],
        target: str | os.PathLike[str],
        *,
        memory: int | None = None,
        self_ensemble: bool = False,
        progress: Progress = False,
    ) -> None:
        """Upscale TIFF, PNG or Zarr by rows, so that neither file has to fit in memory.

        The pixels and metadata are those of ``upscale(source).save(target)``.

        Parameters
        ----------
        source
            TIFF or Zarr of grey or RGB, of 8 or 16 bits or float, in strips, tiles or chunks; PNG
            of grey or RGB, where pyvips is installed. Of any size: `max_pixels` guards what is
            read whole.
        target
            .tif, .png or .zarr to write, whole or not at all; BigTIFF beyond 4 GB. Replaces an
            existing file, or an existing store.
        memory
            Bytes to work in, rows of input and output included.
        self_ensemble, progress
            As in `upscale`.

        Raises
        ------
        NotByRowsError
            If the picture (transparency, CMYK, turned, JPEG inside), the model or the format
            of `target` takes a picture that is read whole.
        ImageError, CorruptFileError, OSError
            As `read_image` and `Image.save`; damage may show late, and nothing is then written.
        UnsafeFileError, MissingDependencyError
            If a Zarr store is packed by what could run code, or zarr is not installed.
        OptionError, MemoryError
            As `upscale`.
        """
        from srkit.upscaling import by_rows as disk

        _check(None, memory)
        disk.upscale_file(
            self, source, target, memory=memory, ensemble=self_ensemble, progress=progress
        )

    def upscale_frames(
        self, frames: Iterable[Any], *, memory: int | None = None, self_ensemble: bool = False
    ) -> Iterator[Any]:
        """Upscale the frames of a video: one in, one out, in order.

        Frames are read when they are needed and let go of when they are done, so memory
        does not grow with the length of the video.

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
            As `upscale` does.
        """
        model: Upscaler = self
        for number, frame in enumerate(frames):
            if self.decides and number == 0:
                planes = read_planes(frame)
                model = decided(self, planes.colour[0], planes.top, planes.jpeg_quality)
            yield model.upscale(frame, memory=memory, self_ensemble=self_ensemble)


def _check(size: tuple[int, int] | None, memory: int | None) -> None:
    if size is not None:
        good = (
            isinstance(size, tuple | list)
            and len(size) == 2
            and all(_is_whole(n) and 0 < n <= LONGEST_SIDE for n in size)
        )
        if not good:
            raise OptionError(
                f"size is (height, width) in pixels, both from 1 to {LONGEST_SIDE}, not {size!r}"
            )
    if memory is not None and not (isinstance(memory, numbers.Real) and 0 < memory < math.inf):
        raise OptionError(f"memory is a positive number of bytes, not {memory!r}")


def _is_whole(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)
