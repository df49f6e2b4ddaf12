"""Networks trained here, written as frozen graphs."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from safetensors import safe_open
from safetensors.torch import save_file
from skimage import data
from torch.nn import functional

import srkit
from srkit import OptionError, WeightsError
from srkit.adapters.conversion import convert
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.adapters.pytorch.nets.fsrcnn import FSRCNN
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.adapters.readers.graphdef.graph import read_graph
from srkit.adapters.readers.graphdef.writing import at_low_resolution, network_graph
from srkit.cli import main
from srkit.models.weights import weights_path

IMAGE = np.random.default_rng(0).random((1, 13, 17, 1), np.float32)


def saved(net, path, **header):
    # Biases and slopes that no start would give, so that none can be mixed up.
    torch.manual_seed(3)
    for value in net.state_dict().values():
        if value.ndim == 1:
            value.uniform_(-0.3, 0.3)
    save_file(net.state_dict(), path, {k: str(v) for k, v in header.items()})
    return path


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kind", [ESPCN, FSRCNN])
def test_the_graph_computes_what_the_network_does(tmp_path, kind, scale):
    net = kind(scale)
    source = saved(net, tmp_path / "net.safetensors", scale=scale)
    target = convert(source, tmp_path / "net.pb")
    model = srkit.load(target, device="cpu")
    assert model.scale == scale
    with torch.no_grad():
        wanted = net(torch.from_numpy(IMAGE.transpose(0, 3, 1, 2))).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(model.run(IMAGE), wanted, atol=2e-6)
    assert wanted.std() > 0.02


@pytest.mark.parametrize(("name", "scale"), [("espcn", 2), ("fsrcnn", 3)])
def test_a_shipped_model_is_the_same_as_a_graph_and_on_the_border_too(tmp_path, name, scale):
    file = weights_path(srkit.card(name).weights[scale])
    graph = srkit.load(convert(file, tmp_path / "net.pb"), color="float", device="cpu")
    photo = data.astronaut()[:37, 200:253] / np.float32(255)
    wanted = srkit.load(name, scale=scale, device="cpu").upscale(photo)
    np.testing.assert_allclose(graph.upscale(photo), wanted, atol=1e-5)
    # OpenCV's way has zeros beyond the border.
    opencv = srkit.load(tmp_path / "net.pb", device="cpu").upscale(photo)
    assert np.abs(opencv - wanted)[: 2 * scale].max() > 0.05


@pytest.mark.parametrize("kind", [ESPCN, FSRCNN])
def test_layers_are_taken_by_name_and_not_by_their_order_in_a_file(tmp_path, kind):
    source = saved(kind(3), tmp_path / "net.safetensors", scale=3)
    with safe_open(source, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    backwards = dict(reversed(tensors.items()))
    assert network_graph(tensors, 3) == network_graph(backwards, 3)
    assert network_graph(tensors, 3) == convert(source, tmp_path / "net.pb").read_bytes()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_transposed_convolution_is_one_before_a_shuffle(scale):
    kernel = torch.rand(6, 1, 9, 9)
    image = torch.rand(1, 6, 7, 8)
    wanted = functional.conv_transpose2d(
        image, kernel, stride=scale, padding=4, output_padding=scale - 1
    )
    small = torch.from_numpy(at_low_resolution(kernel.numpy(), scale)).permute(3, 2, 0, 1)
    made = functional.pixel_shuffle(functional.conv2d(image, small, padding=2), scale)
    torch.testing.assert_close(made, wanted)


def test_operators_and_names_are_those_of_the_published_graphs(tmp_path):
    source = saved(ESPCN(2), tmp_path / "net.safetensors")
    nodes = read_graph(convert(source, tmp_path / "net.pb")).nodes
    names = {"IteratorGetNext", "NHWC_output", "NCHW_output", "f1", "b3", "conv2", "Relu_1"}
    assert names <= nodes.keys()
    published = {"Add", "Const", "Conv2D", "DepthToSpace", "Placeholder", "Relu", "Transpose"}
    assert {node.op for node in nodes.values()} == published


def test_what_cannot_be_converted_is_refused_and_nothing_is_written(tmp_path):
    target = tmp_path / "net.pb"
    unknown = saved(FSRCNN(2), tmp_path / "fsrcnn.safetensors")
    with pytest.raises(OptionError, match="give scale="):
        convert(unknown, target)
    stated = saved(FSRCNN(2), tmp_path / "stated.safetensors", scale=2)
    with pytest.raises(OptionError, match="for x2, not x3"):
        convert(stated, target, scale=3)
    large = saved(SRResNet(2, channels=4, blocks=1), tmp_path / "srresnet.safetensors")
    with pytest.raises(WeightsError, match="no weights of ESPCN or FSRCNN"):
        convert(large, target)
    with pytest.raises(OptionError, match="cannot become"):
        convert(unknown, tmp_path / "net.onnx")
    assert not target.exists()


def test_the_command_keeps_what_is_there(tmp_path, capsys):
    source = str(saved(ESPCN(3), tmp_path / "net.safetensors"))
    target = tmp_path / "net.pb"
    assert main(["convert", source, str(target)]) == 0
    assert capsys.readouterr().out.strip() == str(target)
    target.write_bytes(b"mine")
    assert main(["convert", source, str(target)]) == 2
    assert target.read_bytes() == b"mine"
    assert main(["convert", source, str(target), "--overwrite"]) == 0
    assert srkit.load(target).scale == 3
