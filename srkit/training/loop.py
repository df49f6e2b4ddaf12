"""The loop: what happens in which order, whatever is trained."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from srkit.advice import advise
from srkit.atomic import replacing
from srkit.errors import OptionError
from srkit.training.checks import Check
from srkit.training.data.crops import Batch, batches
from srkit.training.data.degradations import check_shrinking
from srkit.training.data.material import check_shared, crops_of, pairs_of, store_of
from srkit.training.data.photos import Pixels, find_photos, fingerprint, list_photos, pack, split
from srkit.training.data.store import answers_to
from srkit.training.families import FAMILIES, Family
from srkit.training.learning.expansion import expand
from srkit.training.learning.methods import Duel, Minimise
from srkit.training.learning.optimising import Average
from srkit.training.learning.preparing import prepared, resolved
from srkit.training.origin import network, write_weights
from srkit.training.recipe import Recipe
from srkit.training.report import Report
from srkit.training.stages import pace_at, stretches
from srkit.training.states import read_state, told_differences
from srkit.version import __version__

log = logging.getLogger(__name__)

# What may differ between the parts of one run.
FREE = {"steps", "workers", "check_every", "save_every", "picture_every", "start"}
WEIGHTS, BEST, STATE = "weights.safetensors", "best.safetensors", "state.pth"
HELD_OUT = "held_out.txt"
# Crops by which units are told that never fire.
SEEN = 256


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
        recipe = resolved(recipe)
        self.recipe, self.name, self.out, self.scale = recipe, name, out, scale
        self.fabric, self.family = fabric, FAMILIES[recipe.model]
        if scale not in self.family.scales:
            listed = ", ".join(f"x{s}" for s in self.family.scales)
            raise OptionError(f"{name} can be trained for {listed}, not x{scale}")
        check_shrinking(recipe.degradations, scale)
        kept, self.held = split(find_photos(photos, avoid=out), recipe.held_out)
        self._counts = len(kept), len(self.held)
        self._photos = f"{fingerprint(kept)}, {fingerprint(self.held)}"
        self.net, self.origin, self._taught = network(
            self.family, scale, init or recipe.start, recipe.seed, recipe.encoder, recipe.size
        )
        multiple = self.family.multiple(self.net)
        _check(recipe, self.family, scale, multiple)
        self._backbones = prepared(recipe, fabric.device)
        self._teachers = {teacher.model: teacher.digest(scale) for teacher in recipe.teachers}
        for teacher in recipe.teachers:
            # One that cannot answer is missed before photos are decoded.
            teacher.load(scale, str(fabric.device))
        # Before anything is written, so that a run with other settings is left as it was.
        self._state = self._saved() if resume else None
        self._read_photos(kept, cache, multiple)
        self._revived = self._revive() if init or recipe.start else 0
        self.probe = self.family.planes(copy.deepcopy(self.net)).to(fabric.device).eval()
        if recipe.expand:
            expand(self.net, recipe.expand, recipe.seed)
        if recipe.weight_norm and self.family.weight_norm:
            self.family.weight_norm(self.net)
        self.method = _method(fabric, recipe, self.family, self.net)
        self.average = Average(self.net, recipe.ema)
        self.best, self.best_step = float("-inf"), 0
        self._means: Mapping[str, Tensor] = {}
        self.report: Report | None = None  # one process reports

    def _read_photos(self, kept: Sequence[Path], cache: Path, multiple: int) -> None:
        """Decode photos, ask teachers, and make crops and held-out pairs of them."""
        recipe, fabric, scale = self.recipe, self.fabric, self.scale
        # One process decodes, and the others find what it made.
        with fabric.rank_zero_first():
            patches = pack(kept, cache / "train", scale, workers=recipe.workers)
            checked = pack(self.held, cache / "held", scale, workers=recipe.workers)
        window = self.family.window
        store = store_of(patches, cache / "answers", scale, recipe, window)
        if store:
            check_shared(fabric, store.folder)
            store.fill(device=str(fabric.device), rank=fabric.global_rank, world=fabric.world_size)
        self.crops = {
            size: crops_of(patches, store, scale, size, recipe, window)
            for size in {stretch.stage.crop for stretch in stretches(recipe)}
        }
        pairs = pairs_of(checked, scale, recipe, window)
        answers: list[Pixels] = []
        if store and fabric.is_global_zero:
            answers = answers_to(
                pairs, recipe.teachers, scale, cache / "answers", device=str(fabric.device)
            )
        self.check = Check(pairs, self.family, recipe.perceptual, multiple, answers)

    def _revive(self) -> int:
        """Draw units of the start's anew that no crop makes fire; how many."""
        if not self.family.revive:
            return 0
        crops = next(iter(self.crops.values()))
        seen = np.stack([crops[number][0] for number in range(SEEN)])
        count = self.family.revive(
            self.net, self.family.ready(torch.from_numpy(seen)), self.recipe.seed
        )
        if count:
            log.info("%d units never fired on %d crops, and were drawn anew", count, SEEN)
        return count

    def train(self) -> Path:
        """Do the steps that are left; returns the path of the weights."""
        recipe, fabric = self.recipe, self.fabric
        self.out.mkdir(parents=True, exist_ok=True)
        first = self._restore()
        if fabric.is_global_zero:
            if first:
                log.info("going on from step %d of %d", first, recipe.steps)
            else:
                # A run that starts again must not go on from what an older one left.
                (self.out / STATE).unlink(missing_ok=True)
            list_photos(self.held, self.out / HELD_OUT)
            self.report = self._report(first)
            shortest = min(stretch.last - stretch.first for stretch in stretches(recipe))
            if recipe.schedule != "one_cycle" and 2 * recipe.warmup > shortest:
                log.warning(
                    "the rate rises for %d of %d steps; a smaller warmup leaves more to learn in",
                    min(recipe.warmup, shortest),
                    shortest,
                )
        if first == 0:
            self._checked(0)
        for step, (lr, hr, *answers) in enumerate(self._batches(first), first):
            figures = self.method.step(lr, hr, pace_at(step, recipe), *answers)
            self.average.update(self.net, step)
            if self.report:
                self.report.step(figures, len(lr) * fabric.world_size)
            done = step + 1
            if checks := done % recipe.check_every == 0 or done == recipe.steps:
                self._checked(done)
            if done % recipe.save_every == 0 or checks:
                self._save(done)
        if self.report:
            self.report.close()
            if not recipe.perceptual and self.best_step == 0:
                log.warning("no check was better than the start, which %s holds", self.out / BEST)
        fabric.barrier()
        return self.out / (WEIGHTS if recipe.perceptual else BEST)

    def _report(self, first: int) -> Report:
        bicubic = self.check.bicubic()
        log.info("bicubic has %.3f dB on the held-out photos", bicubic["psnr"])
        if "psnr_to_teacher" in bicubic:
            log.info("bicubic has %.3f dB to the teacher's answers", bicubic["psnr_to_teacher"])
        seen, images = (self._crops_until(step) for step in (first, self.recipe.steps))
        return Report(self.out, first, seen, images, self._means)

    def _crops_until(self, step: int) -> int:
        """Crops that all processes have seen by a step; stages may differ in their batches."""
        one = sum(
            (min(s.last, step) - min(s.first, step)) * s.stage.batch for s in stretches(self.recipe)
        )
        return one * self.fabric.world_size

    def _batches(self, first: int) -> Iterator[Batch]:
        """The batches from a step on, of the size that each stage wants."""
        for stretch in stretches(self.recipe):
            yield from batches(
                self.crops[stretch.stage.crop],
                range(max(first, stretch.first), max(first, stretch.last)),
                stretch.stage.batch,
                rank=self.fabric.global_rank,
                world=self.fabric.world_size,
                workers=self.recipe.workers,
            )

    def _checked(self, step: int) -> None:
        """Check the averaged weights, and write them down."""
        if not self.report:
            return
        self._inner(self.probe).load_state_dict(self.average.weights)
        figures = self.check.figures(self.probe)
        self.report.check(step, figures, pace_at(step, self.recipe).rate)
        if step % self.recipe.picture_every == 0 or step == self.recipe.steps:
            self.report.picture(step, self.check.picture(self.probe))
        header = self._header(step, figures)
        write_weights(self.average.weights, self.out / WEIGHTS, header)
        # Of one that learns from teachers, how near it comes to them.
        if (judged := figures.get("psnr_to_teacher", figures["psnr"])) > self.best:
            self.best, self.best_step = judged, step
            write_weights(self.average.weights, self.out / BEST, header)

    def _inner(self, planes: nn.Module) -> nn.Module:
        """The network itself within what makes it take planes."""
        inner: nn.Module = getattr(planes, "net", planes)
        return inner

    def _header(self, step: int, figures: Mapping[str, float]) -> dict[str, str]:
        learned_from, checked_on = self._counts
        # Its start's, too. Their full names have commas, so no list comes back from them.
        known = [self._taught] if self._taught else []
        own = [Path(one.model).name for one in self.recipe.teachers] if step else []
        known += [name for name in own if name not in self._taught.split(", ")]
        return ({"teachers": ", ".join(known)} if known else {}) | {
            "architecture": self.family.architecture,
            "scale": str(self.scale),
            "colour": self.family.colour,
            "recipe": json.dumps({"name": self.name} | self._told()),
            "started_from": self.origin + (f", {self._revived} units anew" * bool(self._revived)),
            "photos": f"{learned_from} learned from, {checked_on} checked on",
            "steps": str(step),
            "held_out": json.dumps({name: round(value, 4) for name, value in figures.items()}),
            "srkit": __version__,
        }

    def _told(self) -> dict[str, Any]:
        """The recipe, with files by their names, not by where they lie."""
        told = dataclasses.asdict(self.recipe)
        _rename_targets(told, {model: Path(model).name for model in self._teachers})
        told["encoder"] = Path(told["encoder"]).name
        for part in (*told["losses"], *filter(None, [told["adversary"]])):
            if "backbone" in part:
                part["backbone"] = Path(part["backbone"]).name
        for teacher in told["teachers"]:
            digest = self._teachers[teacher["model"]]
            teacher |= {"model": Path(teacher["model"]).name, "digest": digest}
        return told

    def _settings(self) -> dict[str, Any]:
        """What must be the same when a run goes on."""
        fixed = {k: v for k, v in dataclasses.asdict(self.recipe).items() if k not in FREE}
        # Through JSON, as tuples come back from a file as lists.
        also = {"scale": self.scale, "started_from": self.origin, "photos": self._photos}
        also["processes"] = self.fabric.world_size
        # By their weights, wherever their files lie.
        _rename_targets(fixed, self._teachers)
        for teacher in fixed["teachers"]:
            teacher["model"] = self._teachers[teacher["model"]]
        also |= self._backbones
        settings: dict[str, Any] = json.loads(json.dumps(fixed | also))
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
            "best_step": self.best_step,
            "means": self.report.means,
            "settings": self._settings(),
            "photos": sum(self._counts),
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
        state = read_state(path)
        counts = state.get("photos"), sum(self._counts)
        if differing := told_differences(state["settings"], self._settings(), counts):
            raise self._not_this_run(f"with other settings ({differing}); give it another folder,")
        return state

    def _not_this_run(self, why: str) -> OptionError:
        """What to do where the folder's state is of a run that cannot go on."""
        best = self.out / (WEIGHTS if self.recipe.perceptual else BEST)
        again = advise("resume=False", "--fresh")
        further = advise(f"init={str(best)!r}, out=NEW", f"--init {best} -o NEW")
        return OptionError(
            f"{self.out} holds a run {why} start afresh with {again}, or go on from its weights "
            f"({BEST}, or {WEIGHTS}, the last) in another folder: {further}"
        )

    def _restore(self) -> int:
        """Continue from the saved state, if there is one; returns the steps done."""
        state, self._state = self._state, None
        done = int(state["step"]) if state else 0
        gathered = cast(Tensor, self.fabric.all_gather(torch.tensor(done)))
        steps = gathered.reshape(-1).tolist()
        if len(set(steps)) > 1:
            raise OptionError(
                f"the processes found states of the steps {steps}: {self.out} has to be one folder "
                "that all of them see"
            )
        if state is None:
            return 0
        for name, part in self.method.parts().items():
            try:
                part.load_state_dict(state["parts"][name])
            except ValueError as error:  # an optimizer's, of other groups
                raise self._not_this_run(
                    "of another version of srkit, whose layers learned in other groups;"
                ) from error
        device = self.fabric.device
        self.average.weights = {k: v.to(device) for k, v in state["average"].items()}
        self._means = {k: v.to(device) for k, v in state["means"].items()}
        # States of before did not say it.
        self.best, self.best_step = state["best"], state.get("best_step", done)
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        torch.set_rng_state(state["random"])
        return done


