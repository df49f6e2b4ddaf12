"""Models as ONNX files: the same pixels on ONNX Runtime as on torch."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="needs pip install 'srkit[onnx]'")
onnx = pytest.importorskip("onnx", reason="needs pip install 'srkit[onnx]'")
torch = pytest.importorskip("torch", reason="torch is not installed")

from safetensors.torch import save_file
from skimage import data

import srkit
from srkit import ModelCard, OptionError, WeightsError, testing
from srkit.adapters.onnx import comparing
from srkit.adapters.onnx.reach import receptive_field
from srkit.adapters.pytorch.nets.avsr import AVSR, Size
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.adapters.pytorch.nets.resnet import Form
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.adapters.pytorch.nets.unet import UNet
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.adapters.readers.graphdef.writing import network_graph
from srkit.cli import main

MODELS = [
    ("srresnet", 2), ("srresnet", 4), ("span", 4), ("srgan", 4), ("photo", 2), ("espcn", 3),
    ("espcn", 2), ("fsrcnn", 3), ("neural-enhance", 2), ("neural-enhance-repair", 1),
]  # fmt: skip
PHOTO = data.astronaut()[10:51, 200:253]
# A file holds one network, and what decides for each picture has several.
DIALS = {"photo": {"denoise": 1}}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A function that exports a model once."""
    folder, made = tmp_path_factory.mktemp("exported"), {}

    def export(name, scale):
        if (name, scale) not in made:
            path = folder / f"{name}_x{scale}.onnx"
            made[name, scale] = srkit.export(name, path, scale=scale, **DIALS.get(name, {}))
        return made[name, scale]

    return export


@pytest.mark.parametrize(("name", "scale"), MODELS)
def test_pixels_are_those_of_torch(exported, name, scale):
    file = exported(name, scale)
    assert 0 < file.difference <= 1e-5
    model = srkit.load(file.path)
    full = {"device": "cpu", "precision": "float32", **DIALS.get(name, {})}
    wanted = srkit.load(name, scale=scale, **full)
    assert model.scale == scale
    floats = (PHOTO / 255).astype(np.float32)
    difference = np.abs(model.upscale(floats) - wanted.upscale(floats))
    assert difference.max() <= 1e-5
    apart = np.abs(model.upscale(PHOTO).astype(int) - wanted.upscale(PHOTO))
    assert apart.max() <= 1
    # Other kernels round otherwise, most of it torch's own distance from float64. A value that is
    # d levels off falls to the other side with probability d: so many, and chance.
    expected = 255 * difference.sum()
    assert np.count_nonzero(apart) <= expected + 4 * np.sqrt(expected) + 1
    assert expected < 3e-4 * apart.size


@pytest.mark.parametrize(("name", "scale"), MODELS)
def test_the_header_tells_what_tiling_and_credits_need(exported, name, scale):
    model, source = srkit.load(exported(name, scale).path), srkit.load(name, scale=scale)
    for fact in ("name", "colour", "border", "multiple", "licence", "paper", "training_data"):
        assert getattr(model.card, fact) == getattr(source.card, fact)
    assert (model.radius, model.rim) == (source.radius, source.rim)
    # The operators tell no less, so a file whose header was lost is tiled right, too. They are not
    # followed axis by axis, and a blur of 8 pixels in lines and columns counts twice.
    graph = onnx.load(exported(name, scale).path).graph
    twice = 8 if name in ("srresnet", "span", "srgan", "photo") else 0
    assert receptive_field(graph, graph.input[0].name).radius == source.radius + twice


@pytest.mark.parametrize(("name", "scale"), [("espcn", 2), ("fsrcnn", 3), ("neural-enhance", 2)])
def test_the_conformance_kit(exported, name, scale):
    path = exported(name, scale).path
    testing.check_upscaler(lambda: srkit.load(path))


