"""Convolutions trained as products."""

import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[train]'")

from torch import nn

from srkit.adapters.pytorch.nets.fsrcnn import FSRCNN
from srkit.training.learning.expansion import collapsed, expand


def network():
    torch.manual_seed(0)
    return FSRCNN(2, features=6, shrunk=3, layers=1)


def test_an_expanded_network_computes_the_same_and_has_the_same_weights():
    net, image = network(), torch.rand(1, 1, 9, 7)
    before, made = {k: v.clone() for k, v in net.state_dict().items()}, net(image)
    expand(net, 3, seed=1)
    torch.testing.assert_close(net(image), made, atol=1e-6, rtol=0)
    after = collapsed(net)
    assert after.keys() == before.keys()
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, atol=1e-6, rtol=0)


def test_what_an_expanded_network_learned_is_in_the_collapsed_one():
    net, image = network(), torch.rand(1, 1, 9, 7)
    expand(net, 3, seed=1)
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    before = collapsed(net)
    for _ in range(3):
        optimizer.zero_grad()
        net(image).square().mean().backward()
        optimizer.step()
    plain = network()
    plain.load_state_dict(collapsed(net))
    torch.testing.assert_close(plain(image), net(image), atol=1e-6, rtol=0)
    kernels = [name for name, value in before.items() if value.ndim == 4]
    assert not any(torch.equal(before[name], collapsed(net)[name]) for name in kernels)


def test_both_factors_of_every_convolution_learn():
    net = network()
    expand(net, 2, seed=0)
    net(torch.rand(1, 1, 9, 7)).square().mean().backward()
    factors = [p for name, p in net.named_parameters() if name.endswith(("first", "second"))]
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(factors) == 2 * len(convolutions) == 10
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in factors)


def test_the_start_of_the_products_is_a_function_of_the_seed():
    first, again, other = network(), network(), network()
    for net, seed in ((first, 5), (again, 5), (other, 6)):
        expand(net, 2, seed=seed)
    states = [net.state_dict() for net in (first, again, other)]
    name = "extract.0.parametrizations.weight.0.first"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])
