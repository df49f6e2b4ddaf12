"""SPAN: its start from bicubic interpolation, from weights for x4, and runs of its recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from lightning_fabric import Fabric
from safetensors import safe_open
from torch.nn import functional

import srkit
from srkit import OptionError, imresize
from srkit.adapters.pytorch.nets.span import SPAN, Form
from srkit.training.families import FAMILIES
from srkit.training.learning.losses import Pixel
from srkit.training.learning.methods import Minimise
from srkit.training.recipe import Recipe
from srkit.training.stages import Pace
from srkit.training.starts import span as span_start
from srkit.training.starts.span import shrink_span, start_span

FORMS = [Form(), Form(28), Form(32, centred=False), Form(28, activated=True)]


def apart(scale: int, form: Form) -> np.ndarray:
    """What a started network makes of a photo, less bicubic interpolation."""
    torch.manual_seed(0)
    net = SPAN(scale, form)
    start_span(net)
    lr = data.astronaut()[100:140, 180:230] / 255
    with torch.no_grad():
        made = net(torch.from_numpy(lr).float().permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    # Beyond the border the network sees zeros, and imresize the picture mirrored.
    inside = slice(4 * scale, -4 * scale)
    return (made.numpy() - imresize(lr, scale))[inside, inside]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_without_noise_it_starts_as_bicubic_interpolation(
    monkeypatch: pytest.MonkeyPatch, scale: int, form: Form
) -> None:
    monkeypatch.setattr(span_start, "NOISE", 0.0)
    assert np.abs(apart(scale, form)).max() < 1e-5


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_its_noise_is_small_and_there(scale: int, form: Form) -> None:
    assert 1e-5 < np.abs(apart(scale, form)).mean() < 1 / 255


@pytest.mark.parametrize("form", FORMS)
def test_what_its_blocks_make_does_not_die_away(form: Form) -> None:
    """From torch's own weights the last block of six made 1e-14, and learned nothing."""
    torch.manual_seed(0)
    net = SPAN(4, form)
    start_span(net)
    spreads: list[float] = []
    for block in net.blocks:
        block.register_forward_hook(lambda *told: spreads.append(float(told[2][0].std())))
    photo = torch.from_numpy(data.astronaut()[100:164, 180:244] / 255).float()
    with torch.no_grad():
        net(photo.permute(2, 0, 1)[None])
    assert len(spreads) == 6
    assert min(spreads) > 0.3
    assert max(spreads) < 10


@pytest.mark.parametrize("form", [Form(26), Form(28, joined=20)])
def test_a_network_too_narrow_to_start_from_bicubic_is_refused(form: Form) -> None:
    with pytest.raises(OptionError, match="27 features at least"):
        start_span(SPAN(4, form))


@pytest.mark.parametrize("form", [Form(8), Form(8, joined=5, centred=False, activated=True)])
@pytest.mark.parametrize("scale", [2, 3])
def test_from_x4_pixels_become_the_mean_of_what_they_cover(scale: int, form: Form) -> None:
    torch.manual_seed(0)
    large = SPAN(4, form)
    small = shrink_span(large.state_dict(), scale)
    assert small.form == form
    photo = torch.rand(1, 3, 12, 14)
    with torch.no_grad():
        # Each pixel as so many that those of both scales are whole squares of them.
        fine = large(photo).repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        wanted, made = functional.avg_pool2d(fine, 4), small(photo)
    assert wanted.std() > 0.01
    torch.testing.assert_close(made, wanted, atol=1e-5, rtol=1e-5)


def moved(form: Form) -> dict[str, float]:
    """How far a step at a rate of 1e-3 moves what the first layer and the next have, at most."""
    torch.manual_seed(0)
    net = SPAN(2, form)
    start_span(net)
    names = ["first.weight", "first.bias", "blocks.0.conv1.weight"]
    before = {name: net.state_dict()[name].clone() for name in names}
    fabric = Fabric(accelerator="cpu", devices=1)
    recipe = Recipe(model="span", losses=(Pixel(),), optimizer="adamw")
    lr, hr = (torch.randint(0, 256, (1, n, n, 3)).byte() for n in (24, 48))
    Minimise(fabric, recipe, FAMILIES["span"], net).step(lr, hr, Pace(1e-3, 0.9))
    return {name: float((net.state_dict()[name] - before[name]).abs().max()) for name in names}


