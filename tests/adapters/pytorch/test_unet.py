"""U-Net: its sizes, its upsampling, its encoder's names, and how it runs on images."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from safetensors.torch import save_file
from torch.nn import functional

import srkit
from srkit import OptionError
from srkit.adapters.pytorch.architectures.unet import Interpolated
from srkit.adapters.pytorch.nets.resnet import RESNET34, Form, ResNet
from srkit.adapters.pytorch.nets.unet import ShuffleUp, UNet, add_weight_norm
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler

TINY = Form((8, 12), (1, 2))


def count(net) -> int:
    return sum(p.numel() for p in net.parameters())


def test_the_full_form_has_fastais_number_of_parameters():
    """Counted in fastai 1.0: 41,229,213, of which 21,284,672 are the encoder's."""
    with torch.device("meta"):
        net = UNet(4, RESNET34)
    assert count(net.encoder) == 21_284_672
    assert count(net) == 41_221_268
    net = net.to_empty(device="cpu")
    add_weight_norm(net)
    assert count(net) == 41_229_213


# --- upsampling -------------------------------------------------------------------------------


@pytest.mark.parametrize("normed", [False, True])
def test_upsampling_begins_as_nearest_neighbour_whatever_the_weights_are_called(normed):
    torch.manual_seed(0)
    up = ShuffleUp(6, 4, blur=False)
    if normed:
        torch.nn.utils.parametrizations.weight_norm(up.conv)
    x = torch.randn(2, 6, 5, 7)
    made = up(x)
    # Of each four equal rows of the convolution one is enough to say what a pixel becomes.
    wanted = functional.relu(functional.conv2d(x, up.conv.weight[::4], up.conv.bias[::4]))
    torch.testing.assert_close(made, wanted.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert made.std() > 0.1


def test_weight_norm_leaves_the_network_as_it_was():
    torch.manual_seed(0)
    net = UNet(2, TINY).eval()
    x = torch.randn(1, 3, 16, 16)
    before = net(x)
    add_weight_norm(net)
    torch.testing.assert_close(net(x), before)
    block = net.blocks[0].up
    rows = block.conv.weight.flatten(1)
    assert torch.equal(rows[::4].repeat_interleave(4, 0), rows)


def test_blur_takes_the_mean_of_each_pixel_and_its_neighbours_above_and_left():
    up = ShuffleUp(1, 1, blur=True)
    with torch.no_grad():
        up.conv.weight.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(4, 1, 1, 1))
        up.conv.bias.zero_()
    # Shuffled, one pixel is 1 2 / 3 4; its first row and column are repeated before them.
    assert up(torch.ones(1, 1, 1, 1)).flatten().tolist() == [1.0, 1.5, 2.0, 2.5]


# --- the encoder ------------------------------------------------------------------------------


def test_the_encoder_has_torchvisions_names_and_shapes():
    """As torchvision documents and ships them: 218 tensors, of which two are the classifier."""
    with torch.device("meta"):
        state = ResNet(RESNET34).state_dict()
    assert len(state) == 216
    for name, shape in {
        "conv1.weight": (64, 3, 7, 7),
        "bn1.running_var": (64,),
        "layer1.2.conv2.weight": (64, 64, 3, 3),
        "layer2.0.downsample.0.weight": (128, 64, 1, 1),
        "layer2.0.downsample.1.bias": (128,),
        "layer3.5.bn2.weight": (256,),
        "layer4.0.conv1.weight": (512, 256, 3, 3),
    }.items():
        assert state[name].shape == shape


# --- between images ---------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 4])
def test_the_network_is_given_matlabs_bicubic_interpolation(scale):
    rng = np.random.default_rng(0)
    image = rng.random((12, 14, 3), np.float32)
    net = Interpolated(UNet(scale, TINY))
    given = torch.from_numpy(image).permute(2, 0, 1)[None]
    made = net.resize(given)[0].permute(1, 2, 0).numpy()
    inner = slice(2 * scale, -2 * scale)
    wanted = srkit.imresize(image, scale)[inner, inner]
    np.testing.assert_allclose(made[inner, inner], wanted, atol=1e-5)


@pytest.fixture
def weights(tmp_path):
    """A file of a small network with random weights, which sees 44 LR pixels far at x2."""
    torch.manual_seed(0)
    path = tmp_path / "mine.safetensors"
    save_file(UNet(2, TINY).state_dict(), path, {"scale": "2"})
    return path


def test_a_file_tells_its_form_and_what_sides_it_takes(weights):
    model = srkit.load(weights)
    assert (model.scale, model.card.multiple) == (2, 4)
    assert model.parameters == count(UNet(2, TINY))


