"""Suffixes of video files: those that are written, and those that are found in folders."""

from __future__ import annotations

# Containers by the suffix of a file, as FFmpeg names them. AVI is not among them: it has no
# times of frames.
CONTAINERS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm",
    ".ts": "mpegts", ".nut": "nut",
}  # fmt: skip
# Of videos that are read, and written as something else.
_READ = (
    ".avi", ".wmv", ".asf", ".mpg", ".mpeg", ".m2v", ".vob", ".mts", ".m2ts", ".flv", ".3gp",
    ".3g2", ".ogv", ".rm", ".rmvb", ".divx", ".mxf", ".dv",
)  # fmt: skip
# What is written for each.
VIDEOS = {**{suffix: suffix for suffix in CONTAINERS}, **dict.fromkeys(_READ, ".mp4")}
# What is looked for in folders: most pictures of other formats are no animations.
SEARCHED = {**VIDEOS, ".gif": ".gif", ".apng": ".apng"}
# What is written for files that are named; "" stands for all others.
ENDINGS = {**SEARCHED, ".png": ".png", ".webp": ".webp", "": ".mp4"}
