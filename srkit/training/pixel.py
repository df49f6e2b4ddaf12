"""Train SRResNet with a pixel loss: ``python -m srkit.training.pixel PHOTOS OUT``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from srkit.adapters.pytorch.nets.srresnet import SRResNet, denormalise, normalise
from srkit.training.bicubic_start import start_bicubic
from srkit.training.common import (
    Average,
    Log,
    freeze_norms,
    parse_run,
    prepare,
    rate_at,
    save_whole,
    to_tensor,
)
from srkit.training.photos import Crops


@dataclass(frozen=True)
class PixelRecipe:
    """What a run is made of.

    Attributes
    ----------
    scale
        2 or 4.
    steps, batch, crop
        Optimizer steps; crops a step; side of a crop in LR pixels.
    rate, warmup, clip
        Adam's highest learning rate, steps to reach it, bound of the gradient norm.
    ema
        Decay of the averaged weights, which are the result.
    held_out
        Photos kept for checks.
    flat
        Share of crops that are one plain colour.
    """

    scale: int = 4
    steps: int = 3000
    batch: int = 4
    crop: int = 24
    rate: float = 2.5e-4
    warmup: int = 100
    clip: float = 1.0
    ema: float = 0.998
    seed: int = 0
    held_out: int = 12
    flat: float = 0.1
    check_every: int = 250
    save_every: int = 100


@torch.no_grad()
def held_out_psnr(net: nn.Module, crops: list[Crops]) -> float:
    """Mean RGB PSNR in dB over crops, 8 HR pixels of border left out."""
    values = []
    for lr, hr in crops:
        sr = denormalise(net(normalise(to_tensor(lr[None])))).clamp(0, 1)
        error = (sr - to_tensor(hr[None]))[..., 8:-8, 8:-8].square().mean()
        values.append(-10 * math.log10(float(error) + 1e-12))
    return float(np.mean(values))


def make_optimizer(net: SRResNet) -> torch.optim.Adam:
    """Adam; the last layer, which sums 5,184 products, learns ten times slower."""
    last = list(net.conv_block3.parameters())
    rest = [p for p in net.parameters() if all(p is not q for q in last)]
    return torch.optim.Adam([{"params": rest, "share": 1.0}, {"params": last, "share": 0.1}])


def train(photos: Path, out: Path, recipe: PixelRecipe, cache: Path | None = None) -> Path:
    """Train SRResNet on a folder of photos; continue where an earlier run stopped.

    Returns
    -------
    Path
        ``out/weights.pth``: the state dict of the averaged weights.
    """
    data, checks = prepare(
        photos, cache or out / "cache", recipe.scale, recipe.crop, recipe.held_out, recipe.flat
    )
    torch.manual_seed(recipe.seed)
    net = SRResNet(recipe.scale)
    start_bicubic(net)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = Average(net, recipe.ema)
    optimizer = make_optimizer(net)
    first = 0
    if (out / "state.pth").exists():
        state = torch.load(out / "state.pth", weights_only=True)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        average.weights, first = state["average"], state["step"]
    batches = data.batches(recipe.batch, np.random.default_rng((recipe.seed, first)))
    probe = SRResNet(recipe.scale).eval()
    figures = Log(out / "log.csv", ("loss", "psnr"))
    recent = math.nan
    for step in range(first, recipe.steps + 1):
        last = step == recipe.steps
        if last or step % recipe.check_every == 0:
            probe.load_state_dict(average.weights)
            figures.row(step, {"loss": recent, "psnr": held_out_psnr(probe, checks)})
        if last or step % recipe.save_every == 0:
            state = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
            save_whole(state | {"average": average.weights, "step": step}, out / "state.pth")
            save_whole(average.weights, out / "weights.pth")
        if last:
            break
        rate = rate_at(step, recipe.steps, recipe.warmup, recipe.rate)
        loss = _step(net, optimizer, next(batches), rate, recipe.clip)
        average.update(net, step)
        recent = loss if math.isnan(recent) else 0.98 * recent + 0.02 * loss
    return out / "weights.pth"


def _step(
    net: SRResNet, optimizer: torch.optim.Optimizer, batch: Crops, rate: float, clip: float
) -> float:
    """One step on L1 between outputs and targets in [-1, 1]; returns the loss."""
    for group in optimizer.param_groups:
        group["lr"] = group["share"] * rate
    net.train()
    freeze_norms(net)
    lr, hr = (to_tensor(part) for part in batch)
    optimizer.zero_grad(set_to_none=True)
    loss = nn.functional.l1_loss(net(normalise(lr)), 2 * hr - 1)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(net.parameters(), clip)
    optimizer.step()
    return loss.item()


if __name__ == "__main__":
    where, chosen = parse_run(PixelRecipe, __doc__, "photos", "out")
    train(where["photos"], where["out"], chosen, where["cache"])
