"""Losses against their formulas, worked out by hand or written down once more."""

from __future__ import annotations

import dataclasses
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from skimage.filters import sobel
from torch.nn import functional

from srkit import MissingDependencyError, OptionError
from srkit.adapters.pytorch.stlpips import StLpips
from srkit.adapters.readers.enhance.vgg import vgg_shapes
from srkit.training.learning import backbones
from srkit.training.learning.adversary import Adversary, fooling_loss, judge_loss
from srkit.training.learning.losses import (
    NORMALISED,
    FeatureLoss,
    Features,
    Perceptual,
    Pixel,
    TotalVariation,
    check,
    gram,
)

MADE = torch.tensor([[[[0.0, 1.0], [0.5, 0.2]]]])
PHOTO = torch.tensor([[[[0.0, 0.5], [0.9, 0.2]]]])
# Differences: 0, 0.5, -0.4, 0.

PERCEPTUAL = pytest.mark.skipif(
    find_spec("stlpips_pytorch") is None, reason="pip install 'srkit[perceptual]'"
)
WITHOUT_TORCHVISION = pytest.mark.skipif(
    find_spec("torchvision") is not None, reason="torchvision is installed"
)


# --- pixels -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("l1", (0.5 + 0.4) / 4),
        ("l2", (0.25 + 0.16) / 4),
        ("charbonnier", (2 * 1e-3 + math.sqrt(0.25 + 1e-6) + math.sqrt(0.16 + 1e-6)) / 4),
    ],
)
def test_pixel_losses_are_means_over_pixels(kind, wanted):
    assert Pixel(kind)(MADE, PHOTO).item() == pytest.approx(wanted, rel=1e-5)


def test_edges_of_the_photo_count_less_where_that_is_asked():
    """1 - Sobel(x) times the differences: López-Tapia et al., 2020, equation 10."""
    generator = torch.Generator().manual_seed(3)
    made, photo = (torch.rand(2, 1, 9, 11, generator=generator) for _ in range(2))
    photo[:, :, 4:] = 1.0  # an edge that is as strong as one can be
    differences = np.sqrt((made - photo).numpy() ** 2 + 1e-6)
    masks = [1 - sobel(p[0], mode="nearest") for p in photo.numpy()]
    wanted = np.mean([m * d[0] for m, d in zip(masks, differences, strict=True)])
    loss = Pixel("charbonnier", spare_edges=True)
    assert loss(made, photo).item() == pytest.approx(wanted, rel=1e-5)


def test_edges_of_colours_are_those_of_their_mean():
    photo = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(4))
    made = torch.zeros_like(photo)
    mask = 1 - sobel(photo[0].numpy().mean(0), mode="nearest")
    wanted = (mask * photo[0].numpy()).mean()
    assert Pixel(spare_edges=True)(made, photo).item() == pytest.approx(wanted, rel=1e-5)


def test_total_variation_is_the_mean_length_of_gradients():
    # Down and right by 4 and 3 tenths at the first pixel, 0 and 0 at the second.
    made = torch.tensor([[[[0.0, 0.3, 0.3], [0.4, 0.3, 9.0]]]])
    value = TotalVariation()(made, torch.zeros(1, 1, 2, 3))
    assert value.item() == pytest.approx((0.5 + 0.0) / 2, abs=1e-4)


def test_total_variation_of_neural_enhance_raises_squares_to_1_25():
    made = torch.tensor([[[[0.0, 0.3, 0.3], [0.4, 0.3, 9.0]]]])
    value = TotalVariation(power=1.25)(made, torch.zeros(1, 1, 2, 3))
    assert value.item() == pytest.approx(0.25**1.25 / 2, abs=1e-6)


def test_the_slope_of_total_variation_is_finite_on_an_even_area():
    made = torch.full((1, 1, 4, 4), 0.5, requires_grad=True)
    TotalVariation()(made, made).backward()
    assert made.grad.abs().max() == 0


# --- features ---------------------------------------------------------------------------------


def test_gram_of_two_channels_by_hand():
    features = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [0.0, 1.0]]]])
    # Products of channels: 1+4+9+16 = 30, 2+4 = 6, 1+1 = 2; divided by 2 * 2 * 2.
    assert gram(features).tolist() == [[[30 / 8, 6 / 8], [6 / 8, 2 / 8]]]


