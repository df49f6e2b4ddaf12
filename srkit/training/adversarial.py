"""Train SRGAN from SRResNet: ``python -m srkit.training.adversarial PHOTOS WEIGHTS OUT``.

The generator starts from weights trained on pixels and goes on against a
discriminator, with a perceptual loss that keeps what it invents near the photo
(Ledig et al., CVPR 2017, Section 2.2). That loss is ST-LPIPS on VGG-16 with blur
pooling: all five blocks, of which the first sees the checkerboards that the last,
alone, lets pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.nets.discriminator import Discriminator
from srkit.adapters.pytorch.nets.srresnet import SRResNet, denormalise, normalise
from srkit.adapters.pytorch.stlpips import StLpips
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
from srkit.training.pixel import held_out_psnr, make_optimizer

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class AdversarialRecipe:
    """What a run is made of; see `PixelRecipe` for what is not said here.

    Attributes
    ----------
    pixel, perceptual, adversarial
        Weights of the losses: L1 in [-1, 1]; ST-LPIPS with VGG-16; binary
        cross-entropy.
    judge
        Channels of the discriminator's first layer.
    """

    scale: int = 4
    steps: int = 600
    batch: int = 4
    crop: int = 24
    rate: float = 6e-5
    warmup: int = 100
    clip: float = 1.0
    ema: float = 0.99
    pixel: float = 1.0
    perceptual: float = 0.3
    adversarial: float = 0.02
    judge: int = 32
    seed: int = 0
    held_out: int = 12
    flat: float = 0.1
    check_every: int = 100
    save_every: int = 50


class Duel:
    """Generator, discriminator and their optimizers, and one step of both."""

    def __init__(self, recipe: AdversarialRecipe, weights: Path) -> None:
        torch.manual_seed(recipe.seed)
        layout = torch.channels_last
        self.recipe = recipe
        net, judge = SRResNet(recipe.scale), Discriminator(recipe.judge)
        tensors = read_checkpoint(weights).tensors
        net.load_state_dict({name: value.float() for name, value in tensors.items()})
        self.net: SRResNet = net.to(memory_format=layout)  # type: ignore[call-overload]
        self.judge: Discriminator = judge.to(memory_format=layout)  # type: ignore[call-overload]
        self.average = Average(self.net, recipe.ema)
        self.optimizer = make_optimizer(self.net)
        self.judge_optimizer = torch.optim.Adam(self.judge.parameters())
        self.metric = StLpips("vgg")

    def step(self, batch: Crops, rate: float) -> Losses:
        """Train the generator, then the discriminator, on one batch."""
        recipe = self.recipe
        self.net.train()
        freeze_norms(self.net)
        lr, hr = (to_tensor(part) for part in batch)
        for group in self.optimizer.param_groups:
            group["lr"] = group["share"] * rate
        for group in self.judge_optimizer.param_groups:
            group["lr"] = rate
        made = self.net(normalise(lr))
        real = 2 * hr - 1
        losses = {
            "pixel": functional.l1_loss(made, real),
            "perceptual": self.metric.between(denormalise(made), hr),
            "adversarial": functional.softplus(-self.judge(made)).mean(),
        }
        total = (
            recipe.pixel * losses["pixel"]
            + recipe.perceptual * losses["perceptual"]
            + recipe.adversarial * losses["adversarial"]
        )
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), recipe.clip)
        self.optimizer.step()

        self.judge_optimizer.zero_grad(set_to_none=True)
        false = functional.softplus(self.judge(made.detach())).mean()
        losses["judge"] = false + functional.softplus(-self.judge(real)).mean()
        losses["judge"].backward()  # type: ignore[no-untyped-call]
        self.judge_optimizer.step()
        return {name: value.detach() for name, value in losses.items()}

    def state(self, step: int) -> dict[str, object]:
        """All that is needed to go on after `step` steps."""
        return {
            "net": self.net.state_dict(),
            "judge": self.judge.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "judge_optimizer": self.judge_optimizer.state_dict(),
            "average": self.average.weights,
            "step": step,
        }

    def restore(self, path: Path) -> int:
        """Continue from a saved state; returns its step."""
        state = torch.load(path, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.judge.load_state_dict(state["judge"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.judge_optimizer.load_state_dict(state["judge_optimizer"])
        self.average.weights = state["average"]
        return int(state["step"])


@torch.no_grad()
def held_out_distance(net: nn.Module, metric: StLpips, crops: list[Crops], scale: int) -> float:
    """Mean ST-LPIPS over crops, `scale` pixels of border left out."""
    values = []
    for lr, hr in crops:
        made = denormalise(net(normalise(to_tensor(lr[None])))).clamp(0, 1)
        picture = (made[0].permute(1, 2, 0) * 255).round().byte().numpy()
        values.append(metric.distance(hr, picture, crop=scale))
    return float(np.mean(values))


def train(
    photos: Path, weights: Path, out: Path, recipe: AdversarialRecipe, cache: Path | None = None
) -> Path:
    """Train SRGAN on a folder of photos; continue where an earlier run stopped.

    Parameters
    ----------
    weights
        SRResNet to start from, any file that `srkit.load` takes.

    Returns
    -------
    Path
        ``out/weights.pth``: the state dict of the averaged generator.
    """
    data, checks = prepare(
        photos, cache or out / "cache", recipe.scale, recipe.crop, recipe.held_out, recipe.flat
    )
    duel = Duel(recipe, weights)
    first = duel.restore(out / "state.pth") if (out / "state.pth").exists() else 0
    batches = data.batches(recipe.batch, np.random.default_rng((recipe.seed, first)))
    probe, metric = SRResNet(recipe.scale).eval(), StLpips("alex")
    names = ("pixel", "perceptual", "adversarial", "judge")
    figures = Log(out / "log.csv", (*names, "psnr", "stlpips"))
    recent = dict.fromkeys(names, math.nan)
    for step in range(first, recipe.steps + 1):
        last = step == recipe.steps
        if last or step % recipe.check_every == 0:
            probe.load_state_dict(duel.average.weights)
            distance = held_out_distance(probe, metric, checks, recipe.scale)
            psnr = held_out_psnr(probe, checks)
            figures.row(step, recent | {"psnr": psnr, "stlpips": distance})
        if last or step % recipe.save_every == 0:
            save_whole(duel.state(step), out / "state.pth")
            save_whole(duel.average.weights, out / "weights.pth")
        if last:
            break
        rate = rate_at(step, recipe.steps, recipe.warmup, recipe.rate)
        losses = duel.step(next(batches), rate)
        duel.average.update(duel.net, step)
        for name, value in losses.items():
            old = recent[name]
            recent[name] = float(value) if math.isnan(old) else 0.95 * old + 0.05 * float(value)
    return out / "weights.pth"


if __name__ == "__main__":
    where, chosen = parse_run(AdversarialRecipe, __doc__, "photos", "weights", "out")
    train(where["photos"], where["weights"], where["out"], chosen, where["cache"])