def test_tiles_give_the_whole_image(exported):
    model = srkit.load(exported("fsrcnn", 3).path)
    photo = (data.astronaut()[:90, 160:270] / 255).astype(np.float32)
    whole = model.upscale(photo, memory=1 << 40)
    tiled = model.upscale(photo, memory=int(40 * 40 * model.bytes_per_pixel))
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_a_whole_file_is_valid_onnx_and_names_no_path(exported):
    path = exported("srresnet", 4).path
    onnx.checker.check_model(str(path), full_check=True)
    sides = [d.dim_param for d in onnx.load(path).graph.input[0].type.tensor_type.shape.dim]
    assert sides == ["batch", "", "height", "width"]
    assert str(Path(srkit.__file__).parent).encode() not in path.read_bytes()


def test_networks_of_all_kinds_of_layers(tmp_path):
    torch.manual_seed(0)
    net = UNet(2, Form((8, 12), (1, 2)))
    source = tmp_path / "unet.safetensors"
    save_file(net.state_dict(), source, {"scale": "2"})
    made = srkit.export(source, tmp_path / "unet.onnx")
    model, wanted = srkit.load(made.path), srkit.load(source, device="cpu")
    assert (model.radius, model.short_halo) == (wanted.radius, wanted.short_halo)
    assert model.card.multiple == wanted.card.multiple
    np.testing.assert_allclose(model.upscale(PHOTO / 255), wanted.upscale(PHOTO / 255), atol=1e-5)


class Leaky(torch.nn.Module):
    """What ESRGAN and its kin are made of, as layers and as functions."""

    def __init__(self):
        super().__init__()
        self.fold = torch.nn.PixelUnshuffle(2)
        self.first = torch.nn.Conv2d(12, 10, 3, padding=1)
        self.bend = torch.nn.LeakyReLU(0.2)
        self.larger = torch.nn.Upsample(scale_factor=2, mode="nearest")
        self.second = torch.nn.Conv2d(10, 12, 3, padding=1)
        self.again = torch.nn.PixelUnshuffle(2)
        self.last = torch.nn.Conv2d(48, 12, 3, padding=1)
        self.shuffle = torch.nn.PixelShuffle(2)

    def forward(self, image):
        made = self.larger(self.bend(self.first(self.fold(image))))
        made = torch.nn.functional.leaky_relu(self.second(made), negative_slope=0.1)
        made = torch.nn.functional.interpolate(made, scale_factor=2, mode="nearest")
        return self.shuffle(self.last(self.again(made)))


def test_leaky_layers_and_pixels_that_are_moved(tmp_path):
    torch.manual_seed(2)
    facts = ModelCard(
        name="leaky", summary="", adapter="", framework="torch", scales=(2,), default_scale=2,
        multiple=2,
    )  # fmt: skip
    wanted = TorchUpscaler(facts, 2, Leaky(), device="cpu", precision="float32")
    comparing.write_compared(wanted, tmp_path / "leaky.onnx")
    model = srkit.load(tmp_path / "leaky.onnx")
    assert model.radius == wanted.radius
    assert {"SpaceToDepth", "Resize", "LeakyRelu"} <= {
        node.op_type for node in onnx.load(tmp_path / "leaky.onnx").graph.node
    }
    given = PHOTO / 255
    np.testing.assert_allclose(model.upscale(given), wanted.upscale(given), atol=1e-5)
    # Without what srkit's header says, the halo is worked out from the operators.
    plain = onnx.load(tmp_path / "leaky.onnx")
    del plain.metadata_props[:]
    onnx.save(plain, tmp_path / "plain.onnx")
    found = srkit.load(tmp_path / "plain.onnx")
    assert wanted.radius <= found.radius <= wanted.radius + 4
    assert found.card.multiple == 2


