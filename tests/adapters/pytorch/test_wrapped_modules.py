"""`srkit.wrap` of torch modules: exact tiles where srkit can look into them, else as they are."""

import copy
import logging
import multiprocessing
import pickle
import re
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import srkit
from srkit import testing
from srkit.adapters.pytorch.runtime.closed import ClosedUpscaler
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.errors import BrokenPluginError, OptionError, WeightsError

PHOTO = np.random.default_rng(0).random((37, 53, 3), np.float32)


class Net(nn.Module):
    """Two convolutions, shuffled, on top of an enlarged picture; by functions, as people write."""

    def __init__(self, channels=3, norm=None):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(channels, 8, 3, padding=1, padding_mode="reflect")
        self.last = nn.Conv2d(8, 4 * channels, 3, padding=1)
        self.norm = norm or nn.Identity()

    def forward(self, x):
        deep = functional.leaky_relu(self.norm(self.first(x)), 0.1)
        made = functional.pixel_shuffle(self.last(deep), 2) * 0.1
        return made + functional.interpolate(x, scale_factor=2, mode="bilinear")


class Branching(Net):
    """What torch.fx cannot trace: it looks at its input."""

    def forward(self, x):
        return super().forward(x if x.max() > 0 else x + 1)


class Padding(Net):
    """What pads to even sides by itself."""

    def forward(self, x):
        height, width = x.shape[2:]
        made = super().forward(functional.pad(x, (0, width % 2, 0, height % 2)))
        return made[:, :, : 2 * height, : 2 * width]


class Sized(Net):
    def forward(self, x):
        return super().forward(functional.pad(x, (0, 1)))[..., : 2 * x.size(3)]


def planes(net, image):
    """What the module itself makes of a picture, in its range."""
    given = torch.from_numpy(image.transpose(2, 0, 1)[None].copy())
    with torch.inference_mode():
        made = net(given)
    return made[0].permute(1, 2, 0).numpy().clip(0, 1)


def wrapped(net, scale=2, **stated):
    return srkit.wrap(net, scale, device="cpu", **stated)


# --- looked into ------------------------------------------------------------------------------


def test_a_module_is_followed_layer_by_layer():
    net = Net().eval()
    model = wrapped(net)
    assert type(model) is TorchUpscaler
    # Two convolutions of three pixels; interpolation by its side sees one.
    assert (model.radius, model.streams, model.card.name) == (2, True, "Net")
    np.testing.assert_allclose(model.upscale(PHOTO), planes(net, PHOTO), atol=1e-6)
    tiled = model.upscale(PHOTO, memory=200_000)
    np.testing.assert_allclose(tiled, planes(net, PHOTO), atol=1e-6)


def test_the_kit_tells_once_what_each_check_would_tell(caplog):
    testing.check_upscaler(lambda: wrapped(Branching(), radius=2), trained=False)
    told = [record.getMessage() for record in caplog.records if "as it is" in record.getMessage()]
    assert len(told) == 1
    with caplog.at_level(logging.WARNING):
        wrapped(Branching())
    assert "on whole pictures" in caplog.text  # as ever, after it


def test_a_factory_of_random_weights_is_told_to_seed_them():
    def factory():
        net = Net()
        torch.seed()  # as it is where nobody seeds
        nn.init.normal_(net.last.weight)
        return wrapped(net)

    with pytest.raises(AssertionError, match="of random weights the factory has to seed them"):
        testing.check_deterministic(factory)


def test_a_wrapped_module_conforms():
    left_out = testing.check_upscaler(lambda: wrapped(Net()), trained=False)
    assert set(left_out) == {check.__name__ for check in testing.TRAINED_ONLY}


def test_the_module_is_left_as_it_is_and_can_be_trained_on():
    net = nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12), nn.Dropout(), nn.PixelShuffle(2)
    )
    before = {name: value.clone() for name, value in net.state_dict().items()}
    model = wrapped(net)
    made = model.upscale(PHOTO)
    assert net.training
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert isinstance(net[1], nn.BatchNorm2d)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    with torch.no_grad():
        net[0].weight.zero_()
    np.testing.assert_array_equal(model.upscale(PHOTO), made)


# Of torch's own, which means to drop TorchScript.
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("made", [torch.jit.script, torch.compile], ids=["script", "compile"])
def test_what_torch_made_of_a_module_is_wrapped_too(made):
    net = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))
    image = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    wanted = srkit.wrap(net, scale=2).upscale(image)
    model = srkit.wrap(made(net), scale=2)
    assert model.card.name == "Sequential"
    np.testing.assert_array_equal(model.upscale(image), wanted)