def test_gram_knows_each_picture_of_a_batch_apart():
    batch = torch.rand(3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    for one, matrix in zip(batch, gram(batch), strict=True):
        wanted = np.einsum("ihw,jhw->ij", one, one) / (4 * 5 * 6)
        np.testing.assert_allclose(matrix, wanted, rtol=1e-5)


def pictures(count=2, side=48):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(count, 3, side, side, generator=generator) for _ in range(2)]


def three_blocks(rgb, last):
    """Features that can be worked out by hand: the picture, twice it, and its colours' mean."""
    return [rgb, 2 * rgb, rgb.mean(1, keepdim=True)][:last]


def test_the_feature_loss_of_two_pixels_by_hand(monkeypatch):
    monkeypatch.setattr(backbones, "extractor", lambda name, device: three_blocks)
    made = torch.tensor([[[[1.0, 0.0]], [[0.5, 0.0]], [[0.0, 0.0]]]])
    photo = torch.tensor([[[[0.0, 0.0]], [[0.5, 1.0]], [[0.0, 0.0]]]])
    # Block 2: |2|, |2| of six values. Block 3: means 0.5, 0 against 1/6, 1/3: a third each.
    features = 3.0 * (4 / 6) + 0.5 * (1 / 3)
    # Gram matrices, divided by C*H*W. Block 2, of 2 0 / 1 0 / 0 0 and 0 0 / 1 2 / 0 0:
    # 4 2 / 2 1 and 0 0 / 0 5 over 6 differ by 4 + 2 + 2 + 4 over 6, a ninth of it each.
    # Block 3: 1/4 and 1/36 + 1/9 = 5/36 over 2.
    grams = 3.0**2 * (12 / 6 / 9) + 0.5**2 * ((9 - 5) / 36 / 2)
    loss = FeatureLoss(blocks=(2, 3), weights=(3.0, 0.5), gram=10.0, backbone="vgg16_bn")
    assert loss(made, photo).item() == pytest.approx(features + 10 * grams, rel=1e-5)
    plain = dataclasses.replace(loss, gram=0.0)
    assert plain(made, photo).item() == pytest.approx(features, rel=1e-5)


def test_features_may_differ_by_charbonniers_distance(monkeypatch):
    monkeypatch.setattr(backbones, "extractor", lambda name, device: three_blocks)
    made = torch.tensor([[[[1.0, 0.0]], [[0.5, 0.0]], [[0.0, 0.0]]]])
    photo = torch.tensor([[[[0.0, 0.0]], [[0.5, 1.0]], [[0.0, 0.0]]]])
    # Block 2: twice the picture, so that two of six values differ, by 2.
    wanted = (2 * math.sqrt(4 + 1e-6) + 4 * 1e-3) / 6
    loss = Features(blocks=(2,), distance="charbonnier", backbone="vgg16")
    assert loss(made, photo).item() == pytest.approx(wanted, rel=1e-5)


def test_the_feature_loss_has_fastais_weights():
    """Lesson 7 of 2019: blocks after relu 3_3, 4_3 and 5_3, w = 5, 15, 2, Gram 5e3 w²."""
    loss = FeatureLoss()
    assert (loss.blocks, loss.weights, loss.gram) == ((3, 4, 5), (5.0, 15.0, 2.0), 5e3)


def test_the_feature_loss_wants_a_weight_for_each_block():
    with pytest.raises(OptionError, match="one a block"):
        check((FeatureLoss(blocks=(3, 4)),), None)


@PERCEPTUAL
def test_features_of_the_offline_backbone_are_brought_to_the_size_of_vgg16_bns():
    """At the end of fastai's first stage pixels, features and Gram terms had these values."""
    published = {"pixel": 0.1356, 3: 0.2157, 4: 0.2774, 5: 0.1896}
    grams = {3: 0.4325, 4: 1.0186, 5: 0.9178}
    from skimage import data

    ratios = {}
    photos = [torch.from_numpy(x[100:228, 100:228].copy()) for x in (data.astronaut(), data.cat())]
    photo = torch.stack(photos).permute(0, 3, 1, 2).float() / 255
    # What such a network leaves is like what halving takes away.
    small = functional.interpolate(photo, scale_factor=0.5, mode="area")
    made = functional.interpolate(small, scale_factor=2, mode="bicubic").clamp(0, 1)
    pixel = NORMALISED * Pixel()(made, photo).item() / published["pixel"]
    for block, weight in zip((3, 4, 5), (5.0, 15.0, 2.0), strict=True):
        one = FeatureLoss(blocks=(block,), weights=(weight,), gram=0.0, backbone="blurpool")
        features = one(made, photo).item()
        both = dataclasses.replace(one, gram=5e3)(made, photo).item()
        ratios[block] = features / published[block] / pixel
        ratios[-block] = (both - features) / grams[block] / pixel
    # Of one order of magnitude, which they are not by themselves: 0.04 to 4.
    assert all(0.25 < ratio < 4 for ratio in ratios.values()), ratios


