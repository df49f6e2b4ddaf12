"""LPIPS and DISTS beside other programs, on the same random network.

torchvision's weights are a download, so what is proven here is the formula and what was trained on
people's answers: with torchvision's own weights in the place of random ones it is the same program.
"""

import sys
import types
from importlib.util import find_spec

import numpy as np
import pytest
from skimage import data

torch = pytest.importorskip("torch")

from torch import nn

from srkit.adapters.pytorch import lpips as ours
from srkit.errors import ImageError, MissingDependencyError, OptionError, WeightsError
from srkit.extras import file_of
from srkit.metrics import dists, lpips, perceptual

HEADS = file_of("torchmetrics", "functional/image/lpips_models/alex.pth")
with_heads = pytest.mark.skipif(HEADS is None, reason="torchmetrics, which carries the heads")

PHOTO = data.astronaut()[60:180, 150:260]
NOISE = np.random.default_rng(0).integers(-30, 31, PHOTO.shape)
WORSE = np.clip(PHOTO + NOISE, 0, 255).astype(np.uint8)


def vgg16():
    layers, channels = [], 3
    for block in ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3):
        for width in block:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


def alexnet():
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(inplace=True)),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(inplace=True)),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)),
    )


def random_network(make):
    """torchvision's network of that layout, with numbers that come out the same each time."""

    def network(*_, **__):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            layers = make()
            for layer in layers:
                if isinstance(layer, nn.Conv2d):
                    nn.init.kaiming_normal_(layer.weight)
        return types.SimpleNamespace(features=layers)

    return network


class Anything(types.ModuleType):
    """A module of which parts that are not used here may be imported, too."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (nn.Module,), {})


@pytest.fixture
def torchvision(monkeypatch):
    """Its random stand-in, for srkit and for other programs."""
    perceptual._network.cache_clear()
    module, models = Anything("torchvision"), Anything("torchvision.models")
    module.models = models
    models.vgg16, models.alexnet = random_network(vgg16), random_network(alexnet)
    monkeypatch.setitem(sys.modules, "torchvision", module)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    models.inception = Anything("torchvision.models.inception")
    monkeypatch.setitem(sys.modules, "torchvision.models.inception", models.inception)
    yield models
    perceptual._network.cache_clear()
    # Programs that were imported beside the stand-in are no others' business.
    for name in [n for n in sys.modules if n.partition(".")[0] in ("lpips", "piq")]:
        del sys.modules[name]


def tensor(image):
    return torch.from_numpy(image.transpose(2, 0, 1)[None] / 255).float()


@with_heads
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_lpips_is_what_its_authors_program_computes(torchvision, backbone):
    if find_spec("lpips") is None:
        pytest.skip("lpips, the authors' program")
    import lpips as theirs

    network = theirs.LPIPS(net=backbone, verbose=False)
    with torch.inference_mode():
        expected = network(tensor(PHOTO), tensor(WORSE), normalize=True).item()
    assert expected > 0.001
    assert lpips(PHOTO, WORSE, backbone=backbone) == pytest.approx(expected, rel=1e-5)


@with_heads
@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_the_heads_are_those_of_the_authors(backbone):
    path = file_of("lpips", f"weights/v0.1/{backbone}.pth")
    if path is None:
        pytest.skip("lpips, the authors' program")
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    heads = ours._read(f"lpips_models/{backbone}.pth")
    assert len(theirs) == 5
    assert all(torch.equal(theirs[name], heads[name]) for name in theirs)


@with_heads
@pytest.mark.filterwarnings("ignore")
def test_dists_is_what_piq_computes(torchvision, monkeypatch):
    if find_spec("piq") is None:
        pytest.skip("piq, another program")
    state = ours._read("dists_models/weights.pt")
    whole = state["alpha"].sum() + state["beta"].sum()
    # Its own file, which it downloads, holds shares of the whole.
    shares = {name: weights / whole for name, weights in state.items()}
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: shares)
    from piq.perceptual import DISTS

    expected = DISTS()(tensor(PHOTO), tensor(WORSE)).item()
    assert expected > 0.001
    assert dists(PHOTO, WORSE) == pytest.approx(expected, abs=1e-5)


@with_heads
@pytest.mark.parametrize("metric", [lpips, dists])
def test_equal_images_are_at_no_distance_and_grey_is_shown_as_rgb(torchvision, metric):
    assert metric(PHOTO, PHOTO) == 0
    grey = [image[..., 1] for image in (PHOTO, WORSE)]
    rgb = [np.repeat(image[..., None], 3, axis=2) for image in grey]
    assert metric(*grey) == metric(*rgb) > 0.001
    assert metric(*grey, crop=5) == metric(*(image[5:-5, 5:-5] for image in grey))


@with_heads
@pytest.mark.parametrize(
    ("metric", "side", "options"),
    [(lpips, 30, {}), (lpips, 15, {"backbone": "vgg"}), (dists, 15, {})],
)
def test_the_smallest_picture(torchvision, metric, side, options):
    with pytest.raises(ImageError, match=f"{side + 1} pixels a side"):
        metric(PHOTO[:side], WORSE[:side], **options)
    assert metric(PHOTO[: side + 1, :40], WORSE[: side + 1, :40], **options) > 0


def test_a_network_that_there_is_not(torchvision):
    with pytest.raises(OptionError, match="'alex' or 'vgg'"):
        lpips(PHOTO, WORSE, backbone="squeeze")


@with_heads
@pytest.mark.parametrize(
    ("failure", "error", "line"),
    [
        (ImportError("none"), MissingDependencyError, r'pip install "srkit\[lpips\]"'),
        (
            RuntimeError("operator torchvision::nms"),
            MissingDependencyError,
            "made for another torch",
        ),
    ],
)
def test_torchvision_that_does_not_load(torchvision, monkeypatch, failure, error, line):
    class Broken:
        def find_spec(self, name, *_):
            if name == "torchvision":
                raise failure

    monkeypatch.delitem(sys.modules, "torchvision")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(error, match=line):
        lpips(PHOTO, WORSE)


@with_heads
def test_weights_that_cannot_be_downloaded(torchvision, monkeypatch):
    def no_network(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision, "vgg16", no_network)
    with pytest.raises(WeightsError, match=r"no route to host; once with a network, torchvision"):
        dists(PHOTO, WORSE)


def test_heads_that_are_not_there_or_damaged(torchvision, monkeypatch, tmp_path):
    monkeypatch.setattr(ours, "file_of", lambda *_: None)
    with pytest.raises(MissingDependencyError, match=r"alex\.pth .*srkit\[lpips\]"):
        lpips(PHOTO, WORSE)
    path = tmp_path / "weights.pt"
    monkeypatch.setattr(ours, "file_of", lambda *_: path)
    path.write_bytes(b"not weights")
    with pytest.raises(WeightsError, match="damaged"):
        dists(PHOTO, WORSE)
    torch.save({"alpha": torch.ones(1, 7, 1, 1), "beta": torch.ones(1, 7, 1, 1)}, path)
    with pytest.raises(WeightsError, match="do not fit"):
        dists(PHOTO, WORSE)
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match="holds a list"):
        lpips(PHOTO, WORSE)
