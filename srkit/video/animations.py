"""Animated GIF, PNG and WebP: frames, each with its time, read and written by Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from srkit.advice import advise
from srkit.errors import OptionError, VideoError
from srkit.imaging.files.decoding import check_size, naming
from srkit.imaging.files.reading import MAX_PIXELS
from srkit.imaging.image import Image
from srkit.memory import free_memory

# By suffix, as Pillow names them.
KINDS = {".gif": "GIF", ".apng": "PNG", ".png": "PNG", ".webp": "WEBP"}
TITLES = {"GIF": "GIF", "PNG": "APNG", "WEBP": "WebP"}
_HEADS = ((b"GIF8", "GIF"), (b"\x89PNG\r\n\x1a\n", "PNG"))
# What browsers make of a frame that says 0, in thousandths of a second.
_USUAL = Fraction(100)
# Hundredths of a second: browsers slow down what is shorter.
_SHORTEST = 2
# Bytes that Pillow holds of a pixel while it writes, and the share of free memory for them.
_BYTES, _SHARE = 8, 2
_QUALITY = 90  # of WebP
_MOST_PLAYS = 65_535  # of GIF and WebP; APNG counts further


@dataclass(frozen=True)
class Animation:
    """What an animated file holds.

    Attributes
    ----------
    kind
        As Pillow names it: GIF, PNG or WEBP.
    width, height
        Of all frames.
    durations
        Of each frame, in thousandths of a second.
    plays
        How often it is shown; 0 for ever.
    transparent
        Whether a pixel of it is.
    """

    kind: str
    width: int
    height: int
    durations: tuple[Fraction, ...]
    plays: int
    transparent: bool


def kind_of(path: Path) -> str | None:
    """What kind of animation or still picture a file may be, by its first bytes."""
    with path.open("rb") as file:
        head = file.read(16)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for start, kind in _HEADS if head.startswith(start)), None)


def read_animation(path: Path, kind: str) -> Animation:
    """Read what a file holds; every frame is decoded once, so that damage is known at once.

    Raises
    ------
    CorruptFileError
        If it is truncated or damaged.
    VideoError
        If it holds one picture.
    ImageTooLargeError
        If frames are larger than `srkit.read_image` reads.
    """
    durations, transparent = list[Fraction](), False
    with naming(path, TITLES[kind]), _opened(path, kind) as file:
        size: tuple[int, int] = file.size
        for frame, duration in _frames(file):
            durations.append(duration)
            transparent = transparent or np.asarray(frame.getchannel("A")).min() < 255
        plays = _plays(kind, file.info.get("loop"))
    if len(durations) < 2:
        raise VideoError(
            f"{path} is one picture, no animation; srkit upscale makes a larger one of it"
        )
    return Animation(kind, size[0], size[1], tuple(durations), plays, transparent)


def frames_of(path: Path, animation: Animation) -> Iterator[Image]:
    """The frames as people see them, all of one kind: RGB, or RGBA where some is transparent."""
    mode = "RGBA" if animation.transparent else "RGB"
    with naming(path, TITLES[animation.kind]), _opened(path, animation.kind) as file:
        for frame, _ in _frames(file):
            yield Image(np.asarray(frame.convert(mode)))


def _opened(path: Path, kind: str) -> Any:
    file = PILImage.open(path, formats=[kind])
    check_size(*file.size, MAX_PIXELS)
    return file


def _frames(file: Any) -> Iterator[tuple[PILImage.Image, Fraction]]:
    # The picture that APNG shows where animations are not known is none of its frames.
    first = 1 if getattr(file, "default_image", False) else 0
    for number in range(first, getattr(file, "n_frames", 1)):
        file.seek(number)
        file.load()
        told = Fraction(file.info.get("duration") or 0).limit_denominator(1000)
        yield file.convert("RGBA"), told if told > 0 else _USUAL


def _plays(kind: str, loop: Any) -> int:
    """How often it is shown: GIF counts what follows the first time, the others all."""
    if kind == "GIF":
        return 1 if loop is None else int(loop) + 1 if loop else 0
    return int(loop or 0)


def check_memory(kind: str, frames: int, width: int, height: int) -> None:
    """Refuse what does not fit in memory, where such a file is put together.

    Raises
    ------
    OptionError
        If it takes more than half of what is free.
    """
    needed = frames * width * height * _BYTES
    if needed > free_memory() // _SHARE:
        shorter = advise("start= and end=", "--start and --end")
        raise OptionError(
            f"{frames} frames of {width}x{height} as {TITLES[kind]} take {needed / 1e9:.1f} GB of "
            f"memory, which is not free: cut a part by {shorter}, make it smaller, or write .mp4"
        )


def write_animation(
    file: BinaryIO,
    kind: str,
    frames: Iterable[tuple[Image, Fraction, Fraction]],
    plays: int,
    *,
    exact: bool,
    advance: Callable[[int], None] = lambda _: None,
) -> int:
    """Write an animated file.

    Parameters
    ----------
    frames
        Each with its time and duration, in thousandths of a second.
    plays
        How often it is shown; 0 for ever.
    exact
        Keep frames that are shorter than browsers show in GIF, since they were so.
    advance
        Told of each frame: of GIF, to find 256 colours for it takes longer than all else.

    Returns
    -------
    int
        How many frames were left out, because GIF shows no more than fifty a second.

    Raises
    ------
    VideoError
        If GIF cannot tell how long a frame is shown.
    """
    if kind == "GIF":
        kept, left_out = _in_hundredths(list(frames), exact=exact)
    else:
        kept, left_out = [(image, float(length)) for image, _, length in frames], 0
    durations = [length for _, length in kept]
    # Of GIF's frames all have a transparent colour, or none: what lies below one shows through.
    clear = kind == "GIF" and any(image.metadata.mode in ("LA", "RGBA") for image, _ in kept)
    draw = partial(_indexed, clear=clear) if kind == "GIF" else Image.to_pil
    drawn = list[PILImage.Image]()
    for image, _ in kept:
        drawn.append(draw(image))
        advance(1)
    first, *rest = drawn
    if kind != "PNG":
        plays = min(plays, _MOST_PLAYS)
    options: dict[str, Any] = {"duration": durations, "loop": plays}
    if kind == "GIF":
        options |= {"disposal": 2 if clear else 1, "optimize": False}
        options["loop"] = plays - 1 if plays else 0
        if plays == 1:
            del options["loop"]
    elif kind == "WEBP":
        options |= {"quality": _QUALITY, "method": 4}
    try:
        first.save(file, kind, save_all=True, append_images=rest, **options)
    except OverflowError as error:
        raise VideoError(
            "a GIF shows a picture for at most 655 seconds, and one is to be shown for longer; "
            "write .webp, .apng or a video"
        ) from error
    return left_out


def _in_hundredths(
    frames: list[tuple[Image, Fraction, Fraction]], *, exact: bool
) -> tuple[list[tuple[Image, float]], int]:
    """Frames with durations in whole hundredths of a second, whose sums stay true."""
    begins = [round(begin / 10) for _, begin, _ in frames]
    begins.append(round((frames[-1][1] + frames[-1][2]) / 10))
    kept = list[tuple[Image, int]]()
    least = 1 if exact else _SHORTEST
    for (image, _, _), begin in zip(frames, begins, strict=False):
        if not kept or begin - kept[-1][1] >= least:
            kept.append((image, begin))
    ends = [begin for _, begin in kept[1:]] + [max(begins[-1], kept[-1][1] + least)]
    timed = [(image, 10.0 * (end - begin)) for (image, begin), end in zip(kept, ends, strict=True)]
    return timed, len(frames) - len(kept)


def _indexed(image: Image, *, clear: bool) -> PILImage.Image:
    """A picture of 256 colours of its own; with `clear` the last of them is transparent."""
    whole = image.to_pil()
    picture = whole.convert("RGB")
    most = 255 if clear else 256
    if picture.getcolors(most) is not None:
        indexed = _exactly(np.asarray(picture))
    else:
        palette = picture.quantize(most, PILImage.Quantize.MEDIANCUT)
        indexed = picture.quantize(palette=palette, dither=PILImage.Dither.FLOYDSTEINBERG)
    if not clear:
        return indexed
    indices = np.array(indexed)
    indices[np.asarray(whole.convert("RGBA"))[..., 3] < 128] = 255
    result = PILImage.fromarray(indices, "P")
    result.putpalette(((indexed.getpalette() or []) + [0] * 768)[:768])
    result.info["transparency"] = 255
    return result


def _exactly(pixels: NDArray[np.uint8]) -> PILImage.Image:
    """A picture of few colours, without loss."""
    colours, places = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    indexed = PILImage.fromarray(places.reshape(pixels.shape[:2]).astype(np.uint8), "P")
    indexed.putpalette(colours.tobytes())
    return indexed


def as_png(image: Image) -> bytes:
    """A frame as it lies on the disk until all are there."""
    file = io.BytesIO()
    image.to_pil().save(file, "PNG", compress_level=1)
    return file.getvalue()


def of_png(data: bytes) -> Image:
    """What `as_png` wrote."""
    with PILImage.open(io.BytesIO(data), formats=["PNG"]) as picture:
        return Image(np.asarray(picture))
