"""One step against a discriminator."""

import numpy as np
import pytest
from adapters.enhance.originals import random_vgg

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="needs pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="needs pip install 'srkit[train]'")

from lightning_fabric import Fabric

from srkit.adapters.pytorch.nets.discriminator import Discriminator, FeatureDiscriminator
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.training import RECIPES
from srkit.training.families import FAMILIES
from srkit.training.learning.adversary import judge_loss
from srkit.training.learning.backbones import vgg19
from srkit.training.learning.losses import Perceptual
from srkit.training.learning.methods import Minimise, _Both, shift_of, shifted
from srkit.training.learning.sharpening import sharpened
from srkit.training.report import Report


def test_batch_norm_takes_its_statistics_of_photos_and_of_results_apart():
    # A generator is judged by itself: were the discriminator trained on mixtures, what it
    # learned of them would not hold there.
    torch.manual_seed(0)
    judge = Discriminator(4)
    photos, made = torch.rand(3, 3, 24, 24), 5 * torch.rand(3, 3, 24, 24)
    apart = _Both(judge)(photos, made)
    torch.testing.assert_close(apart[1], judge(made))
    mixed = judge(torch.cat([photos, made])).chunk(2)
    assert not torch.allclose(apart[1], mixed[1], atol=1e-3)


def stripes(rng, count, angle):
    """Pictures that differ in the direction of their texture alone."""
    waves = np.sin(np.arange(32) * 1.5)
    plane = np.broadcast_to(waves, (32, 32)) if angle == "across" else waves[:, None] * np.ones(32)
    noise = rng.normal(0, 0.3, (count, 3, 32, 32))
    return torch.from_numpy(0.4 * plane + noise).float().clamp(-1, 1)


def test_a_discriminator_by_features_learns_to_tell_textures_apart():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    backbone = vgg19(random_vgg(rng, 4), torch.device("cpu"))
    judge = FeatureDiscriminator(backbone, (4, 8, 16), 4)
    optimizer = torch.optim.Adam(judge.parameters(), lr=3e-3)
    for _ in range(40):
        photos, made = stripes(rng, 4, "across"), stripes(rng, 4, "down")
        loss = judge_loss("vanilla", judge(photos), judge(made))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    judge.eval()
    assert judge(stripes(rng, 8, "across")).mean() > 1
    assert judge(stripes(rng, 8, "down")).mean() < -1


def test_a_discriminator_by_features_tells_the_generator_where_to_go():
    torch.manual_seed(0)
    backbone = vgg19(random_vgg(np.random.default_rng(0), 4), torch.device("cpu"))
    judge = FeatureDiscriminator(backbone, (4, 8, 16), 4)
    made = torch.rand(2, 3, 37, 42, requires_grad=True)
    logits = judge(2 * made - 1)
    assert logits.shape == (2, 1, 5, 5)  # 9x10 quarters, then halves
    logits.mean().backward()
    assert (made.grad.abs().sum((0, 1)) > 0).float().mean() > 0.95
    # VGG is no part of its state.
    parts = {name.split(".")[0] for name in judge.state_dict()}
    assert parts == {"fine", "middle", "coarse", "judge"}


def test_what_judges_see_lies_differently_on_the_pixels_from_batch_to_batch():
    batches = torch.randint(256, (400, 1, 6, 6, 3), generator=torch.Generator().manual_seed(0))
    shifts = [shift_of(batch.byte()) for batch in batches]
    # All 64 are drawn, and the same batch draws the same.
    assert len(set(shifts)) == 64
    assert {n for shift in shifts for n in shift} == set(range(8))
    assert shifts == [shift_of(batch.byte()) for batch in batches]


def test_features_are_compared_at_the_shift_and_pixels_in_all_places(monkeypatch):
    """The first seven rows and columns differ, which a shift of 7 leaves out."""
    seen = []

    def watched(self, made, photo):
        seen.append((made.shape, float((made - photo).abs().sum())))
        return (made - photo).abs().mean()

    monkeypatch.setattr(Perceptual, "__call__", watched)
    recipe = RECIPES["espcn"].changed(
        {"losses": [{"kind": "l1"}, {"kind": "stlpips"}], "expand": 0, "rim": 0}
    )
    method = Minimise(Fabric(accelerator="cpu", devices=1), recipe, FAMILIES["espcn"], ESPCN(2))
    made, hr = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    hr[..., :7, :] = hr[..., :7] = 1
    figures, _ = method._losses(made, {"hr": hr}, (7, 7))
    assert seen == [(torch.Size([1, 1, 57, 57]), 0.0)]
    assert float(figures["l1"]) == pytest.approx(1 - (57 / 64) ** 2)


def test_losses_in_bfloat16_are_told_in_float32_and_pixels_are_compared_in_it():
    recipe = RECIPES["espcn"].changed(
        {
            "losses": [{"kind": "l1", "sharpened": True}, {"kind": "vgg", "backbone": "blurpool"}],
            "precision": "bf16-mixed", "expand": 0, "rim": 0,
        }
    )  # fmt: skip
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    method = Minimise(fabric, recipe, FAMILIES["espcn"], ESPCN(2))
    generator = torch.Generator().manual_seed(0)
    made, hr = (torch.rand(1, 1, 64, 64, generator=generator) for _ in range(2))
    figures, _ = method._losses(made, {"hr": hr})
    assert {value.dtype for value in figures.values()} == {torch.float32}
    wanted = (made - sharpened(hr)).abs().mean()
    assert float(figures["l1"]) == pytest.approx(float(wanted), rel=1e-6)


def test_means_of_losses_move_also_from_a_state_of_few_bits(tmp_path):
    report = Report(tmp_path, 0, 0, 10, {"vgg": torch.tensor(0.5, dtype=torch.bfloat16)})
    for _ in range(2000):
        report.step({"vgg": torch.tensor(0.46, dtype=torch.bfloat16)}, 1)
    report.close()
    assert float(report.means["vgg"]) == pytest.approx(0.46, abs=2e-3)


@pytest.mark.parametrize(("side", "left"), [(8, 7), (24, 21), (128, 121)])
def test_small_crops_lose_little_to_a_shift(side, left):
    assert shifted(torch.zeros(1, 3, side, side), (7, 0)).shape == (1, 3, left, side)
