"""One training step: on losses alone, or against a discriminator."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from srkit.adapters.pytorch.nets.discriminator import Discriminator, FeatureDiscriminator
from srkit.training import backbones
from srkit.training.crops import to_luma, to_planes
from srkit.training.families import Family
from srkit.training.losses import Adversary, fooling_loss, judge_loss
from srkit.training.optimising import freeze_norms
from srkit.training.recipe import Recipe

Figures = dict[str, Tensor]


class Minimise:
    """Steps that minimise the recipe's losses.

    Parameters
    ----------
    net
        The network, of the family's kind.
    """

    def __init__(self, fabric: Fabric, recipe: Recipe, family: Family, net: nn.Module) -> None:
        self.recipe, self.fabric, self.luma = recipe, fabric, family.colour == "luma"
        self.net = net
        # Lists, as a saved optimizer knows its parameters by their order alone.
        slow = list(family.last(net).parameters())
        rest = [p for p in net.parameters() if p not in set(slow)]
        groups = [{"params": rest, "share": 1.0}, {"params": slow, "share": 0.1}]
        optimizer = torch.optim.Adam(groups, betas=recipe.betas)
        planes = family.planes(net).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.planes, self.optimizer = fabric.setup(planes, optimizer)

    def parts(self) -> dict[str, Any]:
        """All that has a state, by name."""
        return {"net": self.net, "optimizer": self.optimizer}

    def step(self, lr: Tensor, hr: Tensor, rate: float) -> Figures:
        """Learn from one batch of uint8 crops; returns the losses, not weighted."""
        lr, hr = self._ready(lr), self._ready(hr)
        self.planes.train()
        freeze_norms(self.net)
        made, hr = self._inner(self.planes(lr), hr)
        figures, total = self._losses(made, hr)
        self._descend(self.planes, self.optimizer, total, rate)
        return figures

    def _ready(self, batch: Tensor) -> Tensor:
        planes = to_planes(batch.to(self.fabric.device))
        return to_luma(planes) if self.luma else planes

    def _inner(self, made: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
        """Both without the rim, whose LR the network saw with zeros beyond it."""
        rim = self.recipe.rim * hr.shape[-1] // self.recipe.crop
        if not rim:
            return made, hr
        return made[..., rim:-rim, rim:-rim], hr[..., rim:-rim, rim:-rim]

    def _losses(self, made: Tensor, hr: Tensor) -> tuple[Figures, Tensor]:
        figures: Figures = {}
        total = torch.zeros((), device=made.device)
        for loss in self.recipe.losses:
            value = loss(made, hr)
            # Two losses of one kind, as of two sets of blocks, are told apart by a number.
            name = f"{loss.kind}{len(figures)}" if loss.kind in figures else loss.kind
            figures[name] = value.detach()
            total = total + loss.weight * value
        return figures, total

    def _descend(self, net: Any, optimizer: Any, loss: Tensor, rate: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = group.get("share", 1.0) * rate
        optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        if self.recipe.clip:
            # In half precision some gradients overflow; the scaler then leaves the step out.
            finite = self.recipe.precision != "16-mixed"
            self.fabric.clip_gradients(
                net, optimizer, max_norm=self.recipe.clip, error_if_nonfinite=finite
            )
        optimizer.step()


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

    def step(self, lr: Tensor, hr: Tensor, rate: float) -> Figures:
        """Train the generator, then the discriminator, on one batch of uint8 crops."""
        lr, hr = self._ready(lr), self._ready(hr)
        self.planes.train()
        freeze_norms(self.net)
        made, hr = self._inner(self.planes(lr), hr)
        figures, total = self._losses(made, hr)
        kind = self.adversary.kind
        # The discriminator takes [-1, 1]. It judges without learning, and so outside what
        # gathers its gradients over processes.
        self.judge.requires_grad_(False)
        with self.fabric.autocast():
            doubted = self.judge(2 * made - 1).float()
            real = doubted.detach()
            if kind == "relativistic":
                with torch.no_grad():
                    real = self.judge(2 * hr - 1).float()
        fooled = fooling_loss(kind, real, doubted)
        self.judge.requires_grad_(True)
        total = total + self.adversary.weight * fooled
        self._descend(self.planes, self.optimizer, total, rate)

        photos, fakes = self.both(2 * hr - 1, 2 * made.detach() - 1)
        judged = judge_loss(kind, photos.float(), fakes.float())
        self._descend(self.both, self.judge_optimizer, judged, rate)
        return figures | {"adversarial": fooled.detach(), "judge": judged.detach()}


def _new_judge(adversary: Adversary, device: torch.device) -> nn.Module:
    if adversary.sees == "pixels":
        return Discriminator(adversary.channels)
    extract = backbones.extractor(adversary.backbone, device)
    return FeatureDiscriminator(extract, backbones.WIDTHS[:3], adversary.channels)
