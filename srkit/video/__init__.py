"""Video files, from end to end.

Only what reads and writes files needs PyAV, and imports it: `srkit.video.upscaling` and
what that uses.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srkit.extras import absent, missing_extra
from srkit.memory import byte_count

if TYPE_CHECKING:
    from srkit.upscaling.upscaler import Progress, Upscaler
    from srkit.video.upscaling import VideoReport


def upscale_video(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    model: str | Path | Upscaler = "espcn",
    *,
    scale: int | None = None,
    codec: str | None = None,
    crf: float | None = 18,
    pix_fmt: str | None = None,
    resume: bool = True,
    overwrite: bool = False,
    memory: int | str | None = None,
    progress: Progress = False,
    **options: Any,
) -> VideoReport:
    """Upscale a video file; needs ``pip install "srkit[video]"``.

    Every frame of the source is in the result once, in order and at its time, also where
    the frame rate varies. Sound and subtitles are copied bit for bit (sound that players'
    containers cannot hold is converted, and the log says so); pixel aspect ratio,
    colour tags, rotation, chapters and metadata are kept.

    Stopped at any moment, the same call goes on where it was. Until it is done, its work is
    in the folder ``.NAME.srkit`` beside `dst`, and nothing is at `dst`.

    Parameters
    ----------
    src
        A video of any format that FFmpeg reads.
    dst
        The result: .mp4, .m4v, .mov, .mkv, .webm, .ts or .nut.
    model
        As for `load`, or a loaded model. Models of single images work frame by frame.
    scale
        Factor of both sides; the model's default if left out.
    codec
        FFmpeg's name of an encoder: ``"libx264"``, which is the default, ``"libx265"``,
        ``"libvpx-vp9"``, the default of .webm, ``"ffv1"`` (lossless), ...
    crf
        Quality of codecs that know it: less is better and larger, from 0 to 51 or 63. None is
        the codec's own.
    pix_fmt
        Pixel format of the result; by default 4:2:0 of the depth of `src`, for codecs that
        players know, and that of `src` or the nearest for others.
    resume
        False throws away unfinished work and starts again.
    overwrite
        Replace `dst` if it exists.
    memory
        Bytes for the model to work in, or a text such as ``"500MB"``, as in `Upscaler.upscale`.
    progress
        True for a bar with frames a second and time left, or a function called with frames
        done and frames in all.
    options
        Options of the model, as for `load`.

    Returns
    -------
    VideoReport

    Raises
    ------
    CorruptFileError
        If `src` is no video, or not one frame of it can be decoded.
    VideoError
        If the container of `dst` cannot hold a stream (the message names one that can), or
        unfinished work is there that was made of another source or by other settings.
    OptionError
        If an option makes no sense, or `dst` exists.
    MissingDependencyError
        If PyAV is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import av, numpy as np
    >>> folder = Path(tempfile.mkdtemp())
    >>> with av.open(folder / "small.mkv", "w") as clip:
    ...     stream = clip.add_stream("ffv1", rate=25, width=48, height=32)
    ...     for level in (50, 100, 150):
    ...         picture = np.full((32, 48, 3), level, np.uint8)
    ...         clip.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
    ...     clip.mux(stream.encode(None))
    >>> report = upscale_video(folder / "small.mkv", folder / "large.mp4", "bicubic", scale=2)
    >>> report.frames, report.width, report.height, report.broken
    (3, 96, 64, ())

    With a network, and a bar::

        report = srkit.upscale_video("in.mp4", "out.mp4", "espcn", scale=2, progress=True)
        report.frames, report.broken
    """
    if absent("av"):
        raise missing_extra("video files need av (PyAV), which is not installed", "video")
    from srkit.video import upscaling

    return upscaling.upscale_video(
        src,
        dst,
        model,
        scale=scale,
        codec=codec,
        crf=crf,
        pix_fmt=pix_fmt,
        resume=resume,
        overwrite=overwrite,
        memory=byte_count(memory),
        progress=progress,
        options=options,
    )
