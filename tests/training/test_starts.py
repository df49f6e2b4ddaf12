"""Networks start as bicubic interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from srkit import OptionError, imresize
from srkit.adapters.pytorch.architectures.srresnet import UnitRange
from srkit.adapters.pytorch.nets.enhance import EnhanceNet
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.adapters.pytorch.nets.fsrcnn import FSRCNN
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.adapters.readers.enhance.config import Config
from srkit.training.starts import enhance as enhance_start
from srkit.training.starts import luma as luma_start
from srkit.training.starts.luma import start_espcn, start_fsrcnn
from srkit.training.starts.rescaling import halve_scale
from srkit.training.starts.reviving import revive_espcn
from srkit.training.starts.srresnet import start_bicubic

STARTS = {"espcn": (ESPCN, start_espcn), "fsrcnn": (FSRCNN, start_fsrcnn)}
# FSRCNN's last kernel is narrower than bicubic's support at x4.
TOLERANCES = [
    ("espcn", 2, 1e-5), ("espcn", 3, 1e-5), ("espcn", 4, 1e-5),
    ("fsrcnn", 2, 1e-5), ("fsrcnn", 3, 1e-5), ("fsrcnn", 4, 6e-3),
]  # fmt: skip


def luma_apart(name: str, scale: int) -> np.ndarray:
    """What a started network makes of a photo's brightness, less bicubic interpolation."""
    torch.manual_seed(0)
    build, start = STARTS[name]
    net = build(scale)
    start(net)
    lr = data.camera()[100:140, 180:230] / 255
    with torch.no_grad():
        made = net(torch.from_numpy(lr).float()[None, None])[0, 0].numpy()
    # Beyond the border the network sees zeros, and imresize the picture mirrored.
    return (made - imresize(lr, scale))[4 * scale : -4 * scale, 4 * scale : -4 * scale]


@pytest.mark.parametrize(("name", "scale", "tolerance"), TOLERANCES)
def test_luma_networks_without_noise_start_as_bicubic_interpolation(
    monkeypatch, name, scale, tolerance
):
    monkeypatch.setattr(luma_start, "NOISE", 0.0)
    assert np.abs(luma_apart(name, scale)).max() < tolerance


@pytest.mark.parametrize(("name", "scale", "_"), TOLERANCES)
def test_their_noise_is_small_and_there(name, scale, _):
    apart = np.abs(luma_apart(name, scale))
    assert 1e-5 < apart.mean() < 2 / 255


@pytest.mark.parametrize("scale", [2, 4])
def test_srresnet_starts_as_bicubic_interpolation_nearly(scale):
    torch.manual_seed(0)
    net = SRResNet(scale, blocks=2).eval()
    start_bicubic(net, noise=0.0)
    lr = imresize(data.astronaut()[:160, :160], 1 / scale)
    with torch.no_grad():
        planes = torch.from_numpy(lr / 255).float().permute(2, 0, 1)[None]
        made = UnitRange(net)(planes)[0].permute(1, 2, 0).numpy()
    apart = np.abs(made - imresize(lr / 255, scale))[16:-16, 16:-16]
    # The inverse of tanh is piecewise linear: off by a few levels.
    assert apart.max() < 12 / 255
    assert apart.mean() < 1.5 / 255


@pytest.mark.parametrize(("scale", "channels"), [(8, 64), (4, 47), (2, 11)])
def test_a_start_that_does_not_exist_is_refused(scale, channels):
    with pytest.raises(OptionError, match=f"not for x{scale} with {channels}"):
        start_bicubic(SRResNet(scale, channels=channels, blocks=1))


def test_srresnet_for_x2_begins_near_the_mean_of_what_x4_makes():
    torch.manual_seed(0)
    large = SRResNet(4, channels=64, blocks=2).eval()
    start_bicubic(large)
    small = UnitRange(halve_scale(large.state_dict())).eval()
    lr = torch.from_numpy(data.astronaut()[100:140, 180:230] / 255).float().permute(2, 0, 1)[None]
    with torch.no_grad():
        wanted = torch.nn.functional.avg_pool2d(UnitRange(large)(lr), 2)
        apart = (small(lr) - wanted)[..., 8:-8, 8:-8].abs()
    assert apart.mean() < 3 / 255