def test_only_weights_that_see_levels_learn_at_a_part_of_the_rate() -> None:
    """Adam's first step is the rate itself, whatever the gradient."""
    levels, plain = moved(Form()), moved(Form(centred=False))
    assert levels["first.weight"] == pytest.approx(1e-3 / 255, rel=0.01)
    assert plain["first.weight"] == pytest.approx(1e-3, rel=0.01)
    for made in (levels, plain):
        assert made["first.bias"] == pytest.approx(1e-3, rel=0.01)
        assert made["blocks.0.conv1.weight"] == pytest.approx(1e-3, rel=0.1)


# --- runs -------------------------------------------------------------------------------------


def train(photos: Path, out: Path, cache: Path, tiny: dict[str, Any], **changes: Any) -> Path:
    options = {"scale": 2, **tiny, "steps": 2, "features": 28, "batch": 2, **changes}
    return srkit.train("span", photos, out, cache=cache, **options)


def test_a_run_leaves_weights_that_load(
    photos: Path, tmp_path: Path, cache: Path, tiny: dict[str, Any], rows: Any
) -> None:
    path = train(photos, tmp_path / "run", cache, tiny)
    model = srkit.load(path)
    assert (model.scale, model.parameters) == (
        2,
        sum(p.numel() for p in SPAN(2, Form(28)).parameters()),
    )
    lr = imresize(data.astronaut()[:64, :64], 1 / 2)
    assert np.abs(model.upscale(lr).astype(int) - imresize(lr, 2)).mean() < 2
    with safe_open(path, "pt") as file:
        assert file.metadata()["architecture"] == "SPAN"
        assert file.metadata()["started_from"] == "bicubic interpolation"


def test_its_first_steps_do_not_undo_the_start(
    photos: Path, tmp_path: Path, cache: Path, tiny: dict[str, Any], rows: Any
) -> None:
    """At the rate of other layers the first one fell apart in so many steps, by 4 dB."""
    out = tmp_path / "run"
    train(photos, out, cache, tiny, steps=60, check_every=30, save_every=60, batch=4, crop=16)
    start, *later = [float(row["psnr"]) for row in rows(out)]
    assert len(later) == 2
    assert min(later) > start - 1


@pytest.mark.parametrize("scale", [2, 3])
def test_smaller_scales_start_from_weights_for_x4(
    photos: Path, tmp_path: Path, cache: Path, tiny: dict[str, Any], scale: int
) -> None:
    torch.manual_seed(0)
    large = SPAN(4, Form(28, activated=True))
    torch.save(large.state_dict(), tmp_path / "large.pth")
    changes = {"scale": scale, "init": tmp_path / "large.pth", "features": 0, "steps": 1}
    path = train(photos, tmp_path / "run", cache, tiny, **changes)
    with safe_open(path, "pt") as file:
        assert file.metadata()["started_from"].endswith("which is for x4")
        made = file.get_tensor("blocks.3.conv2.weight")
        # It goes on computing what it did.
        assert "activated" in file.keys()  # noqa: SIM118
    torch.testing.assert_close(made, large.blocks[3].conv2.weight.data, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 8}, "SPAN has features to choose, but no layers$"),
        ({"layers": 8, "unshuffle": 2}, "but no layers and no unshuffle"),
        ({"features": 0, "unshuffle": 2}, "but no unshuffle"),
        ({"features": 20}, "27 features at least"),
    ],
)
def test_sizes_that_it_has_not_are_refused(
    photos: Path, tmp_path: Path, cache: Path, tiny: dict[str, Any], changes: dict, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        train(photos, tmp_path / "run", cache, tiny, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": 48}, "SPAN that starts from another keeps features=28, not 48"),
        ({"layers": 8}, "but no layers"),
    ],
)
def test_what_it_starts_from_keeps_its_size(
    photos: Path, tmp_path: Path, cache: Path, tiny: dict[str, Any], changes: dict, message: str
) -> None:
    torch.save(SPAN(2, Form(28)).state_dict(), tmp_path / "w.pth")
    with pytest.raises(OptionError, match=message):
        train(photos, tmp_path / "run", cache, tiny, init=tmp_path / "w.pth", **changes)
