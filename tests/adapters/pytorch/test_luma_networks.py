"""ESPCN and FSRCNN: networks of their papers' figures, whose weights load by path."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import conv2d, interpolate

import srkit
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.adapters.pytorch.nets.fsrcnn import FSRCNN
from srkit.adapters.pytorch.runtime.receptive import receptive_radius
from srkit.adapters.pytorch.runtime.tracing import trace
from srkit.errors import OptionError, WeightsError

NETS = {"espcn": ESPCN, "fsrcnn": FSRCNN}


def network(name, scale=2):
    torch.manual_seed(1)
    return NETS[name](scale).eval()


def luma(seed=0):
    return np.random.default_rng(seed).random((12, 9)).astype(np.float32)


def by_hand(net, picture, scale):
    """The network's output for grey pixels, framed as an upscaler frames them."""
    framed = torch.from_numpy(np.pad(picture, 8, mode="reflect"))[None, None]
    with torch.no_grad():
        return net(framed)[0, 0, 8 * scale : -8 * scale, 8 * scale : -8 * scale].numpy()


# --- the networks -------------------------------------------------------------------------


# Weights and biases of f1=5, n1=64, f2=3, n2=32, f3=3; of FSRCNN(56, 12, 4) with slopes.
@pytest.mark.parametrize(
    ("name", "scale", "count"),
    [
        ("espcn", 3, 25 * 64 + 64 + 9 * 64 * 32 + 32 + 9 * 32 * 9 + 9),
        ("fsrcnn", 3, 25 * 56 + 2 * 56 + 56 * 12 + 2 * 12 + 4 * (9 * 144 + 24) + 12 * 56 + 2 * 56
         + 81 * 56 + 1),
    ],
)  # fmt: skip
def test_parameter_counts(name, scale, count):
    assert sum(p.numel() for p in NETS[name](scale).parameters()) == count


def test_espcn_is_three_convolutions_and_a_shuffle():
    net, w = network("espcn", 3), network("espcn", 3).state_dict()
    x = torch.from_numpy(luma())[None, None]
    deep = x
    for n, padding in ((1, 2), (2, 1)):
        deep = conv2d(deep, w[f"conv{n}.weight"], w[f"conv{n}.bias"], padding=padding).clamp(min=0)
    planes = conv2d(deep, w["conv3.weight"], w["conv3.bias"], padding=1)[0].numpy()
    wanted = planes.reshape(3, 3, 12, 9).transpose(2, 0, 3, 1).reshape(36, 27)
    with torch.no_grad():
        np.testing.assert_allclose(net(x)[0, 0].numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_fsrcnns_transposed_convolution_spreads_each_pixel_by_its_kernel(scale):
    """Zeros between pixels, then a convolution with the kernel turned around."""
    net = network("fsrcnn", scale)
    deep = torch.rand(1, 56, 5, 6, generator=torch.Generator().manual_seed(0))
    apart = torch.zeros(1, 56, 5 * scale, 6 * scale)
    apart[..., ::scale, ::scale] = deep
    kernel = net.deconv.weight.detach().flip(2, 3).transpose(0, 1)
    wanted = conv2d(apart, kernel, net.deconv.bias.detach(), padding=4)
    with torch.no_grad():
        torch.testing.assert_close(net.deconv(deep), wanted, atol=1e-5, rtol=0)


# --- receptive field ----------------------------------------------------------------------


def measured(net, scale):
    """How many LR pixels away a change is seen at most, found by making one."""
    net = net.double()
    for name, parameter in net.named_parameters():
        # All weights positive: no change cancels another.
        parameter.data.fill_(0.0 if "bias" in name else 0.01)
    line = torch.ones(1, 1, 61, 61, dtype=torch.float64)
    changed = line.clone()
    changed[..., 30, 30] = 2
    with torch.no_grad():
        places = torch.nonzero((net(changed) != net(line))[0, 0]) // scale
    return int((places - 30).abs().max())


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [(9, 2, 4, 1), (9, 3, 4, 1), (9, 4, 4, 1), (4, 2, 1, 1), (2, 2, 0, 1), (8, 4, 2, 1),
     (6, 2, 0, 1), (3, 2, 2, 2), (5, 1, 2, 1)],
)  # fmt: skip
def test_the_reach_of_a_transposed_convolution_is_as_measured(kernel, stride, padding, dilation):
    net = nn.Sequential(
        nn.Conv2d(1, 1, 3, padding=1),
        nn.ConvTranspose2d(1, 1, kernel, stride, padding, dilation=dilation),
    )
    assert receptive_radius(trace(net)) == measured(net, stride)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_radius_is_the_farthest_a_pixel_reaches(name, scale):
    net = network(name, scale)
    assert receptive_radius(trace(net)) == measured(net, scale)


