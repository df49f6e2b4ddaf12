"""Networks between srresnet and srgan."""

import numpy as np
import pytest
import torch
from skimage import data

import srkit
from srkit.adapters.pytorch.architectures.interpolation import interpolate
from srkit.adapters.pytorch.architectures.loading import load_network
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.errors import OptionError, WeightsError
from srkit.models.weights import PACKAGED

PHOTO = data.astronaut()[100:116, 200:218]


def made(model, **options):
    return srkit.load(model, device="cpu", **options).upscale(PHOTO)


def test_the_ends_are_srresnet_and_srgan_and_the_middle_is_neither():
    faithful, sharp = made("srresnet", precision="float32"), made("srgan")
    np.testing.assert_array_equal(made("srgan", perception=0), faithful)
    np.testing.assert_array_equal(made("srgan", perception=1.0), sharp)
    middle = made("srgan", perception=0.5).astype(int)
    assert np.abs(middle - faithful).mean() > 0.2
    assert np.abs(middle - sharp).mean() > 0.2
    # Nearer to both ends than they are to each other.
    apart = np.abs(faithful.astype(int) - sharp).mean()
    assert np.abs(middle - faithful).mean() < apart
    assert np.abs(middle - sharp).mean() < apart


@pytest.mark.parametrize("perception", [1.5, -0.1, float("nan"), "half", None, True])
def test_there_is_nothing_beyond_the_ends(perception):
    with pytest.raises(OptionError, match=r"perception is from 0 \(srresnet\) to 1 \(srgan\)"):
        srkit.load("srgan", perception=perception)


def test_srgan_has_no_denoise():
    tensors = read_checkpoint(PACKAGED / "srgan_x4.safetensors").tensors
    with pytest.raises(OptionError, match="denoise"):
        load_network(srkit.card("srgan"), 4, tensors, denoise=0.0)


def test_srresnet_has_no_perception():
    with pytest.raises(OptionError, match="perception"):
        srkit.load("srresnet", perception=0.5)


def test_interpolation_is_exact_at_both_ends_and_halfway_between():
    first = {"a": torch.tensor([0.0, 2.0]), "n": torch.tensor(3)}
    second = {"a": torch.tensor([1.0, 4.0]), "n": torch.tensor(3)}
    assert interpolate(first, second, 0.0)["a"].tolist() == [0.0, 2.0]
    assert interpolate(first, second, 1.0)["a"].tolist() == [1.0, 4.0]
    assert interpolate(first, second, 0.5)["a"].tolist() == [0.5, 3.0]
    assert interpolate(first, second, 0.5)["n"].item() == 3


def test_halves_are_interpolated_in_single_precision():
    first, second = ({"a": torch.tensor([x]).half()} for x in (1.0, 1.0009765625))
    # Between two neighbours in half precision.
    assert interpolate(first, second, 0.25)["a"].item() == 1.000244140625


@pytest.mark.parametrize("other", [{"b": torch.zeros(1)}, {"a": torch.zeros(2)}])
def test_networks_that_differ_have_nothing_between_them(other):
    first = {"a": torch.zeros(1)}
    with pytest.raises(WeightsError, match="the networks differ: "):
        interpolate(first, {**first, **other}, 0.5)
