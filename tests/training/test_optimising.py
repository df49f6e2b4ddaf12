"""Averages, frozen norms and layer groups, by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from lightning_fabric import Fabric
from torch import nn

from srkit import OptionError
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.adapters.pytorch.nets.resnet import Form
from srkit.adapters.pytorch.nets.unet import UNet
from srkit.training import RECIPES, Recipe
from srkit.training.families import FAMILIES
from srkit.training.learning.losses import Pixel
from srkit.training.learning.methods import Minimise
from srkit.training.learning.optimising import Average, Muon, freeze_norms, orthogonal
from srkit.training.stages import Pace


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


LAST = {
    "srresnet": "conv_block3.",
    "espcn": "conv3.",
    "fsrcnn": "deconv.",
    "neural-enhance": "out.",
}


@pytest.mark.parametrize("name", LAST)
def test_the_optimizer_knows_parameters_in_their_order_and_the_last_layer_is_slow(name):
    """A saved optimizer is loaded by the order of parameters, so it must be a fixed one."""
    family = FAMILIES[name]
    net = family.build(2)
    fabric = Fabric(accelerator="cpu", devices=1)
    method = Minimise(fabric, RECIPES[name], family, net)
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    last = LAST[name]
    groups = [[names[id(p)] for p in g["params"]] for g in method.optimizer.param_groups]
    assert groups[0] == [n for n in names.values() if not n.startswith(last)]
    assert groups[1] == [n for n in names.values() if n.startswith(last)]
    lr, hr = (torch.randint(0, 256, (1, n, n, 3)).byte() for n in (24, 48))
    method.step(lr, hr, Pace(2e-4, 0.8))
    assert [group["lr"] for group in method.optimizer.param_groups] == [2e-4, 2e-5]
    assert [group["betas"] for group in method.optimizer.param_groups] == [(0.8, 0.999)] * 2


def test_groups_of_a_unet_learn_at_their_shares_and_frozen_ones_not_at_all():
    torch.manual_seed(0)
    net = UNet(2, Form((8, 8), (1, 1)))
    fabric = Fabric(accelerator="cpu", devices=1)
    recipe = Recipe(model="unet", shares=(0.1, 0.5, 1.0), losses=(Pixel(),))
    method = Minimise(fabric, recipe, FAMILIES["unet"], net)
    groups = {
        0: ("encoder.conv1", "encoder.bn1", "encoder.layer1"),
        1: ("encoder.layer2",),
        2: ("norm", "middle", "blocks", "up", "cross", "out"),
    }
    for number, group in enumerate(method.optimizer.param_groups):
        wanted = [p for n, p in net.named_parameters() if n.startswith(groups[number])]
        assert {id(p) for p in group["params"]} == {id(p) for p in wanted}
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    lr, hr = (torch.randint(0, 256, (1, n, n, 3)).byte() for n in (16, 32))
    method.step(lr, hr, Pace(1e-3, 0.9, frozen=1))
    assert [group["lr"] for group in method.optimizer.param_groups] == [0.0, 0.5e-3, 1e-3]
    # Else they would count in the norm that is clipped.
    assert all(p.grad is None for p in method.optimizer.param_groups[0]["params"])
    kept = [n for n, p in net.named_parameters() if torch.equal(p, before[n])]
    learned = [n for n in before if n not in kept]
    assert all(n.startswith(groups[0]) for n in kept)
    assert not any(n.startswith(groups[0]) for n in learned)


def test_shares_have_to_be_one_a_group():
    recipe = Recipe(model="espcn", shares=(1.0, 0.1, 0.1))
    with pytest.raises(OptionError, match="2 layer groups, not 3 shares"):
        Minimise(Fabric(accelerator="cpu", devices=1), recipe, FAMILIES["espcn"], ESPCN(2))


# --- Muon -------------------------------------------------------------------------------------


def stepped(make, parameter, gradients, rate=0.01, **options):
    """A parameter after a step along each of the gradients."""
    parameter = nn.Parameter(parameter.clone())
    optimizer = make([{"params": [parameter]}], lr=rate, **options)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


@pytest.mark.parametrize("shape", [(20, 3, 3, 3), (8, 40, 3, 3)])
def test_what_is_no_convolution_of_many_channels_is_adamws(shape):
    generator = torch.Generator().manual_seed(0)
    start, *gradients = (torch.randn(shape, generator=generator) for _ in range(5))
    options = {"betas": (0.8, 0.95), "weight_decay": 0.1}
    wanted = stepped(torch.optim.AdamW, start, gradients, **options)
    torch.testing.assert_close(stepped(Muon, start, gradients, **options), wanted)


def test_slopes_and_biases_step_ten_times_as_fast_and_decay_as_others():
    generator = torch.Generator().manual_seed(0)
    start, *gradients = (torch.randn(5, generator=generator) for _ in range(5))
    muons = stepped(Muon, start, gradients, betas=(0.8, 0.95), weight_decay=0.1)
    # AdamW decays by its rate, too.
    fast = {"betas": (0.8, 0.95), "weight_decay": 0.01, "rate": 0.1}
    torch.testing.assert_close(muons, stepped(torch.optim.AdamW, start, gradients, **fast))


def test_a_step_of_a_convolution_is_as_long_in_all_directions():
    """Gradients whose singular values are 1 to 1000 apart."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(n, 16, generator=generator))[0] for n in (24, 144))
    values = torch.logspace(0, -3, 16)
    gradient = ((left * values) @ right.T).view(24, 16, 3, 3)
    start = torch.zeros(24, 16, 3, 3)
    step = (start - stepped(Muon, start, [gradient])).flatten(1)
    # 0.2 of the root of the longer side, times the rate.
    lengths = torch.linalg.svdvals(step) / (0.01 * 0.2 * 12)
    assert lengths[0] < 1.3
    # Directions a hundred times fainter than the strongest are learned from, too.
    assert lengths[10] > 0.6
    cosine = (step * gradient.flatten(1)).sum() / step.norm() / gradient.norm()
    assert cosine > 0.3


@pytest.mark.parametrize("shape", [(6, 30), (30, 6), (12, 12)])
def test_what_is_orthogonal_has_the_directions_of_the_matrix(shape):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(shape, generator=generator)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    found = torch.linalg.multi_dot([u.T, orthogonal(matrix), v.T])
    assert (found.diagonal() - 1).abs().max() < 0.35
    assert (found - found.diagonal().diag()).abs().max() < 1e-4


def test_a_recipe_chooses_its_optimizer_which_learns():
    recipe = RECIPES["espcn"].changed({"optimizer": "muon", "expand": 0, "rim": 0})
    torch.manual_seed(0)
    method = Minimise(Fabric(accelerator="cpu", devices=1), recipe, FAMILIES["espcn"], ESPCN(2))
    generator = torch.Generator().manual_seed(1)
    lr, hr = (torch.randint(256, (2, n, n, 3), generator=generator).byte() for n in (8, 16))
    losses = [float(method.step(lr, hr, Pace(1e-3, 0.9))["l1"]) for _ in range(30)]
    assert losses[-1] < 0.8 * losses[0]
    assert any("square" not in state for state in method.optimizer.state.values())
    with pytest.raises(OptionError, match="optimizer: input should be 'adamw' or 'muon'"):
        RECIPES["espcn"].changed({"optimizer": "sgd"})
