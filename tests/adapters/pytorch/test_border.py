"""What a network sees beyond the picture, as it is chosen when it is loaded."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from torch.nn import functional

import srkit
from srkit.adapters.pytorch.nets.compact import Compact, Size
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.cli import main
from srkit.errors import OptionError
from srkit.upscaling.findings import Findings

PHOTO = np.random.default_rng(6).random((61, 47, 3), np.float32)
# Of ImageNet, as the tutorial normalises.
MEAN = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
STD = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)


def tutorials_own(state, photo):
    """What the tutorial's program makes of a photo: its layers one by one, padded with zeros."""

    def conv(x, name, number=0):
        weight = state[f"{name}.{number}.weight" if number is not None else f"{name}.weight"]
        bias = state[f"{name}.{number}.bias" if number is not None else f"{name}.bias"]
        return functional.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)

    def norm(x, name):
        kinds = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(state[f"{name}.{kind}"] for kind in kinds))

    x = (torch.from_numpy(photo).permute(2, 0, 1)[None] - MEAN) / STD
    first = functional.prelu(
        conv(x, "conv_block1.conv_block"), state["conv_block1.conv_block.1.weight"]
    )
    block = "residual_blocks.0.conv_block"
    x = norm(conv(first, f"{block}1.conv_block"), f"{block}1.conv_block.1")
    x = functional.prelu(x, state[f"{block}1.conv_block.2.weight"])
    x = first + norm(conv(x, f"{block}2.conv_block"), f"{block}2.conv_block.1")
    x = first + norm(conv(x, "conv_block2.conv_block"), "conv_block2.conv_block.1")
    for number in range(2):
        name = f"subpixel_convolutional_blocks.{number}"
        x = functional.pixel_shuffle(conv(x, f"{name}.conv", None), 2)
        x = functional.prelu(x, state[f"{name}.prelu.weight"])
    x = (torch.tanh(conv(x, "conv_block3.conv_block")) + 1) / 2
    return x[0].permute(1, 2, 0).numpy()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(8)
    net = SRResNet(4, 8, 1).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
    path = tmp_path_factory.mktemp("weights") / "checkpoint.pth"
    torch.save({"model": net.state_dict()}, path)
    return path, net.state_dict()


@pytest.mark.parametrize("memory", [None, 3_000_000])
def test_with_zeros_pixels_are_those_of_the_networks_own_program_to_the_rim(weights, memory):
    path, state = weights
    with torch.no_grad():
        wanted = tutorials_own(state, PHOTO)
    made = srkit.load(path, border="zero").upscale(PHOTO, memory=memory)
    np.testing.assert_allclose(made, wanted, atol=1e-5)
    # Reflected pixels are another picture at the rim, and the same within.
    reflected = srkit.load(path).upscale(PHOTO)
    assert np.abs(reflected - wanted)[:8].max() > 0.01
    np.testing.assert_allclose(reflected[96:-96, 88:-88], wanted[96:-96, 88:-88], atol=1e-5)


def test_reflected_pixels_can_be_had_where_zeros_are_the_rule(tmp_path):
    torch.manual_seed(1)
    net = Compact(2, Size(8, 2)).eval()
    torch.save(net.state_dict(), tmp_path / "compact.pth")
    padded = np.pad(PHOTO, ((8, 8), (8, 8), (0, 0)), "reflect")
    with torch.no_grad():
        wanted = net(torch.from_numpy(padded).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
        plain = net(torch.from_numpy(PHOTO).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    made = srkit.load(tmp_path / "compact.pth", border="reflect").upscale(PHOTO)
    np.testing.assert_allclose(made, wanted[16:-16, 16:-16].clip(0, 1), atol=1e-5)
    made = srkit.load(tmp_path / "compact.pth").upscale(PHOTO)
    np.testing.assert_allclose(made, plain.clip(0, 1), atol=1e-5)


def test_reflected_pixels_leave_the_blocks_where_they_are(tmp_path):
    torch.manual_seed(1)
    # Sees five pixels, and unshuffles blocks of two.
    net = Compact(2, Size(8, 0, unshuffle=2)).eval()
    torch.save(net.state_dict(), tmp_path / "compact.pth")
    photo = PHOTO[:60, :46]
    plain = srkit.load(tmp_path / "compact.pth")
    assert (plain.radius % 2, plain.radius < plain.rim) == (1, True)
    made = srkit.load(tmp_path / "compact.pth", border="reflect").upscale(photo)
    within = slice(2 * plain.rim, -2 * plain.rim)
    wanted = plain.upscale(photo)
    np.testing.assert_allclose(made[within, within], wanted[within, within], atol=1e-5)
    assert np.abs(made - wanted).max() > 0.01


def test_models_with_names_have_the_choice_too():
    tile = torch.from_numpy(PHOTO).permute(2, 0, 1)[None]
    with torch.no_grad():
        net = srkit.load("srresnet", scale=2, border="zero")
        wanted = net.run(tile.permute(0, 2, 3, 1).numpy())[0]
    np.testing.assert_allclose(net.upscale(PHOTO), wanted.clip(0, 1), atol=1e-5)
    # Of a dial that is set for each picture, every network.
    photo = srkit.load("photo", scale=2, border="zero")
    decided = photo.for_picture(Findings(noise=3.0))
    assert (photo.card.border, decided.card.border) == ("zero", "zero")
    assert srkit.upscale(PHOTO[:9, :9], "srresnet", scale=2, border="zero").shape == (18, 18, 3)
    assert srkit.card("srresnet").border == "reflect"


def test_what_makes_no_sense_is_refused(weights):
    path, _ = weights
    for model in (path, "srresnet"):
        with pytest.raises(OptionError, match="border is 'reflect' or 'zero', not 'mirror'"):
            srkit.load(model, border="mirror")
    with pytest.raises(OptionError, match="bicubic has no option 'border'"):
        srkit.load("bicubic", border="zero")


def test_on_the_command_line(weights, tmp_path):
    path, state = weights
    levels = np.rint(PHOTO * 255).astype(np.uint8)
    srkit.Image(levels).save(tmp_path / "small.png")
    out = tmp_path / "large.png"
    arguments = ["upscale", str(tmp_path / "small.png"), "-m", str(path), "-o", str(out)]
    assert main([*arguments, "--border", "zero"]) == 0
    with torch.no_grad():
        wanted = np.rint(tutorials_own(state, levels / np.float32(255)) * 255)
    assert np.abs(srkit.read_image(out).pixels.astype(int) - wanted).max() <= 1
