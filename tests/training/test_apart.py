"""Learning from one of several teachers apart from their mean, and Real-ESRGAN's judge."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")
import torch
from lightning_fabric import Fabric
from safetensors import safe_open
from short_runs import TINY

import srkit
from srkit.adapters.pytorch.nets.compact import Compact, Size
from srkit.adapters.pytorch.nets.discriminator import UNetDiscriminator
from srkit.errors import OptionError
from srkit.training import RECIPES
from srkit.training.data.lessons import Lessons
from srkit.training.data.photos import find_photos, pack
from srkit.training.data.store import Questions, Store
from srkit.training.data.teachers import Teacher, answer
from srkit.training.families import FAMILIES
from srkit.training.learning.adversary import judge_loss
from srkit.training.learning.methods import Duel
from srkit.training.stages import Pace

TEACHERS = [{"model": "nearest"}, {"model": "bicubic", "weight": 3.0}]
JUDGE = {"sees": "unet", "channels": 4, "weight": 0.1, "target": "nearest"}


# --- crops ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(photos: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    patches = pack(find_photos(photos), cache / "apart", 4)
    teachers = [Teacher("nearest"), Teacher("bicubic", 3.0)]
    made = Store(tmp_path_factory.mktemp("answers"), Questions(patches, 4), teachers, 3)
    made.fill(device="cpu")
    return made


def test_the_answer_of_one_is_what_it_makes(store: Store) -> None:
    asked = store.questions
    for model in ("nearest", "bicubic"):
        wanted = answer(srkit.load(model, scale=4), asked.lr(2), asked.hr(2))
        np.testing.assert_array_equal(store.answer_of(model, 2), wanted[asked.kept, asked.kept])


def test_crops_of_the_mean_and_of_one_show_one_place(store: Store) -> None:
    """The mean is a quarter of one and three of the other, to a rounding."""
    lessons = Lessons(store, 20, rim=6, apart=("bicubic", "nearest"))
    differing = 0
    for number in range(20):
        _, _, mean, bicubic, nearest = (a.astype(float) for a in lessons[number])
        assert np.abs(mean - (0.75 * bicubic + 0.25 * nearest)).max() <= 0.51
        differing += (bicubic != nearest).any()
    assert differing == 20


# --- recipes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"losses": [{"kind": "l1", "target": "lanczos"}]}, r"auto or one of .*not 'lanczos'"),
        ({"adversary": {"target": "lanczos"}}, r"auto or one of .*not 'lanczos'"),
        ({"teachers": [], "adversary": {"target": "teacher"}}, "the recipe has none"),
    ],
)
def test_targets_that_are_none_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        RECIPES["compact"].changed({"teachers": TEACHERS} | changes)


def test_a_run_learns_of_each_what_the_recipe_says(
    tmp_path: Path, photos: Path, cache: Path, rows: Any
) -> None:
    """The start is bicubic interpolation, nearly: its own answer is the nearest."""
    losses = [{"kind": "l1", "target": target} for target in ("bicubic", "teacher", "nearest")]
    srkit.train(
        "compact", photos, tmp_path, scale=4, cache=cache, device="cpu", teachers=TEACHERS,
        answers=4, losses=losses, adversary=JUDGE, rate=1e-9, flat=0.0, **TINY | {"crop": 16},
    )  # fmt: skip
    last = rows(tmp_path)[-1]
    found = [float(last[name]) for name in ("l1", "l11", "l12")]
    assert found[0] < found[1] < found[2] / 1.5
    assert {"adversarial", "judge"} <= set(last)


# --- the judge --------------------------------------------------------------------------------


def test_the_judge_of_an_automatic_target_is_shown_what_teachers_make() -> None:
    changes = {"teachers": TEACHERS, "adversary": {"channels": 4, "target": "auto"}, "rim": 0}
    recipe = RECIPES["compact"].changed(changes)
    assert recipe.adversary
    fabric = Fabric(accelerator="cpu", devices=1)
    duel = Duel(fabric, recipe, FAMILIES["compact"], Compact(4, Size(27, 1)), recipe.adversary)
    shown = []
    duel.judge.register_forward_pre_hook(lambda module, given: shown.append(given[0].mean().item()))
    even = [torch.full((2, side, side, 3), level).byte() for side, level in
            ((8, 0), (32, 51), (32, 204))]  # fmt: skip
    duel.step(even[0], even[1], Pace(1e-4, 0.9), even[2])
    assert shown[1] == pytest.approx(0.6, abs=1e-3)


def test_the_judge_is_shown_what_results_are_to_be_mistaken_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = []
    forward = UNetDiscriminator.forward

    def watched(self: UNetDiscriminator, x: torch.Tensor) -> torch.Tensor:
        shown.append(x.mean().item())
        return forward(self, x)

    monkeypatch.setattr(UNetDiscriminator, "forward", watched)
    recipe = RECIPES["compact"].changed({"teachers": TEACHERS, "adversary": JUDGE, "rim": 0})
    assert recipe.adversary
    fabric = Fabric(accelerator="cpu", devices=1)
    net = Compact(4, Size(27, 1))
    duel = Duel(fabric, recipe, FAMILIES["compact"], net, recipe.adversary)
    even = [torch.full((2, side, side, 3), level).byte() for side, level in
            ((8, 0), (32, 51), (32, 102), (32, 204))]  # fmt: skip
    duel.step(even[0], even[1], Pace(1e-4, 0.9), even[2], even[3])
    # 204 of 255 is 0.6 on the scale from -1 to 1: what "nearest" makes, not HR or the mean.
    assert shown[1] == pytest.approx(0.6, abs=1e-3)


def test_the_judge_learns_at_a_rate_of_its_own() -> None:
    """Adam's first step is as long as the rate, wherever there is a gradient."""
    recipe = RECIPES["compact"].changed({"adversary": {"channels": 4, "rate": 3.0}, "rim": 0})
    assert recipe.adversary
    net = Compact(4, Size(27, 1))
    duel = Duel(
        Fabric(accelerator="cpu", devices=1), recipe, FAMILIES["compact"], net, recipe.adversary
    )
    before = {name: value.detach().clone() for name, value in duel.judge.named_parameters()}
    generator = torch.Generator().manual_seed(0)
    lr, hr = (torch.randint(256, (2, n, n, 3), generator=generator).byte() for n in (8, 32))
    duel.step(lr, hr, Pace(1e-4, 0.9))
    moved = [
        (value.detach() - before[name]).abs().max().item()
        for name, value in duel.judge.named_parameters()
    ]
    assert max(moved) == pytest.approx(3e-4, rel=0.01)


