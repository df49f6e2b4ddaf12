"""ST-LPIPS agrees with the program that its authors published."""

import importlib
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from skimage import data

from srkit import metrics
from srkit.errors import ImageError, MissingDependencyError, OptionError, WeightsError
from srkit.imaging.resize import imresize

torch = pytest.importorskip("torch")
from srkit.adapters.pytorch import stlpips
from srkit.adapters.pytorch.nets.blurpool import VGG16, AlexNet, BlurPool
from srkit.adapters.pytorch.stlpips import StLpips


def _pairs():
    """Name → (reference, test): colour and grey, odd sizes, the smallest side."""
    astronaut, coffee, camera = data.astronaut(), data.coffee(), data.camera()
    face = astronaut[70:150, 180:260]
    cup = coffee[100:171, 150:233]
    grain = np.random.default_rng(0).integers(-20, 21, cup.shape)
    grey = camera[60:124, 180:244]
    return {
        "bicubic x4": (face, imresize(imresize(face, 0.25), 4)),
        "one pixel to the right": (face, astronaut[70:150, 179:259]),
        "noise": (cup, np.clip(cup + grain, 0, 255).astype(np.uint8)),
        "grey, half as bright": (grey, grey // 2),
        "smallest": (face[:21, :21], face[21:42, :21]),
    }


PAIRS = _pairs()
# What stlpips_pytorch 0.0.2 itself computes (torch 2.13.0, CPU):
# stlpips.LPIPS(net=..., variant="shift_tolerant"), with the stand-ins of `original`.
EXPECTED = {
    ("alex", "bicubic x4"): 0.4186826,
    ("alex", "one pixel to the right"): 0.0067040,
    ("alex", "noise"): 0.1980064,
    ("alex", "grey, half as bright"): 0.2132609,
    ("alex", "smallest"): 0.3757431,
    ("vgg", "bicubic x4"): 0.5060508,
    ("vgg", "one pixel to the right"): 0.0130098,
    ("vgg", "noise"): 0.4114660,
    ("vgg", "grey, half as bright"): 0.2130088,
    ("vgg", "smallest"): 0.1455361,
}


@pytest.fixture(scope="module")
def metric():
    return {backbone: StLpips(backbone) for backbone in ("alex", "vgg")}


@pytest.fixture(scope="module")
def original():
    """The published package, with stand-ins for imports that its networks do not use."""
    patch = pytest.MonkeyPatch()
    before = set(sys.modules)
    for name, used in {
        "torchvision": "models",
        "torchsummary": "summary",
        "IPython": "embed",
    }.items():
        module = ModuleType(name)
        setattr(module, used, None)
        patch.setitem(sys.modules, name, module)
    package = importlib.import_module("stlpips_pytorch.stlpips")
    vgg = importlib.import_module("stlpips_pytorch.models_lpf.vgg")
    # Only the features: the classifier is 400 MB of random numbers.
    patch.setattr(vgg, "VGG", lambda features, **_: SimpleNamespace(features=features))
    yield lambda net: package.LPIPS(net=net, variant="shift_tolerant", verbose=False)
    patch.undo()
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "stlpips_pytorch":
            del sys.modules[name]


def as_original_takes_it(image):
    rgb = image if image.ndim == 3 else np.dstack([image] * 3)
    return torch.from_numpy(rgb.transpose(2, 0, 1)[None] / 127.5 - 1).float()


# --- the distance ---------------------------------------------------------------------


@pytest.mark.parametrize(("backbone", "name"), EXPECTED)
def test_distance_is_what_the_authors_program_computed(metric, backbone, name):
    assert metric[backbone].distance(*PAIRS[name]) == pytest.approx(
        EXPECTED[backbone, name], abs=1e-5
    )


@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_distance_is_what_the_authors_program_computes_here(metric, original, backbone):
    theirs = original(backbone)
    for name, pair in PAIRS.items():
        with torch.no_grad():
            expected = theirs(*map(as_original_takes_it, pair)).item()
        assert metric[backbone].distance(*pair) == pytest.approx(expected, abs=1e-6), name


@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_equal_images_have_no_distance(metric, backbone):
    image = PAIRS["noise"][0]
    assert metric[backbone].distance(image, image) == 0


def test_distance_does_not_depend_on_depth(metric):
    reference, test = PAIRS["bicubic x4"]
    expected = metric["alex"].distance(reference, test)
    for convert in (
        lambda a: a.astype(np.uint16) * 257,
        lambda a: a / 255,
        lambda a: (a / 255).astype(np.float32),
    ):
        got = metric["alex"].distance(convert(reference), convert(test))
        assert got == pytest.approx(expected, abs=1e-6)


def test_crop_leaves_out_every_side(metric):
    reference, test = PAIRS["bicubic x4"]
    inner = (slice(4, -4), slice(4, -4))
    got = metric["alex"].distance(reference, test, crop=4)
    assert got == metric["alex"].distance(reference[inner], test[inner])


def test_grey_counts_as_rgb(metric):
    grey, darker = PAIRS["grey, half as bright"]
    tripled = metric["alex"].distance(np.dstack([grey] * 3), np.dstack([darker] * 3))
    assert metric["alex"].distance(grey[:, :, None], darker) == tripled


def test_short_name_in_metrics_is_the_same_distance(metric):
    reference, test = PAIRS["bicubic x4"]
    got = metrics.st_lpips(reference, test, crop=4)
    assert got == metric["alex"].distance(reference, test, crop=4)


def test_blurring_more_is_further_away(metric):
    photo = data.astronaut()[40:136, 160:256]
    shrunk = {s: imresize(imresize(photo, 1 / s), s) for s in (2, 3, 4)}
    for backbone in ("alex", "vgg"):
        distances = [metric[backbone].distance(photo, shrunk[s]) for s in (2, 3, 4)]
        assert distances == sorted(distances)


# --- the networks as feature extractors -----------------------------------------------


@pytest.mark.parametrize("net", [AlexNet, VGG16])
def test_smallest_side_is_true(net):
    network, side = net(), net.min_side
    levels = network(torch.zeros(1, 3, side, side + 9))
    assert [level.shape[1] for level in levels] == list(net.channels)
    with pytest.raises(RuntimeError, match=r"[Pp]adding size"):
        network(torch.zeros(1, 3, side - 1, side + 9))


def test_blur_pool_is_the_binomial_filter_at_every_second_sample():
    image = torch.arange(49.0).view(1, 1, 7, 7) ** 2
    padded = np.pad(image[0, 0].numpy(), 2, mode="reflect")
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    expected = [
        [(padded[y : y + 3, x : x + 3] * kernel).sum() for x in range(0, 9, 2)]
        for y in range(0, 9, 2)
    ]
    np.testing.assert_allclose(BlurPool(1)(image)[0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("last", [1, 3, 5])
def test_features_stop_early_and_cost_nothing_more(metric, last):
    x = torch.rand(2, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    every = metric["vgg"].features(x)
    ran = []
    hooks = [
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
        for name, module in metric["vgg"].net.named_children()
    ]
    some = metric["vgg"].features(x, last)
    for hook in hooks:
        hook.remove()
    assert ran == [f"slice{k}" for k in range(1, last + 1)]
    assert [level.shape[0] for level in some] == [2] * last
    for a, b in zip(some, every, strict=False):
        torch.testing.assert_close(a, b)


def test_features_give_gradients_to_the_image_and_none_to_the_weights(metric):
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    metric["vgg"].features(x)[-1].square().mean().backward()
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().max() > 0
    assert not any(p.requires_grad for p in metric["vgg"].net.parameters())
    assert not metric["vgg"].net.training


@pytest.mark.parametrize("last", [0, 6, -1])
def test_a_block_that_is_not_there_is_refused(metric, last):
    with pytest.raises(OptionError, match="1 to 5"):
        metric["alex"].features(torch.zeros(1, 3, 32, 32), last)


# --- errors ---------------------------------------------------------------------------


def test_images_too_small_for_the_network_are_refused(metric):
    small = np.zeros((30, 20), np.uint8)
    with pytest.raises(ImageError, match="21 pixels"):
        metric["alex"].distance(small, small)
    with pytest.raises(ImageError, match=r"18 pixels.*crop=2"):
        metric["vgg"].distance(small, small, crop=2)


def test_floats_beyond_the_range_are_refused(metric):
    image = np.full((32, 32, 3), 200.0)
    with pytest.raises(ImageError, match=r"\[0, 1\]"):
        metric["alex"].distance(image, image)


def test_unknown_backbone_is_refused():
    with pytest.raises(OptionError, match="squeeze"):
        StLpips("squeeze")


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(stlpips, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r'pip install "srkit\[perceptual\]"'):
        StLpips()


def _save(state):
    return lambda path: torch.save(state, path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "has no"),
        (lambda path: path.write_bytes(b"not a checkpoint"), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (_save([1, 2]), "list"),
        (_save({"net.slice1.0.weight": torch.zeros(1)}), "does not fit"),
    ],
    ids=["absent", "garbage", "empty", "not a dict", "another network"],
)
def test_file_that_is_not_the_weights_is_refused(monkeypatch, tmp_path, write, message):
    path = tmp_path / "alex_shift_tolerant.pth"
    write(path)
    monkeypatch.setattr(stlpips, "_weights_path", lambda backbone: path)
    with pytest.raises(WeightsError, match=message):
        StLpips("alex")
