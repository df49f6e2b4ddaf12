"""One training step: on losses alone, or against a discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from srkit.adapters.pytorch.nets.discriminator import (
    Discriminator,
    FeatureDiscriminator,
    UNetDiscriminator,
)
from srkit.errors import OptionError
from srkit.training.families import Family
from srkit.training.learning import backbones
from srkit.training.learning.adversary import Adversary, fooling_loss, judge_loss
from srkit.training.learning.losses import FeatureLoss, Features, Perceptual, target_of
from srkit.training.learning.optimising import Muon, freeze_norms
from srkit.training.recipe import Recipe
from srkit.training.stages import Pace

# Different shifts along each side.
SHIFTS = 8

Figures = dict[str, Tensor]
Targets = dict[str, Tensor]


class Minimise:
    """Steps that minimise the recipe's losses.

    Parameters
    ----------
    net
        The network, of the family's kind.
    """

    def __init__(self, fabric: Fabric, recipe: Recipe, family: Family, net: nn.Module) -> None:
        self.recipe, self.fabric, self.family = recipe, fabric, family
        self.net = net
        make = Muon if recipe.optimizer == "muon" else torch.optim.AdamW
        optimizer = make(
            _groups(family, net, recipe.shares),
            betas=recipe.betas,
            weight_decay=recipe.weight_decay,
        )
        planes = family.planes(net).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.planes, self.optimizer = fabric.setup(planes, optimizer)

    def parts(self) -> dict[str, Any]:
        """All that has a state, by name."""
        return {"net": self.net, "optimizer": self.optimizer}

    def step(self, lr: Tensor, hr: Tensor, pace: Pace, *answers: Tensor) -> Figures:
        """Learn from one batch of uint8 crops; returns the losses, not weighted.

        `answers` are the mean of what teachers make of `lr`, and what those make that the recipe
        wants apart.
        """
        made, targets = self._made(lr, hr, answers)
        figures, total = self._losses(made, targets, shift_of(lr))
        self._descend(self.planes, self.optimizer, total, pace)
        return figures

    def _made(self, lr: Tensor, hr: Tensor, answers: Sequence[Tensor]) -> tuple[Tensor, Targets]:
        """What the network makes of LR, and what it is compared with, without the rim."""
        names = ("hr", "teacher", *self.recipe.apart)
        # Without teachers there is HR alone.
        targets = {n: self._ready(t) for n, t in zip(names, (hr, *answers), strict=False)}
        lr = self._ready(lr)
        self.planes.train()
        freeze_norms(self.net)
        scale = targets["hr"].shape[-1] // lr.shape[-1]
        made = self._inner(self.planes(lr), scale)
        return made, {name: self._inner(planes, scale) for name, planes in targets.items()}

    def _ready(self, batch: Tensor) -> Tensor:
        return self.family.ready(batch.to(self.fabric.device))

    def _inner(self, planes: Tensor, scale: int) -> Tensor:
        """Planes of HR's size without the rim, whose LR the network saw with zeros beyond it."""
        rim = self.recipe.rim * scale
        return planes[..., rim:-rim, rim:-rim] if rim else planes

    def _losses(
        self, made: Tensor, targets: Targets, shift: tuple[int, int] = (0, 0)
    ) -> tuple[Figures, Tensor]:
        figures: Figures = {}
        total = torch.zeros((), device=made.device)
        for loss in self.recipe.losses:
            target = targets[target_of(loss, "teacher" in targets)]
            if isinstance(loss, Features | FeatureLoss | Perceptual):
                with self._brief():
                    value = loss(shifted(made, shift), shifted(target, shift)).float()
            else:
                value = loss(made, target)
            # Two losses of one kind, as of two sets of blocks, are told apart by a number.
            name = f"{loss.kind}{len(figures)}" if loss.kind in figures else loss.kind
            figures[name] = value.detach()
            total = total + loss.weight * value
        return figures, total

    def _brief(self) -> AbstractContextManager[None]:
        """Where backbones compute in bfloat16, if the network does; float16 they outgrow."""
        brief = self.recipe.precision == "bf16-mixed"
        return self.fabric.autocast() if brief else nullcontext()

    def _descend(self, net: Any, optimizer: Any, loss: Tensor, pace: Pace) -> None:
        for number, group in enumerate(optimizer.param_groups):
            # A rate of zero, not parameters without gradients, which several processes
            # would wait for.
            frozen = number < pace.frozen
            group["lr"] = 0.0 if frozen else group.get("share", 1.0) * pace.rate
            group["betas"] = (pace.momentum, group["betas"][1])
        optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        for group in optimizer.param_groups[: pace.frozen]:
            # Nor do frozen layers count in the norm that is clipped.
            for parameter in group["params"]:
                parameter.grad = None
        if self.recipe.clip:
            # In half precision some gradients overflow; the scaler then leaves the step out.
            finite = self.recipe.precision != "16-mixed"
            self.fabric.clip_gradients(
                net, optimizer, max_norm=self.recipe.clip, error_if_nonfinite=finite
            )
        optimizer.step()