@pytest.mark.parametrize("options", [{"mode": "bicubic"}, {"scale_factor": 1.5}, {"size": (9, 9)}])
def test_enlarging_in_other_ways_is_refused(tmp_path, options):
    model = srkit.load("espcn", device="cpu")
    layer = torch.nn.Upsample(**{"scale_factor": None if "size" in options else 2, **options})
    model.net.conv2 = torch.nn.Sequential(model.net.conv2, layer)
    with pytest.raises(WeightsError, match="cannot be written as ONNX"):
        comparing.write_compared(model, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_graphs_that_imitate_opencv_do_so_still(tmp_path):
    torch.manual_seed(1)
    weights = {k: v.numpy() for k, v in ESPCN(2).state_dict().items()}
    source = tmp_path / "graph.pb"
    source.write_bytes(network_graph(weights, 2))
    made = srkit.export(source, tmp_path / "graph.onnx")
    model, wanted = srkit.load(made.path), srkit.load(source, device="cpu")
    assert model.card.border == "zero"
    apart = np.abs(model.upscale(PHOTO).astype(int) - wanted.upscale(PHOTO))
    assert apart.max() <= 1
    assert np.count_nonzero(apart) <= 2


def test_files_are_not_replaced_unless_asked(tmp_path):
    target = tmp_path / "a.onnx"
    target.write_text("mine")
    with pytest.raises(OptionError, match="exists"):
        srkit.export("espcn", target)
    assert target.read_text() == "mine"
    assert srkit.export("espcn", target, overwrite=True).path == target
    assert srkit.load(target).scale == 2


@pytest.mark.parametrize("error", [1e-3, np.nan])
def test_a_file_that_differs_from_torch_does_not_appear(tmp_path, monkeypatch, error):
    network = comparing.network

    def spoilt(*args):
        made = network(*args)
        for tensor in made.graph.initializer:
            if tensor.dims == [64]:
                wrong = onnx.numpy_helper.to_array(tensor) + np.float32(error)
                tensor.CopyFrom(onnx.numpy_helper.from_array(wrong, tensor.name))
        return made

    monkeypatch.setattr(comparing, "network", spoilt)
    with pytest.raises(WeightsError, match=r"differs by .* from torch"):
        srkit.export("espcn", tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_a_layer_that_cannot_be_written_is_named(tmp_path):
    model = srkit.load("espcn", device="cpu")
    model.net.conv2 = torch.nn.Sequential(model.net.conv2, torch.nn.GELU())
    with pytest.raises(WeightsError, match="GELU"):
        comparing.write_compared(model, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_what_is_more_than_a_network_of_single_images_is_refused(tmp_path):
    torch.manual_seed(0)
    save_file(AVSR(2, 3, 1, Size(8, 8, 1, 1)).state_dict(), tmp_path / "vsr.safetensors")
    with pytest.raises(OptionError, match="each frame of 3"):
        srkit.export(tmp_path / "vsr.safetensors", tmp_path / "a.onnx")
    with pytest.raises(OptionError, match="bicubic runs on numpy"):
        srkit.export("bicubic", tmp_path / "a.onnx")
    with pytest.raises(OptionError, match="bicubic cannot become ONNX: it runs on numpy"):
        comparing.write_compared(srkit.load("bicubic"), tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()


def test_the_command(tmp_path, capsys):
    target = tmp_path / "a.onnx"
    assert main(["export", "fsrcnn", str(target), "--scale", "3"]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(target)
    assert "from torch" in told.err
    assert main(["export", "fsrcnn", str(target)]) == 2
    assert "exists; use" in capsys.readouterr().err
    assert main(["export", "fsrcnn", str(target), "--overwrite"]) == 0
    assert srkit.load(target).scale == 2
    assert main(["export", "fsrcnn", str(tmp_path / "no" / "a.onnx")]) == 1


def test_small_trained_networks_conform(tmp_path):
    torch.manual_seed(0)
    net = SRResNet(4, channels=8, blocks=2, large_kernel=5)
    save_file(net.state_dict(), tmp_path / "a.safetensors")
    path = srkit.export(tmp_path / "a.safetensors", tmp_path / "a.onnx").path
    testing.check_upscaler(lambda: srkit.load(path), trained=False)
