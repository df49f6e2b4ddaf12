"""Every exception that srkit raises.

Messages say what was given, what was expected and what to do about it.
"""

from __future__ import annotations


class SrkitError(Exception):
    """The parent of every error that srkit raises on purpose."""


class ImageError(SrkitError, ValueError):
    """An image has a shape, dtype, mode or value that srkit cannot process."""


class ImageTooLargeError(ImageError):
    """An image has more pixels than `max_pixels` allows."""


class NotByRowsError(ImageError):
    """An image cannot be upscaled from file to file by rows: it has to be read whole."""


class CorruptFileError(SrkitError, ValueError):
    """A file is truncated, damaged or not what its name says."""


class UnsafeFileError(SrkitError):
    """A weights file asks for something that could run code, and was refused."""


class UnknownModelError(SrkitError, LookupError):
    """No model of that name is registered."""


class DuplicateModelError(SrkitError):
    """Two installed distributions register a model under the same name."""


class BrokenPluginError(SrkitError):
    """An installed plugin could not be imported or holds no valid card."""


class MissingDependencyError(SrkitError, ImportError):
    """A model needs a package that is not installed."""


class OptionError(SrkitError, TypeError):
    """An option is unknown or has a value that makes no sense."""


class WeightsError(SrkitError):
    """Weights are missing, fail their checksum or do not fit the network."""


class VideoError(SrkitError):
    """A video cannot be read, written or gone on with as asked."""


class ClusterError(SrkitError):
    """A Dask cluster cannot be reached, has no workers, or was lost."""
