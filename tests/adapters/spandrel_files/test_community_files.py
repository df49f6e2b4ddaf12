"""Weights of others' networks load through spandrel, and make what spandrel makes of them."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest

# By srkit, which imports it without torchvision too.
pytest.importorskip(
    "srkit.adapters.spandrel.reading",
    reason="needs pip install 'srkit[spandrel]'",
    exc_type=ImportError,
)

import community_networks as networks
import spandrel
import torch
from PIL import Image as PILImage
from safetensors.torch import save_file

import srkit
from srkit import OptionError, UnsafeFileError, WeightsError, testing
from srkit.adapters.pytorch.architectures.base import NetworkUpscaler
from srkit.adapters.pytorch.architectures.span import build_span
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.adapters.spandrel import reading
from srkit.adapters.spandrel.upscaler import SpandrelUpscaler
from srkit.cli import main

# Each network, what it becomes, its scale and how far it sees, by hand: of Compact four 3x3
# convolutions, of SPAN 21; of ESRGAN 1 + 15 + 1 before its pixels are doubled twice (1/2 + 1/4),
# and two more (1/4 each): 18.25, up to whole pixels; those that look through windows, and FDnCNN,
# are run as they are.
NETWORKS = {
    # srkit has these itself.
    "compact": (networks.compact, NetworkUpscaler, 4, 4),
    "span": (networks.span, NetworkUpscaler, 2, 21),
    "span without norm": (networks.span_without_norm, NetworkUpscaler, 4, 21),
    "esrgan": (networks.esrgan, TorchUpscaler, 4, 19),
    "shuffled": (networks.esrgan_of_shuffled_pixels, TorchUpscaler, 2, None),
    "swinir": (networks.swinir, SpandrelUpscaler, 2, None),
    "dat": (networks.dat, SpandrelUpscaler, 2, None),
    "hat": (networks.hat, SpandrelUpscaler, 2, None),
    "fdncnn": (networks.fdncnn, SpandrelUpscaler, 1, None),
}
# torch says so of what SwinIR and DAT call.
pytestmark = pytest.mark.filterwarnings("ignore:torch.meshgrid")
IMAGE = np.random.default_rng(0).random((24, 28, 3)).astype(np.float32)


@functools.cache
def state(name):
    return networks.state_of(NETWORKS[name][0])


@pytest.fixture
def file(tmp_path):
    def save(tensors, name="mine.pth"):
        torch.save(tensors, tmp_path / name)
        return tmp_path / name

    return save


def spandrels_own(tensors, image):
    made = networks.descriptor(tensors)(torch.from_numpy(image).permute(2, 0, 1)[None])
    return made[0].permute(1, 2, 0).numpy()


# --- the same pixels ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_makes_what_spandrels_own_call_makes(name, file):
    _, kind, scale, radius = NETWORKS[name]
    model = srkit.load(str(file(state(name))))
    assert type(model) is kind
    assert model.scale == model.card.default_scale == scale
    if radius is not None:
        assert model.radius == radius
    wanted = spandrels_own(state(name), IMAGE)
    assert wanted.std() > 0.02
    np.testing.assert_allclose(model.upscale(IMAGE), wanted, atol=1e-5)


@pytest.mark.parametrize("build", [networks.span, networks.span_without_norm])
def test_span_is_within_a_ten_thousandth_of_a_level_of_spandrels_own_class(build):
    torch.manual_seed(0)
    tensors = build().state_dict()
    given = torch.from_numpy(IMAGE).permute(2, 0, 1)[None]
    theirs = networks.descriptor(tensors).model
    with torch.inference_mode():
        wanted, made = theirs(given.clone()), build_span(tensors)(given)
    assert wanted.std() > 0.05
    torch.testing.assert_close(made, wanted, atol=1e-4 / 255, rtol=0)


@pytest.mark.parametrize("name", ["compact", "span", "shuffled"])
def test_a_network_of_convolutions_conforms(name, file):
    path = file(state(name))
    testing.check_upscaler(lambda: srkit.load(path, device="cpu"), trained=False)


@pytest.mark.parametrize("name", ["compact", "span", "esrgan", "shuffled"])
def test_a_network_of_convolutions_becomes_onnx(name, file, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs pip install 'srkit[onnx]'")
    pytest.importorskip("onnx", reason="needs pip install 'srkit[onnx]'")
    made = srkit.export(file(state(name)), tmp_path / "made.onnx")
    wanted = spandrels_own(state(name), IMAGE)
    np.testing.assert_allclose(srkit.load(made.path).upscale(IMAGE), wanted, atol=2e-5)


# What does not enlarge a tile until it sees all that the network does.
AS_A_WHOLE = (
    testing.check_card,
    testing.check_run,
    testing.check_sizes,
    testing.check_arrays,
    testing.check_batch,
    testing.check_images_and_files,
    testing.check_input_untouched,
    testing.check_memory_layouts,
    testing.check_deterministic,
    testing.check_threads,
    testing.check_offline,
    testing.check_memory_never_enough,
)


@pytest.mark.parametrize("check", AS_A_WHOLE, ids=lambda check: check.__name__)
def test_a_network_with_attention_conforms(check, file):
    path = file(state("swinir"))
    check(lambda: srkit.load(path, device="cpu"))


@pytest.mark.parametrize("name", ["swinir", "compact"])
def test_it_is_told_what_runs_where(name, file):
    path = file(state(name), f"{name}.pth")
    model = srkit.load(path, device="cpu", precision="float32")
    assert repr(model) == f"<srkit.Upscaler {name} x{model.scale}, torch on cpu>"


def test_where_memory_is_too_little_a_network_with_attention_runs_in_blended_tiles(file, caplog):
    model = srkit.load(file(state("swinir")))
    image = np.random.default_rng(1).random((150, 170, 3)).astype(np.float32)
    whole = model.upscale(image)
    sides = []
    run = model.run
    model.run = lambda tiles: sides.append(tiles.shape[1:3]) or run(tiles)
    tiled = model.upscale(image, memory=int(model.bytes_per_pixel * 130**2))
    assert len(sides) > 1
    assert max(height * width for height, width in sides) <= 130**2
    # How far it sees nobody knows: no number of pixels is told for that, but for the halo.
    (told,) = caplog.messages
    assert "the whole picture, all of which it may look at" in told
    assert re.findall(r"\d+", told) == ["48"]
    apart = np.abs(tiled - whole)
    # Windows lie elsewhere in each tile; what it makes is otherwise the same.
    assert 0 < apart.mean() < 0.05 * whole.std()


def test_memory_is_measured_near_what_the_largest_layer_keeps(file):
    model = srkit.load(file(networks.state_of(networks.fdncnn)))
    # Of each pixel eight channels before and after a layer, in floats, and three that came in.
    assert 4 * (8 + 8) <= model.bytes_per_pixel <= 4 * (8 + 8 + 4 + 3) * 2


# --- kinds of files and pictures ------------------------------------------------------------


def test_checkpoints_half_floats_and_safetensors_load_alike(file, tmp_path):
    tensors = {k: v.half().float() for k, v in state("compact").items()}
    wanted = srkit.load(file(tensors)).upscale(IMAGE)
    halves = {f"module.{k}": v.half() for k, v in tensors.items()}
    found = [srkit.load(file({"params_ema": halves, "iter": 5}, "later.pth"))]
    save_file(tensors, tmp_path / "mine.safetensors")
    found.append(srkit.load(tmp_path / "mine.safetensors"))
    for model in found:
        np.testing.assert_array_equal(model.upscale(IMAGE), wanted)


# Where spandrel's own reader of files looks for a network.
WRAPPERS = (
    *("model_state_dict", "state_dict", "params_ema", "params-ema", "params", "model", "net"),
    "single",
)


@pytest.mark.parametrize("wrapper", [*WRAPPERS, "module.", "netG."])
def test_what_spandrels_own_reader_unwraps_is_unwrapped(wrapper, file):
    tensors, others = state("compact"), {} if wrapper == "single" else {"iter": 5}
    value = {wrapper: tensors} | others
    if wrapper.endswith("."):
        value = {wrapper + name: tensor for name, tensor in tensors.items()}
    path = file(value)
    theirs = spandrel.ModelLoader("cpu").load_from_file(path)
    wanted = theirs(torch.from_numpy(IMAGE).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(srkit.load(path).upscale(IMAGE), wanted.numpy(), atol=1e-5)


def test_a_grey_network_sees_luma_alone(file):
    tensors = networks.state_of(networks.compact, scale=2, channels=1)
    model = srkit.load(file(tensors))
    assert model.card.colour == "luma"
    grey = IMAGE[..., :1]
    np.testing.assert_allclose(model.upscale(grey), spandrels_own(tensors, grey), atol=1e-5)
    assert model.upscale(IMAGE).shape == (48, 56, 3)


def test_alpha_comes_back_enlarged_beside_the_colours(file):
    model = srkit.load(file(state("compact")))
    alpha = np.full((24, 28, 1), 0.5, np.float32)
    made = model.upscale(np.concatenate([IMAGE, alpha], axis=2))
    np.testing.assert_allclose(made[..., 3], 0.5, atol=1e-6)
    assert made[..., :3].std() > 0.02


def test_the_command_line_takes_such_a_file(file, tmp_path):
    path = file(state("compact"), "community.pth")
    levels = np.rint(IMAGE * 255).astype(np.uint8)
    PILImage.fromarray(levels).save(tmp_path / "small.png")
    out = tmp_path / "large.png"
    assert main(["upscale", str(tmp_path / "small.png"), "-m", str(path), "-o", str(out)]) == 0
    wanted = spandrels_own(state("compact"), levels / np.float32(255)) * 255
    with PILImage.open(out) as made:
        np.testing.assert_allclose(np.asarray(made), wanted, atol=0.51)


def test_srkits_own_networks_are_recognised_first(file, monkeypatch):
    from srkit.adapters.pytorch.nets.srresnet import SRResNet

    monkeypatch.setattr(reading, "ModelLoader", None)
    path = file(SRResNet(2, channels=8, blocks=1).state_dict())
    assert srkit.load(path).card.summary == "SRResNet weights from mine.pth."


@pytest.mark.parametrize(
    ("name", "why"), [("swinir", "TraceError.*control flow"), ("fdncnn", "4 channels.* got 3")]
)
def test_what_cannot_become_onnx_says_what_stands_against_it(name, why, file, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs pip install 'srkit[onnx]'")
    pytest.importorskip("onnx", reason="needs pip install 'srkit[onnx]'")
    with pytest.raises(OptionError, match=rf"mine cannot become ONNX.*layer by layer \(.*{why}"):
        srkit.export(file(state(name)), tmp_path / "mine.onnx")
    assert not (tmp_path / "mine.onnx").exists()


# --- what is refused ------------------------------------------------------------------------


def test_weights_that_spandrel_does_not_know_either_are_named_by_their_tensors(file):
    with pytest.raises(WeightsError, match=r"neither srkit nor spandrel.*are head\.weight"):
        srkit.load(file({"head.weight": torch.zeros(2)}))


@pytest.mark.parametrize("name", ["compact", "esrgan"])
def test_weights_that_do_not_fit_their_network_are_refused(name, file):
    tensors = dict(state(name))
    key = list(tensors)[2]
    tensors[key] = torch.zeros(5, 5)
    with pytest.raises(WeightsError, match=r"spandrel cannot make a network of .*mine"):
        srkit.load(file(tensors))


def test_a_small_file_does_not_fill_the_memory_by_the_sizes_that_it_states(file):
    # The first of these tells of layers of 20,000 channels, each of 14 GB.
    tensors = {
        "body.0.weight": torch.zeros(20_000, 3, 3, 3),
        "body.0.bias": torch.zeros(20_000),
        "body.1.weight": torch.zeros(20_000),
        "body.2.weight": torch.zeros(1),
        "body.3.weight": torch.zeros(1),
        "body.4.weight": torch.zeros(1),
        "body.4.bias": torch.zeros(48),
    }
    with pytest.raises(WeightsError, match="it takes more than"):
        srkit.load(file(tensors))


def test_a_tensor_that_is_larger_than_its_data_is_refused(file):
    tensors = dict(state("compact"))
    tensors["body.0.weight"] = torch.zeros(1).expand(8, 3, 3, 3)
    with pytest.raises(WeightsError, match="repeats its data"):
        srkit.load(file(tensors))


class Runs:
    def __reduce__(self):
        return print, ("this must not be printed",)


def test_a_file_with_code_is_refused_before_spandrel_sees_it(file, capsys, monkeypatch):
    monkeypatch.setattr(reading, "ModelLoader", None)
    with pytest.raises(UnsafeFileError, match="print"):
        srkit.load(file({**state("compact"), "code": Runs()}))
    assert capsys.readouterr().out == ""


class Tiny(spandrel.Architecture):
    """A network of one number, which claims to be for a purpose."""

    def __init__(self, kind, **facts):
        super().__init__(id="Tiny", detect=lambda state: "tiny.weight" in state)
        self.kind, self.facts = kind, facts

    def load(self, state_dict):
        model = torch.nn.Sequential()
        model.add_module("tiny", torch.nn.PReLU())
        return self.kind(
            model, state_dict, architecture=self, tags=[], supports_half=True,
            supports_bfloat16=True, input_channels=3, output_channels=3, **self.facts,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "facts", "said"),
    [
        ("ImageModelDescriptor", {"purpose": "FaceSR", "scale": 1}, "Tiny, which is for FaceSR"),
        ("MaskedImageModelDescriptor", {"purpose": "Inpainting"}, "fills holes: it needs a mask"),
    ],
)
def test_networks_for_faces_and_for_holes_are_refused(kind, facts, said, file, monkeypatch):
    registry = spandrel.ArchRegistry()
    tiny = Tiny(getattr(spandrel, kind), **facts)
    registry.add(spandrel.ArchSupport.from_architecture(tiny))
    loader = functools.partial(spandrel.ModelLoader, registry=registry)
    monkeypatch.setattr(reading, "ModelLoader", loader)
    with pytest.raises(WeightsError, match=said):
        srkit.load(file({"tiny.weight": torch.ones(1)}))


def test_a_network_of_four_channels_is_refused(file):
    with pytest.raises(WeightsError, match="makes 4 channels of 4; srkit runs networks of RGB"):
        srkit.load(file(networks.state_of(networks.compact, channels=4)))


def test_another_scale_and_precisions_that_are_not_there_are_refused(file):
    path = file(state("swinir"))
    with pytest.raises(OptionError, match=r"mine\.pth holds weights for x2, not x4"):
        srkit.load(path, scale=4)
    for precision in ("float16", "bfloat16"):
        with pytest.raises(OptionError, match="mine runs in float32 alone"):
            srkit.load(path, precision=precision)
    with pytest.raises(OptionError, match="has no option color"):
        srkit.load(path, color="float")