def test_the_radius_holds_what_an_input_pixel_changes(weights):
    model = srkit.load(weights)
    side = 4 * (2 * model.radius // 4 + 4)
    image = np.full((side, side, 3), 0.5, np.float32)
    other = image.copy()
    other[side // 2, side // 2] = 1.0
    changed = np.abs(model.run(other[None]) - model.run(image[None]))[0].max(axis=2) > 0
    rows = np.flatnonzero(changed.any(axis=1)) // 2 - side // 2
    assert -model.radius <= rows.min() < -model.radius / 2
    assert model.radius / 2 < rows.max() <= model.radius


@pytest.fixture
def tiled(monkeypatch):
    """Tiles alone: strips fit in much less memory."""
    monkeypatch.setattr(TorchUpscaler, "streams", False)


@pytest.mark.usefixtures("tiled")
def test_tiles_with_the_whole_halo_give_what_the_whole_image_gives(weights):
    model = srkit.load(weights)
    model.short_halo = None
    image = np.random.default_rng(0).random((151, 173, 3))
    whole = model.upscale(image)
    tiled = model.upscale(image, memory=int(120**2 * model.bytes_per_pixel))
    assert whole.shape == (302, 346, 3)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


@pytest.mark.usefixtures("tiled")
def test_where_the_halo_does_not_fit_tiles_are_blended_and_the_log_says_so(weights, caplog):
    model = srkit.load(weights)
    model.short_halo = 18
    image = np.random.default_rng(0).random((101, 123, 3))
    whole = model.upscale(image)
    assert not caplog.messages
    blended = model.upscale(image, memory=int(70**2 * model.bytes_per_pixel))
    again = model.upscale(image, memory=int(70**2 * model.bytes_per_pixel))
    assert np.array_equal(blended, again)
    assert caplog.text.count("blended, which is not exact") == 1
    assert f"receptive field of {model.radius} pixels" in caplog.text
    difference = np.abs(blended - whole)
    assert 0 < difference.max() < 0.02
    # Far from where tiles meet, and at the image's border, nothing differs but by rounding.
    assert (difference < 1e-5).mean() > 0.1


def test_where_memory_runs_out_tiles_are_blended_and_progress_is_told_once(weights):
    model = srkit.load(weights)
    model.short_halo = 18
    image = np.random.default_rng(0).random((150, 160, 3))
    wanted = model.upscale(image)
    model._full.quick_strip_bytes = model.strip_bytes(24, 176)  # else it runs whole, being small
    run, run_rows, told, strips = model.run, model.run_rows, [], []

    def ending(given):
        for strip in given:
            strips.append(strip.shape)
            if len(strips) == 3:
                raise MemoryError
            yield strip

    def limited(tiles):
        if tiles.shape[1] * tiles.shape[2] > 90**2:
            raise MemoryError
        return run(tiles)

    model.run, model.run_rows = limited, lambda given: run_rows(ending(given))
    made = model.upscale(image, memory=1 << 40, progress=lambda *both: told.append(both))
    assert len(strips) == 3
    assert 1e-5 < np.abs(made - wanted).max() < 0.02
    done = [pixels for pixels, _ in told]
    assert done == sorted(done)
    assert told[-1] == (150 * 160, 150 * 160)


@pytest.mark.usefixtures("tiled")
def test_on_a_low_wide_image_no_more_memory_is_taken_than_was_given(weights):
    model = srkit.load(weights)
    model.short_halo = 18
    image = np.zeros((8, 3000, 3), np.uint8)
    with pytest.raises(OptionError, match="at least") as refused:
        model.upscale(image, memory=1)
    least = int(str(refused.value).split("at least ")[1].split()[0])
    seen = []
    run = model.run
    model.run = lambda tiles: seen.append(tiles.shape) or run(tiles)
    assert model.upscale(image, memory=least).shape == (16, 6000, 3)
    assert max(h * w for _, h, w, _ in seen) * model.bytes_per_pixel <= least


@pytest.mark.parametrize(("scale", "multiple"), [(1, 8), (2, 4), (3, 8), (4, 2), (6, 4), (8, 1)])
def test_sides_halve_evenly_at_every_scale(tmp_path, scale, multiple):
    torch.manual_seed(0)
    path = tmp_path / "mine.safetensors"
    save_file(UNet(scale, TINY).state_dict(), path, {"scale": str(scale)})
    model = srkit.load(path)
    assert model.card.multiple == multiple
    assert model.upscale(np.zeros((7, 9), np.uint8)).shape == (7 * scale, 9 * scale)


@pytest.mark.parametrize("scale", [0, -1, 17])
def test_scales_that_are_none_are_refused(tmp_path, scale):
    save_file(UNet(2, TINY).state_dict(), tmp_path / "mine.safetensors")
    with pytest.raises(OptionError, match="scale"):
        srkit.load(tmp_path / "mine.safetensors", scale=scale)
