"""Layers that Lasagne 0.1 lacks, against torch."""

import numpy as np
import pytest

import srkit.adapters.lasagne  # noqa: F401 makes the next lines work

pytest.importorskip("theano", reason="needs pip install 'srkit[lasagne]'")
lasagne = pytest.importorskip("lasagne", reason="needs pip install 'srkit[lasagne]'")
torch = pytest.importorskip("torch", reason="torch tells what is expected")

import theano
import torch.nn.functional as F  # noqa: N812
from lasagne.layers import Conv2DLayer, InputLayer, get_all_params, get_output, get_output_shape

from srkit.adapters.lasagne.layers import (
    BatchNormLayer,
    ConcatLayer,
    ParametricRectifierLayer,
    SubpixelReshuffleLayer,
    batch_norm,
)

RNG = np.random.default_rng(0)


def noise(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def planes(channels=3):
    return InputLayer((None, channels, None, None))


def output(layer, x, **options):
    inputs = lasagne.layers.get_all_layers(layer)[0].input_var
    return theano.function([inputs], get_output(layer, **options))(x)


def same(made, wanted):
    np.testing.assert_allclose(made, wanted.detach().numpy(), atol=1e-5, rtol=1e-5)


# --- PReLU ------------------------------------------------------------------------------------


def test_prelu_has_a_slope_for_each_channel():
    x, alpha = noise(2, 3, 5, 4), noise(3)
    layer = ParametricRectifierLayer(planes(), alpha=alpha)
    same(output(layer, x), F.prelu(torch.tensor(x), torch.tensor(alpha)))
    assert ParametricRectifierLayer(planes()).alpha.get_value().tolist() == [0.25] * 3
    assert get_all_params(layer, trainable=True) == [layer.alpha]
    assert get_all_params(layer, regularizable=True) == []


def test_prelu_shares_slopes_along_any_axes():
    x, alpha = noise(2, 3, 5), noise(2, 5)
    layer = ParametricRectifierLayer((2, 3, 5), alpha=alpha, shared_axes=(1,))
    wanted = np.where(x < 0, x * alpha[:, None], x)
    variable = theano.tensor.tensor3()
    made = theano.function([variable], layer.get_output_for(variable))(x)
    np.testing.assert_allclose(made, wanted, atol=1e-6)
    with pytest.raises(ValueError, match=r"known sizes in all axes but \(1,\)"):
        ParametricRectifierLayer(planes(), shared_axes=(1,))


# --- batch normalisation ----------------------------------------------------------------------


def torch_norm(layer):
    norm = torch.nn.BatchNorm2d(3, eps=layer.epsilon, momentum=layer.alpha)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor(layer.gamma.get_value()))
        norm.bias.copy_(torch.tensor(layer.beta.get_value()))
    return norm


def test_batch_norm_is_that_of_torch_in_training_and_after():
    layer = BatchNormLayer(planes(), gamma=noise(3), beta=noise(3))
    norm = torch_norm(layer)
    x = noise(4, 3, 6, 5) * 3 + 1
    same(output(layer, x), norm(torch.tensor(x)))
    same(layer.mean.get_value(), norm.running_mean)
    # Lasagne averages what it divides by, torch the unbiased variance.
    inverse = 0.9 + 0.1 / np.sqrt(x.var((0, 2, 3)) + 1e-4)
    np.testing.assert_allclose(layer.inv_std.get_value(), inverse, rtol=1e-5)
    with torch.no_grad():
        norm.running_var.copy_(torch.tensor(inverse**-2 - layer.epsilon))
    same(output(layer, x, deterministic=True), norm.eval()(torch.tensor(x)))


def test_averages_are_used_and_updated_as_asked():
    layer = BatchNormLayer(planes(), beta=None, gamma=None)
    x = noise(4, 3, 6, 5) + 1
    made = output(layer, x, batch_norm_use_averages=True)
    np.testing.assert_allclose(made, x, atol=1e-6)
    after = layer.mean.get_value()
    np.testing.assert_allclose(after, 0.1 * x.mean((0, 2, 3)), rtol=1e-5)
    output(layer, x, batch_norm_update_averages=False)
    output(layer, x, deterministic=True)
    np.testing.assert_array_equal(layer.mean.get_value(), after)
    assert get_all_params(layer, trainable=True) == []


def test_batch_norm_takes_the_bias_and_comes_before_the_nonlinearity():
    x, w = noise(2, 3, 7, 6), noise(3, 3, 3, 3)
    inner = Conv2DLayer(planes(), 3, 3, pad=1, W=w, b=noise(3), name="inner")
    outer = batch_norm(inner)
    convolved = F.conv2d(torch.tensor(x), torch.tensor(w).flip(2, 3), padding=1)
    same(output(outer, x), torch.relu(torch_norm(outer.input_layer)(convolved)))
    same(output(inner, x), convolved)
    names = [parameter.name for parameter in get_all_params(outer)]
    assert names == [
        f"inner{end}" for end in (".W", *(f"_bn.{n}" for n in ("beta", "gamma", "mean", "inv_std")))
    ]
    linear = batch_norm(Conv2DLayer(planes(), 3, 3, nonlinearity=None), name="norm")
    assert linear.nonlinearity is lasagne.nonlinearities.identity


# --- shapes -----------------------------------------------------------------------------------


def test_images_join_along_an_unknown_batch():
    first, second = planes(), planes()
    layer = ConcatLayer([first, second], axis=0)
    assert get_output_shape(layer) == (None, 3, None, None)
    assert get_output_shape(ConcatLayer([(2, 3), (2, 4)])) == (2, 7)
    x, y = noise(1, 3, 2, 2), noise(2, 3, 2, 2)
    made = theano.function([first.input_var, second.input_var], get_output(layer))(x, y)
    np.testing.assert_array_equal(made, np.concatenate([x, y]))


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_reshuffling_is_the_pixel_shuffle_of_torch(factor):
    x = noise(2, 2 * factor**2, 3, 4)
    layer = SubpixelReshuffleLayer(planes(2 * factor**2), factor)
    np.testing.assert_array_equal(output(layer, x), F.pixel_shuffle(torch.tensor(x), factor))
    assert get_output_shape(layer) == (None, 2, None, None)
    assert get_output_shape(layer, x.shape) == (2, 2, 3 * factor, 4 * factor)
    with pytest.raises(ValueError, match="7 channels do not fill blocks of 2 x 2"):
        SubpixelReshuffleLayer(planes(7), 2)