def _check(recipe: Recipe, family: Family, scale: int, multiple: int) -> None:
    """Refuse what this network cannot do, before photos are decoded."""
    if recipe.weight_norm and not family.weight_norm:
        raise OptionError(f"{recipe.model} has no decoder for weight_norm")
    if recipe.degradations and family.window > 1:
        raise OptionError(f"{recipe.model} learns from exact bicubic LR; leave degradations out")
    # Windows of a patch move each in its way.
    same = not recipe.degradations and family.window == 1
    if recipe.teachers and recipe.versions > 1 and same:
        raise OptionError(
            f"versions is {recipe.versions}, and without degradations all versions would be the "
            "same: leave it at 1"
        )
    groups = len(family.shares)
    for stage in (stretch.stage for stretch in stretches(recipe)):
        if stage.crop % multiple:
            raise OptionError(
                f"at x{scale} crops of {recipe.model} are multiples of {multiple} LR pixels, "
                f"not {stage.crop}"
            )
        if stage.frozen >= groups:
            raise OptionError(
                f"{recipe.model} has {groups} layer groups; {stage.frozen} frozen leave none to "
                "learn"
            )


def _rename_targets(recipe: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Give teachers that losses and the adversary name other names, in a recipe as a dict."""
    for part in (*recipe["losses"], *filter(None, [recipe["adversary"]])):
        if "target" in part:
            part["target"] = names.get(part["target"], part["target"])


def _method(fabric: Fabric, recipe: Recipe, family: Family, net: nn.Module) -> Minimise:
    if recipe.adversary is None:
        return Minimise(fabric, recipe, family, net)
    # Decoding photos, which an earlier run may have spared this one, draws numbers, too.
    torch.manual_seed(recipe.seed)
    return Duel(fabric, recipe, family, net, recipe.adversary)