def test_weights_in_the_place_of_a_module_are_told_in_short():
    weights = nn.Conv2d(3, 12, 3).state_dict()
    with pytest.raises(OptionError, match=r"not OrderedDict with 2 entries; .*load_state_dict"):
        srkit.wrap(weights, scale=2)
    with pytest.raises(OptionError, match=r"a function or a torch module, not Parameter$"):
        srkit.wrap(nn.Conv2d(3, 12, 3).weight, scale=2)


def test_a_module_of_one_channel_sees_brightness(caplog):
    with caplog.at_level(logging.INFO):
        model = wrapped(Net(channels=1))
    assert "Net takes one channel: it is given brightness alone" in caplog.text
    assert model.card.colour == "luma"
    assert model.upscale(PHOTO).shape == (74, 106, 3)
    grey = PHOTO[..., :1]
    np.testing.assert_allclose(model.upscale(grey), planes(Net(channels=1), grey), atol=1e-6)


def test_a_module_that_halves_its_input_is_told_so():
    net = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 48, 3, padding=1), nn.PixelShuffle(4))
    with pytest.raises(OptionError, match=r"Sequential takes no .*16, 21\).* multiple="):
        wrapped(net)
    model = wrapped(net, multiple=2, name="halves")
    even = PHOTO[:36, :52]
    np.testing.assert_allclose(model.upscale(even), planes(net, even), atol=1e-6)
    assert model.upscale(PHOTO).shape == (74, 106, 3)


def test_pictures_smaller_than_a_module_takes_are_filled_up():
    net = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(3, 12, 7), nn.PixelShuffle(2))
    model = wrapped(net)
    assert (model.radius, model.least_sides) == (3, (4, 4))
    assert model.upscale(PHOTO[:1, :1]).shape == (2, 2, 3)
    testing.check_upscaler(lambda: wrapped(net), trained=False)


def test_half_precision_is_computed_in_float32():
    net = Net().half()
    model = wrapped(net)
    np.testing.assert_allclose(model.upscale(PHOTO), planes(Net(), PHOTO), atol=2e-3)
    assert model.precision == "float32"
    assert next(net.parameters()).dtype == torch.float16


def test_wrapped_modules_become_onnx(tmp_path):
    pytest.importorskip("onnxruntime", reason="needs pip install 'srkit[onnx]'")
    pytest.importorskip("onnx", reason="needs pip install 'srkit[onnx]'")
    from srkit.adapters.onnx.comparing import write_compared

    net = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.Sigmoid(), nn.PixelShuffle(2))
    assert write_compared(wrapped(net), tmp_path / "net.onnx") < 1e-5
    with pytest.raises(OptionError, match="srkit cannot follow it layer by layer"):
        write_compared(wrapped(Branching()), tmp_path / "closed.onnx")


# --- as they are --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "why"),
    [
        (
            Net(norm=nn.InstanceNorm2d(8)),
            r"field of InstanceNorm2d\(8.* is not known",
        ),
        (Branching(), "symbolically traced variables cannot be used as inputs to control flow"),
        (Padding(), r"it asks how large its input is \(.shape\), .* leave it to srkit: multiple="),
        (Sized(), r"it asks how large its input is \(.size\), .* leave it to srkit: multiple="),
    ],
)
def test_what_cannot_be_looked_into_runs_whole_and_says_so(net, why, caplog):
    with caplog.at_level(logging.WARNING):
        model = wrapped(net)
    assert type(model) is ClosedUpscaler
    assert model.sees_all
    assert not model.streams
    (record,) = caplog.records
    told = record.getMessage()
    assert f"{type(net).__name__} runs as it is, on whole pictures: " in told
    assert told.endswith("; state radius=, in LR pixels, for exact tiles")
    assert re.search(why, told)
    np.testing.assert_allclose(model.upscale(PHOTO), planes(net.eval(), PHOTO), atol=1e-6)
    assert "check_receptive_field" in model.card.excused


def test_a_radius_that_is_stated_gives_exact_tiles(caplog):
    net = Branching().eval()
    with caplog.at_level(logging.WARNING):
        model = wrapped(net, radius=2)
    assert "runs as it is, with the radius that is stated" in caplog.text
    assert (model.radius, model.short_halo, dict(model.card.excused)) == (2, None, {})
    seen, run = [], model.run
    model.run = lambda tiles: run(seen.append(tiles.shape) or tiles)
    made = model.upscale(PHOTO, memory=int(600 * model.bytes_per_pixel))
    assert len(seen) > 2
    np.testing.assert_allclose(made, planes(net, PHOTO), atol=1e-6)


@pytest.mark.parametrize("stated", [{}, {"radius": 2}])
def test_what_runs_as_it_is_conforms(stated):
    left_out = testing.check_upscaler(lambda: wrapped(Branching(), **stated), trained=False)
    assert ("check_tiles" in left_out) == (not stated)


def test_a_radius_stated_too_small_is_caught_by_the_kit():
    with pytest.raises(AssertionError, match="an effect 2 LR pixels away; the radius is 1"):
        testing.check_receptive_field(lambda: wrapped(Branching(), radius=1))


