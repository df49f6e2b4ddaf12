"""What type checkers know of srkit: this file passes ``mypy --strict`` and basedpyright.

Kinds of images go through: what `upscale` is given, it gives back. Run it for the same by hand.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as PILImage

import srkit

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ramp(height: int, width: int) -> NDArray[np.uint8]:
    """A picture of grey stairs."""
    return np.add.outer(np.arange(height), np.arange(width)).astype(np.uint8)


def kinds(folder: Path) -> None:
    """An array for an array, PIL for PIL, srkit's image for a file, named, held or open."""
    model: srkit.Upscaler = srkit.load("bicubic", scale=2)
    pixels: NDArray[np.uint8] = model.upscale(ramp(24, 32))
    deep: NDArray[np.uint16] = model.upscale(ramp(24, 32).astype(np.uint16), size=(40, 60))
    picture: PILImage.Image = model.upscale(PILImage.fromarray(pixels), consistent=True)
    path = folder / "picture.png"
    picture.save(path)
    image: srkit.Image = model.upscale(path)
    held: srkit.Image = model.upscale(path.read_bytes())
    with path.open("rb") as file:
        read: srkit.Image = srkit.upscale(file, "nearest", scale=2)
    with (folder / "copy").open("wb") as out:
        srkit.read_image(io.BytesIO(path.read_bytes())).save(out, format="png")
    again: srkit.Image = srkit.upscale(image, "lanczos", scale=3, memory=10**8)
    short: NDArray[np.uint8] = srkit.upscale(pixels, "nearest", scale=2)
    called: srkit.Image = model(path, memory="500MB")
    several: list[NDArray[np.uint8]] = model([pixels, short])
    again.save(folder / "again.tif")
    print(
        held.size,
        read.size,
        deep.shape,
        short.dtype,
        srkit.read_image(path).size,
        again.to_pil().size,
        model.scale,
    )
    print(model, called, len(several), model.device)


def figures(folder: Path) -> None:
    """Models side by side, and on a folder."""
    original = ramp(48, 64)
    small = srkit.metrics.STANDARD.low_resolution(original, 2)
    comparison: srkit.Comparison = srkit.compare(
        small, [srkit.load("nearest", scale=2), "bicubic"], reference=original
    )
    best = max(comparison.scores.values(), key=lambda score: score.psnr)
    print(f"{best.psnr:.2f} dB, {srkit.metrics.ssim(original, original, crop=2):.1f}")
    srkit.Image(original).save(folder / "original.png")
    scores: srkit.Scores = srkit.evaluate("bicubic", [folder / "original.png"], scale=2)
    print(f"{scores.mean.psnr:.2f} dB, {srkit.card('bicubic').licence}, {srkit.__version__}")


def refusals() -> None:
    """Errors are of one family."""
    try:
        _ = srkit.load("bicubik")
    except srkit.UnknownModelError as error:
        print(error)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        kinds(Path(name))
        figures(Path(name))
    refusals()
