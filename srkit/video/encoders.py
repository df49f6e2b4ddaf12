"""Which encoders there are, what they write, and what is wrong with one that was asked for."""

from __future__ import annotations

import re

from av.codec import Codec, CodecContext

from srkit.errors import OptionError

# What people call the codecs, as FFmpeg names these; letters and digits alone.
_CALLED = {
    "h264": "h264", "x264": "h264", "avc": "h264", "avc1": "h264",
    "h265": "hevc", "x265": "hevc", "hevc": "hevc", "hvc1": "hevc", "hev1": "hevc",
    "vp8": "vp8", "vp9": "vp9", "vpx": "vp9",
    "av1": "av1", "av01": "av1", "aom": "av1", "svtav1": "av1", "rav1e": "av1",
    "prores": "prores", "dnxhd": "dnxhd", "dnxhr": "dnxhd",
    "xvid": "mpeg4", "divx": "mpeg4", "mpeg4": "mpeg4", "mp4v": "mpeg4",
    "mpeg2": "mpeg2video", "mpeg1": "mpeg1video", "mjpeg": "mjpeg", "jpeg": "mjpeg",
    "wmv": "wmv2", "wmv3": "wmv2", "vc1": "wmv2", "theora": "theora",
}  # fmt: skip
# As texts name them.
TITLES = {
    "h264": "H.264", "hevc": "H.265 (HEVC)", "vp8": "VP8", "vp9": "VP9", "av1": "AV1",
    "prores": "ProRes", "mpeg4": "MPEG-4", "mpeg2video": "MPEG-2", "mpeg1video": "MPEG-1",
    "mjpeg": "Motion JPEG",
}  # fmt: skip
# Encoders that need no hardware, best first.
_SOFTWARE = (
    "libx264", "libx265", "libvpx-vp9", "libvpx", "libsvtav1", "libaom-av1", "librav1e",
    "prores_ks", "dnxhd", "libxvid", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "wmv2",
    "libtheora", "ffv1",
)  # fmt: skip
# Names of codecs that messages tell.
_PEOPLE = ("h264", "h265", "av1", "vp9", "prores", "ffv1")
# Kinds of hardware that people name.
_KINDS = ("nvenc", "qsv", "videotoolbox", "vaapi", "amf")
# Ends of names of encoders that are parts of graphics cards, processors or systems.
_HARDWARE = re.compile(r"_(nvenc|qsv|vaapi|amf|videotoolbox|v4l2m2m|vulkan|mf|omx|mediacodec)$")
# Where the scale of crf ends; encoders of H.264 and H.265 take more, and make the same of it.
_CRF = {"h264": 51.0, "hevc": 51.0, "vp8": 63.0, "vp9": 63.0, "av1": 63.0}

# How hard encoders try, where their libraries refuse other words without a word of their own.
_TRIES = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
    "placebo",
)  # fmt: skip
_PRESETS = {"libx264": _TRIES, "libx264rgb": _TRIES, "libx265": _TRIES}

# The widest and the highest picture that encoders take, where they say so badly themselves.
_LARGEST = {"libx264": (16_384, 16_384), "libsvtav1": (16_384, 8_704)}


def encoder_named(name: str) -> Codec:
    """The encoder of a name: FFmpeg's, or what people call a codec or a kind of hardware.

    A codec stands for the best encoder of it that needs no hardware; ``nvenc``, ``qsv`` and
    ``videotoolbox`` for theirs of H.264, and ``hevc_nvenc`` or ``h265-nvenc`` of another codec.

    Raises
    ------
    OptionError
        If there is none, with those that write the codec that the name stands for; or if it
        encodes something else.

    Examples
    --------
    >>> [encoder_named(name).name for name in ("h264", "H.265", "vp9", "prores", "libx265")]
    ['libx264', 'libx265', 'libvpx-vp9', 'prores_ks', 'libx265']
    >>> encoder_named("x999")
    Traceback (most recent call last):
    srkit.errors.OptionError: no encoder is named 'x999'; there are h264, h265, av1, vp9, prores, \
ffv1 and FFmpeg's other names
    """
    found = _encoder(meant_by(name))
    if found is None:
        raise OptionError(_absent(name))
    if found.type != "video":
        raise OptionError(f"{name} encodes {found.type}, not video")
    return found


def meant_by(name: str) -> str:
    """FFmpeg's name of the encoder that a name stands for; other names stay as they are.

    Examples
    --------
    >>> meant_by("nvenc"), meant_by("h265-qsv"), meant_by("hevc_nvenc"), meant_by("mpeg4")
    ('h264_nvenc', 'hevc_qsv', 'hevc_nvenc', 'mpeg4')
    """
    # Of ProRes, FFmpeg has two encoders; that of its own name knows fewer profiles.
    exact = _encoder(name)
    if exact is not None and exact.name == name and name != "prores":
        return name
    if codec := _CALLED.get(_letters(name)):
        return instead_of(codec) or name
    parts = re.split(r"[_\-. ]+", name.lower())
    if parts[-1] in _KINDS:
        codec = _CALLED.get("".join(parts[:-1]) or "h264")
        return f"{codec}_{parts[-1]}" if codec else name
    return name


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _encoder(name: str) -> Codec | None:
    try:
        return Codec(name, "w")
    except ValueError:
        return None


