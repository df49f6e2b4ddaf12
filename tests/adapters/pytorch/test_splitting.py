"""Wide convolutions to few channels, taken apart."""

import copy

import pytest
import torch
from torch import nn

from srkit.adapters.pytorch.runtime.complexity import multiply_adds
from srkit.adapters.pytorch.runtime.receptive import receptive_radius
from srkit.adapters.pytorch.runtime.splitting import joined, split_wide
from srkit.adapters.pytorch.runtime.streaming import plan
from srkit.adapters.pytorch.runtime.tracing import trace


def layer(few=3, many=64, kernel=9, **options):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(many, few, kernel, **options)).eval()


@pytest.mark.parametrize(
    "options",
    [
        {"padding": 4},
        {"padding": 0},
        {"padding": (4, 2), "bias": False},
        {"kernel": (7, 5), "padding": (3, 2), "few": 4, "many": 32},
        {"kernel": 5, "few": 1, "padding": 1},
    ],
    ids=str,
)
def test_it_makes_what_torch_makes_of_the_layer(options):
    net = layer(**options)
    picture = torch.randn(2, net[0].in_channels, 19, 23)
    with torch.no_grad():
        wanted = net.double()(picture.double())
        made = split_wide(net.float())(picture)
    assert len(net[0]) == 2
    assert made.shape == wanted.shape
    torch.testing.assert_close(made.double(), wanted, rtol=0, atol=2e-6)


@pytest.mark.parametrize("bias", [True, False])
def test_it_can_be_joined_again(bias):
    net = layer(kernel=(7, 5), padding=(3, 1), bias=bias)
    back = joined(split_wide(copy.deepcopy(net)))[0]
    assert type(back) is nn.Conv2d
    assert (back.kernel_size, back.padding) == ((7, 5), (3, 1))
    torch.testing.assert_close(back.weight, net[0].weight, rtol=0, atol=0)
    assert (back.bias is None) == (not bias)
    if bias:
        torch.testing.assert_close(back.bias, net[0].bias, rtol=0, atol=0)


@pytest.mark.parametrize(
    "options",
    [
        {"few": 5},
        {"many": 31},
        {"kernel": 3, "padding": 1},
        {"kernel": (9, 3)},
        {"stride": 2},
        {"dilation": 2},
        {"groups": 2, "few": 4},
        {"padding": 4, "padding_mode": "reflect"},
        {"padding": "same"},
    ],
    ids=str,
)
def test_other_layers_stay_as_they_are(options):
    net = layer(**options)
    assert type(split_wide(net)[0]) is nn.Conv2d


def test_what_is_told_of_a_network_stays():
    whole = trace(layer(padding=4))
    split = trace(split_wide(layer(padding=4)))
    assert receptive_radius(split) == receptive_radius(whole) == 4
    assert multiply_adds(split, 64) == multiply_adds(whole, 64) == 9 * 9 * 64 * 3


def test_strips_of_it_are_the_whole_pictures_rows():
    net = split_wide(layer(padding=4))
    picture = torch.randn(1, 64, 40, 12)
    with torch.inference_mode():
        stream = plan(trace(net)).start(40)
        rows = [stream.push(picture[:, :, top : top + 8]) for top in range(0, 40, 8)]
        rows += list(stream.finish())
        made = torch.cat([part for part in rows if part is not None and part.numel()], dim=2)
        torch.testing.assert_close(made, net(picture), rtol=0, atol=1e-6)
