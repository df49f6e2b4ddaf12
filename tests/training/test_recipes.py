"""Recipes: built in, changed by the caller, and read from TOML files."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from checkout import ROOT

pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from srkit import OptionError
from srkit.training import RECIPES, Recipe, read_recipe, recipe_named
from srkit.training.data.degradations import (
    Blur,
    Downsample,
    Jpeg,
    Noise,
    OneOf,
    Shuffled,
    check_shrinking,
)
from srkit.training.data.steps import KernelBlur, Poisson, Resize, Sinc
from srkit.training.data.two_stage import MIXED, TWO_STAGE
from srkit.training.families import FAMILIES
from srkit.training.learning.adversary import Adversary
from srkit.training.learning.losses import Features, Perceptual, Pixel, TotalVariation

BASE = RECIPES["srresnet"]


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def apart(one: Recipe, other: Recipe) -> set[str]:
    names = [field.name for field in dataclasses.fields(Recipe)]
    return {name for name in names if getattr(one, name) != getattr(other, name)}


@pytest.mark.parametrize("name", RECIPES)
def test_built_in_recipes_are_valid_and_read_as_themselves(name):
    recipe = recipe_named(name)
    assert recipe.changed({}) == recipe
    assert recipe.model in FAMILIES
    # What to go on from is a packaged model, or of the same name as the recipe that makes it.
    assert recipe.start in ("", *RECIPES)


def test_an_unknown_recipe_is_answered_by_the_nearest():
    with pytest.raises(
        OptionError, match=r"named 'srgam'; did you mean 'srgan'.*docs/training\.md"
    ):
        recipe_named("srgam")
    with pytest.raises(OptionError, match="there are srresnet, srgan, photo, photo-2025, espcn"):
        recipe_named("zzz")


# --- changes ----------------------------------------------------------------------------------


def test_texts_from_a_command_line_become_numbers():
    changed = BASE.changed({"steps": "12", "rate": "1e-5", "precision": "bf16-mixed"})
    assert (changed.steps, changed.rate, changed.precision) == (12, 1e-5, "bf16-mixed")
    assert apart(changed, BASE) == {"steps", "rate", "precision"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stepz": 3}, "the recipe: there is no key 'stepz'; did you mean 'steps'?"),
        ({"zzz": 3}, "there is no key 'zzz'$"),
        ({"kind": "l1"}, "there is no key 'kind'"),
        ({"steps": "ten"}, "steps: input should be a valid integer, .* not 'ten'"),
        ({"batch": 2.5}, "batch: input should be a valid integer"),
        ({"model": "edsr"}, "input should be 'srresnet', .* or 'compact', not 'edsr'"),
        ({"rate": "nan"}, "rate: input should be a finite number"),
        ({"losses": "l1"}, "losses: input should be a valid tuple"),
        ({"losses": [{"kind": "l3"}]}, "losses.0.kind: .*'l1', .*'tv', .*not 'l3'"),
        ({"losses": [{"kind": "l1", "wight": 1}]}, "there is no key 'losses.0.wight'"),
        # Of seven kinds of loss, it is told about the one that was meant.
        ({"losses": [{"kind": "vgg", "weight": "x"}]}, "losses.0.weight: input should be a valid"),
        ({"losses": [{"kind": "vgg", "blocks": ["x"]}]}, "losses.0.blocks.0: .* valid integer"),
        (
            {"degradations": [{"kind": "shuffled", "steps": [{"kind": "noise", "sigma": 1}]}]},
            "degradations.0.steps.0.sigma: input should be a valid tuple",
        ),
        # Lists lie within lists.
        (
            {"degradations": [{"kind": "one_of", "lists": [[{"kind": "nois"}]]}]},
            "degradations.0.lists.0.0.kind: .*'noise', .*'one_of', not 'nois'",
        ),
        (
            {"degradations": [{"kind": "one_of", "lists": [[{"kind": "sinc", "sides": 3}]]}]},
            "there is no key 'degradations.0.lists.0.0.sides'",
        ),
        ({"adversary": {"chanels": 4}}, "there is no key 'adversary.chanels'"),
    ],
)  # fmt: skip
def test_wrong_changes_are_told_by_their_place(changes, message):
    with pytest.raises(OptionError, match=message):
        BASE.changed(changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps is at least 1, not 0"),
        ({"save_every": 0}, "save_every is at least 1"),
        ({"warmup": -1}, "warmup is not negative, not -1"),
        ({"rate": 0.0}, "rate is above 0"),
        ({"ema": 1.0}, "ema is from 0 to below 1"),
        ({"flat": 1.1}, "flat is from 0 to 1"),
        ({"betas": (0.9, 1.0)}, "betas is from 0 to below 1"),
        ({"crop": 8, "rim": 4}, "rim is less than half of crop=8, not 4"),
        ({"losses": ()}, "at least one loss"),
        ({"losses": [{"kind": "gram", "blocks": [6]}]}, "blocks are numbers from 1 to 5"),
        ({"degradations": [{"kind": "blur", "sigma": [2, 1]}]}, "blur takes a range"),
    ],
)
def test_values_out_of_range_are_refused(changes, message):
    with pytest.raises(OptionError, match=message):
        BASE.changed(changes)


def test_values_are_checked_without_a_file_too():
    with pytest.raises(OptionError, match="rate is above 0, not nan"):
        Recipe(model="espcn", rate=float("nan"))


# --- TOML -------------------------------------------------------------------------------------


def test_what_a_file_leaves_out_stays_as_the_base_has_it(tmp_path):
    before = dataclasses.asdict(BASE)
    made = read_recipe(toml(tmp_path, "steps = 7\nschedule = 'step'\n"), BASE)
    assert (made.steps, made.schedule) == (7, "step")
    assert apart(made, BASE) == {"steps", "schedule"}
    assert dataclasses.asdict(BASE) == before


def test_losses_degradations_and_an_adversary_come_from_a_file(tmp_path):
    text = """
        milestones = [0.25, 0.5, 0.75]

        [[losses]]
        kind = "charbonnier"

        [[losses]]
        kind = "gram"
        weight = 10
        blocks = [1, 2]
        backbone = "blurpool"

        [[losses]]
        kind = "stlpips"
        weight = 0.5

        [[losses]]
        kind = "tv"

        [[degradations]]
        kind = "shuffled"
        steps = [
            { kind = "blur", sigma = [0.5, 1] },
            { kind = "downsample", kernel = "lanczos" },
            { kind = "noise", grey = 1.0 },
        ]

        [[degradations]]
        kind = "jpeg"
        quality = [30, 60]

        [adversary]
        kind = "relativistic"
        channels = 16
    """
    made = read_recipe(toml(tmp_path, text), BASE)
    assert made.milestones == (0.25, 0.5, 0.75)
    assert made.losses == (
        Pixel("charbonnier"),
        Features("gram", 10.0, (1, 2), "blurpool"),
        Perceptual(weight=0.5),
        TotalVariation(),
    )
    mixed = Shuffled((Blur(sigma=(0.5, 1.0)), Downsample(kernel="lanczos"), Noise(grey=1.0)))
    assert made.degradations == (mixed, Jpeg(quality=(30.0, 60.0)))
    assert made.adversary == Adversary("relativistic", channels=16)


def test_lists_by_chance_come_from_a_file_and_read_as_themselves(tmp_path):
    text = """
        [[losses]]
        kind = "l1"
        sharpened = true

        [[degradations]]
        kind = "one_of"
        shares = [0.7, 0.3]
        lists = [
            [
                { kind = "kernel_blur", shape = "plateau", slanted = true, side = [9, 15] },
                { kind = "resize", factor = [0.3, 1.2], of = "lr", antialias = false },
                { kind = "poisson", strength = [0.05, 2] },
                { kind = "downsample", kernel = "area" },
                { kind = "one_of", shares = [0.8], lists = [[{ kind = "sinc" }]] },
            ],
            [{ kind = "downsample" }],
        ]
    """
    made = read_recipe(toml(tmp_path, text), BASE)
    poor = (
        KernelBlur(shape="plateau", slanted=True, side=(9, 15)),
        Resize(factor=(0.3, 1.2), of="lr", antialias=False),
        Poisson(strength=(0.05, 2.0)),
        Downsample(kernel="area"),
        OneOf(shares=(0.8,), lists=((Sinc(),),)),
    )
    assert made.degradations == (OneOf(shares=(0.7, 0.3), lists=(poor, (Downsample(),))),)
    assert made.losses == (Pixel(sharpened=True),)
    for listed in (TWO_STAGE, MIXED):
        recipe = dataclasses.replace(BASE, degradations=listed)
        assert recipe.changed({}) == recipe


PAGE = ROOT / "docs" / "training.md"


@pytest.mark.parametrize(
    "example",
    re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE),
)
def test_examples_on_the_page_are_recipes(tmp_path, example):
    made = read_recipe(toml(tmp_path, example), BASE)
    assert made != BASE
    check_shrinking(made.degradations, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = ", r"mine\.toml is no TOML file"),
        ("stepz = 3", r"mine\.toml: there is no key 'stepz'; did you mean 'steps'"),
        ("[adversary]\nkind = 'gan'", r"mine\.toml: adversary.kind: .*'hinge', .*not 'gan'"),
    ],
)
def test_faults_of_a_file_name_it(tmp_path, text, message):
    with pytest.raises(OptionError, match=message):
        read_recipe(toml(tmp_path, text), BASE)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(OptionError, match="is no TOML file"):
        read_recipe(tmp_path / "mine.toml", BASE)
