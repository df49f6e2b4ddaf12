"""Networks start as bicubic interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from srkit import OptionError, imresize
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.adapters.pytorch.nets.fsrcnn import FSRCNN
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.adapters.pytorch.srresnet import UnitRange
from srkit.training import luma_start
from srkit.training.bicubic_start import start_bicubic
from srkit.training.luma_start import start_espcn, start_fsrcnn

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
