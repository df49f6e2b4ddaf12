"""Video files, from end to end.

Only what reads and writes files needs PyAV, and imports it: `srkit.video.upscaling` and
what that uses.

>>> import srkit
>>> srkit.video.upscale_video is srkit.upscale_video
True
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srkit.extras import absent, missing_extra
from srkit.memory import byte_count

if TYPE_CHECKING:
    from srkit.upscaling.upscaler import Progress, Upscaler
    from srkit.video.preview import Preview
    from srkit.video.upscaling import VideoReport


def upscale_video(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    model: str | Path | Upscaler = "espcn",
    *,
    scale: int | None = None,
    codec: str | None = None,
    crf: float | None = 18,
    preset: str | int | None = None,
    pix_fmt: str | None = None,
    start: float | str | None = None,
    end: float | str | None = None,
    width: int | None = None,
    height: int | None = None,
    fps: float | str | None = None,
    sound: str = "copy",
    subtitles: str = "copy",
    resume: bool = True,
    overwrite: bool = False,
    memory: int | str | None = None,
    progress: Progress = False,
    **options: Any,
) -> VideoReport:
    """Upscale a video, an animation or numbered pictures; needs ``pip install "srkit[video]"``.

    Every frame of the source is in the result once, in order and at its time, also where
    the frame rate varies. Sound and subtitles are copied bit for bit (sound that players'
    containers cannot hold is converted, and the log says so); pixel aspect ratio,
    colour tags, rotation, chapters and metadata are kept.

    Stopped at any moment, the same call goes on where it was. Until it is done, its work is
    in the folder ``.NAME.srkit`` beside `dst`, and nothing is at `dst`.

    Parameters
    ----------
    src
        A video of any format that FFmpeg reads; an animated GIF, PNG or WebP; or numbered
        pictures such as ``"frames/%05d.png"``, from the first that is there.
    dst
        The result: .mp4, .m4v, .mov, .mkv, .webm, .ts or .nut; an animated .gif, .png, .apng
        or .webp; or numbered pictures, whose folder is made where it is missing. Animations keep
        durations, the number of times they are shown, and transparency; sound is left out of
        all pictures, and told.
    model
        As for `load`, or a loaded model. Models of single images work frame by frame.
    scale
        Factor of both sides; if left out the model's default, or the least that reaches `width`
        and `height`.
    codec
        A codec, ``"h264"``, which is the default, ``"h265"``, ``"av1"``, ``"vp9"``, the default
        of .webm, ``"prores"``, ``"ffv1"`` (lossless); hardware, ``"nvenc"``, ``"qsv"``,
        ``"videotoolbox"`` or such as ``"h265-nvenc"``; or FFmpeg's name of an encoder.
    crf
        Quality of codecs that know it: less is better and larger, from 0 to 51 or 63. None is
        the codec's own.
    preset
        How hard the encoder tries: ``"ultrafast"`` to ``"veryslow"`` of H.264 and H.265; 13
        (fastest) to 0 of AV1, ``"p1"`` (fastest) to ``"p7"`` of nvenc. At the same `crf` files
        differ in size and quality.
        The encoder's own if left out.
    pix_fmt
        Pixel format of the result; by default 4:2:0 of the depth of `src`, for codecs that
        players know, and that of `src` or the nearest for others.
    start, end
        The part that is upscaled, with its sound, subtitles and chapters: seconds from the
        beginning, or ``"H:MM:SS"``. The result begins at 0.
    width, height
        Of the result in pixels, as players show it: the model's result is resized, antialiased.
        With one of them the shape is kept, by the nearest even number for the other.
    fps
        Frames a second of numbered pictures: 25 if left out, or such as ``"30000/1001"``.
    sound
        ``"copy"``; ``"convert"``, which makes AAC (Opus in .webm) of what the container cannot
        hold; or ``"none"``.
    subtitles
        ``"copy"`` or ``"none"``.
    resume
        False throws away unfinished work and starts again.
    overwrite
        Replace `dst` if it exists.
    memory
        Bytes for the model to work in, or a text such as ``"500MB"``, as in `Upscaler.upscale`.
    progress
        True for a bar with frames a second and time left, or a function called with frames
        done and frames in all. Of an animation all frames count twice: to write them takes long.
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
        If the container of `dst` cannot hold a stream (the message names one that can), numbers
        of pictures are missing, an animation is one picture, or
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
    from srkit.video import planning, upscaling

    wish = planning.wish_of(
        codec=codec, crf=crf, preset=preset, pix_fmt=pix_fmt, start=start, end=end,
        width=width, height=height, fps=fps, sound=sound, subtitles=subtitles,
    )  # fmt: skip
    return upscaling.upscale_video(
        src,
        dst,
        model,
        scale=scale,
        wish=wish,
        resume=resume,
        overwrite=overwrite,
        memory=byte_count(memory),
        progress=progress,
        options=options,
    )


def preview_video(
    src: str | os.PathLike[str],
    page: str | os.PathLike[str],
    model: str | Path | Upscaler = "espcn",
    *,
    dst: str | os.PathLike[str] | None = None,
    scale: int | None = None,
    codec: str | None = None,
    crf: float | None = 18,
    preset: str | int | None = None,
    pix_fmt: str | None = None,
    start: float | str | None = None,
    end: float | str | None = None,
    width: int | None = None,
    height: int | None = None,
    fps: float | str | None = None,
    sound: str = "copy",
    subtitles: str = "copy",
    overwrite: bool = False,
    memory: int | str | None = None,
    **options: Any,
) -> Preview:
    """Show one frame of a video before and after, and how long the whole is going to take.

    The frame is the one in the middle of the part between `start` and `end`. The page is one
    file with a slider, like those of `srkit.compare`; the frame is as it will be but for its
    compression. Nothing else is written.

    Parameters
    ----------
    src, model, scale, codec, crf, preset, pix_fmt, start, end, width, height, fps, sound, \
    subtitles, memory, options
        As for `upscale_video`.
    page
        The page, such as ``"page.html"``.
    dst
        What the result will be named, whose container decides how it is encoded; .mp4 if left
        out.
    overwrite
        Replace `page` if it exists.

    Returns
    -------
    Preview

    Raises
    ------
    SrkitError, OSError
        As `upscale_video`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> frames = [Image.fromarray(np.full((32, 48), n, np.uint8)) for n in (50, 100, 150)]
    >>> frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    >>> found = preview_video(folder / "a.gif", folder / "page.html", "bicubic", scale=2)
    >>> found.frames, found.width, found.height, found.time
    (3, 96, 64, 0.15)
    """
    if absent("av"):
        raise missing_extra("video files need av (PyAV), which is not installed", "video")
    from srkit.video import planning, preview

    wish = planning.wish_of(
        codec=codec, crf=crf, preset=preset, pix_fmt=pix_fmt, start=start, end=end,
        width=width, height=height, fps=fps, sound=sound, subtitles=subtitles,
    )  # fmt: skip
    return preview.preview_video(
        src,
        page,
        model,
        dst=dst,
        scale=scale,
        wish=wish,
        overwrite=overwrite,
        memory=byte_count(memory),
        options=options,
    )
