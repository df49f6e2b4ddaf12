"""ONNX files of torch's own exporters, today's and the one before, in all their forms."""

import logging

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="needs pip install 'srkit[onnx]'")
onnx = pytest.importorskip("onnx", reason="needs pip install 'srkit[onnx]'")
torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from networks import attentive, constant, kernel, model, node, saved
from torch import nn
from torch.nn import functional

import srkit
from srkit import OptionError
from srkit.cli import main

RNG = np.random.default_rng(7)
PHOTO = RNG.random((83, 101, 3), np.float32)
TILE = (32, 48)


class Net(nn.Module):
    """Layers that networks of super-resolution have."""

    def __init__(self, unshuffle=False, attention=False, mode=None):
        super().__init__()
        torch.manual_seed(2)
        inside, outside = (12, 48) if unshuffle else (3, 12)
        self.unshuffle = nn.PixelUnshuffle(2) if unshuffle else nn.Identity()
        self.first, self.act = nn.Conv2d(inside, 16, 3, padding=1), nn.PReLU(16)
        layers = [nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 4, 1), nn.ReLU(), nn.Conv2d(4, 16, 1)]
        self.attention = nn.Sequential(*layers, nn.Sigmoid()) if attention else None
        self.last = nn.Conv2d(16, outside, 3, padding=1)
        self.shuffle, self.mode = nn.PixelShuffle(4 if unshuffle else 2), mode

    def forward(self, x):
        y = self.act(self.first(self.unshuffle(x)))
        if self.attention is not None:
            y = y * self.attention(y)
        y = self.shuffle(self.last(y))
        return y if self.mode is None else y + functional.interpolate(
            x, scale_factor=2, mode=self.mode
        )  # fmt: skip


KINDS = {
    "plain": {}, "unshuffle": {"unshuffle": True}, "attention": {"attention": True},
    "bicubic": {"mode": "bicubic"},
}  # fmt: skip


def exported(net, path, *, fixed, new):
    """Write a network as torch does; the new exporter puts its numbers into another file."""
    image = torch.rand(1, 3, *TILE)
    if new:
        auto = torch.export.Dim.AUTO
        free = None if fixed else ({0: auto, 2: auto, 3: auto},)
        torch.onnx.export(net, (image,), path, dynamo=True, dynamic_shapes=free, verbose=False)
        assert path.with_name(path.name + ".data").is_file()
    else:
        free = None if fixed else {"x": {0: "n", 2: "h", 3: "w"}}
        torch.onnx.export(
            net, (image,), path, dynamo=False, input_names=["x"], dynamic_axes=free
        )  # fmt: skip
    return path


def plain(net, photo):
    """What torch makes of the whole photo."""
    with torch.no_grad():
        made = net(torch.from_numpy(photo).permute(2, 0, 1)[None])
    return made[0].permute(1, 2, 0).numpy().clip(0, 1)


@pytest.fixture(
    params=[(k, f, n) for k in KINDS for f in (True, False) for n in (True, False)],
    ids=lambda p: f"{p[0]}-{'fixed' if p[1] else 'free'}-{'new' if p[2] else 'old'}",
)
def kind(request, tmp_path):
    """The name of a network, the network, and its file."""
    name, fixed, new = request.param
    if new:
        pytest.importorskip("onnxscript", reason="needs pip install onnxscript")
    net = Net(**KINDS[name]).eval()
    return name, net, exported(net, tmp_path / "net.onnx", fixed=fixed, new=new)


@pytest.mark.filterwarnings("ignore")  # of torch itself
def test_pixels_are_torchs_of_the_whole_picture_to_the_rim(kind):
    name, net, path = kind
    photo = PHOTO[:82, :100] if name == "unshuffle" else PHOTO
    loaded = srkit.load(path)
    assert (loaded.scale, loaded.card.multiple) == (2, 2 if name == "unshuffle" else 1)
    np.testing.assert_allclose(loaded.upscale(photo), plain(net, photo), atol=1e-5)
    if name != "attention":
        # Of an unshuffle: a pixel lies in a block of two, and two layers see a block each.
        reach = {"plain": 2, "bicubic": 2, "unshuffle": 5}[name]
        assert loaded.radius == reach
        # In as little memory as there may be, the same.
        least = least_memory(loaded, photo)
        np.testing.assert_allclose(
            loaded.upscale(photo, memory=least), plain(net, photo), atol=1e-5
        )


