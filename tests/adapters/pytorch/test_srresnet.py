"""SRResNet is the network of the paper's Figure 4, and its checkpoints load by path."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import conv2d

import srkit
from srkit.adapters.pytorch.architectures.loading import load_network
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.errors import MissingDependencyError, OptionError, WeightsError

# specs/srgan.md, section 1.4.
PARAMETERS = {2: 1_401_749, 4: 1_549_462, 8: 1_697_175}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def weights(scale=4, channels=8, blocks=3, seed=0):
    """Random weights with statistics as training would leave them."""
    generator = torch.Generator().manual_seed(seed)
    tensors = SRResNet(scale, channels, blocks).state_dict()
    for name, tensor in tensors.items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2, generator=generator)
        elif name.endswith("running_mean") or (tensor.ndim == 1 and tensor.numel() > 1):
            tensor.normal_(0, 0.3, generator=generator)
        elif tensor.ndim == 4:
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
    return tensors


def upscaler(tensors, scale=4):
    # The network alone: what keeps even colours is test_colours.py's.
    card = dataclasses.replace(srkit.card("srresnet"), even_colours=False)
    return load_network(card, scale, tensors, device="cpu")


# --- the network --------------------------------------------------------------------------


@pytest.mark.parametrize("scale", PARAMETERS)
def test_parameter_counts(scale):
    assert sum(p.numel() for p in SRResNet(scale).parameters()) == PARAMETERS[scale]


def test_the_state_dict_has_the_tutorials_258_entries():
    names = set(SRResNet(4).state_dict())
    assert len(names) == 258
    assert {
        "conv_block1.conv_block.0.weight",
        "conv_block1.conv_block.1.weight",
        "residual_blocks.15.conv_block2.conv_block.1.running_var",
        "conv_block2.conv_block.1.num_batches_tracked",
        "subpixel_convolutional_blocks.1.prelu.weight",
        "conv_block3.conv_block.0.bias",
    } <= names


def test_other_scales_are_refused():
    with pytest.raises(ValueError, match="2, 4 or 8, not 3"):
        SRResNet(3)


def figure_4(tensors, image):
    """The forward pass written out from the figure, in double precision."""
    w = {name: tensor.double() for name, tensor in tensors.items()}

    def conv(x, name):
        weight = w[f"{name}.weight"]
        return conv2d(x, weight, w[f"{name}.bias"], padding=weight.shape[-1] // 2)

    def prelu(x, name):
        return torch.where(x > 0, x, x * w[f"{name}.weight"])

    def norm(x, name):
        def of(part):
            return w[f"{name}.{part}"].reshape(1, -1, 1, 1)

        centred = (x - of("running_mean")) / torch.sqrt(of("running_var") + 1e-5)
        return centred * of("weight") + of("bias")

    def shuffle(x):
        n, c, h, width = x.shape
        split = x.reshape(n, c // 4, 2, 2, h, width)
        return split.permute(0, 1, 4, 2, 5, 3).reshape(n, c // 4, 2 * h, 2 * width)

    # Eight pixels of reflection, and the zeros of the convolutions beyond them.
    framed = np.pad(image.astype(np.float64), ((8, 8), (8, 8), (0, 0)), mode="reflect")
    x = torch.from_numpy((framed - MEAN) / STD).permute(2, 0, 1)[None]
    first = prelu(conv(x, "conv_block1.conv_block.0"), "conv_block1.conv_block.1")
    x = first
    for n in range(sum(name.endswith("block1.conv_block.2.weight") for name in w)):
        one, two = (f"residual_blocks.{n}.conv_block{m}.conv_block" for m in (1, 2))
        y = prelu(norm(conv(x, f"{one}.0"), f"{one}.1"), f"{one}.2")
        x = x + norm(conv(y, f"{two}.0"), f"{two}.1")
    x = first + norm(conv(x, "conv_block2.conv_block.0"), "conv_block2.conv_block.1")
    scale = 1
    for n in range(sum(name.endswith("prelu.weight") for name in w)):
        name = f"subpixel_convolutional_blocks.{n}"
        x = prelu(shuffle(conv(x, f"{name}.conv")), f"{name}.prelu")
        scale *= 2
    x = torch.tanh(conv(x, "conv_block3.conv_block.0"))
    made = (x[0].permute(1, 2, 0).numpy() + 1) / 2
    return made[8 * scale : -8 * scale, 8 * scale : -8 * scale]


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 11, 3), (24, 19, 3)])
@pytest.mark.parametrize("scale", PARAMETERS)
def test_the_result_is_that_of_the_figure_borders_and_all(scale, shape):
    tensors = weights(scale)
    image = np.random.default_rng(scale).random(shape).astype(np.float32)
    wanted = figure_4(tensors, image)
    assert wanted.std() > 0.05
    got = upscaler(tensors, scale).upscale(image)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


# --- receptive field ----------------------------------------------------------------------


# 4 + 2 a block + 1, then at x2 1 + 4/2, at x4 1 + 1/2 + 4/4, at x8 1 + 1/2 + 1/4 + 4/8.
@pytest.mark.parametrize(("scale", "radius"), [(2, 40), (4, 40), (8, 40)])
def test_the_paper_sized_network_reaches_40_pixels(scale, radius):
    assert upscaler(weights(scale, channels=2, blocks=16), scale).radius == radius


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("blocks", [1, 3])
def test_the_radius_is_the_farthest_a_pixel_reaches(scale, blocks):
    """Weights that are all one pass on every change, however faint, in double precision."""
    model = upscaler(weights(scale, channels=2, blocks=blocks), scale)
    net = model.net.net.double()
    for name, parameter in net.named_parameters():
        # Sums of some millions of ones, brought down so that tanh does not saturate.
        parameter.data.fill_(1e-3 if parameter.ndim == 4 else 0 if "bias" in name else 1)
    net.conv_block3.conv_block[1] = torch.nn.Identity()
    length, middle = 2 * model.radius + 5, model.radius + 2
    line = torch.zeros(1, 3, 1, length, dtype=torch.float64)
    line[..., middle] = 1
    with torch.no_grad():
        reached = torch.nonzero(net(line)[0, 0, 0]).ravel() // scale
    assert (middle - reached.min(), reached.max() - middle) == (model.radius, model.radius)


# --- files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: t,
        lambda t: {f"module.{k}": v for k, v in t.items()},
        lambda t: {"epoch": 3, "state_dict": t},
        lambda t: {k: v.half() if v.is_floating_point() else v for k, v in t.items()},
    ],
    ids=["plain", "parallel", "in a checkpoint", "half precision"],
)
@pytest.mark.parametrize("scale", [2, 4])
def test_a_state_dict_loads_by_its_path(tmp_path, wrap, scale):
    tensors, path = weights(scale), tmp_path / "checkpoint_mine.pth.tar"
    torch.save(wrap(tensors), path)
    model = srkit.load(str(path), device="cpu")
    assert (model.scale, model.card.name, model.card.framework) == (
        scale, "checkpoint_mine", "torch",
    )  # fmt: skip
    image = np.random.default_rng(0).random((6, 7, 3)).astype(np.float32)
    wanted = upscaler(tensors, scale).upscale(image)
    np.testing.assert_allclose(model.upscale(image), wanted, atol=5e-3)


def test_safetensors_load_by_their_path(tmp_path):
    tensors, path = weights(), tmp_path / "mine.safetensors"
    save_file(tensors, path)
    image = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)
    wanted = upscaler(tensors).upscale(image)
    np.testing.assert_array_equal(srkit.load(path, device="cpu").upscale(image), wanted)


def test_another_scale_than_the_files_is_refused(tmp_path):
    path = tmp_path / "mine.pth"
    torch.save(weights(2), path)
    assert srkit.load(path, scale=2).scale == 2
    with pytest.raises(OptionError, match=r"mine\.pth holds weights for x2, not x4"):
        srkit.load(path, scale=4)


@pytest.mark.parametrize("save", [torch.save, save_file])
def test_a_network_that_srkit_does_not_have_is_named_by_its_tensors(tmp_path, save, monkeypatch):
    monkeypatch.setattr("srkit.extras.find_spec", lambda name: None if name == "spandrel" else 1)
    path = tmp_path / ("mine.pth" if save is torch.save else "mine.safetensors")
    save({"body.0.weight": torch.zeros(2), "head.bias": torch.zeros(1)}, path)
    said = r'it has SRResNet.*first tensors are body\.0\.weight.*pip install "srkit\[spandrel\]"'
    with pytest.raises(WeightsError, match=said):
        srkit.load(path)


def test_a_spandrel_that_cannot_be_imported_says_why(tmp_path, monkeypatch):
    torch.save({"body.0.weight": torch.zeros(2)}, tmp_path / "mine.pth")
    monkeypatch.setattr("srkit.extras.find_spec", lambda name: 1)
    # As if it were installed, and something that it imports were not.
    monkeypatch.setitem(sys.modules, "spandrel", None)
    for name in [name for name in sys.modules if name.startswith("srkit.adapters.spandrel.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingDependencyError, match=r"spandrel cannot be imported .*einops"):
        srkit.load(tmp_path / "mine.pth")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t.pop("conv_block1.conv_block.0.weight"),
        lambda t: t.pop("residual_blocks.1.conv_block1.conv_block.0.bias"),
        lambda t: t.update({"conv_block3.conv_block.0.bias": torch.zeros(5)}),
        lambda t: t.update({"residual_blocks.0.extra": torch.zeros(5)}),
        lambda t: t.update({"conv_block1.conv_block.0.weight": torch.zeros(())}),
    ],
    ids=["no first layer", "no bias", "wrong shape", "left over", "a number"],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, spoil):
    tensors, path = weights(), tmp_path / "mine.pth"
    spoil(tensors)
    torch.save(dict(tensors), path)
    with pytest.raises(WeightsError, match="SRResNet"):
        srkit.load(path)


def test_a_text_file_is_no_checkpoint(tmp_path):
    path = tmp_path / "mine.pth"
    path.write_text(json.dumps({"weights": [1, 2, 3]}))
    with pytest.raises(WeightsError, match=r"mine\.pth is no weights file srkit knows"):
        srkit.load(path)


def test_weights_of_another_scale_than_the_card_says_are_refused():
    with pytest.raises(WeightsError, match="are for x2, not x4"):
        upscaler(weights(2), 4)
