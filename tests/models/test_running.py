"""What runs a model, where and in what precision: asked for in one way, and told in one way."""

import copy
import inspect
import os
import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from dummies import MeanOfThree, Nearest, card

import srkit
from srkit import OptionError
from srkit.models import loading
from srkit.upscaling.findings import Findings

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
    dial = " denoise='auto'" if name == "photo" else ""
    check(model, f"<srkit.{kind} {name} x{model.card.default_scale}{dial}, torch on cpu>")
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
        (
            {"progess": True},
            r"no option 'progess'; did you mean 'progress'\? upscale has 'progress'",
        ),
        ({"foo": 1}, "bicubic has no option 'foo'; it has device, precision"),
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


def test_a_refused_device_of_torch_comes_with_those_that_are_here(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    here = "choose 'auto', 'cpu', 'cuda:0', 'cuda:1'$"
    with pytest.raises(OptionError, match=rf"no device is named so: 'cuda' is NVIDIA's .*{here}"):
        srkit.load("espcn", device="gpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(OptionError, match=r"named so\); choose 'auto', 'cpu'$"):
        srkit.load("espcn", device="nowhere")


def test_torchs_own_devices_and_dtypes_are_taken():
    torch = pytest.importorskip("torch")
    own = {"device": torch.device("cpu"), "precision": torch.float32}
    for name, options in (("espcn", {"runtime": "torch"}), ("bicubic", {})):
        model = srkit.load(name, scale=2, **own, **options)
        assert (model.device, model.precision) == ("cpu", "float32")
        assert model.origin.options["precision"] == "float32"  # which pickles without torch
    assert srkit.load("espcn", precision=torch.bfloat16, device="cpu").precision == "bfloat16"
    mine = srkit.wrap(torch.nn.Conv2d(3, 3, 3, padding=1), 1, **own)
    assert (mine.device, mine.precision) == ("cpu", "float32")
    with pytest.raises(OptionError, match=r"not 'fp16'; did you mean 'float16'\?"):
        srkit.load("espcn", precision="fp16", runtime="torch")


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


def test_models_are_shown_with_the_options_that_change_pixels():
    pytest.importorskip("torch")
    here = {"device": "cpu", "precision": "float32"}
    shown = repr(srkit.load("photo", denoise=0.5, border="zero", **here))
    assert shown == "<srkit.Upscaler photo x4 denoise=0.5 border='zero', torch on cpu>"
    assert "perception=0.5" in repr(srkit.load("srgan", perception=0.5))
    decided = srkit.load("photo", **here).for_picture(Findings(noise=3.0))
    assert repr(decided) == "<srkit.Upscaler photo x4 denoise=0.5, torch on cpu>"


def test_completion_offers_what_is_for_users():
    shown = {
        *("card", "device", "multiply_adds", "name", "parameters", "precision", "radius"),
        *("runtime", "scale", "upscale", "upscale_file", "upscale_frames"),
    }
    names = ["bicubic"] + (["photo", "vsr-small"] if find_spec("torch") else [])
    for model in map(srkit.load, names):
        assert {name for name in dir(model) if not name.startswith("_")} == shown
        assert model.name == model.card.name
        for name in shown:
            assert hasattr(model, name)


def test_completion_offers_what_somebody_adds():
    class Mine(Nearest):
        strength = 3

        def told(self):
            return "mine"

    model = Mine()
    model.taken = "here"
    assert {"strength", "told", "taken", "upscale"} < set(dir(model))
    assert not {"run", "rim", "origin", "for_picture"} & set(dir(model))


@pytest.mark.parametrize(
    ("model", "setting", "value"),
    [
        *(("bicubic", setting, "x") for setting in ("name", "scale", "device", "precision")),
        *(("espcn", setting, 3) for setting in ("scale", "runtime", "border")),
        ("photo", "denoise", 0),
        ("srgan", "perception", 0.5),
    ],
)
def test_what_a_model_was_loaded_with_cannot_be_set(model, setting, value):
    if model != "bicubic":
        pytest.importorskip("torch")
    loaded = srkit.load(model)
    before = repr(loaded), loaded(PICTURE).tobytes()
    for one in (loaded, copy.copy(loaded), pickle.loads(pickle.dumps(loaded))):
        with pytest.raises(AttributeError, match=f"its {setting} stays: ") as refused:
            setattr(one, setting, value)
        if setting != "name":
            assert f"srkit.load(..., {setting}={value!r})" in str(refused.value)
    assert (repr(loaded), loaded(PICTURE).tobytes()) == before


@pytest.mark.usefixtures("plugins")
def test_a_class_of_another_package_sets_its_own_settings():
    model = srkit.load("on-gpu")
    model.device, model.tile = "cuda:1", 8
    assert (model.device, model.tile) == ("cuda:1", 8)
    with pytest.raises(AttributeError, match=r"its scale stays: srkit.load\(..., scale=3\)"):
        model.scale = 3


def test_what_was_made_by_hand_is_set_by_hand():
    model = Nearest()
    model.scale, model.name = 3, "mine"
    assert repr(model).startswith("<srkit.Upscaler mine x3,")


@pytest.mark.parametrize(
    ("call", "visible"),
    [
        (srkit.load, {"scale", "runtime", "device", "precision", "weights"}),
        (srkit.upscale, {"scale", "size", "memory", "consistent", "self_ensemble", "progress"}),
        (srkit.Upscaler.upscale, {"size", "memory", "consistent", "self_ensemble", "progress"}),
    ],
)
def test_signatures_show_what_is_taken(call, visible):
    assert visible <= inspect.signature(call).parameters.keys()


def test_models_made_by_hand_are_shown_too():
    assert repr(Nearest()) == "<srkit.Upscaler dummy x2, numpy on cpu>"
    assert repr(MeanOfThree()).startswith("<srkit.VideoUpscaler ")