def shift_of(batch: Tensor) -> tuple[int, int]:
    """Rows and columns to leave out, drawn by the batch itself: a run that goes on draws alike."""
    return divmod(int(batch.sum()) % SHIFTS**2, SHIFTS)


def shifted(planes: Tensor, shift: tuple[int, int]) -> Tensor:
    """Planes without their first rows and columns, of which small ones lose an eighth at most.

    Pooling and strides of a network that looks at results lie on a grid. Where that always lay
    alike on a generator's pixel shuffle, patterns of its period would be learned that such a
    network does not see (E-LPIPS: Kettunen et al., 2019, draws shifts for the same reason).
    """
    top, left = (min(n, side // 8) for n, side in zip(shift, planes.shape[-2:], strict=True))
    return planes[..., top:, left:]


def _groups(family: Family, net: nn.Module, shares: tuple[float, ...]) -> list[dict[str, Any]]:
    """Parameters of each layer group, and its share of the rate."""
    groups = [[p for module in group for p in module.parameters()] for group in family.groups(net)]
    shares = shares or family.shares
    if len(shares) != len(groups):
        raise OptionError(f"the network has {len(groups)} layer groups, not {len(shares)} shares")
    # A layer that has a group of its own does not belong to one around it.
    taken: set[nn.Parameter] = set()
    found = []
    for parameters, share in reversed(list(zip(groups, shares, strict=True))):
        # Lists, as a saved optimizer knows its parameters by their order alone.
        found.append({"params": [p for p in parameters if p not in taken], "share": share})
        taken |= set(parameters)
    return found[::-1]


class _Both(nn.Module):
    """A discriminator on photos and on what was made, apart.

    Batch norm takes its statistics of either, never of a mixture: the generator is
    judged by itself, too. One forward of both is what several processes need.
    """

    def __init__(self, judge: nn.Module) -> None:
        super().__init__()
        self.judge = judge

    def forward(self, photos: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        return self.judge(photos), self.judge(made)


class Duel(Minimise):
    """Steps of a generator against a discriminator (Ledig et al., 2017, Section 2)."""

    def __init__(
        self,
        fabric: Fabric,
        recipe: Recipe,
        family: Family,
        net: nn.Module,
        adversary: Adversary,
    ) -> None:
        super().__init__(fabric, recipe, family, net)
        self.adversary = adversary
        self.judge = _new_judge(adversary, fabric.device)
        optimizer = torch.optim.Adam(self.judge.parameters(), betas=recipe.betas)
        both = _Both(self.judge).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.both, self.judge_optimizer = fabric.setup(both, optimizer)

    def parts(self) -> dict[str, Any]:
        """See `Minimise.parts`."""
        return super().parts() | {"judge": self.judge, "judge_optimizer": self.judge_optimizer}

    def step(self, lr: Tensor, hr: Tensor, pace: Pace, *answers: Tensor) -> Figures:
        """Train the generator, then the discriminator, on one batch of uint8 crops."""
        made, targets = self._made(lr, hr, answers)
        shift = shift_of(lr)
        figures, total = self._losses(made, targets, shift)
        made, genuine = (
            shifted(made, shift),
            shifted(targets[target_of(self.adversary, "teacher" in targets)], shift),
        )
        kind = self.adversary.kind
        # It judges without learning, and so outside what gathers its gradients over processes.
        self.judge.requires_grad_(False)
        with self.fabric.autocast():
            doubted = self.judge(_seen(made)).float()
            real = doubted.detach()
            if kind == "relativistic":
                with torch.no_grad():
                    real = self.judge(_seen(genuine)).float()
        fooled = fooling_loss(kind, real, doubted)
        self.judge.requires_grad_(True)
        total = total + self.adversary.weight * fooled
        self._descend(self.planes, self.optimizer, total, pace)

        photos, fakes = self.both(_seen(genuine), _seen(made.detach()))
        judged = judge_loss(kind, photos.float(), fakes.float())
        own = replace(pace, rate=self.adversary.rate * pace.rate, frozen=0)
        self._descend(self.both, self.judge_optimizer, judged, own)
        return figures | {"adversarial": fooled.detach(), "judge": judged.detach()}


def _seen(planes: Tensor) -> Tensor:
    """RGB in [-1, 1], which discriminators take; luma is seen as grey."""
    return (2 * planes - 1).expand(-1, 3, -1, -1)


def _new_judge(adversary: Adversary, device: torch.device) -> nn.Module:
    if adversary.sees == "pixels":
        return Discriminator(adversary.channels)
    if adversary.sees == "unet":
        return UNetDiscriminator(adversary.channels)
    extract = backbones.extractor(adversary.backbone, device)
    return FeatureDiscriminator(extract, backbones.WIDTHS[:3], adversary.channels)
