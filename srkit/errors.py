"""Every exception that srkit raises.

Messages say what was given, what was expected and what to do about it.

>>> import srkit
>>> try:
...     srkit.load("lanzcos")
... except srkit.SrkitError as error:
...     print(error)
no model is named 'lanzcos'; did you mean lanczos?
"""

from __future__ import annotations


class SrkitError(Exception):
    """The parent of every error that srkit raises on purpose.

    Examples
    --------
    >>> import srkit
    >>> for path in ("photo.pth", "bicubic"):
    ...     try:
    ...         print(srkit.load(path).scale)
    ...     except SrkitError as error:
    ...         print(error)
    photo.pth cannot be read: No such file or directory
    4
    """


class ImageError(SrkitError, ValueError):
    """An image has a shape, dtype, mode or value that srkit cannot process.

    Examples
    --------
    >>> import numpy as np
    >>> import srkit
    >>> srkit.Image(np.zeros((4, 6, 5), np.uint8))
    Traceback (most recent call last):
    srkit.errors.ImageError: Image takes (H, W), (H, W, 2), (H, W, 3) or (H, W, 4), not (4, 6, 5)
    """


class ImageTooLargeError(ImageError):
    """An image has more pixels than `max_pixels` allows.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import srkit
    >>> path = tempfile.mkdtemp() + "/large.png"
    >>> srkit.Image(np.zeros((30, 40), np.uint8)).save(path)
    >>> try:
    ...     srkit.read_image(path, max_pixels=1000)
    ... except ImageTooLargeError as error:
    ...     print("1200" in str(error))
    True
    """


class NotByRowsError(ImageError):
    """An image cannot be upscaled from file to file by rows: it has to be read whole.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import srkit
    >>> small = Path(tempfile.mkdtemp()) / "small.tif"
    >>> srkit.Image(np.zeros((3, 4), np.uint8)).save(small)
    >>> try:
    ...     srkit.load("bicubic").upscale_file(small, small.with_suffix(".jpg"))
    ... except NotByRowsError as error:
    ...     print(str(error).rpartition("; ")[2])
    name a .tif, .png or .zarr file
    """


class CorruptFileError(SrkitError, ValueError):
    """A file is truncated, damaged or not what its name says.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import srkit
    >>> path = Path(tempfile.mkdtemp()) / "empty.png"
    >>> path.touch()
    >>> try:
    ...     srkit.read_image(path)
    ... except CorruptFileError as error:
    ...     print(str(error).removeprefix(str(path)))
    : the file is empty
    """


class UnsafeFileError(SrkitError):
    """A weights file asks for something that could run code, and was refused.

    Examples
    --------
    >>> import bz2, os, pickle, tempfile
    >>> from pathlib import Path
    >>> import srkit
    >>> class Harm:
    ...     def __reduce__(self):
    ...         return os.system, ("echo harm",)
    >>> path = Path(tempfile.mkdtemp()) / "theirs.pkl.bz2"
    >>> _ = path.write_bytes(bz2.compress(pickle.dumps(Harm())))
    >>> try:
    ...     srkit.Registry().contents(path)
    ... except UnsafeFileError as error:
    ...     print(str(error).rpartition("; ")[2])
    nothing was run
    """


class UnknownModelError(SrkitError, LookupError):
    """No model of that name is registered.

    Examples
    --------
    >>> import srkit
    >>> srkit.card("srgam")
    Traceback (most recent call last):
    srkit.errors.UnknownModelError: no model is named 'srgam'; did you mean srgan?
    """


class DuplicateModelError(SrkitError):
    """Two installed distributions register a model under the same name.

    Examples
    --------
    >>> import srkit
    >>> srkit.register(srkit.card("bicubic"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    srkit.errors.DuplicateModelError: a model named 'bicubic' exists; pass replace=True to ...
    """


class BrokenPluginError(SrkitError):
    """An installed plugin could not be imported or holds no valid card.

    Examples
    --------
    >>> from importlib.metadata import EntryPoint
    >>> import srkit
    >>> broken = EntryPoint("theirs", "math:no_such_card", "srkit.models")
    >>> srkit.Registry(lambda group: [broken]).card("theirs")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    srkit.errors.BrokenPluginError: 'theirs' of math (math:no_such_card) cannot be imported: ...
    """


class MissingDependencyError(SrkitError, ImportError):
    """A model needs a package that is not installed.

    Examples
    --------
    >>> import srkit
    >>> registry = srkit.Registry()
    >>> registry.register(srkit.ModelCard(
    ...     name="theirs", summary="", adapter="theirs:Net", framework="numpy",
    ...     scales=(2,), default_scale=2))
    >>> registry.load("theirs")
    Traceback (most recent call last):
    srkit.errors.MissingDependencyError: theirs:Net cannot be imported: No module named 'theirs'
    """


class OptionError(SrkitError, TypeError):
    """An option is unknown or has a value that makes no sense.

    Examples
    --------
    >>> import srkit
    >>> srkit.load("bicubic", scale=2.5)
    Traceback (most recent call last):
    srkit.errors.OptionError: scale is a whole number, not 2.5
    """


class WeightsError(SrkitError):
    """Weights are missing, fail their checksum or do not fit the network.

    Examples
    --------
    >>> import srkit
    >>> srkit.inspect("nowhere.safetensors")
    Traceback (most recent call last):
    srkit.errors.WeightsError: nowhere.safetensors cannot be read: No such file or directory
    """


class VideoError(SrkitError):
    """A video cannot be read, written or gone on with as asked.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from srkit.video.work import MANIFEST, Work
    >>> folder = Path(tempfile.mkdtemp()) / ".clip.mp4.srkit"
    >>> folder.mkdir()
    >>> _ = (folder / MANIFEST).write_text("not JSON")
    >>> try:
    ...     Work(folder, {"scale": 2}, resume=True)
    ... except VideoError as error:
    ...     print(MANIFEST in str(error), "is damaged" in str(error))
    True True
    """


class ClusterError(SrkitError):
    """A Dask cluster cannot be reached, has no workers, or was lost.

    Raised by `srkit.dask`, where Dask is installed: see the examples of `srkit.dask.cluster`.

    Examples
    --------
    >>> import srkit
    >>> issubclass(ClusterError, srkit.SrkitError)
    True
    """
