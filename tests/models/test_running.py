"""What runs a model, where and in what precision: asked for in one way, and told in one way."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from dummies import MeanOfThree, Nearest, card

import srkit
from srkit import OptionError
from srkit.models import loading

PICTURE = np.random.default_rng(28).integers(0, 256, (20, 24, 3), np.uint8)
NUMPY = ("nearest", "bilinear", "bicubic", "lanczos")
TORCH = ("espcn", "fsrcnn", "srresnet", "srgan", "photo", "unet", "neural-enhance", "vsr-small")


def graph(name):
    if not (folder := os.environ.get("SRKIT_DATA")):
        pytest.skip("SRKIT_DATA names no folder with frozen graphs")
    return Path(folder) / "tf_graphs" / name


def check(model, shown):
    """A model on the CPU and in float32, which makes a picture larger."""
    assert repr(model) == shown
    assert (model.device, model.precision) == ("cpu", "float32")
    height, width = PICTURE.shape[:2]
    assert model(PICTURE).shape == (height * model.scale, width * model.scale, 3)


# --- each framework -----------------------------------------------------------------------


@pytest.mark.parametrize("name", NUMPY)
def test_interpolation_takes_device_and_precision(name):
    model = srkit.load(name, scale=3, device="cpu", precision="float32")
    check(model, f"<srkit.Upscaler {name} x3, numpy on cpu>")
    np.testing.assert_array_equal(model(PICTURE), srkit.upscale(PICTURE, name, scale=3))
    assert srkit.upscale(PICTURE, name, scale=2, device="auto", precision="auto").shape[0] == 40


@pytest.mark.parametrize("name", TORCH)
def test_networks_take_device_and_precision(name):
    pytest.importorskip("torch")
    model = srkit.load(name, device="cpu", precision="float32", runtime="torch")
    kind = "VideoUpscaler" if name == "vsr-small" else "Upscaler"
    check(model, f"<srkit.{kind} {name} x{model.card.default_scale}, torch on cpu>")
    reduced = srkit.load(name, device="cpu", precision="bfloat16", runtime="torch")
    assert repr(reduced).endswith("torch on cpu in bfloat16>")


def test_frozen_graphs_on_torch():
    pytest.importorskip("torch")
    model = srkit.load(graph("ESPCN_x2.pb"), device="cpu", runtime="torch")
    check(model, "<srkit.Upscaler ESPCN_x2 x2, torch on cpu>")


def test_frozen_graphs_and_networks_on_tensorflow():
    pytest.importorskip("tensorflow")
    here = {"runtime": "tensorflow", "device": "cpu", "precision": "float32"}
    check(
        srkit.load(graph("ESPCN_x2.pb"), **here), "<srkit.Upscaler ESPCN_x2 x2, tensorflow on cpu>"
    )
    check(srkit.load("espcn", scale=3, **here), "<srkit.Upscaler espcn x3, tensorflow on cpu>")
    with pytest.raises(OptionError, match="espcn runs in float32 alone"):
        srkit.load("espcn", runtime="tensorflow", precision="float16")
    with pytest.raises(OptionError, match="TensorFlow has no device 'cuda:7'; it has CPU:0"):
        srkit.load("espcn", runtime="tensorflow", device="cuda:7")


def test_networks_on_theano():
    if not find_spec("lasagne"):  # to import it takes what srkit does before
        pytest.skip("needs pip install 'srkit[lasagne]'")
    here = {"runtime": "theano", "device": "cpu", "precision": "float32"}
    model = srkit.load("neural-enhance", **here)
    check(model, "<srkit.Upscaler neural-enhance x2, theano on cpu>")
    with pytest.raises(OptionError, match="neural-enhance runs on cpu alone"):
        srkit.load("neural-enhance", runtime="theano", device="cuda")


def test_networks_on_openvino():
    pytest.importorskip("openvino")
    pytest.importorskip("torch")
    model = srkit.load("espcn", runtime="openvino", device="cpu", precision="float32")
    check(model, "<srkit.Upscaler espcn x2, openvino on cpu>")


def test_onnx_files_take_device_and_precision(tmp_path):
    for package in ("torch", "onnx", "onnxruntime"):
        pytest.importorskip(package)
    path = tmp_path / "mine.onnx"
    srkit.export("espcn", path)
    model = srkit.load(path, device="cpu", precision="float32")
    check(model, "<srkit.Upscaler espcn x2, onnx on cpu>")
    with pytest.raises(OptionError, match=r"espcn runs in float32 alone.*not 'bfloat16'"):
        srkit.load(path, precision="bfloat16")


# --- what cannot be -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"device": "cuda"}, "bicubic runs on cpu alone: device is 'auto' or 'cpu', not 'cuda'"),
        ({"device": "gpu 9"}, "not 'gpu 9'"),
        ({"device": None}, "not None"),
        ({"precision": "float16"}, "bicubic runs in float32 alone: precision is .*not 'float16'"),
        ({"precision": 16}, "not 16"),
        ({"devise": "cpu"}, "bicubic has no option 'devise'; did you mean 'device'?"),
    ],
)
def test_what_interpolation_cannot_do_is_refused(options, told):
    with pytest.raises(OptionError, match=told):
        srkit.load("bicubic", **options)
    with pytest.raises(OptionError, match=told):
        srkit.upscale(PICTURE, "bicubic", **options)


@pytest.mark.parametrize("device", ["cuda:99", "mps:5", "nowhere", None, 3.5])
def test_a_device_that_torch_does_not_have_is_refused(device):
    pytest.importorskip("torch")
    with pytest.raises(OptionError, match=f"device {device!r} cannot be used"):
        srkit.load("espcn", device=device, runtime="torch")


# --- adapters of others -------------------------------------------------------------------


class OnGpu(Nearest):
    """As a plugin may be that chooses its device by itself, and says so."""

    def __init__(self, card, scale, weights=None):
        self.card, self.scale = card, scale
        self.device = "cuda:0"  # no property in the way
        self.precision = "float16"


class Silent(Nearest):
    """As plugins are that were written before there were devices to tell of."""

    def __init__(self, card, scale, weights=None):
        self.card, self.scale = card, scale


@pytest.fixture
def plugins(monkeypatch):
    monkeypatch.setattr(loading.REGISTRY, "_added", dict(loading.REGISTRY._added))
    here = __name__
    srkit.register(card("on-gpu", adapter=f"{here}:OnGpu"))
    others = {"onnx": f"{here}:Silent"}
    srkit.register(card("silent", adapter=f"{here}:Silent", others=others))
    yield
    loading._loaded.cache_clear()


@pytest.mark.usefixtures("plugins")
def test_a_plugin_without_the_option_is_taken_at_its_word():
    for device in ("auto", "cuda", "cuda:0"):
        model = srkit.load("on-gpu", device=device, precision="float16")
    assert repr(model) == "<srkit.Upscaler on-gpu x2, numpy on cuda:0 in float16>"
    with pytest.raises(OptionError, match=r"on-gpu runs on cuda:0 alone: .* not 'cpu'"):
        srkit.load("on-gpu", device="cpu")
    with pytest.raises(OptionError, match=r"on-gpu runs in float16 alone: .* not 'float32'"):
        srkit.load("on-gpu", precision="float32")


@pytest.mark.usefixtures("plugins")
def test_a_plugin_that_says_nothing_runs_on_the_cpu():
    assert repr(srkit.load("silent", device="cpu")) == "<srkit.Upscaler silent x2, numpy on cpu>"


@pytest.mark.usefixtures("plugins")
def test_a_plugin_that_says_nothing_runs_by_the_framework_it_was_loaded_for():
    pytest.importorskip("onnxruntime")
    assert srkit.load("silent", runtime="onnx").runtime == "onnx"


def test_models_made_by_hand_are_shown_too():
    assert repr(Nearest()) == "<srkit.Upscaler dummy x2, numpy on cpu>"
    assert repr(MeanOfThree()).startswith("<srkit.VideoUpscaler ")
