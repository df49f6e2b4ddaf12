"""Pictures of docs/: of the first steps, the dial for perception, all models, and video.

    python examples/page_pictures.py docs/pictures
    python examples/page_pictures.py docs/pictures --clip bigbuckbunny.mp4

The second writes the picture of docs/video.md, too. The photos come with scikit-image: astronaut
(Eileen Collins, NASA) in the public domain, coffee by Rachel Michetti and chelsea by Stefan van
der Walt, CC0. Needs pip install "srkit[torch,realesrgan,video]".
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from side_by_side import SCALE, Models, Picture, from_jpeg, sheet
from skimage import data

import srkit

SIDE, TIMES = 96, 3
SMALLER = 80
QUALITY = 60  # of what is poor in the picture of all models
# All for x4, the true ones first, then those that draw.
MODELS = (
    *("bicubic", "espcn", "fsrcnn", "span", "srresnet"),
    *("vsr-small", "vsr", "unet", "srgan", "photo-2025"),
    *("photo", "realesr-animevideo", "realesrgan-anime", "realesrgan"),
)
COLUMNS = 5
# Of the clip: the frame that is shown, and where its detail begins, of how many pixels.
FRAME, DETAIL, WIDE = 112, (96, 366), 128
VIDEO_MODELS = ("bicubic", "espcn", "vsr-small", "realesr-animevideo")


def detail(picture: Picture, corner: tuple[int, int], side: int = SIDE) -> Picture:
    """A square of a picture."""
    top, left = corner
    return picture[top : top + side, left : left + side]


def cut(photo: Picture) -> Picture:
    """A photo whose sides are multiples of the scale."""
    height, width = (side // SCALE * SCALE for side in photo.shape[:2])
    return photo[:height, :width]


def squares(small: Picture) -> Picture:
    """A small picture as large as its results, pixels as squares."""
    return small.repeat(SCALE, 0).repeat(SCALE, 1)


def in_lines(rows: Sequence[Mapping[str, Picture]], columns: int, times: int) -> Image.Image:
    """A sheet whose columns are too many for a line, in lines of so many."""
    names = list(rows[0])
    lines = [names[start : start + columns] for start in range(0, len(names), columns)]
    pages = [sheet([{name: row[name] for name in line} for row in rows], times) for line in lines]
    whole = Image.new("RGB", (max(p.width for p in pages), sum(p.height for p in pages)), "white")
    top = 0
    for page in pages:
        whole.paste(page, (0, top))
        top += page.height
    return whole


def first_steps(models: Models) -> Image.Image:
    """What the four models of docs/tutorial-first.md make of the face."""
    original = data.astronaut()
    small = srkit.imresize(original, 1 / SCALE)
    made = {"small.png": squares(small)}
    made |= {name: models.enlarge(name, small) for name in ("bicubic", "srresnet", "srgan", "unet")}
    made["original"] = original
    return in_lines([{name: detail(made[name], (72, 178)) for name in made}], 3, TIMES)


def dial() -> Image.Image:
    """What `perception` does to fur, and to a cup that is smooth."""
    turned = {f"perception={value:g}": value for value in (0, 0.5, 1)}
    rows = []
    for photo, corner in ((data.chelsea(), (92, 140)), (data.coffee(), (196, 176))):
        original = cut(photo)
        small = srkit.imresize(original, 1 / SCALE)
        row = {"bicubic": srkit.load("bicubic", scale=SCALE).upscale(small)}
        for name, value in turned.items():
            row[name] = srkit.load("srgan", perception=value).upscale(small)
        row["original"] = original
        rows.append({name: detail(picture, corner) for name, picture in row.items()})
    return sheet(rows, TIMES)


def poor(small: Picture) -> srkit.Image:
    """A small picture as pages and messengers have it: JPEG."""
    packed = io.BytesIO()
    Image.fromarray(small).save(packed, "JPEG", quality=QUALITY)
    return from_jpeg(np.asarray(Image.open(packed)), QUALITY)


def all_models(models: Models) -> Image.Image:
    """The same detail by every model for x4: of a clean picture, and below of a JPEG."""
    original = cut(data.chelsea())
    small = srkit.imresize(original, 1 / SCALE)
    rows = []
    for given in (srkit.Image(small), poor(small)):
        row = {name: models.enlarge(name, given) for name in MODELS} | {"original": original}
        rows.append({name: detail(picture, (86, 132), SMALLER) for name, picture in row.items()})
    return in_lines(rows, COLUMNS, TIMES)


def video(clip: Path) -> Image.Image:
    """One frame of a clip, shrunk and upscaled again; models of several frames see them."""
    import av

    with av.open(str(clip)) as container:
        window = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    window = window[FRAME - 2 : FRAME + 3]
    small = [srkit.imresize(frame, 1 / SCALE) for frame in window]
    made = {"before": squares(small[2])}
    for name in VIDEO_MODELS:
        made[name] = list(srkit.load(name, scale=SCALE).upscale_frames(small))[2]
    made["original"] = window[2]
    return in_lines([{name: detail(made[name], DETAIL, WIDE) for name in made}], 3, 2)


def main() -> None:
    """Read the command line, write everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clip", type=Path, help="Big Buck Bunny, 1280x720")
    given = parser.parse_args()
    models, folder = Models(), given.folder
    first_steps(models).save(folder / "steps.webp", quality=85)
    dial().save(folder / "perception.webp", quality=85)
    all_models(models).save(folder / "models.webp", quality=75)
    if given.clip:
        video(given.clip).save(folder / "video.webp", quality=85)


if __name__ == "__main__":
    main()
