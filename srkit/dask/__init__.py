"""Many files, huge images and long videos on the workers of a Dask cluster.

>>> import dask.array as da
>>> import numpy as np
>>> slide = da.zeros((4000, 6000, 3), dtype=np.uint8, chunks=(1000, 1000, 3))
>>> large = upscale(slide, "srresnet", scale=4)
>>> large.shape, large.chunksize, large.dtype
((16000, 24000, 3), (4000, 4000, 3), dtype('uint8'))
"""

from __future__ import annotations

from typing import Any

from srkit.extras import absent, missing_extra

if _missing := absent("dask", "distributed", "fsspec"):
    raise missing_extra(f"srkit.dask needs {' and '.join(_missing)}, not installed here", "dask")

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
    if absent("av"):
        raise missing_extra("video files need av (PyAV), which is not installed", "dask,video")
    from srkit.dask.video import upscale_video

    return upscale_video
