"""Frozen graphs in srkit (on TensorFlow and on torch) and in OpenCV: quality and time.

    pip install "srkit[torch,tensorflow]" opencv-contrib-python-headless
    python examples/frozen_graphs.py quality graphs/*.pb --data Set5 Set14
    python examples/frozen_graphs.py time graphs/ESPCN_x2.pb

makes the tables of docs/frozen-graphs.md. OpenCV is its module ``dnn_superres``, for which
these graphs were published.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

import srkit
from srkit.evaluation.dataset import open_dataset
from srkit.metrics import PROTOCOLS, mod_crop, psnr

Upscale = Callable[[np.ndarray], np.ndarray]
STANDARD = PROTOCOLS["standard"]


def opencv(path: Path, scale: int) -> Upscale:
    """``dnn_superres`` with a graph, from RGB to RGB; grey goes through it as colour."""
    model = cv2.dnn_superres.DnnSuperResImpl_create()
    model.readModel(str(path))
    # What it is called tells OpenCV which of a graph's outputs is the last.
    model.setModel(path.stem.split("_")[0].split("-")[0].lower(), scale)

    def upscale(image: np.ndarray) -> np.ndarray:
        if image.ndim == 2:
            return model.upsample(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))[..., 0]
        return model.upsample(image[..., ::-1].copy())[..., ::-1]

    return upscale


def mean_psnr(upscale: Upscale, folder: Path, scale: int) -> float:
    """PSNR of luma over a folder of HR images, by srkit's standard protocol."""
    found = []
    for pair in open_dataset(folder, scale).pairs:
        hr = mod_crop(srkit.read_image(pair.hr).pixels, scale)
        made = upscale(STANDARD.low_resolution(hr, scale))
        planes = STANDARD.plane(hr), STANDARD.plane(made)
        found.append(psnr(*planes, channel=STANDARD.channel, crop=STANDARD.crop(scale)))
    return statistics.mean(found)


def quality(graphs: list[Path], folders: list[Path]) -> None:
    """Print a table of PSNR, with srkit's own models of each scale below the graphs."""
    names = [f"{folder.name}, {program}" for folder in folders for program in PROGRAMS]
    print("| graph |", " | ".join(names), "|")
    print("| --- |" + " ---: |" * len(names))
    scales = set()
    for path in sorted(graphs):
        scale = srkit.load(path).scale
        scales.add(scale)
        figures = [
            mean_psnr(make(path, scale), folder, scale)
            for folder in folders
            for make in PROGRAMS.values()
        ]
        print(f"| {path.stem} |", " | ".join(f"{figure:.3f}" for figure in figures), "|")
    for scale in sorted(scales):
        for name in ("bicubic", "espcn", "fsrcnn"):
            if name not in srkit.list_models() or scale not in srkit.card(name).scales:
                continue
            upscale = srkit.load(name, scale=scale).upscale
            figures = [mean_psnr(upscale, folder, scale) for folder in folders]
            blank = " | ".join(f"{figure:.3f}" + " |" * (len(PROGRAMS) - 1) for figure in figures)
            print(f"| srkit's {name} x{scale} | {blank} |")


PROGRAMS: dict[str, Callable[[Path, int], Upscale]] = {
    "TensorFlow": lambda path, scale: srkit.load(path, runtime="tensorflow").upscale,
    "torch": lambda path, scale: srkit.load(path, runtime="torch").upscale,
    "OpenCV": opencv,
}


def timing(path: Path, width: int, height: int, rounds: int) -> None:
    """Print the time of a colour frame, the programs taking turns."""
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    scale = srkit.load(path).scale
    programs = {name: make(path, scale) for name, make in PROGRAMS.items()}
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for upscale in programs.values():
        upscale(frame)
    for _ in range(rounds):
        for name, upscale in programs.items():
            start = time.perf_counter()
            upscale(frame)
            taken[name].append(1000 * (time.perf_counter() - start))
    print(f"{path.stem}, {width}x{height} to {width * scale}x{height * scale}, ms a frame")
    print("| program | median | fastest | of OpenCV's median |\n| --- | ---: | ---: | ---: |")
    base = statistics.median(taken["OpenCV"])
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"| {name} | {median:.0f} | {min(times):.0f} | {median / base:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, dest="command")
    table = commands.add_parser("quality", help="PSNR of every graph on every dataset")
    table.add_argument("graphs", nargs="+", type=Path)
    table.add_argument("--data", nargs="+", type=Path, required=True)
    clock = commands.add_parser("time", help="time of a frame of 960x540")
    clock.add_argument("graph", type=Path)
    clock.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    if args.command == "quality":
        quality(args.graphs, args.data)
    else:
        timing(args.graph, 960, 540, args.rounds)


if __name__ == "__main__":
    main()