def test_what_runs_as_it_is_runs_in_float32_alone():
    with pytest.raises(OptionError, match="Branching runs in float32 alone"):
        wrapped(Branching(), precision="bfloat16")


# --- copies, and other processes ---------------------------------------------------------------


class Shy(Net):
    """What can be neither copied nor pickled, once it has run."""

    def forward(self, x):
        if x.max() > 0:
            self.kept = (made for made in ())
        return super().forward(x)


@pytest.mark.parametrize("net", [Net(), Branching()], ids=["followed", "as it is"])
def test_a_wrapped_module_goes_to_other_processes_before_and_after_its_first_picture(net):
    model = wrapped(net)
    before = pickle.dumps(model)
    # In several strips or tiles.
    made = [model.upscale(PHOTO), model.upscale(PHOTO, memory=600_000)]
    for send in (lambda: pickle.loads(before), lambda: pickle.loads(pickle.dumps(model))):
        again = send()
        np.testing.assert_array_equal(again.upscale(PHOTO), made[0])
        np.testing.assert_array_equal(again.upscale(PHOTO, memory=600_000), made[1])
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        np.testing.assert_allclose(pool.submit(model, PHOTO).result(), made[0], atol=1e-6)
    np.testing.assert_array_equal(copy.deepcopy(model).upscale(PHOTO), made[0])


def test_what_cannot_be_copied_says_so():
    model = wrapped(Net())
    model.frames = (frame for frame in ())
    with pytest.raises(OptionError, match="Net was made by hand, and its frames cannot be copied"):
        copy.deepcopy(model)
    closed = wrapped(Shy())
    closed.upscale(PHOTO)
    with pytest.raises(OptionError, match="Shy was made by hand, and its _net cannot be pickled"):
        pickle.dumps(closed)


# --- what is wrong ------------------------------------------------------------------------------


class Of255(nn.Module):
    def forward(self, x):
        return functional.interpolate(x, scale_factor=2) * 255


class Two(nn.Module):
    def forward(self, x):
        return x, x


class Nan(nn.Module):
    def forward(self, x):
        return functional.interpolate(x, scale_factor=2) * float("nan")


@pytest.mark.parametrize(
    ("net", "scale", "kind", "message"),
    [
        (
            Net(),
            4,
            BrokenPluginError,
            r"Net made \(1, 3, 32, 42\) of \(1, 3, 16, 21\), which is x2; \(1, 3, 64, 84\) was",
        ),
        (nn.Conv2d(3, 8, 1), 1, BrokenPluginError, r"Conv2d made \(1, 8, 16, 21\)"),
        (nn.Conv2d(8, 8, 1), 1, OptionError, "Conv2d takes no planes .* 8 channels"),
        (nn.Flatten(), 1, BrokenPluginError, r"Flatten made \(1, 1008\)"),
        (
            Of255(),
            2,
            BrokenPluginError,
            "Of255 made values up to 2.* were expected",
        ),
        (Two(), 1, BrokenPluginError, "Two made tuple; one tensor"),
        (Nan(), 2, WeightsError, "Nan made values that are not numbers"),
        (nn.Linear(4, 4), 1, OptionError, "Linear takes no planes"),
        (Net, 2, OptionError, r"Net is a class; wrap takes an object of it, such as Net\(\)"),
    ],
)
def test_a_module_that_is_no_such_model_is_refused_by_name(net, scale, kind, message):
    with pytest.raises(kind, match=message):
        wrapped(net, scale)


class Choosy(Net):
    """Makes something else of what is small."""

    def forward(self, x):
        return [x] if x.shape[-1] < 8 else super().forward(x)


def test_a_module_that_makes_no_tensor_of_a_small_tile_is_given_larger_ones():
    model = srkit.wrap(Choosy(), 2)
    assert model.upscale(PHOTO[:5, :5]).shape == (10, 10, 3)


def test_a_module_may_make_bfloat16():
    """As under autocast; numpy has no such numbers."""
    model = srkit.wrap(nn.Sequential(nn.Upsample(scale_factor=2), Cast(torch.bfloat16)), 2)
    made = model.upscale(PHOTO)
    assert made.dtype == np.float32
    assert np.abs(made - PHOTO.repeat(2, 0).repeat(2, 1)).max() <= 2**-8


class Cast(nn.Module):
    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def forward(self, x):
        return x.to(self.dtype)


def test_devices_and_colours_that_cannot_be_had_are_refused():
    with pytest.raises(OptionError, match="device 'gpu' cannot be used"):
        srkit.wrap(Net(), 2, device="gpu")
    with pytest.raises(OptionError, match=r"Net takes no planes \(1, 1, 16, 21\)"):
        wrapped(Net(), colour="luma")
