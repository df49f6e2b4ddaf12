"""neural-enhance on torch: as the original program made it, and by srkit's own tiling."""

import bz2

import numpy as np
import pytest
from originals import GOLD, INPUTS, OPTIONS, SHAPES
from scipy import ndimage
from skimage import data

torch = pytest.importorskip("torch", reason="torch is not installed")

import srkit
from srkit import ImageError, OptionError, WeightsError
from srkit.adapters.pytorch.nets.enhance import EnhanceNet, from_layers, to_layers
from srkit.adapters.readers.enhance.config import Config
from srkit.adapters.readers.enhance.files import packed_weights, read_weights
from srkit.adapters.readers.enhance.tensors import config_of
from srkit.cli import main

SHAPES = {**SHAPES, "x1 without steps": Config(0, 0, 2, (8,))}


def random_net(config, seed=0):
    torch.manual_seed(seed)
    net = EnhanceNet(config)
    for value in net.parameters():
        # Numbers that half precision holds, so that files keep them exactly.
        value.data = (value.data + 0.01 * torch.randn_like(value)).half().float()
    return net


def saved(net, path):
    path.write_bytes(packed_weights(to_layers(net)))
    return path


# --- as the original made it ---------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), GOLD, ids=lambda value: value or "plain")
def test_pictures_are_those_of_the_original_program(data_folder, name, kind):
    folder = data_folder("enhance_gold")
    model = srkit.load(
        folder / f"{name}-0.3.pkl.bz2", tiling="original", device="cpu", **OPTIONS.get(kind, {})
    )
    made = model.upscale(srkit.read_image(folder / INPUTS.get(kind, "input.png")).pixels)
    wanted = srkit.read_image(folder / f"{name}{kind}.png").pixels
    apart = np.abs(made.astype(int) - wanted)
    assert apart.max() <= 1
    assert np.mean(apart > 0) <= 0.0005


def test_srkits_tiling_loses_no_pixels_and_agrees_where_the_original_is_exact(data_folder):
    folder = data_folder("enhance_gold")
    image = srkit.read_image(folder / "input.png").pixels
    assert image.shape == (97, 131, 3)
    path = folder / "ne4x-photo-default-0.3.pkl.bz2"
    made = srkit.load(path, device="cpu").upscale(image)
    assert made.shape == (388, 524, 3)
    # 96x128 is a multiple of four: nothing is cropped, and the two ways are one.
    image = image[:96, :128]
    made = srkit.load(path, device="cpu").upscale(image)
    original = srkit.load(path, device="cpu", tiling="original").upscale(image)
    assert np.abs(made.astype(int) - original).max() <= 1
    assert np.mean(made != original) < 0.0005


# --- the network --------------------------------------------------------------------------------


