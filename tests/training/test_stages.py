"""Learning rates and momenta of each step, worked out by hand; and stages of a run."""

from __future__ import annotations

import functools
import io
import math

import pytest
from tqdm import tqdm

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

import srkit
from srkit import OptionError
from srkit.training import Recipe, read_recipe, recipe_named
from srkit.training.learning.methods import Minimise
from srkit.training.stages import Stage, pace_at


def test_a_cosine_falls_from_the_end_of_the_warmup_to_zero():
    recipe = Recipe(model="espcn", steps=44, warmup=4, rate=2.0)
    rates = [pace_at(step, recipe).rate for step in (0, 1, 3, 4, 14, 24, 34, 44)]
    bend = math.sqrt(0.5)
    assert rates == pytest.approx([0.5, 1.0, 2.0, 2.0, 1 + bend, 1.0, 1 - bend, 0.0])


def test_steps_fall_at_their_milestones():
    recipe = Recipe(
        model="espcn", steps=100, warmup=2, rate=8.0,
        schedule="step", milestones=(0.5, 0.8, 0.9), factor=0.5,
    )  # fmt: skip
    steps = (0, 1, 2, 49, 50, 79, 80, 89, 90, 100)
    assert [pace_at(step, recipe).rate for step in steps] == [4, 8, 8, 8, 4, 4, 2, 2, 1, 1]


def test_without_a_warmup_the_rate_starts_at_its_height():
    assert pace_at(0, Recipe(model="espcn", steps=10, warmup=0, rate=3.0)).rate == 3.0


def test_a_warmup_longer_than_the_run_is_cut_off():
    recipe = Recipe(model="espcn", steps=5, warmup=10, rate=1.0)
    assert [pace_at(step, recipe).rate for step in (0, 4, 5)] == pytest.approx([0.1, 0.5, 0.6])


def test_one_cycle_rises_and_falls_by_half_cosines_while_the_momentum_does_the_opposite():
    recipe = Recipe(
        model="espcn", steps=40, rate=1.0, schedule="one_cycle", betas=(0.95, 0.99),
        stages=(Stage(rise=0.25),),
    )  # fmt: skip
    paces = [pace_at(step, recipe) for step in (0, 5, 10, 25, 40)]
    # fastai: from a 25th, half way up at the middle of the rise, down to 1/250000.
    assert [pace.rate for pace in paces] == pytest.approx([0.04, 0.52, 1.0, (1 + 4e-6) / 2, 4e-6])
    assert [pace.momentum for pace in paces] == pytest.approx([0.95, 0.90, 0.85, 0.90, 0.95])


def test_every_stage_has_a_cycle_of_its_own():
    recipe = Recipe(
        model="unet", steps=30, rate=2.0, warmup=0,
        stages=(Stage(2, frozen=2), Stage(1, rate=0.5, crop=48, batch=4)),
    )  # fmt: skip
    paces = [pace_at(step, recipe) for step in (0, 10, 20, 25, 30)]
    assert [pace.rate for pace in paces] == pytest.approx([2.0, 1.0, 1.0, 0.5, 0.0])
    assert [pace.frozen for pace in paces] == [2, 2, 0, 0, 0]


def test_crops_grow_from_stage_to_stage(photos, cache, tiny, tmp_path, monkeypatch):
    seen = []
    step = Minimise.step

    def watched(self, lr, hr, pace):
        seen.append((tuple(lr.shape), tuple(hr.shape), pace.frozen))
        return step(self, lr, hr, pace)

    monkeypatch.setattr(Minimise, "step", watched)
    config = tmp_path / "stages.toml"
    config.write_text(
        "stages = [{ length = 2, crop = 16, frozen = 2 }, { length = 1, crop = 32, batch = 1 }]"
    )
    srkit.train("unet", photos, tmp_path / "out", scale=2, config=config, cache=cache,
                losses=[{"kind": "l1"}], **tiny)  # fmt: skip
    small, large = ((2, 16, 16, 3), (2, 32, 32, 3), 2), ((1, 32, 32, 3), (1, 64, 64, 3), 0)
    assert seen == [small] * 4 + [large] * 2


class Terminal(io.StringIO):
    """Where a bar is shown."""

    def isatty(self):
        return True


def test_the_bar_counts_the_crops_of_every_stage(photos, cache, tiny, tmp_path, monkeypatch):
    tiny |= {"batch": 2, "stages": [{"length": 2}, {"batch": 5}]}
    seen = Terminal()
    monkeypatch.setattr("srkit.training.report.tqdm", functools.partial(tqdm, file=seen))
    for steps in (5, 6):  # the second run goes on in the second stage
        srkit.train("espcn", photos, tmp_path, scale=2, cache=cache, **tiny | {"steps": steps})
    told = seen.getvalue()
    # Two steps of three are of the first stage: of 5 steps 3, of 6 steps 4.
    assert f" {3 * 2 + 2 * 5}/{3 * 2 + 2 * 5} " in told
    assert f" {4 * 2 + 1 * 5}/{4 * 2 + 2 * 5} " in told
    assert f" {4 * 2 + 2 * 5}/{4 * 2 + 2 * 5} " in told


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        ("{ length = 0.0 }", "above 0"),
        ("{ crop = -8 }", "not negative"),
        ("{ rise = 1.5 }", "from 0 to 1"),
        ("{ lenght = 1 }", "lenght"),
    ],
)
def test_stages_that_make_no_sense_are_refused(tmp_path, stage, told):
    config = tmp_path / "stages.toml"
    config.write_text(f"stages = [{stage}]")
    with pytest.raises(OptionError, match=told):
        read_recipe(config, recipe_named("unet"))


def test_crops_that_do_not_halve_evenly_are_refused(photos, cache, tiny, tmp_path):
    with pytest.raises(OptionError, match="multiples of 8 LR pixels, not 20"):
        srkit.train("unet", photos, tmp_path / "out", scale=4, cache=cache, **tiny | {"crop": 20})
    assert not (tmp_path / "out").exists()
