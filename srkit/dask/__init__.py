"""Many files, huge images and long videos on the workers of a Dask cluster.

>>> import dask.array as da
>>> import numpy as np
>>> slide = da.zeros((4000, 6000, 3), dtype=np.uint8, chunks=(1000, 1000, 3))
>>> large = upscale(slide, "srresnet", scale=4)
>>> large.shape, large.chunksize, large.dtype
((16000, 24000, 3), (4000, 4000, 3), dtype('uint8'))
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from srkit.errors import MissingDependencyError

if _missing := [name for name in ("dask", "distributed", "fsspec") if find_spec(name) is None]:
    raise MissingDependencyError(
        f'srkit.dask needs {" and ".join(_missing)}, not installed here: pip install "srkit[dask]"'
    )

from srkit.dask.blocks import BlocksReport, upscale_blocks
from srkit.dask.files import FilesReport, upscale_files
from srkit.dask.lazy import upscale
from srkit.dask.tasks import cluster

__all__ = [
    "BlocksReport",
    "FilesReport",
    "cluster",
    "upscale",
    "upscale_blocks",
    "upscale_files",
    "upscale_video",
]


def __getattr__(name: str) -> Any:
    """`upscale_video`, imported when it is asked for, since it comes with PyAV."""
    if name != "upscale_video":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec("av") is None:
        raise MissingDependencyError(
            'video files need av (PyAV), which is not installed: pip install "srkit[dask,video]"'
        )
    from srkit.dask.video import upscale_video

    return upscale_video