@PERCEPTUAL
@pytest.mark.parametrize("kind", ["vgg", "gram"])
def test_features_of_equal_pictures_do_not_differ(kind):
    photo, _ = pictures()
    assert Features(kind, blocks=(2, 5), backbone="blurpool")(photo, photo.clone()).item() == 0


@PERCEPTUAL
@pytest.mark.parametrize(
    "loss",
    [
        Features("vgg", backbone="blurpool"),
        Features("gram", backbone="blurpool", blocks=(1, 3)),
        Perceptual(),
    ],
)
def test_gradients_reach_what_was_made_everywhere(loss):
    made, photo = pictures(1)
    made.requires_grad_()
    loss(made, photo).backward()
    assert (made.grad != 0).float().mean() > 0.99
    assert made.grad.isfinite().all()


@PERCEPTUAL
def test_the_feature_loss_is_the_mean_square_between_features():
    made, photo = pictures()
    net = StLpips("vgg")
    pairs = list(zip(net.features(made), net.features(photo), strict=True))
    wanted = {n: float((a - b).square().mean()) for n, (a, b) in enumerate(pairs, 1)}
    for block, value in wanted.items():
        found = Features(blocks=(block,), backbone="blurpool")(made, photo).item()
        assert found == pytest.approx(value, rel=1e-5)
    both = Features(blocks=(4, 1), backbone="blurpool")(made, photo).item()
    assert both == pytest.approx(wanted[4] + wanted[1], rel=1e-5)


@PERCEPTUAL
def test_textures_are_compared_by_their_gram_matrices():
    made, photo = pictures()
    net = StLpips("vgg")
    a, b = (net.features(x, 2)[1].double().numpy() for x in (made, photo))
    size = a[0].size
    apart = (np.einsum("nihw,njhw->nij", a, a) - np.einsum("nihw,njhw->nij", b, b)) / size
    found = Features("gram", blocks=(2,), backbone="blurpool")(made, photo).item()
    assert found == pytest.approx((apart**2).mean(), rel=1e-3)


@PERCEPTUAL
def test_the_perceptual_loss_is_the_metric():
    made, photo = pictures(1)
    a, b = (x[0].permute(1, 2, 0).double().numpy() for x in (made, photo))
    wanted = StLpips("vgg").distance(a, b)
    assert Perceptual()(made, photo).item() == pytest.approx(wanted, rel=1e-4)


@PERCEPTUAL
@WITHOUT_TORCHVISION
def test_without_torchvision_the_blurred_vgg_takes_its_place():
    made, photo = pictures(1)
    assert Features()(made, photo) == Features(backbone="blurpool")(made, photo)


@WITHOUT_TORCHVISION
@pytest.mark.parametrize("backbone", ["vgg16", "vgg19"])
def test_a_backbone_of_torchvision_asks_for_it(backbone):
    with pytest.raises(MissingDependencyError, match=f"{backbone} .*pip install torchvision"):
        Features(backbone=backbone)(*pictures(1))


# --- adversarial ------------------------------------------------------------------------------

REAL, FAKE = np.array([2.0, -0.5, 0.3]), np.array([-1.0, 0.5, 1.5])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def log(x):
    return np.log(x)


# Goodfellow et al., 2014; Mao et al., LSGAN, 2017, with b = c = 1 and a = 0; Lim and Ye,
# 2017; Wang et al., ESRGAN, 2018, equations 1 and 2; López-Tapia et al., 2020, 6 and 7.
RELATIVE_REAL = sigmoid(REAL - FAKE.mean())
RELATIVE_FAKE = sigmoid(FAKE - REAL.mean())
JUDGE = {
    "vanilla": -log(sigmoid(REAL)).mean() - log(1 - sigmoid(FAKE)).mean(),
    "least_squares": ((REAL - 1) ** 2).mean() + (FAKE**2).mean(),
    "hinge": np.maximum(0, 1 - REAL).mean() + np.maximum(0, 1 + FAKE).mean(),
    "relativistic": -log(RELATIVE_REAL).mean() - log(1 - RELATIVE_FAKE).mean(),
    "log_ratio": -log(sigmoid(REAL)).mean() - log(1 - sigmoid(FAKE)).mean(),
}
GENERATOR = {
    "vanilla": -log(sigmoid(FAKE)).mean(),
    "least_squares": ((FAKE - 1) ** 2).mean(),
    "hinge": -FAKE.mean(),
    "relativistic": -log(1 - RELATIVE_REAL).mean() - log(RELATIVE_FAKE).mean(),
    "log_ratio": -log(sigmoid(FAKE) / (1 - sigmoid(FAKE))).mean(),
}


