"""Which of three programs is best on a poor portrait, and why one of them gave garbage.

Writes the pictures of docs/portrait.md, and its tables to stdout:

    python examples/poor_portrait.py docs/pictures

The portrait is scikit-image's astronaut (Eileen Collins, NASA, public domain). Needs
pip install "srkit[torch,perceptual,realesrgan]".
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from side_by_side import SCALE, Models, Picture, add_use, from_jpeg
from skimage import data

import srkit
from srkit.metrics import psnr, ssim, st_lpips

PORTRAIT = data.astronaut()[:240, 104:344]
# Beside bicubic interpolation: the networks of the three programs, by weights that srkit ships,
# and then what srkit adds.
MODELS = {
    "bicubic": "bicubic",
    "espcn": "espcn (program 3)",
    "neural-enhance": "neural-enhance (program 2)",
    "srresnet": "srresnet (program 1)",
    "srgan": "srgan (program 1)",
    "unet": "unet",
    "photo-2025": "photo-2025",
    "photo": "photo",
    "realesrgan": "realesrgan",
}
COLUMNS = 5
QUALITY = 60  # of the poor portrait's JPEG


def clean() -> Picture:
    """The portrait a quarter as large, by MATLAB's bicubic: small, and nothing worse."""
    return srkit.imresize(PORTRAIT, 1 / SCALE)


def poor(shrunk: int = SCALE) -> Picture:
    """The portrait as it comes from an old page: out of focus, small, noisy, JPEG."""
    blurred = Image.fromarray(PORTRAIT).filter(ImageFilter.GaussianBlur(0.6 * shrunk))
    small = srkit.imresize(np.asarray(blurred), 1 / shrunk)
    noise = np.random.default_rng(1).normal(0, 4, small.shape)
    noisy = np.clip(np.rint(small + noise), 0, 255).astype(np.uint8)
    packed = io.BytesIO()
    Image.fromarray(noisy).save(packed, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(packed))


def enlarged(small: Picture | srkit.Image, models: Models) -> dict[str, Picture]:
    """What each model makes of it."""
    return {name: models.enlarge(name, small) for name in MODELS}


def squares(small: Picture) -> Picture:
    """The small picture as large as its results, pixels as squares."""
    return small.repeat(SCALE, 0).repeat(SCALE, 1)


def table(results: dict[str, Picture]) -> str:
    """Markdown: how near each is to the portrait."""
    lines = ["| model | PSNR | SSIM | ST-LPIPS |", "|---|---:|---:|---:|"]
    for name, result in results.items():
        figures = (
            f"{measure(PORTRAIT, result, crop=SCALE):.{digits}f}"
            for measure, digits in ((psnr, 2), (ssim, 3), (st_lpips, 3))
        )
        lines.append(f"| {MODELS[name]} | {' | '.join(figures)} |")
    return "\n".join(lines)


def sheet(panels: dict[str, Picture], columns: int, times: int = 2) -> Image.Image:
    """Pictures side by side, each with its name below; pixels are enlarged as squares."""
    side, foot = times * PORTRAIT.shape[0], 46
    rows = -(-len(panels) // columns)
    page = Image.new("RGB", (columns * (side + 8) - 8, rows * (side + foot)), "white")
    draw = ImageDraw.Draw(page)
    for number, (name, pixels) in enumerate(panels.items()):
        left, top = number % columns * (side + 8), number // columns * (side + foot)
        picture = Image.fromarray(pixels)
        page.paste(picture.resize((side, side), Image.Resampling.NEAREST), (left, top))
        draw.text((left + 2, top + side + 4), name, "black", font_size=30)
    return page


def as_bytes(levels: NDArray[np.float32]) -> Picture:
    """Floats written as if they were bytes: the first of them fill the picture."""
    raw = np.frombuffer(np.ascontiguousarray(levels).tobytes(), np.uint8)
    return raw[: levels.size].reshape(levels.shape)


def recovered(garbage: Picture) -> Picture:
    """What of a picture is still in its garbage: the top quarter."""
    height, width, _ = garbage.shape
    levels = np.frombuffer(garbage.tobytes(), np.float32).reshape(-1, width, 3)
    made = np.full(garbage.shape, 255, np.uint8)
    made[: height // 4] = np.rint(np.clip(levels, 0, 255))
    return made


def write_first(models: Models, path: Path) -> None:
    """What the pages begin with: a poor portrait twice as large as below, and the default's."""
    small = poor(shrunk=SCALE // 2)
    made = models.enlarge("photo", from_jpeg(small, QUALITY))
    shown = {"before": squares(small), "after": made}
    sheet(shown, 2).save(path, quality=90)


def compare(small: Picture | srkit.Image, models: Models, path: Path) -> None:
    """Write the sheet of all models, print their table."""
    results = enlarged(small, models)
    shown = {MODELS[name]: result for name, result in results.items()}
    sheet({**shown, "the portrait itself": PORTRAIT}, COLUMNS).save(path, quality=80)
    print(table(results))


def write_garbage(path: Path) -> None:
    """What went wrong with the second program."""
    # The levels of 255, in floats, that the network gives before they are rounded.
    floats = srkit.load("neural-enhance").upscale(clean() / np.float32(255), size=(240, 240)) * 255
    garbage = as_bytes(floats.astype(np.float32))
    right = np.rint(floats).astype(np.uint8)
    panels = {
        "rounded to bytes": right,
        "floats taken for bytes": garbage,
        "what is left in the garbage": recovered(garbage),
    }
    sheet(panels, 3).save(path, lossless=True)
    error = np.abs(recovered(garbage)[:60].astype(int) - right[:60]).max()
    print(f"\nThe top quarter of the garbage, read as floats: at most {error} levels off.")


def main() -> None:
    """Read the command line, write everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    add_use(parser)
    given = parser.parse_args()
    models, folder = Models(given.use), given.folder
    print("Small and clean:\n")
    compare(clean(), models, folder / "clean.webp")
    print("\nPoor:\n")
    compare(from_jpeg(poor(), QUALITY), models, folder / "poor.webp")
    write_first(models, folder / "first.webp")
    write_garbage(folder / "garbage.webp")


if __name__ == "__main__":
    main()