# --- neural-enhance ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "tolerance"),
    [
        (Config(1, 0, 3, (16,)), 1e-5),
        (Config(2, 0, 2, (48,)), 1e-5),
        (Config(2, 2, 2, (8, 16, 48)), 1e-6),
        (Config(2, 1, 1, (12, 48)), 1e-5),
    ],
    ids=["x2", "x4", "repair", "x2 by way of x1/2"],
)
def test_neural_enhance_starts_as_bicubic_interpolation(monkeypatch, config, tolerance):
    monkeypatch.setattr(enhance_start, "NOISE", 0.0)
    torch.manual_seed(0)
    net = EnhanceNet(config)
    enhance_start.start_enhance(net)
    lr = data.astronaut()[100:140, 180:220].astype(np.float32) / 255
    with torch.no_grad():
        made = net(torch.from_numpy(lr).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    wanted = imresize(lr, config.scale) if config.scale > 1 else lr
    rim = 4 * config.scale
    assert np.abs(made - wanted)[rim:-rim, rim:-rim].max() < tolerance


def test_neural_enhance_that_is_too_narrow_is_refused():
    with pytest.raises(OptionError, match="more than the 32 channels"):
        enhance_start.start_enhance(EnhanceNet(Config(2, 2, 2, (32,))))
    with pytest.raises(OptionError, match="more than the 8 channels"):
        enhance_start.start_enhance(EnhanceNet(Config(1, 0, 4, (8, 64))))


# --- units that never fire ----------------------------------------------------------------


def killed(net: ESPCN, first: list[int], second: list[int]) -> ESPCN:
    """The same, where nothing from 0 to 1 makes some units fire, and anything all others."""
    with torch.no_grad():
        for layer, units in ((net.conv1, first), (net.conv2, second)):
            layer.weight.abs_()
            layer.bias.fill_(0.01)
            layer.weight[units] *= -1
            layer.bias[units] *= -1
    return net


@pytest.mark.parametrize(("first", "second"), [([], []), ([0, 7, 63], [4]), ([1], [])])
def test_units_that_never_fire_are_drawn_anew_and_change_nothing(first, second):
    torch.manual_seed(0)
    net = killed(ESPCN(3), first, second)
    luma = torch.rand(3, 1, 24, 20)
    before = net(luma)
    assert revive_espcn(net, luma, 1) == len(first) + len(second)
    torch.testing.assert_close(net(luma), before)
    # They learn: the layer behind them first, and then they themselves.
    optimizer = torch.optim.SGD(net.parameters(), 1e-3)
    old = [net.conv1.weight[first].clone(), net.conv2.weight[second].clone()]
    for _ in range(2):
        optimizer.zero_grad()
        net(luma).square().mean().backward()
        optimizer.step()
    for layer, units, kernels in zip((net.conv1, net.conv2), (first, second), old, strict=True):
        made = torch.relu(layer(luma if layer is net.conv1 else torch.relu(net.conv1(luma))))
        assert (made.amax((0, 2, 3)) > 0)[units].all()
        assert all(bool((layer.weight[n] != k).any()) for n, k in zip(units, kernels, strict=True))


def test_of_a_network_that_is_wholly_dead_and_of_black_nothing_is_drawn():
    torch.manual_seed(0)
    net = killed(ESPCN(2), list(range(64)), [])
    state = {name: value.clone() for name, value in net.state_dict().items()}
    assert revive_espcn(net, torch.rand(1, 1, 9, 9), 0) == 0
    assert revive_espcn(killed(ESPCN(2), [3], []), torch.zeros(1, 1, 9, 9), 0) == 0
    assert all(torch.equal(net.state_dict()[name], value) for name, value in state.items())
