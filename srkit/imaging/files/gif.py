"""GIF, which is read."""

from __future__ import annotations

from PIL import GifImagePlugin

from srkit.imaging.files import pillow
from srkit.imaging.files.image_format import ImageFormat, starts_with

GIF = ImageFormat(
    "GIF",
    (),
    sniff=starts_with(b"GIF87a", b"GIF89a"),
    read=pillow.reader("GIF", GifImagePlugin.GifImageFile),
    aliases=(".gif",),
)
