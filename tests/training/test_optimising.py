"""Learning rates, averages and frozen norms, by hand."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from lightning_fabric import Fabric
from torch import nn

from srkit.training import RECIPES, Recipe
from srkit.training.families import FAMILIES
from srkit.training.methods import Minimise
from srkit.training.optimising import Average, freeze_norms, rate_at


def test_a_cosine_falls_from_the_end_of_the_warmup_to_zero():
    recipe = Recipe(model="espcn", steps=44, warmup=4, rate=2.0)
    rates = [rate_at(step, recipe) for step in (0, 1, 3, 4, 14, 24, 34, 44)]
    bend = math.sqrt(0.5)
    assert rates == pytest.approx([0.5, 1.0, 2.0, 2.0, 1 + bend, 1.0, 1 - bend, 0.0])


def test_steps_fall_at_their_milestones():
    recipe = Recipe(
        model="espcn", steps=100, warmup=2, rate=8.0,
        schedule="step", milestones=(0.5, 0.8, 0.9), factor=0.5,
    )  # fmt: skip
    steps = (0, 1, 2, 49, 50, 79, 80, 89, 90, 100)
    assert [rate_at(step, recipe) for step in steps] == [4, 8, 8, 8, 4, 4, 2, 2, 1, 1]


def test_without_a_warmup_the_rate_starts_at_its_height():
    assert rate_at(0, Recipe(model="espcn", steps=10, warmup=0, rate=3.0)) == 3.0


def test_a_warmup_longer_than_the_run_is_cut_off():
    recipe = Recipe(model="espcn", steps=5, warmup=10, rate=1.0)
    assert [rate_at(step, recipe) for step in (0, 4, 5)] == pytest.approx([0.1, 0.5, 0.6])


class Numbers(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([8.0]))
        self.register_buffer("count", torch.tensor(0))


def test_the_average_follows_quickly_at_first_and_by_its_decay_later():
    net = Numbers()
    average = Average(net, decay=0.5)
    found = []
    # Decays are 1/10, 2/11, 3/12 and, from step 8 on, a half.
    for step, value in [(0, 18.0), (1, 6.0), (2, 8.0), (100, 0.0), (101, 4.0)]:
        with torch.no_grad():
            net.weight.fill_(value)
        average.update(net, step)
        found.append(average.weights["weight"].item())
    first = 0.1 * 8 + 0.9 * 18
    second = first * 2 / 11 + 6 * 9 / 11
    third = second / 4 + 8 * 3 / 4
    assert found == pytest.approx([first, second, third, third / 2, third / 4 + 2])


def test_whole_numbers_are_copied_into_the_average():
    net = Numbers()
    average = Average(net, decay=0.999)
    net.count.fill_(7)
    average.update(net, 500)
    assert average.weights["count"].item() == 7
    assert net.weight.item() == 8


def test_the_average_is_no_view_of_the_network():
    net = Numbers()
    average = Average(net, decay=0.5)
    with torch.no_grad():
        net.weight.zero_()
    assert average.weights["weight"].item() == 8


def test_frozen_norms_use_and_keep_the_statistics_they_have():
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout())
    net[0].running_mean.fill_(1.0)
    net[0].running_var.fill_(4.0)
    net.train()
    freeze_norms(net)
    made = net[0](torch.tensor([5.0, 9.0]).reshape(2, 1, 1, 1))
    assert made.ravel().tolist() == pytest.approx([2.0, 4.0], rel=1e-4)
    assert net[0].running_mean.item() == 1.0
    assert net[0].num_batches_tracked.item() == 0
    # Everything else is still in training.
    assert net[1].training
    made.sum().backward()
    assert net[0].weight.grad is not None


@pytest.mark.parametrize("name", FAMILIES)
def test_the_optimizer_knows_parameters_in_their_order_and_the_last_layer_is_slow(name):
    """A saved optimizer is loaded by the order of parameters, so it must be a fixed one."""
    family = FAMILIES[name]
    net = family.build(2)
    fabric = Fabric(accelerator="cpu", devices=1)
    method = Minimise(fabric, RECIPES[name], family, net)
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    last = {
        "srresnet": "conv_block3.",
        "espcn": "conv3.",
        "fsrcnn": "deconv.",
        "neural-enhance": "out.",
    }[name]
    groups = [[names[id(p)] for p in g["params"]] for g in method.optimizer.param_groups]
    assert groups[0] == [n for n in names.values() if not n.startswith(last)]
    assert groups[1] == [n for n in names.values() if n.startswith(last)]
    lr, hr = (torch.randint(0, 256, (1, n, n, 3)).byte() for n in (24, 48))
    method.step(lr, hr, 2e-4)
    assert [group["lr"] for group in method.optimizer.param_groups] == [2e-4, 2e-5]