def _absent(name: str) -> str:
    """What to say of an encoder that this build of FFmpeg does not have."""
    meant = meant_by(name)
    base = _letters(_HARDWARE.sub("", meant.lower()).removeprefix("lib"))
    codec = _CALLED.get(base) or _CALLED.get(re.sub(r"^vpx|ks$|enc$", "", base))
    if codec is None:
        there = ", ".join(known for known in _PEOPLE if instead_of(_CALLED.get(known, known)))
        return f"no encoder is named {name!r}; there are {there} and FFmpeg's other names"
    title = TITLES.get(codec, codec)
    named = f"an encoder of {title}" if meant == name and _letters(name) in _CALLED else meant
    there = instead_of(codec)
    what = f"{named} is not in this build of FFmpeg"
    return f"{what}; {there} writes {title}" if there else f"{what}, nor any other of {title}"


def instead_of(codec: str) -> str:
    """An encoder of a codec that needs no hardware; empty if this build has none.

    Examples
    --------
    >>> instead_of("h264")
    'libx264'
    """
    for name in _SOFTWARE:
        found = _encoder(name)
        if found is not None and found.name == name and found.canonical_name == codec:
            return name
    return ""


def why_closed(codec: str, cause: str) -> str:
    """What to say of an encoder that cannot be opened.

    Parameters
    ----------
    codec
        Its name.
    cause
        What FFmpeg says.

    Examples
    --------
    >>> why_closed("h264_nvenc", "Operation not permitted")
    'this machine lacks the hardware or driver that it needs; libx264 needs none'
    """
    if not _HARDWARE.search(codec):
        return cause
    there = instead_of(Codec(codec, "w").canonical_name)
    instead = f"; {there} needs none" if there else ""
    return f"this machine lacks the hardware or driver that it needs{instead}"


def check_sides(codec: str, width: int, height: int) -> None:
    """Refuse a picture that is larger than an encoder takes.

    Raises
    ------
    OptionError
        With the largest that it takes.

    Examples
    --------
    >>> check_sides("libx264", 20_000, 11_250)
    Traceback (most recent call last):
    srkit.errors.OptionError: libx264 takes at most 16384x16384 pixels, not 20000x11250; give a \
smaller size or another codec
    """
    widest, highest = _LARGEST.get(codec, (width, height))
    if width > widest or height > highest:
        raise OptionError(
            f"{codec} takes at most {widest}x{highest} pixels, not {width}x{height}; give a "
            "smaller size or another codec"
        )


def crf_of(codec: Codec, crf: float | None) -> float | None:
    """The quality that an encoder is set to; None where it knows no crf.

    Raises
    ------
    OptionError
        If it is not on the codec's scale.

    Examples
    --------
    >>> crf_of(Codec("libx264", "w"), 90)
    Traceback (most recent call last):
    srkit.errors.OptionError: the crf of libx264 is from 0, the best, to 51, not 90
    """
    if crf is None or not quality_options(codec.name, crf):
        return None
    most = _CRF.get(codec.canonical_name)
    if most is not None and not 0 <= crf <= most:
        raise OptionError(f"the crf of {codec.name} is from 0, the best, to {most:g}, not {crf:g}")
    return crf


def preset_of(codec: Codec, preset: str | int | None) -> str | None:
    """How hard an encoder is to try, as it calls it; None is its own choice.

    Raises
    ------
    OptionError
        If it has no such preset, or none at all.

    Examples
    --------
    >>> preset_of(Codec("libx264", "w"), "veryfast")
    'veryfast'
    >>> preset_of(Codec("ffv1", "w"), "veryfast")
    Traceback (most recent call last):
    srkit.errors.OptionError: ffv1 has no presets; libx264, libx265 and libsvtav1 have
    """
    if preset is None:
        return None
    options = CodecContext.create(codec.name, "w").supported_options.private
    found = next((option for option in options if option.name == "preset"), None)
    if found is None:
        raise OptionError(f"{codec.name} has no presets; libx264, libx265 and libsvtav1 have")
    given = str(preset)
    if known := _PRESETS.get(codec.name, ()) or tuple(choice.name for choice in found.choices):
        if given not in known:
            raise OptionError(f"the presets of {codec.name} are {', '.join(known)}, not {given}")
    elif found.max > 0 and given not in map(str, range(int(found.max) + 1)):
        # Below 0 lie what is not set, and settings for those who write encoders.
        raise OptionError(f"the presets of {codec.name} are 0 to {found.max:g}, not {given}")
    return given


def quality_options(codec: str, crf: float) -> dict[str, str]:
    """How an encoder is told a quality; nothing where it knows none.

    Encoders of hardware have scales of their own for it. NVIDIA's and Intel's are those of
    H.264's quantiser, as crf is. Apple's runs from 1 to 100, the best.

    Examples
    --------
    >>> quality_options("libx264", 18), quality_options("ffv1", 18)
    ({'crf': '18'}, {})
    """
    if codec.endswith("_nvenc"):
        return {"rc": "vbr", "cq": f"{crf:g}"}
    if codec.endswith("_qsv"):
        return {"global_quality": f"{max(1, round(crf))}"}
    if codec.endswith("_videotoolbox"):
        # FFmpeg's lambda: 118 units of it are one of quality.
        quality = round(max(1.0, 100 - 100 * crf / 51))
        return {"flags": "+qscale", "global_quality": f"{118 * quality}"}
    options = CodecContext.create(codec, "w").supported_options.private
    return {"crf": f"{crf:g}"} if any(option.name == "crf" for option in options) else {}
