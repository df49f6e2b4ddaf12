"""RLFN, RFDN and PlainUSR beside their authors' own code, on one photo.

    git clone https://github.com/bytedance/RLFN
    git clone https://github.com/njulj/RFDN
    git clone https://github.com/icandle/PlainUSR
    python benchmarks/upstream.py . photo.png

Both run every file of weights that the three repositories hold, on the CPU in float32. A line each:
the most that a value differs by from theirs, in [0, 1], of the whole photo, of the photo in strips
of 16 rows, and of the photo in blended tiles, as where memory is too little.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

import srkit
from srkit.upscaling.model import rows_of

PLAIN = "PlainUSR/2024_PlainUSR_ACCV"
# Files, the class that their authors load them into, what it takes, and what stands for white.
RLFN = "model.rlfn:RLFN", "model.rlfn_s:RLFN_S", "model.rlfn_ntire:RLFN_Prune"
CASES = [
    ("RLFN/model_zoo/rlfn_x2.pth", RLFN[0], {"upscale": 2}, 255),
    ("RLFN/model_zoo/rlfn_x4.pth", RLFN[0], {}, 255),
    ("RLFN/model_zoo/rlfn_s_x2.pth", RLFN[1], {"upscale": 2}, 255),
    ("RLFN/model_zoo/rlfn_s_x4.pth", RLFN[1], {}, 255),
    ("RLFN/model_zoo/rlfn_ntire_x4.pth", RLFN[2], {}, 255),
    ("RFDN/trained_model/RFDN_AIM.pth", "RFDN:RFDN", {}, 255),
]
SIZES = {
    "L": ("large", 80, [80, 64, 48], 16),
    "": ("general", 64, [64, 48, 32], 16),
    "M": ("general", 48, [48, 32, 16], 8),
    "S": ("general", 32, [32, 16, 8], 4),
    "T": ("ultra", 32, [32, 16], 4),
    "U": ("ultra", 16, [16, 8], 1),
}
for scale in (2, 4):
    for letter, (kind, features, widths, inner) in SIZES.items():
        options = {"n_feat": features, "im_feat": widths, "attn_feat": inner, "scale": scale}
        name = f"PlainUSR_inference_arch:PlainUSR_{kind}_inference"
        file = f"{PLAIN}/pretrained_model/PlainUSR{letter}_Rep_x{scale}.pth"
        CASES.append((file, name, options, 1))


class Registry:
    """BasicSR's, of which PlainUSR's code takes the decorator alone."""

    def register(self) -> Callable[[type], type]:
        return lambda kind: kind


def prepare(clones: Path) -> None:
    """Let their code be imported."""
    sys.path += [str(clones / part) for part in ("RLFN", "RFDN", f"{PLAIN}/archs")]
    for name in ("basicsr", "basicsr.utils", "basicsr.utils.registry"):
        sys.modules[name] = ModuleType(name)
    sys.modules["basicsr.utils.registry"].ARCH_REGISTRY = Registry()


@torch.inference_mode()
def theirs(path: Path, name: str, options: dict, top: int, photo: np.ndarray) -> np.ndarray:
    module, _, kind = name.partition(":")
    net = getattr(importlib.import_module(module), kind)(**options).eval()
    state = torch.load(path, map_location="cpu", weights_only=True)
    net.load_state_dict(state)
    given = torch.from_numpy(photo).permute(2, 0, 1)[None]
    return (net(given * top) / top)[0].permute(1, 2, 0).clamp(0, 1).numpy()


def ours(path: Path, photo: np.ndarray) -> list[np.ndarray]:
    """Whole, in strips and in blended tiles."""
    model = srkit.load(path, device="cpu", precision="float32")
    made = [model.run(photo[None])[0]]
    strips = (photo[None, top : top + 16] for top in range(0, len(photo), 16))
    made.append(np.concatenate(list(rows_of(model, strips, len(photo))), axis=1)[0])
    model.strip_bytes = lambda rows, width: math.inf
    made.append(model.upscale(photo, memory=int(220**2 * model.bytes_per_pixel)))
    return [result.clip(0, 1) for result in made]


def main() -> None:
    clones = Path(sys.argv[1])
    prepare(clones)
    photo = srkit.read_image(sys.argv[2]).pixels[..., :3] / np.float32(255)
    print("| file | whole | strips | blended, mean | blended, most |\n|---|---:|---:|---:|---:|")
    for file, name, options, top in CASES:
        if not (clones / file).exists():
            continue
        wanted = theirs(clones / file, name, options, top, photo)
        apart = [np.abs(result - wanted) for result in ours(clones / file, photo)]
        print(
            f"| {Path(file).name} | {apart[0].max():.1e} | {apart[1].max():.1e} "
            f"| {apart[2].mean():.1e} | {apart[2].max():.1e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
