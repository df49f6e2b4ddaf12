"""The loop: what happens in which order, whatever is trained."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from safetensors.torch import save
from torch import Tensor, nn

import srkit
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.errors import OptionError, WeightsError
from srkit.imaging.atomic import replacing
from srkit.training.checks import Check, held_out_pairs
from srkit.training.crops import Crops, batches
from srkit.training.expansion import expand
from srkit.training.families import FAMILIES, Family
from srkit.training.methods import Duel, Minimise
from srkit.training.optimising import Average, rate_at
from srkit.training.photos import find_photos, pack, split
from srkit.training.recipe import Recipe
from srkit.training.report import Report
from srkit.weights import weights_path

log = logging.getLogger(__name__)

# What may differ between the parts of one run.
FREE = {"steps", "workers", "check_every", "save_every", "picture_every", "start"}
WEIGHTS, BEST, STATE = "weights.safetensors", "best.safetensors", "state.pth"


class Run:
    """A training run, from a folder of photos to weights.

    Parameters
    ----------
    recipe, name
        What the run is made of, and what that is called in the weights' header.
    photos, out, cache
        Folders of photos, of results, and of decoded photos.
    scale
        HR pixels for each LR pixel, along a side.
    init
        Weights to start from: a model's name or a file; None for the recipe's own.
    resume
        Whether to go on from a state in `out`.
    fabric
        Device, precision and processes.
    """

    def __init__(
        self,
        recipe: Recipe,
        name: str,
        photos: Path,
        out: Path,
        *,
        cache: Path,
        scale: int,
        init: str | Path | None,
        resume: bool,
        fabric: Fabric,
    ) -> None:
        self.recipe, self.name, self.out, self.scale = recipe, name, out, scale
        self.fabric, self.family = fabric, FAMILIES[recipe.model]
        if scale not in self.family.scales:
            listed = ", ".join(f"x{s}" for s in self.family.scales)
            raise OptionError(f"{name} can be trained for {listed}, not x{scale}")
        # First of all, so that a run with other settings leaves the folder as it was.
        self._state = self._saved() if resume else None
        self.net = _network(self.family, scale, init or recipe.start, recipe.seed)
        self.probe = self.family.planes(copy.deepcopy(self.net)).to(fabric.device).eval()
        if recipe.expand:
            expand(self.net, recipe.expand, recipe.seed)
        kept, held = split(find_photos(photos, avoid=out), recipe.held_out)
        # One process decodes, and the others find what it made.
        with fabric.rank_zero_first():
            patches = pack(kept, cache / "train", scale, workers=recipe.workers)
            checked = pack(held, cache / "held", scale, workers=recipe.workers)
        self.crops = Crops(
            patches, scale, recipe.crop, recipe.seed, recipe.flat, recipe.degradations
        )
        self.check = Check(
            held_out_pairs(checked, scale, recipe.degradations),
            self.family.colour == "luma",
            recipe.adversary is not None,
        )
        self.method = _method(fabric, recipe, self.family, self.net)
        self.average = Average(self.net, recipe.ema)
        self.best = float("-inf")
        self._means: Mapping[str, Tensor] = {}
        self.report: Report | None = None  # one process reports

    def train(self) -> Path:
        """Do the steps that are left; returns the path of the weights."""
        recipe, fabric = self.recipe, self.fabric
        self.out.mkdir(parents=True, exist_ok=True)
        first = self._restore()
        if fabric.is_global_zero:
            if first == 0:
                # A run that starts again must not go on from what an older one left.
                (self.out / STATE).unlink(missing_ok=True)
            self.report = self._report(first)
        loader = batches(
            self.crops,
            range(first, recipe.steps),
            recipe.batch,
            rank=fabric.global_rank,
            world=fabric.world_size,
            workers=recipe.workers,
        )
        if first == 0:
            self._checked(0)
        for step, (lr, hr) in enumerate(loader, first):
            figures = self.method.step(lr, hr, rate_at(step, recipe))
            self.average.update(self.net, step)
            if self.report:
                self.report.step(figures)
            done = step + 1
            if done % recipe.check_every == 0 or done == recipe.steps:
                self._checked(done)
            if done % recipe.save_every == 0 or done == recipe.steps:
                self._save(done)
        if self.report:
            self.report.close()
        fabric.barrier()
        return self.out / (BEST if recipe.adversary is None else WEIGHTS)

    def _report(self, first: int) -> Report:
        images = self.recipe.batch * self.fabric.world_size
        log.info("bicubic has %.3f dB on the held-out photos", self.check.bicubic())
        return Report(self.out, first, self.recipe.steps, images, self._means)

    def _checked(self, step: int) -> None:
        """Check the averaged weights, and write them down."""
        if not self.report:
            return
        self._inner(self.probe).load_state_dict(self.average.weights)
        figures = self.check.figures(self.probe)
        self.report.check(step, figures, rate_at(step, self.recipe))
        if step % self.recipe.picture_every == 0 or step == self.recipe.steps:
            self.report.picture(step, self.check.picture(self.probe))
        header = self._header(step, figures)
        export(self.average.weights, self.out / WEIGHTS, header)
        if figures["psnr"] > self.best:
            self.best = figures["psnr"]
            export(self.average.weights, self.out / BEST, header)

    def _inner(self, planes: nn.Module) -> nn.Module:
        """The network itself within what makes it take planes."""
        inner: nn.Module = getattr(planes, "net", planes)
        return inner

    def _header(self, step: int, figures: Mapping[str, float]) -> dict[str, str]:
        return {
            "architecture": self.family.architecture,
            "scale": str(self.scale),
            "colour": self.family.colour,
            "recipe": json.dumps({"name": self.name} | dataclasses.asdict(self.recipe)),
            "steps": str(step),
            "held_out": json.dumps({name: round(value, 4) for name, value in figures.items()}),
            "srkit": srkit.__version__,
        }

    def _settings(self) -> dict[str, Any]:
        """What must be the same when a run goes on."""
        fixed = {k: v for k, v in dataclasses.asdict(self.recipe).items() if k not in FREE}
        # Through JSON, as tuples come back from a file as lists.
        settings: dict[str, Any] = json.loads(json.dumps(fixed | {"scale": self.scale}))
        return settings

    def _save(self, step: int) -> None:
        """Write the state, whole or not at all."""
        if not self.report:
            return
        parts = {name: part.state_dict() for name, part in self.method.parts().items()}
        state = {
            "parts": parts,
            "average": self.average.weights,
            "step": step,
            "best": self.best,
            "means": self.report.means,
            "settings": self._settings(),
            "precision": self.fabric.strategy.precision.state_dict(),
            "random": torch.get_rng_state(),
        }
        with replacing(self.out / STATE) as file:
            torch.save(state, file)

    def _saved(self) -> dict[str, Any] | None:
        """The state in the folder, if there is one, of a run with the same settings."""
        path = self.out / STATE
        if not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, map_location=self.fabric.device, weights_only=True)
        if differing := _differing(state["settings"], self._settings()):
            raise OptionError(
                f"{self.out} holds a run with other settings ({differing}); "
                "give it another folder, or start afresh with resume=False (--fresh)"
            )
        return state

    def _restore(self) -> int:
        """Continue from the saved state, if there is one; returns the steps done."""
        state, self._state = self._state, None
        if state is None:
            return 0
        for name, part in self.method.parts().items():
            part.load_state_dict(state["parts"][name])
        self.average.weights = state["average"]
        self.best, self._means = state["best"], state["means"]
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        torch.set_rng_state(state["random"].cpu())
        return int(state["step"])


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    names = [k for k in new if old.get(k) != new[k]]
    return ", ".join(f"{k} was {old.get(k)!r}, is {new[k]!r}" for k in names)


def _network(family: Family, scale: int, init: str | Path | None, seed: int) -> nn.Module:
    """The network to start from: bicubic interpolation, a model's weights, or a file's."""
    torch.manual_seed(seed)
    if not init:
        net = family.build(scale)
        family.start(net)
        return net
    path = Path(init)
    if isinstance(init, str) and init in srkit.list_models():
        weights = srkit.card(init).weights.get(scale)
        if weights is None:
            raise WeightsError(f"{init} has no weights for x{scale} to start from")
        path = weights_path(weights)
    checkpoint = read_checkpoint(path)
    net = family.read(checkpoint.tensors, scale)
    # Weights of FSRCNN do not tell their scale, but headers do.
    found = checkpoint.metadata.get("scale", str(net.scale))
    if found != str(scale):
        raise WeightsError(f"{path} holds weights for x{found}, not x{scale}")
    return net


def _method(fabric: Fabric, recipe: Recipe, family: Family, net: nn.Module) -> Minimise:
    if recipe.adversary is None:
        return Minimise(fabric, recipe, family, net)
    if family.colour == "luma":
        raise OptionError(f"{recipe.model} takes luma, and the discriminator RGB")
    # Decoding photos, which an earlier run may have spared this one, draws numbers, too.
    torch.manual_seed(recipe.seed)
    return Duel(fabric, recipe, family, net, recipe.adversary)


def export(tensors: Mapping[str, Tensor], out: Path, header: Mapping[str, str]) -> None:
    """Write weights as a safetensors file that appears whole or not at all."""
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with replacing(out) as file:
        file.write(save(plain, dict(header)))
