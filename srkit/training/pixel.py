"""Train SRResNet with a pixel loss: ``python -m srkit.training.pixel PHOTOS OUT``."""

from __future__ import annotations

import argparse
import csv
import logging
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.nets.srresnet import SRResNet, denormalise, normalise
from srkit.training.bicubic_start import start_bicubic
from srkit.training.photos import PhotoCrops, pack

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PixelRecipe:
    """What a run is made of. Crop sizes are in LR pixels."""

    scale: int = 4
    steps: int = 5000
    batch: int = 8
    crop: int = 24
    rate: float = 4e-4
    warmup: int = 100
    ema: float = 0.998
    clip: float = 1.0
    seed: int = 0
    start: str = 'bicubic'
    held_out: int = 12
    check_every: int = 250
    save_every: int = 100


def find_photos(folder: Path) -> list[Path]:
    """All pictures below `folder`, sorted by path."""
    kinds = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in kinds)


def freeze_norms(net: nn.Module) -> None:
    """Put every batch norm in inference mode: a learned scale and shift, no statistics.

    Networks for super-resolution do better without batch statistics (Lim et al.,
    EDSR, 2017); the layers stay, so that weights keep the published form.
    """
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def to_tensor(batch: np.ndarray[Any, Any]) -> Tensor:
    """uint8 ``(N, H, W, C)`` to float ``(N, C, H, W)`` in [0, 1], channels-last."""
    return torch.from_numpy(batch).permute(0, 3, 1, 2).float().div_(255)


def rate_at(recipe: PixelRecipe, step: int) -> float:
    """Learning rate: linear warm-up, then a cosine to zero."""
    if step < recipe.warmup:
        return recipe.rate * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def save_whole(state: Any, path: Path) -> None:
    """`torch.save` under a temporary name, then rename."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


@torch.no_grad()
def held_out_psnr(net: nn.Module, crops: list[tuple[Any, Any]]) -> float:
    """Mean RGB PSNR in dB over held-out crops, 8 HR pixels of border left out."""
    values = []
    for lr, hr in crops:
        sr = denormalise(net(normalise(to_tensor(lr[None])))).clamp(0, 1)
        error = (sr - to_tensor(hr[None]))[..., 8:-8, 8:-8].square().mean()
        values.append(-10 * math.log10(float(error) + 1e-12))
    return float(np.mean(values))


def train(photos: Path, out: Path, recipe: PixelRecipe, cache: Path | None = None) -> Path:
    """Train SRResNet on a folder of photos; continue where an earlier run stopped.

    Returns
    -------
    Path
        ``out/weights.pth``: the state dict of the averaged weights.
    """
    paths = find_photos(photos)
    held = paths[:: max(1, len(paths) // recipe.held_out)][: recipe.held_out]
    kept = [p for p in paths if p not in set(held)] or paths
    cache = cache or out / "cache"
    data = PhotoCrops(pack(kept, cache / "train", recipe.scale), recipe.scale, recipe.crop)
    check = PhotoCrops(pack(held, cache / "held", recipe.scale), recipe.scale, 64)
    check_rng = np.random.default_rng(1)
    check_crops = [check.crop(check_rng) for _ in range(12)]

    torch.manual_seed(recipe.seed)
    net = SRResNet(recipe.scale)
    if recipe.start == 'bicubic':
        start_bicubic(net)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = {k: v.detach().clone() for k, v in net.state_dict().items()}
    last = list(net.conv_block3.parameters())
    rest = [p for p in net.parameters() if all(p is not q for q in last)]
    optimizer = torch.optim.Adam([{"params": rest, "share": 1.0}, {"params": last, "share": 0.1}])
    rng = np.random.default_rng(recipe.seed)
    start = 0
    state_path = out / "state.pth"
    if state_path.exists():
        state = torch.load(state_path, weights_only=True)
        net.load_state_dict(state["net"])
        average = state["average"]
        optimizer.load_state_dict(state["optimizer"])
        start = state["step"]
        rng = np.random.default_rng((recipe.seed, start))
    out.mkdir(parents=True, exist_ok=True)
    batches = data.batches(recipe.batch, rng)
    probe = SRResNet(recipe.scale).eval()
    begun, recent = time.monotonic(), 0.0
    with (out / "log.csv").open("a", newline="") as log_file:
        rows = csv.writer(log_file)
        for step in range(start, recipe.steps + 1):
            if step % recipe.check_every == 0 or step == recipe.steps:
                probe.load_state_dict(average)
                psnr = held_out_psnr(probe, check_crops)
                seconds = time.monotonic() - begun
                rows.writerow([step, f"{recent:.5f}", f"{psnr:.3f}", f"{seconds:.0f}"])
                log_file.flush()
                log.info("step %d loss %.5f held-out %.3f dB %.0f s", step, recent, psnr, seconds)
            if step % recipe.save_every == 0 or step == recipe.steps:
                save_whole(
                    {
                        "net": net.state_dict(),
                        "average": average,
                        "optimizer": optimizer.state_dict(),
                        "step": step,
                    },
                    state_path,
                )
                save_whole(average, out / "weights.pth")
            if step == recipe.steps:
                break
            for group in optimizer.param_groups:
                group["lr"] = group["share"] * rate_at(recipe, step)
            net.train()
            freeze_norms(net)
            lr, hr = (to_tensor(a) for a in next(batches))
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.l1_loss(net(normalise(lr)), hr * 2 - 1)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), recipe.clip)
            optimizer.step()
            recent = 0.98 * recent + 0.02 * loss.item() if recent else loss.item()
            decay = min(recipe.ema, (step + 1) / (step + 10))
            for key, value in net.state_dict().items():
                if value.is_floating_point():
                    average[key].lerp_(value.detach(), 1 - decay)
    return out / "weights.pth"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cache", type=Path)
    for name, default in PixelRecipe().__dict__.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    arguments = vars(parser.parse_args())
    photos, out, cache = (arguments.pop(k) for k in ("photos", "out", "cache"))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    train(photos, out, PixelRecipe(**arguments), cache)


if __name__ == "__main__":
    main()
