"""Teach a network to leave even areas alone: ``python -m srkit.training.even PHOTOS IN OUT``.

Crops picked for detail never show a network an even area, and it may tint one by some
levels. Here it is trained on plain colours, and on photos to go on giving what it gave.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.nets.srresnet import SRResNet, normalise
from srkit.adapters.pytorch.srresnet import build_srresnet
from srkit.training.common import Average, Log, parse_run, prepare, rate_at, save_whole, to_tensor


@dataclass(frozen=True)
class EvenRecipe:
    """What a run is made of; see `PixelRecipe`.

    Attributes
    ----------
    colours
        Plain colours a step, half of them grey, besides `batch` crops of photos.
    weight
        Of the squared error on plain colours, against that on photos.
    """

    steps: int = 120
    batch: int = 2
    crop: int = 16
    colours: int = 6
    weight: float = 4.0
    rate: float = 1e-4
    warmup: int = 10
    ema: float = 0.97
    seed: int = 0
    held_out: int = 12


def plain(count: int, size: int, rng: np.random.Generator) -> Tensor:
    """Plain colours ``(count, 3, size, size)`` in [0, 1]; black, white and greys among them."""
    colours = rng.random((count, 3))
    greys = rng.choice([0.0, 1.0, *rng.random(4)], (count // 2, 1))
    colours[: count // 2] = greys
    return torch.from_numpy(colours).float()[:, :, None, None].expand(-1, -1, size, size)


def train(
    photos: Path, weights: Path, out: Path, recipe: EvenRecipe, cache: Path | None = None
) -> Path:
    """Train the last two layers of SRResNet and return the path of the new weights."""
    tensors = read_checkpoint(weights).tensors
    net = build_srresnet(tensors).eval()
    teacher = build_srresnet({k: v.clone() for k, v in tensors.items()}).eval()
    data, _ = prepare(photos, cache or out / "cache", net.scale, recipe.crop, recipe.held_out)
    rng = np.random.default_rng(recipe.seed)
    batches = data.batches(recipe.batch, rng)
    last = [*net.subpixel_convolutional_blocks[-1].parameters(), *net.conv_block3.parameters()]
    net.requires_grad_(False)
    for parameter in last:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(last)
    average, figures = Average(net, recipe.ema), Log(out / "log.csv", ("even", "kept"))
    for step in range(recipe.steps):
        even, kept = _losses(net, teacher, next(batches)[0], recipe, rng)
        optimizer.param_groups[0]["lr"] = rate_at(step, recipe.steps, recipe.warmup, recipe.rate)
        optimizer.zero_grad(set_to_none=True)
        (recipe.weight * even + kept).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        average.update(net, step)
        if step % 20 == 0 or step == recipe.steps - 1:
            figures.row(step, {"even": even.item() ** 0.5, "kept": kept.item() ** 0.5})
    save_whole(average.weights, out / "weights.pth")
    return out / "weights.pth"


def _losses(
    net: SRResNet,
    teacher: SRResNet,
    photos: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    recipe: EvenRecipe,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Mean squared errors on plain colours, away from borders, and on photos."""
    colours = plain(recipe.colours, recipe.crop, rng)
    lr = torch.cat([colours, to_tensor(photos)])
    made = net(normalise(lr))
    with torch.no_grad():
        wanted = teacher(normalise(lr[recipe.colours :]))
    rim = net.scale * 5
    inner = made[: recipe.colours, :, rim:-rim, rim:-rim]
    even = (inner - (2 * colours[:, :, :1, :1] - 1)).square().mean()
    return even, (made[recipe.colours :] - wanted).square().mean()


if __name__ == "__main__":
    where, chosen = parse_run(EvenRecipe, __doc__, "photos", "weights", "out")
    train(where["photos"], where["weights"], where["out"], chosen, where["cache"])