@pytest.mark.parametrize("kind", JUDGE)
def test_adversarial_losses_are_those_of_the_papers(kind):
    real, made = torch.from_numpy(REAL), torch.from_numpy(FAKE)
    assert judge_loss(kind, real, made).item() == pytest.approx(JUDGE[kind])
    assert fooling_loss(kind, real, made).item() == pytest.approx(GENERATOR[kind])


@pytest.mark.parametrize("kind", JUDGE)
def test_adversarial_losses_stay_finite_for_a_judge_that_is_sure(kind):
    real, made = torch.tensor([200.0]), torch.tensor([-200.0], requires_grad=True)
    assert judge_loss(kind, real, made).isfinite()
    fooling_loss(kind, real, made).backward()
    # The generator still hears in which direction to go.
    assert made.grad.item() < -0.5


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("losses", "adversary", "message"),
    [
        ((), None, "at least one loss"),
        ((Features(blocks=(0,)),), None, r"blocks are numbers from 1 to 5, not \(0,\)"),
        ((Pixel(), Features(blocks=())), None, r"blocks are numbers from 1 to 5, not \(\)"),
        ((Pixel(),), Adversary(channels=0), "channels of the adversary are at least 1, not 0"),
        ((Pixel(),), Adversary(rate=0.0), "rate of the adversary is above 0, not 0"),
        ((Features(backbone="vgg"),), None, r"blurpool, or .*vgg19_conv\.pkl\.bz2, not 'vgg'"),
        ((Pixel(),), Adversary(backbone="resnet"), "backbone is one of .*, not 'resnet'"),
    ],
)
def test_losses_that_make_no_sense_are_refused(losses, adversary, message):
    with pytest.raises(OptionError, match=message):
        check(losses, adversary)


def test_neural_enhances_discriminator_gains_without_bound():
    """Mean of log sigmoid(fake) - softplus(real); by hand at logits 0, 2 and 40."""
    kind = "neural-enhance"
    for real, fake, wanted in (
        (0.0, 0.0, -2 * math.log(2)),
        (2.0, -2.0, -2 * math.log(1 + math.exp(2))),
        (40.0, -40.0, -80.0),
    ):
        found = judge_loss(kind, torch.tensor([real]), torch.tensor([fake]))
        assert found.item() == pytest.approx(wanted, rel=1e-5)
    fooled = fooling_loss(kind, torch.zeros(1), torch.tensor([2.0]))
    assert fooled.item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)


def test_a_file_of_vgg_is_a_backbone(monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    small = {
        name: tuple(rng.standard_normal(shape).astype(np.float32) * 0.1 for shape in shapes)
        for name, shapes in vgg_shapes(4).items()
    }
    asked = []
    monkeypatch.setattr(backbones, "read_vgg", lambda path: asked.append(path) or small)
    made, photo = pictures(2)
    path = str(tmp_path / "vgg19_conv.PKL.BZ2")
    found = Features(blocks=(1,), backbone=path)(made, photo).item()
    one, other = (backbones.vgg19(small, made.device)(x, 1)[0] for x in (made, photo))
    assert found == pytest.approx((one - other).square().mean().item(), rel=1e-5)
    assert asked == [Path(path)]
    shapes = vgg_shapes()
    last = ["conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_4"]
    assert tuple(shapes[name][1][0] for name in last) == backbones.WIDTHS


def test_an_adversary_names_its_backbone_where_it_has_one():
    judge = Adversary(sees="features", backbone="blurpool")
    assert judge.resolved() == judge
    assert Adversary(sees="features").resolved().backbone in ("vgg19", "blurpool")
    assert Adversary().resolved() == Adversary()


def test_records_name_the_backbone_that_auto_stands_for():
    # torchvision's weights are a download; without it, what comes with srkit[perceptual].
    wanted = "vgg19" if find_spec("torchvision") else "blurpool"
    assert Features().resolved() == Features(backbone=wanted)
    assert Features(backbone="vgg16").resolved() == Features(backbone="vgg16")
