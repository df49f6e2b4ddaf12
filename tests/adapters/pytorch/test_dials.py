"""The dial for noise of any card whose weights have those of a sibling beside them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from images import noisy
from safetensors.torch import save_file
from skimage import data

import srkit
from srkit import ModelCard, OptionError, WeightsError, WeightsFile
from srkit.adapters.pytorch.nets.compact import Compact, Size
from srkit.adapters.pytorch.nets.enhance import EnhanceNet
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.adapters.readers.enhance.config import Config
from srkit.imaging.noise import estimate_noise
from srkit.models import loading
from srkit.models.weights import sha256
from srkit.upscaling.decisions import automatic_denoise

NAME = "with-a-dial"
PHOTO = data.chelsea()[100:124, 150:180]


def network(seed, net=None):
    """Random weights, small enough that results stay within the range."""
    torch.manual_seed(seed)
    net = net or Compact(4, Size(6, 1))
    return {name: 0.3 * value for name, value in net.state_dict().items()}


def written(path: Path, tensors) -> WeightsFile:
    save_file(tensors, path)
    return WeightsFile(path.name, sha256(path), str(path))


@pytest.fixture
def states():
    return {"takes": network(1), "keeps": network(2)}


@pytest.fixture
def register(tmp_path, states):
    """Registers a card of both networks at x4, with whatever else it says."""

    def registered(sibling=True, more=None, **facts):
        files = {kind: written(tmp_path / f"{kind}.safetensors", states[kind]) for kind in states}
        keeps = (files["keeps"],) if sibling else ()
        takes = files["takes"]
        weights = {4: WeightsFile(takes.file, takes.sha256, takes.source, companions=keeps)}
        weights |= more or {}
        card = ModelCard(
            name=NAME,
            summary="Two networks.",
            adapter="srkit.adapters.pytorch.architectures.loading:load_network",
            framework="torch",
            scales=tuple(sorted(weights)),
            default_scale=4,
            weights=weights,
            **facts,
        )
        srkit.register(card, replace=True)
        return card

    yield registered
    loading.REGISTRY._added.pop(NAME, None)


def of_file(tmp_path, state):
    """What a user's own file of these weights makes, with the border that srkit's have."""
    save_file(state, tmp_path / "own.safetensors", {"srkit": "1"})
    return srkit.load(tmp_path / "own.safetensors", device="cpu").upscale(PHOTO)


@pytest.mark.parametrize("share", [0, 0.25, 1])
def test_weights_are_mixed_by_the_dial(register, states, tmp_path, share):
    register()
    mixed = {
        name: (1 - share) * value + share * states["takes"][name]
        for name, value in states["keeps"].items()
    }
    made = srkit.load(NAME, denoise=share, device="cpu").upscale(PHOTO)
    np.testing.assert_allclose(made.astype(int), of_file(tmp_path, mixed), atol=1)


def test_the_default_is_the_cards(register):
    register(defaults={"denoise": 0.25})
    default = srkit.load(NAME, device="cpu")
    assert not default.decides
    expected = srkit.load(NAME, denoise=0.25, device="cpu").upscale(PHOTO)
    np.testing.assert_array_equal(default.upscale(PHOTO), expected)


def test_a_card_that_states_no_default_has_its_weights_as_they_are(register, states, tmp_path):
    register()
    made = srkit.load(NAME, device="cpu").upscale(PHOTO)
    np.testing.assert_array_equal(made, of_file(tmp_path, states["takes"]))


def test_a_default_of_auto_decides_for_each_picture(register):
    register(defaults={"denoise": "auto"})
    model = srkit.load(NAME, device="cpu")
    assert model.decides
    for sigma in (0, 6, 20):
        image = noisy(PHOTO, sigma)
        share = automatic_denoise(estimate_noise(image))
        expected = srkit.load(NAME, denoise=share, device="cpu").upscale(image)
        np.testing.assert_array_equal(model.upscale(image), expected)


def test_a_lazy_array_is_decided_by_a_default_of_auto(register):
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    import srkit.dask

    # The radius, since of such cards a lazy array loads nothing but to decide.
    register(defaults={"denoise": "auto"}, radius=3)
    image = noisy(PHOTO, 20)
    lazy = srkit.dask.upscale(da.from_array(image, chunks=(12, 15, 3)), NAME, device="cpu")
    expected = srkit.load(NAME, device="cpu").upscale(image)
    apart = np.abs(lazy.compute(scheduler="synchronous").astype(int) - expected)
    assert apart.max() <= 1
    number = srkit.dask.upscale(da.from_array(image), NAME, device="cpu", denoise=0.0)
    fixed = srkit.load(NAME, device="cpu", denoise=0.0).upscale(image)
    assert np.abs(number.compute(scheduler="synchronous").astype(int) - fixed).max() <= 1


@pytest.mark.parametrize("denoise", [0.5, "auto", "x"])
def test_a_card_without_a_sibling_has_no_dial(register, denoise):
    register(sibling=False)
    with pytest.raises(OptionError, match="no option 'denoise'"):
        srkit.load(NAME, denoise=denoise)


@pytest.mark.parametrize("denoise", [-0.1, 1.5, "0.5", None, True])
def test_a_dial_beyond_its_ends_is_refused(register, denoise):
    register()
    with pytest.raises(OptionError, match=r"denoise is from 0 .* to 1 .*, or 'auto', not"):
        srkit.load(NAME, denoise=denoise)


def test_two_networks_of_other_sizes_are_no_siblings(register, states):
    states["keeps"] = network(2, Compact(4, Size(6, 2)))
    register()
    with pytest.raises(WeightsError, match="the networks differ"):
        srkit.load(NAME, denoise=0.5)


# --- one adapter for all networks ---------------------------------------------------------------


def test_a_card_has_one_network_at_one_scale_and_another_at_the_next(register, tmp_path):
    small = network(3, SRResNet(2, channels=8, blocks=1))
    register(more={2: written(tmp_path / "x2.safetensors", small)})
    save_file(small, tmp_path / "own2.safetensors", {"srkit": "1"})
    expected = srkit.load(tmp_path / "own2.safetensors", device="cpu").upscale(PHOTO)
    np.testing.assert_array_equal(srkit.load(NAME, scale=2, device="cpu").upscale(PHOTO), expected)
    assert srkit.load(NAME, scale=4, denoise=1).upscale(PHOTO).shape == (96, 120, 3)
    with pytest.raises(OptionError, match="no option 'denoise'"):
        srkit.load(NAME, scale=2, denoise=1)


def test_options_are_those_of_the_network_that_the_weights_are_of(register, tmp_path):
    enhance = network(3, EnhanceNet(Config(upscale=1, downscale=0, blocks=1, filters=(8,))))
    register(more={2: written(tmp_path / "x2.safetensors", enhance)})
    original = srkit.load(NAME, scale=2, tiling="original", device="cpu")
    assert not original.streams
    with pytest.raises(OptionError, match="no option 'tilin'; did you mean 'tiling'"):
        srkit.load(NAME, scale=2, tilin="original")
    with pytest.raises(OptionError, match="no option 'tiling'; it has denoise, device, precision"):
        srkit.load(NAME, scale=4, tiling="original")


def test_weights_of_no_network_are_refused(register, states):
    states["takes"] = {"layer.weight": torch.zeros(3)}
    register(sibling=False)
    with pytest.raises(WeightsError, match=f"weights of {NAME} are of no network that srkit has"):
        srkit.load(NAME)


def test_weights_for_another_scale_than_the_cards_are_refused(register, states):
    states["takes"] = network(1, Compact(2, Size(6, 1)))
    register(sibling=False)
    with pytest.raises(WeightsError, match=f"the weights of {NAME} are for x2, not x4"):
        srkit.load(NAME)
