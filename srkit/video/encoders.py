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
# Ends of names of encoders that are parts of graphics cards, processors or systems.
_HARDWARE = re.compile(r"_(nvenc|qsv|vaapi|amf|videotoolbox|v4l2m2m|vulkan|mf|omx|mediacodec)$")
# Where the scale of crf ends; encoders of H.264 and H.265 take more, and make the same of it.
_CRF = {"h264": 51.0, "hevc": 51.0, "vp8": 63.0, "vp9": 63.0, "av1": 63.0}


def encoder_named(name: str) -> Codec:
    """The encoder of a name, FFmpeg's.

    Raises
    ------
    OptionError
        If there is none, with those that write the codec that the name stands for; or if it
        encodes something else.

    Examples
    --------
    >>> encoder_named("h265")
    Traceback (most recent call last):
    srkit.errors.OptionError: h265 is a codec, not an encoder; libx265 writes H.265 (HEVC)
    """
    try:
        codec = Codec(name, "w")
    except ValueError as error:
        raise OptionError(_absent(name)) from error
    if codec.type != "video":
        raise OptionError(f"{name} encodes {codec.type}, not video")
    return codec


def _absent(name: str) -> str:
    base = re.sub(r"[^a-z0-9]", "", _HARDWARE.sub("", name.lower()).removeprefix("lib"))
    codec = _CALLED.get(base) or _CALLED.get(re.sub(r"^vpx|ks$|enc$", "", base))
    usual = "try libx264, libx265 or ffv1"
    if codec is None:
        return f"no encoder is named {name!r}; {usual}"
    title = TITLES.get(codec, codec)
    there = instead_of(codec)
    called = re.sub(r"[^a-z0-9]", "", name.lower()) in _CALLED
    what = (
        f"{name} is a codec, not an encoder"
        if called
        else f"the encoder {name} is not in this build of FFmpeg"
    )
    return f"{what}; {there} writes {title}" if there else f"{what}, nor any of {title}; {usual}"


def instead_of(codec: str) -> str:
    """An encoder of a codec that needs no hardware; empty if this build has none.

    Examples
    --------
    >>> instead_of("h264")
    'libx264'
    """
    for name in _SOFTWARE:
        try:
            found = Codec(name, "w")
        except ValueError:
            continue
        if found.canonical_name == codec:
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
    options = CodecContext.create(codec.name, "w").supported_options.private
    if crf is None or not any(option.name == "crf" for option in options):
        return None
    most = _CRF.get(codec.canonical_name)
    if most is not None and not 0 <= crf <= most:
        raise OptionError(f"the crf of {codec.name} is from 0, the best, to {most:g}, not {crf:g}")
    return crf
