"""srkit upscales images with any super-resolution model, whatever framework it came from.

>>> import srkit
>>> import numpy as np
>>> photo = np.zeros((20, 30, 3), np.uint8)
>>> srkit.load("bicubic", scale=4).upscale(photo).shape
(80, 120, 3)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from srkit.card import ModelCard, WeightsFile
from srkit.errors import (
    BrokenPluginError,
    ClusterError,
    CorruptFileError,
    DuplicateModelError,
    ImageError,
    ImageTooLargeError,
    MissingDependencyError,
    NotByRowsError,
    OptionError,
    SrkitError,
    UnknownModelError,
    UnsafeFileError,
    VideoError,
    WeightsError,
)
from srkit.version import __version__ as __version__

if TYPE_CHECKING:
    # What type checkers and the reference read; it says what _HOMES says, and a test compares.
    from srkit import metrics, video
    from srkit.adapters.conversion import convert
    from srkit.adapters.onnx.exporting import export
    from srkit.evaluation.bench import Benchmark, bench
    from srkit.evaluation.benchmark import evaluate
    from srkit.evaluation.comparison import Comparison, compare
    from srkit.evaluation.results import Scores
    from srkit.imaging.files.reading import read_image
    from srkit.imaging.image import Image
    from srkit.imaging.resize import imresize
    from srkit.models.inspection import FileReport
    from srkit.models.loading import (
        card,
        cards,
        inspect,
        list_models,
        load,
        register,
        upscale,
    )
    from srkit.models.registry import FileFormat, Registry
    from srkit.models.wrapping import wrap
    from srkit.training import train
    from srkit.upscaling.upscaler import Upscaler
    from srkit.upscaling.video import VideoUpscaler
    from srkit.video import upscale_video
    from srkit.video.upscaling import VideoReport
else:
    # To import srkit.card put the module where the function of that name belongs.
    del card

__all__ = [
    "Benchmark",
    "BrokenPluginError",
    "ClusterError",
    "Comparison",
    "CorruptFileError",
    "DuplicateModelError",
    "FileFormat",
    "FileReport",
    "Image",
    "ImageError",
    "ImageTooLargeError",
    "MissingDependencyError",
    "ModelCard",
    "NotByRowsError",
    "OptionError",
    "Registry",
    "Scores",
    "SrkitError",
    "UnknownModelError",
    "UnsafeFileError",
    "Upscaler",
    "VideoError",
    "VideoReport",
    "VideoUpscaler",
    "WeightsError",
    "WeightsFile",
    "bench",
    "card",
    "cards",
    "compare",
    "convert",
    "evaluate",
    "export",
    "imresize",
    "inspect",
    "list_models",
    "load",
    "metrics",
    "read_image",
    "register",
    "train",
    "upscale",
    "upscale_video",
    "video",
    "wrap",
]

# Where names live that are imported when they are asked for: `import srkit` then takes next to
# no time, and what needs an extra is missed by those alone who use it.
_HOMES = {
    "Benchmark": "srkit.evaluation.bench",
    "Comparison": "srkit.evaluation.comparison",
    "FileFormat": "srkit.models.registry",
    "FileReport": "srkit.models.inspection",
    "Image": "srkit.imaging.image",
    "Registry": "srkit.models.registry",
    "Scores": "srkit.evaluation.results",
    "Upscaler": "srkit.upscaling.upscaler",
    "VideoReport": "srkit.video.upscaling",
    "VideoUpscaler": "srkit.upscaling.video",
    "bench": "srkit.evaluation.bench",
    "card": "srkit.models.loading",
    "cards": "srkit.models.loading",
    "compare": "srkit.evaluation.comparison",
    "convert": "srkit.adapters.conversion",
    "evaluate": "srkit.evaluation.benchmark",
    "export": "srkit.adapters.onnx.exporting",
    "imresize": "srkit.imaging.resize",
    "inspect": "srkit.models.loading",
    "list_models": "srkit.models.loading",
    "load": "srkit.models.loading",
    "read_image": "srkit.imaging.files.reading",
    "register": "srkit.models.loading",
    "train": "srkit.training",
    "upscale": "srkit.models.loading",
    "upscale_video": "srkit.video",
    "wrap": "srkit.models.wrapping",
}
# Modules that are names of their own.
_MODULES = ("metrics", "video")


if not TYPE_CHECKING:  # for type checkers it would be any name that one mistypes

    def __getattr__(name: str) -> Any:
        """A public name that lives elsewhere."""
        if name in _MODULES:
            return import_module(f"srkit.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """All public names, those too that nobody asked for yet, and no others."""
    return sorted([*__all__, "__version__"])
