"""Detail that a network loses is put back, by as much as the dial says."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from skimage import data
from torch import nn

import srkit
from srkit.adapters.pytorch.architectures.loading import load_network
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.detail import PutsDetailBack
from srkit.models.weights import PACKAGED

SCALE = 4
FACE = np.ascontiguousarray(data.astronaut()[70:150, 180:260])


class Grey(nn.Module):
    """Takes everything away."""

    def forward(self, rgb):
        return torch.full((*rgb.shape[:2], SCALE * rgb.shape[2], SCALE * rgb.shape[3]), 0.5)


def test_what_is_put_back_is_cubic_interpolation():
    """Of MATLAB's kernel, as `srkit.imresize` has it, away from borders."""
    rgb = torch.from_numpy(FACE[:24, :20] / 255.0).float().permute(2, 0, 1)[None]
    made = PutsDetailBack(Grey(), SCALE, 1.0)(rgb)[0].permute(1, 2, 0).numpy()
    wanted = srkit.imresize(FACE[:24, :20] / 255.0, SCALE)
    inside = np.s_[8:-8, 8:-8]
    np.testing.assert_allclose(made[inside], wanted[inside], atol=1e-5)


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_share_of_it_is(share):
    rgb = torch.rand(1, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    whole = PutsDetailBack(Grey(), SCALE, 1.0)(rgb) - 0.5
    made = PutsDetailBack(Grey(), SCALE, share)(rgb) - 0.5
    torch.testing.assert_close(made, share * whole, atol=1e-6, rtol=1e-5)


def test_a_network_that_agrees_with_the_picture_is_left_alone():
    rgb = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    net = nn.Upsample(scale_factor=SCALE)  # copies of each pixel, whose mean is the pixel
    torch.testing.assert_close(PutsDetailBack(net, SCALE, 1.0)(rgb), net(rgb), atol=1e-6, rtol=0)


def lacks(result):
    """What a result lacks of the picture when it is shrunk, in levels."""
    small = result.reshape(FACE.shape[0], SCALE, FACE.shape[1], SCALE, 3).mean((1, 3))
    return np.abs(small - FACE).mean()


def test_srgan_is_nearer_to_the_picture_than_its_network_alone():
    tensors = read_checkpoint(PACKAGED / "srgan_x4.safetensors").tensors
    alone = load_network(srkit.card("srresnet"), 4, tensors, device="cpu", precision="float32")
    made = srkit.load("srgan", device="cpu", precision="float32").upscale(FACE)
    assert lacks(made) < 0.6 * lacks(alone.upscale(FACE))


def test_it_is_the_same_in_strips_and_within_what_the_card_says_that_it_sees():
    model = srkit.load("srgan", device="cpu", precision="float32")
    seen, side = model.card.radius_at(SCALE), 2 * model.card.radius_at(SCALE) + 21
    rgb = torch.rand(1, 3, 1, side, generator=torch.Generator().manual_seed(0)).expand(
        -1, -1, 9, -1
    )
    rgb = rgb.clone().requires_grad_()
    middle = SCALE * (side // 2)
    model.net(rgb)[..., middle].sum().backward()
    (touched,) = torch.nonzero(rgb.grad.abs().sum((0, 1, 2)), as_tuple=True)
    assert side // 2 - touched.min() <= seen
    assert touched.max() - side // 2 <= seen
    whole, memory = model.upscale(FACE).astype(int), int(model.strip_bytes(24, FACE.shape[1]))
    # Kernels that are picked by shape may round otherwise.
    assert np.abs(model.upscale(FACE, memory=memory).astype(int) - whole).max() <= 1
