"""What a network shifts of even colours is put back, and nothing else is touched."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import srkit
from srkit.adapters.pytorch.architectures.loading import load_network
from srkit.adapters.pytorch.colours import RADIUS, EvenColours
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.adapters.pytorch.runtime.receptive import receptive_radius
from srkit.adapters.pytorch.runtime.tracing import trace
from srkit.testing import check_even_colours, colour_shift

SCALE = 4


class Enlarges(nn.Module):
    """Interpolation, and then what is done to its result."""

    def __init__(self, then, mode="bilinear"):
        super().__init__()
        self.then, self.mode = then, mode

    def forward(self, rgb):
        return self.then(functional.interpolate(rgb, scale_factor=SCALE, mode=self.mode))


def tinted_with_a_grid(planes):
    """Contrast is lost, red is added, and one place of each pixel of LR is 5 levels too bright."""
    grid = torch.zeros(SCALE, SCALE)
    grid[1, 2] = 5 / 255
    tiled = grid.repeat(planes.shape[2] // SCALE, planes.shape[3] // SCALE)
    return 0.9 * planes + torch.tensor([0.1, 0, 0.02]).view(1, 3, 1, 1) + tiled


def inside(planes, pixels):
    return planes[..., pixels:-pixels, pixels:-pixels]


@pytest.mark.parametrize("colour", [(0.0, 1.0, 0.0), (0.98, 0.98, 0.98), (0.2, 0.3, 0.7)])
def test_an_even_colour_comes_back_from_a_network_that_changes_it(colour):
    picture = torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 40, 40)
    made = EvenColours(Enlarges(tinted_with_a_grid), SCALE)(picture)
    # Within the blur's reach of the border it is weaker, as beyond it nothing is put back.
    within = inside(made, SCALE * (RADIUS + 1))
    wanted = torch.tensor(colour).view(1, 3, 1, 1).expand_as(within)
    torch.testing.assert_close(within, wanted, atol=1e-6, rtol=0)


def test_a_slope_that_was_right_stays_as_it_was():
    slope = torch.linspace(0, 1, 48).expand(1, 3, 48, 48)
    net = Enlarges(nn.Identity())
    made, plain = EvenColours(net, SCALE)(slope), net(slope)
    rim = SCALE * (RADIUS + 1)
    torch.testing.assert_close(inside(made, rim), inside(plain, rim), atol=1e-6, rtol=0)


def test_an_edge_that_interpolation_would_blur_stays_sharp():
    edge = (torch.arange(40) >= 20).float().expand(1, 3, 40, 40)
    net = Enlarges(nn.Identity(), "nearest")
    made, plain = EvenColours(net, SCALE)(edge), net(edge)
    # Interpolation is up to 3/8 of the edge away from it. At most 6 levels of that count, and the
    # two pixels at the edge have 0.13 of the blur's weight each.
    assert float(inside(made - plain, SCALE * RADIUS).abs().max()) <= 2 * 0.14 * 6 / 255


def test_detail_within_the_width_of_the_blur_stays_as_it_was():
    stripes = 0.5 + 0.4 * torch.cos(torch.arange(48) * torch.pi).expand(1, 3, 48, 48)
    # A network that gives grey for stripes of the least width: what it leaves out is fine detail.
    net = Enlarges(lambda planes: torch.full_like(planes, 0.5))
    made = EvenColours(net, SCALE)(stripes)
    # A Gaussian of 3 pixels leaves exp(-(3 pi)² / 2) of them, and clipped interpolation 6 levels'.
    assert float((inside(made, SCALE * RADIUS) - 0.5).abs().max()) <= 1 / 255


def test_a_line_of_a_blur_reaches_along_its_own_axis_alone():
    line, column = nn.Conv2d(1, 1, (1, 17), padding=(0, 8)), nn.Conv2d(1, 1, (9, 1), padding=(4, 0))
    assert receptive_radius(trace(nn.Sequential(line, column))) == 8


def random_srresnet(precision="float32", **facts):
    torch.manual_seed(0)
    weights = SRResNet(4, channels=8, blocks=2).state_dict()
    card = dataclasses.replace(srkit.card("srresnet"), radius=None, **facts)
    return load_network(card, 4, weights, device="cpu", precision=precision)


def test_a_card_that_does_not_promise_it_leaves_the_network_as_it_is():
    plain, kept = random_srresnet(even_colours=False), random_srresnet()
    assert not isinstance(plain.net, EvenColours)
    assert kept.radius == plain.radius + RADIUS
    assert kept.parameters == plain.parameters


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_in_reduced_precision_what_is_put_back_is_not_rounded(precision):
    full, fast = random_srresnet(), random_srresnet(precision)
    grey = np.full((48, 48, 3), 201, np.uint8)
    levels = [
        model.upscale(grey)[72:-72, 72:-72].astype(float).mean((0, 1)) for model in (full, fast)
    ]
    # Above a half, bfloat16 has a number for each level or second level only.
    np.testing.assert_allclose(levels[1], levels[0], atol=0.3)


def test_users_own_checkpoints_are_not_changed(tmp_path):
    from srkit.models.weights import PACKAGED

    own = srkit.load(PACKAGED / "srgan_x4.safetensors", precision="float32")
    assert not own.card.even_colours
    assert not isinstance(own.net, EvenColours)


def test_the_kit_holds_a_card_to_its_promise():
    class Brightens(srkit.Upscaler):
        card = dataclasses.replace(srkit.card("nearest"), radius=0)
        scale = 2

        def run(self, tiles):
            return (tiles + np.float32(2 / 255)).repeat(2, axis=1).repeat(2, axis=2)

    assert colour_shift(Brightens()) == (2, 2)
    with pytest.raises(AssertionError, match="check_even_colours: even colours change by up to 2 "):
        check_even_colours(Brightens)
    silent = Brightens()
    silent.card = dataclasses.replace(Brightens.card, even_colours=False)
    check_even_colours(lambda: silent)


def test_the_picture_has_a_middle_whatever_the_rim_of_the_model():
    class WideRim(srkit.Upscaler):
        card = dataclasses.replace(srkit.card("nearest"), border="reflect", radius=20)
        scale, rim = 2, 20

        def run(self, tiles):
            return tiles.repeat(2, axis=1).repeat(2, axis=2)

    assert colour_shift(WideRim()) == (0, 0)