# --- files --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_state_dict_loads_by_its_path_and_scale(tmp_path, name, scale):
    net, path = network(name, scale), tmp_path / "mine.pth"
    torch.save(net.state_dict(), path)
    model = srkit.load(path, scale=scale, device="cpu")
    assert (model.scale, model.card.name, model.card.colour) == (scale, "mine", "luma")
    wanted = np.clip(by_hand(net, luma(), scale), 0, 1)
    np.testing.assert_allclose(model.upscale(luma()), wanted, atol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_safetensors_tell_their_scale_in_the_header(tmp_path, name):
    net, path = network(name, 3), tmp_path / "mine.safetensors"
    save_file(net.state_dict(), path, {"scale": "3"})
    model = srkit.load(path, device="cpu")
    assert model.scale == 3
    wanted = np.clip(by_hand(net, luma(), 3), 0, 1)
    np.testing.assert_allclose(model.upscale(luma()), wanted, atol=1e-5)
    with pytest.raises(OptionError, match=r"mine\.safetensors holds weights for x3, not x2"):
        srkit.load(path, scale=2)


def test_colour_is_interpolated_beside_the_networks_brightness(tmp_path):
    net, path = network("espcn"), tmp_path / "mine.pth"
    # A network that repeats each pixel.
    for parameter in net.parameters():
        parameter.data.zero_()
    net.conv1.weight.data[0, 0, 2, 2] = net.conv2.weight.data[0, 0, 1, 1] = 1
    net.conv3.weight.data[:, 0, 1, 1] = 1
    torch.save(net.state_dict(), path)
    rgb = np.random.default_rng(3).random((12, 9, 3)).astype(np.float32) / 2 + 0.25
    made = srkit.load(path, device="cpu").upscale(rgb)
    weights = np.array([0.299, 0.587, 0.114])
    planes = torch.from_numpy(rgb @ weights)[None, None]
    nearest = interpolate(planes, scale_factor=2)[0, 0].numpy()
    # Where all colours are in range, brightness is the network's and differences bicubic's.
    inside = ((made > 0) & (made < 1)).all(axis=2)
    assert inside.mean() > 0.8
    np.testing.assert_allclose((made @ weights)[inside], nearest[inside], atol=1e-5)
    bicubic = srkit.imresize(rgb, 2)
    blue_less_luma = (made[..., 2] - made @ weights)[inside]
    wanted = (bicubic[..., 2] - bicubic @ weights)[inside]
    np.testing.assert_allclose(blue_less_luma, wanted, atol=1e-5)


def test_espcn_tells_its_scale_and_fsrcnn_does_not(tmp_path):
    for name in NETS:
        torch.save(network(name, 4).state_dict(), tmp_path / f"{name}.pth")
    assert srkit.load(tmp_path / "espcn.pth").scale == 4
    with pytest.raises(OptionError, match="x4, not x2"):
        srkit.load(tmp_path / "espcn.pth", scale=2)
    with pytest.raises(OptionError, match=r"fsrcnn\.pth does not tell .*; give scale="):
        srkit.load(tmp_path / "fsrcnn.pth")


def test_fsrcnn_of_other_sizes_loads(tmp_path):
    torch.manual_seed(0)
    net = FSRCNN(2, features=10, shrunk=4, layers=2)
    torch.save(net.state_dict(), tmp_path / "small.pth")
    model = srkit.load(tmp_path / "small.pth", scale=2, device="cpu")
    wanted = np.clip(by_hand(net, luma(), 2), 0, 1)
    np.testing.assert_allclose(model.upscale(luma()), wanted, atol=1e-5)


@pytest.mark.parametrize("stated", ["0", "1", "17", "two", "-2", "²", "1" * 5000])
def test_a_header_that_states_no_scale_is_refused(tmp_path, stated):
    save_file(network("fsrcnn").state_dict(), tmp_path / "mine.safetensors", {"scale": stated})
    with pytest.raises(WeightsError, match="states the scale"):
        srkit.load(tmp_path / "mine.safetensors")


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("espcn", lambda t: t.update({"conv3.weight": torch.zeros(5, 32, 3, 3)})),
        ("espcn", lambda t: t.update({"conv3.weight": torch.zeros(())})),
        ("espcn", lambda t: t.pop("conv1.bias")),
        ("fsrcnn", lambda t: t.pop("shrink.0.weight")),
        ("fsrcnn", lambda t: t.pop("map.2.bias")),
        ("fsrcnn", lambda t: t.update({"extract.0.weight": torch.zeros(3)})),
        ("fsrcnn", lambda t: t.update({"extra": torch.zeros(3)})),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, name, spoil):
    tensors = dict(network(name).state_dict())
    spoil(tensors)
    torch.save(tensors, tmp_path / "mine.pth")
    with pytest.raises(WeightsError, match=name.upper()):
        srkit.load(tmp_path / "mine.pth", scale=2)