def by_hand(weights, image):
    """The chain in scipy, from the files' layout: convolutions flip, slopes are a channel's."""
    x = image.transpose(2, 0, 1).astype(np.float64) - 0.5
    config = weights.config
    for stage in config.stages:
        kernel, bias = weights.layers[f"{stage.name}x"]
        x = convolved(x, kernel, bias, stage.kernel, 2 if stage.kind == "down" else 1)
        slopes = weights.layers[f"{stage.name}>"][0][:, None, None]
        x = np.where(x > 0, x, slopes * x)
        if stage.kind == "up":
            c, h, w = x.shape
            x = x.reshape(c // 4, 2, 2, h, w).transpose(0, 3, 1, 4, 2).reshape(c // 4, 2 * h, 2 * w)
    x = convolved(x, *weights.layers["out"], 7, 1)
    return x.transpose(1, 2, 0) + 0.5


def convolved(x, kernel, bias, size, stride):
    made = []
    for out in range(kernel.shape[0]):
        total = sum(
            # Of four taps one is before the pixel, and scipy takes two.
            ndimage.correlate(
                x[c],
                kernel[out, c, ::-1, ::-1].astype(np.float64),
                mode="constant",
                origin=-(1 - size % 2),
            )
            for c in range(x.shape[0])
        )
        made.append(total[::stride, ::stride] + bias[out])
    return np.stack(made)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_network_is_the_chain_that_files_describe(shape):
    net = random_net(SHAPES[shape])
    image = np.random.default_rng(1).random((8, 12, 3), np.float32)
    with torch.no_grad():
        made = net(torch.from_numpy(image).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    wanted = by_hand(to_layers(net), image)
    assert made.shape == (8 * net.scale, 12 * net.scale, 3)
    np.testing.assert_allclose(made, wanted, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_files_and_back(tmp_path, shape):
    net = random_net(SHAPES[shape])
    path = saved(net, tmp_path / "ne.pkl.bz2")
    again = from_layers(read_weights(path))
    assert again.config.shapes() == net.config.shapes()
    for name, value in net.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)
    # Of a state dict the shape follows from the kernels alone.
    found = config_of(net.state_dict())
    assert (found.upscale, found.downscale, found.blocks) == (
        net.config.upscale,
        net.config.downscale,
        net.config.blocks,
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_tiles_make_the_whole_picture(tmp_path, shape):
    path = saved(random_net(SHAPES[shape]), tmp_path / "ne.pkl.bz2")
    model = srkit.load(path, device="cpu")
    # The radius follows from the config as from torch's layers.
    assert model.radius == model._radius
    photo = data.astronaut()[100:231, 150:303]
    memory = int(model.bytes_per_pixel * (2 * model.radius + 48) ** 2)
    np.testing.assert_array_equal(model.upscale(photo, memory=memory), model.upscale(photo))


def test_pixels_farther_than_the_radius_do_not_matter(tmp_path):
    model = srkit.load(saved(random_net(SHAPES["repair"]), tmp_path / "a.pkl.bz2"), device="cpu")
    image = np.random.default_rng(2).random((1, 96, 96, 3), np.float32)
    for at in range(40, 44):
        changed = image.copy()
        changed[0, at, at] += 1
        moved = np.abs(model.run(changed) - model.run(image)).max(axis=(0, 3)) > 0
        rows, columns = np.nonzero(moved)
        reach = max(np.abs(rows - at).max(), np.abs(columns - at).max())
        assert model.radius - 8 <= reach <= model.radius


def test_one_network_on_three_kinds_of_image(tmp_path):
    path = saved(random_net(SHAPES["x2"]), tmp_path / "a.pkl.bz2")
    model = srkit.load(path, tiling="original", device="cpu")
    photo = data.coffee()[50:81, 100:133]
    colour = model.upscale(photo)
    assert colour.shape == (60, 64, 3)  # odd sides lose a pixel
    deep = model.upscale(photo.astype(np.uint16) * 257)
    np.testing.assert_array_equal(deep, colour.astype(np.uint16) * 257)
    np.testing.assert_allclose(model.upscale(photo / 255), colour / 255, atol=1e-6)
    alpha = np.full((*photo.shape[:2], 1), 255, np.uint8)
    with_alpha = model.upscale(np.concatenate([photo, alpha], axis=2))
    assert with_alpha.shape == (60, 64, 4)
    assert (with_alpha[..., 3] == 255).all()
    np.testing.assert_array_equal(model.upscale(np.stack([photo, photo]))[1], colour)
    assert model.upscale(photo[..., 0]).shape == (60, 64)


# --- options and errors ------------------------------------------------------------------------


def test_options_that_make_no_sense(tmp_path):
    path = saved(random_net(SHAPES["repair"]), tmp_path / "a.pkl.bz2")
    for options, told in (
        ({"tiling": "seamless"}, "'exact' or 'original'"),
        ({"tile": 40}, "go with tiling='original'"),
        ({"match_histograms": True}, "go with tiling='original'"),
        ({"tiling": "original", "match_histograms": "no"}, "is True or False, not 'no'"),
        ({"tiling": "original", "tile": 50}, "multiples of 4"),
        ({"tiling": "original", "overlap": 0}, "overlap is a whole number"),
        ({"tiling": "original", "overlap": 2.5}, "overlap is a whole number"),
        ({"scale": 2}, "for x1, not x2"),
        ({"zoom": 2}, "no option 'zoom'"),
    ):
        with pytest.raises(OptionError, match=told):
            srkit.load(path, **options)
    model = srkit.load(path, tiling="original")
    with pytest.raises(OptionError, match="takes no size"):
        model.upscale(np.zeros((8, 8, 3), np.uint8), size=(9, 9))
    with pytest.raises(ImageError, match="at least 4 pixels a side, not 3"):
        model.upscale(np.zeros((8, 3, 3), np.uint8))


def test_conversion_both_ways(tmp_path, capsys):
    net = random_net(SHAPES["x2"])
    path = saved(net, tmp_path / "ne2x.pkl.bz2")
    tensors, back = tmp_path / "ne2x.safetensors", tmp_path / "back.pkl.bz2"
    assert main(["convert", str(path), str(tensors)]) == 0
    assert main(["convert", str(tensors), str(back)]) == 0
    assert bz2.decompress(back.read_bytes()) == bz2.decompress(path.read_bytes())
    photo = data.coffee()[50:81, 100:133]
    models = [srkit.load(p, device="cpu") for p in (path, tensors, back)]
    for model in models[1:]:
        np.testing.assert_array_equal(model.upscale(photo), models[0].upscale(photo))
    original = [srkit.load(p, tiling="original", device="cpu") for p in (path, tensors)]
    np.testing.assert_array_equal(*(model.upscale(photo) for model in original))
    with pytest.raises(OptionError, match="has no option color"):
        srkit.load(tensors, color="opencv")
    capsys.readouterr()
    assert main(["convert", str(tensors), str(tmp_path / "other.pkl.bz2"), "--scale", "4"]) == 2
    assert "for x2, not x4" in capsys.readouterr().err
    packaged = srkit.models.weights.PACKAGED / "espcn_x2.safetensors"
    with pytest.raises(WeightsError, match="no weights of neural-enhance"):
        srkit.convert(packaged, tmp_path / "other.pkl.bz2")
    assert not (tmp_path / "other.pkl.bz2").exists()