def test_the_judge_tells_textures_apart_pixel_by_pixel() -> None:
    """Half of a picture has stripes, half has noise of the same strength."""
    torch.manual_seed(0)
    judge = UNetDiscriminator(8)
    optimizer = torch.optim.Adam(judge.parameters(), lr=2e-3)
    waves = torch.sin(torch.arange(32) * 1.5)

    def striped(count: int) -> torch.Tensor:
        return 0.5 * waves.expand(count, 3, 32, 32) + 0.1 * torch.randn(count, 3, 32, 32)

    def noisy(count: int) -> torch.Tensor:
        return 0.37 * torch.randn(count, 3, 32, 32)

    for _ in range(60):
        loss = judge_loss("vanilla", judge(striped(4)), judge(noisy(4)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    judge.eval()
    both = torch.cat([striped(8)[..., :16], noisy(8)[..., 16:]], dim=-1)
    with torch.inference_mode():
        logits = judge(both)
    assert logits.shape == (8, 1, 32, 32)
    assert logits[..., 4:12].mean() > 1
    assert logits[..., 20:28].mean() < -1


def test_spectral_norm_holds_all_layers_but_the_first_and_the_last() -> None:
    torch.manual_seed(0)
    judge = UNetDiscriminator(8)
    with torch.no_grad():
        for parameter in judge.parameters():
            parameter.mul_(30)
        for _ in range(60):
            judge(torch.rand(1, 3, 16, 24))
    held = [*judge.down, *judge.up, judge.judge[0], judge.judge[2]]
    for layer in held:
        matrix = layer.weight.detach().flatten(1).numpy()
        assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1, abs=0.02)
    assert np.linalg.svd(judge.first.weight.detach().flatten(1).numpy(), compute_uv=False)[0] > 5


@pytest.mark.parametrize("sides", [(32, 32), (37, 50), (8, 9)])
def test_the_judge_takes_any_size(sides: tuple[int, int]) -> None:
    assert UNetDiscriminator(4)(torch.rand(1, 3, *sides)).shape == (1, 1, *sides)


def test_a_target_is_told_by_name_and_known_again_wherever_its_file_lies(
    tmp_path: Path, photos: Path, cache: Path
) -> None:
    place, moved = tmp_path / "here" / "mine.safetensors", tmp_path / "there" / "mine.safetensors"
    for file in (place, moved):
        file.parent.mkdir()
        shutil.copy(srkit.models.weights.weights_path(srkit.card("espcn").weights[4]), file)

    def train(teacher: Path, steps: int) -> Path:
        return srkit.train(
            "compact", photos, tmp_path / "run", scale=4, cache=cache, device="cpu", answers=4,
            teachers=[{"model": str(teacher)}, {"model": "bicubic"}],
            losses=[{"kind": "l1"}, {"kind": "l1", "target": str(teacher)}],
            adversary={"sees": "unet", "channels": 4, "target": str(teacher)},
            **TINY | {"crop": 16, "steps": steps},
        )  # fmt: skip

    train(place, 6)
    with safe_open(train(moved, 8), "pt") as file:
        header = file.metadata()
    assert str(tmp_path) not in str(header)
    recipe = json.loads(header["recipe"])
    assert [recipe["losses"][1]["target"], recipe["adversary"]["target"]] == [place.name] * 2
    assert header["steps"] == "8"