def least_memory(loaded, photo):
    with pytest.raises(OptionError, match="give at least") as caught:
        loaded.upscale(photo, memory=1)
    return int(str(caught.value).split("at least ")[1].split()[0])


def reshaping(height, width):
    """Pixel unshuffle as reshapes with the size in them, and two convolutions, to x2."""
    shapes = {
        "s1": [1, 3, height // 2, 2, width // 2, 2],
        "s2": [1, 12, height // 2, width // 2],
    }
    nodes = [
        node("Reshape", "x s1", "a"),
        node("Transpose", "a", "b", perm=[0, 1, 3, 5, 2, 4]),
        node("Reshape", "b s2", "c"),
        node("Conv", "c w", "d", pads=[1, 1, 1, 1]),
        node("Relu", "d", "e"),
        node("Conv", "e v", "f", pads=[1, 1, 1, 1]),
        node("DepthToSpace", "f", "y", blocksize=4, mode="CRD"),
    ]
    constants = [constant(name, np.array(shape, np.int64)) for name, shape in shapes.items()]
    weights = [kernel("w", 16, 12, 3, 3), kernel("v", 48, 16, 3, 3)]
    return model(nodes, [*constants, *weights], sides=(1, 3, height, width)), weights


def by_torch(weights, photo):
    w, v = (torch.tensor(onnx.numpy_helper.to_array(t)) for t in weights)
    x = functional.pixel_unshuffle(torch.from_numpy(photo).permute(2, 0, 1)[None], 2)
    x = functional.conv2d(functional.conv2d(x, w, padding=1).relu(), v, padding=1)
    return functional.pixel_shuffle(x, 4)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("shape", [(32, 48), (34, 48), (60, 50), (33, 47), (100, 100), (10, 6)])
def test_networks_of_one_size_give_the_whole_pictures_pixels(tmp_path, shape):
    made, weights = reshaping(32, 48)
    loaded = srkit.load(saved(made, tmp_path / "net.onnx"))
    assert (loaded.radius, loaded.card.multiple, loaded.least_sides) == (5, 2, (32, 48))
    photo = RNG.random((*shape, 3), np.float32)
    result = loaded.upscale(photo)
    assert result.shape == (2 * shape[0], 2 * shape[1], 3)
    # Where a picture is smaller than the tile, or odd, its far rim sees its reflection.
    even = all(n >= m and n % 2 == 0 for n, m in zip(shape, (32, 48), strict=True))
    inner = slice(None) if even else slice(0, -2 * 6)
    wanted = by_torch(weights, photo[: shape[0] // 2 * 2, : shape[1] // 2 * 2]).clip(0, 1)
    height, width = wanted.shape[:2]
    np.testing.assert_allclose(
        result[:height, :width][inner, inner], wanted[inner, inner], atol=1e-5
    )


def test_several_pictures_at_once_and_self_ensemble(tmp_path):
    made, weights = reshaping(32, 32)
    loaded = srkit.load(saved(made, tmp_path / "net.onnx"))
    photos = RNG.random((3, 40, 44, 3), np.float32)
    for photo, result in zip(photos, loaded.upscale(photos), strict=True):
        np.testing.assert_allclose(result, by_torch(weights, photo).clip(0, 1), atol=1e-5)
    turned = np.mean(
        [
            np.rot90(by_torch(weights, np.rot90(photos[0], n).copy()), -n)
            for n in range(4)
        ] + [
            np.rot90(by_torch(weights, np.rot90(photos[0], n)[:, ::-1].copy())[:, ::-1], -n)
            for n in range(4)
        ],
        axis=0,
    )  # fmt: skip
    result = loaded.upscale(photos[0], self_ensemble=True)
    np.testing.assert_allclose(result, turned.clip(0, 1), atol=1e-5)


def test_where_a_tile_is_too_small_for_the_halo_it_is_blended_and_told(tmp_path, caplog):
    made, _ = reshaping(10, 12)
    loaded = srkit.load(saved(made, tmp_path / "net.onnx"))
    photo = np.full((30, 32, 3), 0.5, np.float32)
    with caplog.at_level(logging.WARNING):
        result = loaded.upscale(photo)
        loaded.upscale(photo)
    (told,) = [r.getMessage() for r in caplog.records if "10x12" in r.getMessage()]
    assert "receptive field of 5 pixels" in told
    assert "not exact" in told
    assert result.shape == (60, 64, 3)
    assert np.isfinite(result).all()


def test_channel_attention_runs_whole(tmp_path, caplog):
    made = attentive()
    loaded = srkit.load(saved(made, tmp_path / "net.onnx"))
    weight = torch.tensor(onnx.numpy_helper.to_array(made.graph.initializer[0]))
    x = functional.conv2d(torch.from_numpy(PHOTO).permute(2, 0, 1)[None], weight, padding=1)
    x = x * x.mean((2, 3), keepdim=True)
    # DepthToSpace in its first form: blocks before channels.
    n, c, h, w = x.shape
    x = x.reshape(n, 2, 2, c // 4, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // 4, 2 * h, 2 * w)
    wanted = x[0].permute(1, 2, 0).numpy().clip(0, 1)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(loaded.upscale(PHOTO), wanted, atol=1e-5)
    assert "blended" not in caplog.text


def test_channel_attention_is_blended_where_memory_is_too_little_and_told(tmp_path, caplog):
    loaded = srkit.load(saved(attentive(), tmp_path / "net.onnx"))
    photo = RNG.random((400, 410, 3), np.float32)
    least = least_memory(loaded, photo)
    with caplog.at_level(logging.WARNING):
        made = loaded.upscale(photo, memory=2 * least)
    assert "are blended, which is not exact" in caplog.text
    assert made.shape == (800, 820, 3)
    assert np.abs(made - loaded.upscale(photo)).mean() < 0.01


def test_numbers_for_each_place_of_a_tile_make_it_inexact(tmp_path, caplog):
    # Such as positions that are added: a tile does not know where it lies.
    made, _ = reshaping(32, 32)
    made.graph.node[4].output[0] = "g"
    made.graph.node.insert(5, node("Add", "g p", "e"))
    made.graph.initializer.append(kernel("p", 1, 16, 16, 16))
    loaded = srkit.load(saved(made, tmp_path / "net.onnx"))
    with caplog.at_level(logging.WARNING):
        loaded.upscale(PHOTO)
    assert "Add by a number for each place" in caplog.text


def test_what_depends_on_the_size_of_the_picture_is_not_taken_for_exact(tmp_path):
    nodes = [
        node("Shape", "x", "s"),
        node("Cast", "s", "f", to=1),
        node("ReduceMax", "f", "m", keepdims=0),
        node("Mul", "x m", "a"),
        node("Conv", "a w", "b", pads=[1, 1, 1, 1]),
        node("DepthToSpace", "b", "y", blocksize=2),
    ]
    path = saved(model(nodes, [kernel("w", 12, 3, 3, 3)]), tmp_path / "net.onnx")
    with pytest.raises(OptionError, match=r"Mul by the size of the picture.*give halo="):
        srkit.load(path)


def test_halo_on_the_command_line(tmp_path, capsys):
    from networks import shifted

    path = saved(shifted(), tmp_path / "net.onnx")
    srkit.Image(np.zeros((9, 8, 3), np.uint8)).save(tmp_path / "a.png")
    command = ["upscale", str(tmp_path / "a.png"), "-m", str(path), "-o", str(tmp_path / "b.png")]
    assert main(command) == 2
    assert "--halo" in capsys.readouterr().err
    assert main([*command, "--halo", "4"]) == 0
    assert srkit.read_image(tmp_path / "b.png").pixels.shape == (18, 16, 3)
