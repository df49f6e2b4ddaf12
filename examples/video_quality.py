"""Compare models on the frames of a video: PSNR, flicker, and a line of pixels over time.

    python examples/video_quality.py frames/ -m bicubic -m srresnet --scale 4 -o line.png

The folder holds lossless frames, in order of their names. They are shrunk by MATLAB's bicubic to
8-bit LR, upscaled by each model, and compared on luma.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import srkit
from srkit.tables import markdown_table


def main() -> None:
    """Read the command line, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("frames", type=Path)
    parser.add_argument("-m", "--model", action="append", required=True)
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("-o", "--output", type=Path, help="picture of the middle line over time")
    args = parser.parse_args()
    paths = sorted(args.frames.iterdir())
    originals = [cropped(srkit.read_image(path).pixels, args.scale) for path in paths]
    small = [srkit.imresize(frame, 1 / args.scale) for frame in originals]
    rows = [["model", "PSNR", "flicker"]]
    lines = [over_time(originals)]
    for name in args.model:
        model = srkit.load(name, scale=args.scale)
        made = list(model.upscale_frames(small))
        psnr = [
            srkit.metrics.psnr(a, b, crop=args.scale) for a, b in zip(originals, made, strict=True)
        ]
        flicker = srkit.metrics.flicker(originals, made)
        rows.append([Path(name).stem, f"{np.mean(psnr):.3f}", f"{flicker:.2f}"])
        lines.append(over_time(made))
    print(markdown_table(rows, "lrr"))
    if args.output:
        Image.fromarray(np.concatenate(lines)).save(args.output)


def cropped(frame: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """A frame whose sides are multiples of the scale."""
    height, width = (n - n % scale for n in frame.shape[:2])
    return frame[:height, :width]


def over_time(frames: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The middle line of each frame, eight pixels high, one below the other."""
    lines = np.stack([frame[frame.shape[0] // 2] for frame in frames])
    return lines.repeat(8, axis=0)


if __name__ == "__main__":
    main()
