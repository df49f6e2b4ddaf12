"""Huge pictures of which any rectangle is read by itself: Zarr and TIFF."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from srkit.batch.identity import fingerprint
from srkit.errors import ImageError, NotByRowsError
from srkit.imaging import notes
from srkit.imaging.files import tiff_directories, tiff_reading
from srkit.imaging.files import zarr as zarrs
from srkit.imaging.files.decoding import naming
from srkit.imaging.fitting import fit
from srkit.upscaling.parts import Part
from srkit.upscaling.tiling import Region

if TYPE_CHECKING:
    import tifffile

# What planes of a TIFF mean: rows, columns, samples. Others would be a stack.
_AXES = ("YX", "YXS")
_MARKERS = ("zarr.json", ".zarray")


class BlockSource:
    """A picture in a file.

    Attributes
    ----------
    path
        The file, or the folder of a Zarr store.
    shape
        ``(H, W, C)``, C is 1 or 3.
    dtype
        uint8, uint16 or float32; other floats are read as these.
    flat
        Whether the array has no axis of channels.
    close
        Lets go of the file; it must not be read any more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with naming(path, "Zarr or TIFF"):
            self._array, self.close = _open(path)
        height, width = self._array.shape[:2]
        self.flat = self._array.ndim == 2
        channels = 1 if self.flat else self._array.shape[2]
        if channels not in (1, 3):
            raise NotByRowsError(
                f"{path}: a picture with transparency has to be read whole, not in blocks"
            )
        self.shape = int(height), int(width), int(channels)
        stored = np.dtype(self._array.dtype)
        self.dtype = np.dtype(np.float32) if stored.kind == "f" else stored.newbyteorder("=")

    def __getitem__(self, place: tuple[slice, slice], /) -> NDArray[Any]:
        """Some rows and columns; both slices have ends."""
        (rows, columns) = place
        return self.read(Region(rows.start, rows.stop, columns.start, columns.stop)).pixels

    def read(self, region: Region) -> Part:
        """The pixels of a rectangle."""
        rows, columns = slice(region.top, region.bottom), slice(region.left, region.right)
        with naming(self.path, "Zarr or TIFF"):
            pixels: NDArray[Any] = zarrs.plain(self._array[rows, columns])
        return Part(pixels[..., None] if self.flat else pixels, region.top, region.left, self.shape)


# Threads that ask at once would each open the file, of which one is kept.
_OPENING = threading.Lock()


def opened(path: Path, digest: str) -> BlockSource:
    """A source that this process keeps open, for large TIFF files have long tables.

    `digest` tells it from another file that had its name before.
    """
    with _OPENING:
        return _opened(path, digest)


@functools.lru_cache(maxsize=2)
def _opened(path: Path, digest: str) -> BlockSource:
    return BlockSource(path)


def left_out(path: Path) -> tuple[str, ...]:
    """What a picture says beside its pixels, which the Zarr store of its result cannot keep.

    It is told as well; see `srkit.imaging.notes`.
    """
    if zarrs.is_store(path):
        return ()
    import tifffile

    with (
        naming(path, "TIFF"),
        path.open("rb") as file,
        tifffile.TiffFile(file) as picture,
        notes.about(path),
        notes.collecting() as lost,
    ):
        page = _only_series(picture).keyframe
        # Of any size and mode: the store has no place for what depends on them.
        metadata = tiff_reading.read_metadata(page, file, "RGB")
        fit(metadata, zarrs.ZARR, page.imagewidth, page.imagelength)
    return tuple(lost)


def source_digest(path: Path) -> str:
    """What tells a picture from others; of a store its description, and when it was written."""
    if path.is_file():
        return fingerprint(path)
    marker = next((p for p in map(path.joinpath, _MARKERS) if p.is_file()), path)
    return f"{fingerprint(marker) if marker.is_file() else ''} {marker.stat().st_mtime_ns}"


def _open(path: Path) -> tuple[Any, Callable[[], None]]:
    if zarrs.is_store(path):
        return zarrs.open_array(path), lambda: None
    with path.open("rb") as file:
        head = file.read(4)
    if head not in tiff_reading.HEADERS:
        raise ImageError("only Zarr and TIFF are upscaled in blocks")
    return _open_tiff(path)


def _open_tiff(path: Path) -> tuple[Any, Callable[[], None]]:
    """The largest level of a TIFF's only series, as a Zarr array that decodes what is asked for."""
    import tifffile
    import zarr

    zarrs.require()
    with path.open("rb") as file:
        tiff_directories.check(file)
    picture = tifffile.TiffFile(path)
    try:
        return zarr.open_array(_only_series(picture).aszarr(level=0), mode="r"), picture.close
    except BaseException:
        picture.close()
        raise


def _only_series(file: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """The picture of a file, if it is of a kind that is upscaled in blocks."""
    if len(file.series) != 1:
        # Slides come with a label and a thumbnail, which are smaller than the picture.
        shapes = ", ".join(str(series.shape) for series in file.series)
        raise ImageError(
            f"the TIFF holds {len(file.series)} pictures, {shapes}; save the one you want alone"
        )
    series = file.series[0]
    page = series.keyframe
    if series.axes not in _AXES or page.photometric not in (1, 2, 6):
        raise ImageError(
            f"a TIFF with axes {series.axes} and colours {page.photometric!r} is not "
            "upscaled in blocks: grey (YX) or RGB (YXS) is"
        )
    if np.dtype(series.dtype).name not in ("uint8", "uint16", "float16", "float32", "float64"):
        raise ImageError(f"a TIFF of {series.dtype} is not supported; use uint8, uint16 or float32")
    return series
