"""`Upscaler`: what every model is to its users. What an adapter writes is in `model.py`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack, overload

import numpy as np

from srkit.errors import OptionError, SrkitError
from srkit.imaging.depth import tell_of_depth
from srkit.imaging.planes import check_kind, read_planes
from srkit.imaging.tensors import is_tensor
from srkit.memory import byte_count, give_back
from srkit.progress import each_of
from srkit.upscaling.asking import refusing_unknown
from srkit.upscaling.by_rows import upscale_file
from srkit.upscaling.copying import Copied
from srkit.upscaling.decisions import decided
from srkit.upscaling.model import LONGEST_SIDE as LONGEST_SIDE
from srkit.upscaling.model import Model
from srkit.upscaling.passes import Options, Request, S, T
from srkit.upscaling.running import Running

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as PILImage

    from srkit.imaging.files.sources import Encoded
    from srkit.imaging.image import Image

Progress = bool | Callable[[int, int], None]


class Upscaler(Running, Copied, Model):
    """A model that is ready to upscale images.

    Several threads may use one upscaler at once, and results are those of one thread. What
    takes memory takes it for each of them: give `memory` where many work.

    ``model(image)`` is ``model.upscale(image)``. `name`, `device`, `precision` and `runtime` tell
    what runs and how, see `srkit.upscaling.running.Running`; it can be pickled and copied, see
    `srkit.upscaling.copying.Copied`.

    An adapter states `card` and `scale` and writes `run`; what it may override besides is
    told in `srkit.upscaling.model.Model`. Kinds of image, alpha, grey, models that know
    brightness alone, padding, tiles, progress and memory are the business of this class.

    Examples
    --------
    >>> from srkit import ModelCard
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

    @overload
    def upscale(self, image: NDArray[S], **request: Unpack[Options]) -> NDArray[S]: ...
    @overload
    def upscale(self, image: PILImage, **request: Unpack[Options]) -> PILImage: ...
    @overload
    def upscale(self, image: Image | Encoded, **request: Unpack[Options]) -> Image: ...
    @overload
    def upscale(
        self, image: list[Any] | tuple[Any, ...], **request: Unpack[Options]
    ) -> list[Any]: ...
    @overload
    def upscale(self, image: T, **request: Unpack[Options]) -> T: ...

    @refusing_unknown
    def upscale(
        self,
        image: Any,
        *,
        size: tuple[int, int] | None = None,
        memory: int | str | None = None,
        self_ensemble: bool = False,
        consistent: bool = False,
        progress: Progress = False,
    ) -> Any:
        """Upscale an image, or each of a list; ``model(image)`` is the same.

        Parameters
        ----------
        image
            numpy array ``(H, W)`` or ``(H, W, C)`` with C = 1, 3 or 4, or a batch
            ``(N, H, W, C)``, of dtype uint8, uint16, float32 or float64 (floats in
            [0, 1]); a torch tensor ``(H, W)``, ``(C, H, W)`` or ``(N, C, H, W)`` of these
            dtypes or in half precision; a `PIL.Image`; an `srkit.Image`; or a file, as
            `read_image` takes it: a path, a URL, bytes, or an open file. Or a list of
            these, of any sizes and kinds.
        size
            ``(height, width)`` to reach exactly: the model as often as needed, then
            an antialiased bicubic resize. Without it, both sides times `scale`.
        memory
            Bytes to work in, beyond input and output, or a text such as ``"500MB"``.
            The image is cut into tiles that fit; the result stays the same, but for models
            with a `short_halo`. Little memory is slow, since each tile needs a halo around it.
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
            comes out of here; the upscaler can be used on. Of a list a bar shows how many
            images are done, and for a function each image counts by itself.

        Returns
        -------
        array, torch.Tensor, PIL.Image or srkit.Image
            Arrays for arrays, of the same dtype and channels; tensors for tensors, on the
            same device, without a gradient; PIL for PIL; `Image` for `Image` and for
            files; a list for a list. The input is not modified.

        Raises
        ------
        ImageError
            If the image is empty, of a wrong shape or dtype, not finite, or beyond
            its range; of a list, the message says which. Kinds, shapes and dtypes of a list, and
            whether its files are there, are checked before the first is upscaled.
        OptionError
            If `size` or `memory` make no sense, not even the smallest tile fits in `memory`,
            or the result takes more than the machine has.
        MemoryError
            If memory runs out even on the smallest tile.

        Examples
        --------
        >>> import srkit
        >>> model = srkit.load("bicubic", scale=2)
        >>> grey = np.full((100, 150), 1000, np.uint16)
        >>> model.upscale(grey).shape, model.upscale(grey).dtype
        ((200, 300), dtype('uint16'))
        >>> model.upscale(grey, size=(250, 375)).shape
        (250, 375)
        >>> tiled = model.upscale(grey, memory="50kB")  # several tiles, the same pixels
        >>> bool((tiled == model.upscale(grey)).all())
        True
        >>> [made.shape for made in model([grey, grey[:20]])]
        [(200, 300), (40, 300)]
        """
        if size is not None:
            _check_size(size)
        request = Request(size, byte_count(memory), self_ensemble, consistent, progress)
        if not isinstance(image, list | tuple):
            return self._one(image, request)
        for number, one in enumerate(image):
            with _telling(number):  # before the work on those before it
                check_kind(one)
        label = f"{self.name} x{self.scale}, {len(image)} images"
        with each_of(len(image), progress, label) as progress_of:
            return [
                self._each(one, replace(request, progress=progress_of(number)), number)
                for number, one in enumerate(image)
            ]

    @overload
    def __call__(self, image: NDArray[S], **request: Unpack[Options]) -> NDArray[S]: ...
    @overload
    def __call__(self, image: PILImage, **request: Unpack[Options]) -> PILImage: ...
    @overload
    def __call__(self, image: Image | Encoded, **request: Unpack[Options]) -> Image: ...
    @overload
    def __call__(
        self, image: list[Any] | tuple[Any, ...], **request: Unpack[Options]
    ) -> list[Any]: ...
    @overload
    def __call__(self, image: T, **request: Unpack[Options]) -> T: ...

    def __call__(self, image: Any, **request: Unpack[Options]) -> Any:
        """See `upscale`."""
        return self.upscale(image, **request)

    def _one(self, image: Any, request: Request) -> Any:
        """Upscale one image; for models that do it in a way of their own."""
        planes = read_planes(image)
        if isinstance(image, np.ndarray) or is_tensor(image):
            tell_of_depth(planes.colour)
        result = request.upscale(self, planes)
        give_back()
        return result

    def _each(self, image: Any, request: Request, number: int) -> Any:
        """Upscale one image of a list; an error says which."""
        with _telling(number):
            return self._one(image, request)

    @refusing_unknown
    def upscale_file(
        self,
        source: str | os.PathLike[str],
        target: str | os.PathLike[str],
        *,
        memory: int | str | None = None,
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

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import srkit
        >>> small = Path(tempfile.mkdtemp()) / "small.tif"
        >>> large = small.with_name("large.tif")
        >>> srkit.Image(np.zeros((10, 15, 3), np.uint8)).save(small)
        >>> srkit.load("nearest", scale=2).upscale_file(small, large)
        >>> srkit.read_image(large)
        <srkit.Image 30x20 RGB uint8>
        """
        budget = byte_count(memory)
        upscale_file(self, source, target, memory=budget, ensemble=self_ensemble, progress=progress)

    @refusing_unknown
    def upscale_frames(
        self, frames: Iterable[Any], *, memory: int | str | None = None, self_ensemble: bool = False
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

        Examples
        --------
        >>> import srkit
        >>> clip = (np.full((4, 6, 3), level, np.uint8) for level in range(100))
        >>> frames = srkit.load("nearest", scale=2).upscale_frames(clip)
        >>> next(frames).shape, int(next(frames).max())
        ((8, 12, 3), 1)
        """
        model: Upscaler = self
        for number, frame in enumerate(frames):
            if self.decides and number == 0:
                planes = read_planes(frame)
                model = decided(self, planes.colour[0], planes.top, planes.jpeg_quality)
            yield model.upscale(frame, memory=memory, self_ensemble=self_ensemble)


@contextmanager
def _telling(number: int) -> Iterator[None]:
    """Say which image of a list an error is of."""
    try:
        yield
    except SrkitError as error:
        raise type(error)(f"image {number} of the list: {error}") from error


def _check_size(size: tuple[int, int]) -> None:
    good = (
        isinstance(size, tuple | list)
        and len(size) == 2
        and all(_is_whole(n) and 0 < n <= LONGEST_SIDE for n in size)
    )
    if not good:
        raise OptionError(
            f"size is (height, width) in pixels, both from 1 to {LONGEST_SIDE}, not {size!r}"
        )


def _is_whole(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)
