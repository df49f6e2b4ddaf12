"""What Theano computes without a C++ compiler, against torch and scipy."""

import numpy as np
import pytest

import srkit.adapters.lasagne  # noqa: F401 makes the next line work

theano = pytest.importorskip("theano", reason="needs pip install 'srkit[lasagne]'")
torch = pytest.importorskip("torch", reason="torch tells what is expected")

import theano.tensor as T  # noqa: N812
import torch.nn.functional as F  # noqa: N812
from theano.sandbox.rng_mrg import MRG_RandomStreams
from theano.tensor.signal.pool import pool_2d

from srkit.adapters.lasagne import without_compiler

pytestmark = pytest.mark.skipif(bool(theano.config.cxx), reason="THEANO_FLAGS names a compiler")
RNG = np.random.default_rng(0)


def noise(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def computed(expression, *values):
    """Value of a Theano expression of tensors."""
    variables = [T.TensorType("float32", [False] * value.ndim)() for value in values]
    return theano.function(variables, expression(*variables))(*values)


def with_gradients(expression, *values):
    """A Theano expression's value, and the gradients of its product with a fixed tensor."""

    def all_of(*variables):
        made = expression(*variables)
        weights = T.cos(T.arange(made.size).astype("float32")).reshape(made.shape)
        return [made, *T.grad((made * weights).sum(), list(variables))]

    return computed(all_of, *values)


def torch_with_gradients(function, *values):
    tensors = [torch.tensor(value, requires_grad=True) for value in values]
    made = function(*tensors)
    weights = torch.cos(torch.arange(made.numel(), dtype=torch.float32)).reshape(made.shape)
    gradients = torch.autograd.grad((made * weights).sum(), tensors)
    return [t.detach().numpy() for t in (made, *gradients)]


def same(made, wanted):
    for ours, theirs in zip(made, wanted, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5)


# --- convolution ------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (2, 3)])
@pytest.mark.parametrize(
    ("border", "pads"),
    [
        ("valid", (0, 0, 0, 0)),
        ("half", (1, 1, 1, 1)),
        ("full", (3, 3, 2, 2)),
        ((2, 1), (1, 1, 2, 2)),
        (((1, 2), (0, 3)), (0, 3, 1, 2)),
    ],
)
def test_convolutions_and_both_gradients_are_those_of_torch(flip, stride, border, pads):
    x, w = noise(2, 3, 9, 8), noise(4, 3, 3, 4)
    if border == "half":
        w = noise(4, 3, 3, 3)

    def wanted(x, w):
        return F.conv2d(F.pad(x, pads), w.flip(2, 3) if flip else w, stride=stride)

    made = with_gradients(
        lambda x, w: T.nnet.conv2d(x, w, border_mode=border, subsample=stride, filter_flip=flip),
        x,
        w,
    )
    same(made, torch_with_gradients(wanted, x, w))


def test_large_images_are_worked_on_in_parts(monkeypatch):
    x, w = noise(2, 3, 9, 8), noise(4, 3, 3, 3)
    # Two rows of patches, so that one row remains.
    monkeypatch.setattr(without_compiler, "CHUNK", 2 * 27 * 6 * 4)
    made = with_gradients(lambda x, w: T.nnet.conv2d(x, w, filter_flip=False), x, w)
    same(made, torch_with_gradients(F.conv2d, x, w))


def test_what_is_not_supported_says_how_it_is():
    x, w = noise(1, 2, 9, 9), noise(4, 2, 3, 3)
    with pytest.raises(NotImplementedError, match=r"plain convolutions.*cxx=g\+\+"):
        computed(lambda x, w: T.nnet.conv2d(x, w, filter_dilation=(2, 2)), x, w)
    for options in ({"mode": "sum", "ignore_border": True}, {"ignore_border": False}):
        with pytest.raises(NotImplementedError, match=r"maxima of whole windows.*cxx=g\+\+"):
            computed(lambda x, options=options: pool_2d(x, (2, 2), **options), x)


# --- pooling ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "stride", "pad"),
    [((2, 2), (2, 2), (0, 0)), ((3, 2), (2, 1), (0, 0)), ((3, 3), (2, 2), (1, 1))],
)
def test_max_pooling_and_its_gradient_are_those_of_torch(window, stride, pad):
    x = noise(2, 3, 9, 8) - 3  # Below zero, with which a border might be filled.
    made = with_gradients(
        lambda x: pool_2d(x, window, ignore_border=True, stride=stride, pad=pad), x
    )
    same(made, torch_with_gradients(lambda x: F.max_pool2d(x, window, stride, pad), x))


def test_equal_maxima_share_the_slope_as_in_theano():
    made = with_gradients(
        lambda x: pool_2d(x, (2, 2), ignore_border=True), np.ones((1, 1, 2, 2), np.float32)
    )
    np.testing.assert_array_equal(made[1], np.ones((1, 1, 2, 2)))


# --- operations of single numbers -------------------------------------------------------------

VALUES = np.array([-200, -40, -3, -0.5, -1e-3, 0, 1e-3, 0.5, 3, 40, 200], np.float32)

OPERATIONS = {
    "softplus": (T.nnet.softplus, F.softplus),
    "sigmoid": (T.nnet.sigmoid, torch.sigmoid),
    "clip": (lambda x: T.clip(x, -1, 2), lambda x: torch.clamp(x, -1, 2)),
    "inverse": (lambda x: T.inv(x + 0.25), lambda x: 1 / (x + 0.25)),
    "sum of four": (lambda x: x + T.sin(x) + T.tanh(x) + 3, lambda x: x + x.sin() + x.tanh() + 3),
    "product of three": (lambda x: x * T.sin(x) * T.cos(x), lambda x: x * x.sin() * x.cos()),
    # At zero Theano takes the mean of both slopes.
    "rectifier": (lambda x: T.nnet.relu(x + 2, 0.1), lambda x: F.leaky_relu(x + 2, 0.1)),
    "power": (lambda x: (x**2 + 1) ** 1.25, lambda x: (x**2 + 1) ** 1.25),
    "arc tangent": (T.arctan, torch.arctan),
}


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_those_of_torch_and_take_whole_arrays(monkeypatch, name):
    ours, theirs = OPERATIONS[name]

    def refused(*_):
        raise AssertionError("one Python call for each number")

    monkeypatch.setattr(np, "frompyfunc", refused)
    same(with_gradients(ours, VALUES), torch_with_gradients(theirs, VALUES))


def test_functions_of_whole_numbers_are_exact_enough():
    small = np.array([-3, 0, 4], np.int8)
    x = T.bvector()
    for function, wanted in (
        (T.nnet.softplus, F.softplus),
        (T.nnet.sigmoid, torch.sigmoid),
        (T.exp, torch.exp),
    ):
        made = theano.function([x], function(x))(small)
        np.testing.assert_allclose(made, wanted(torch.tensor(small).double()), rtol=1e-6)
    assert theano.function([x], (T.inv(x + 5) * 2).astype("int32"))(small).tolist() == [1, 0, 0]


def test_running_sums_know_no_axis():
    x = noise(2, 3)
    np.testing.assert_allclose(computed(T.cumsum, x), np.cumsum(x), rtol=1e-6)


# --- random numbers ---------------------------------------------------------------------------


def mrg31k3p(seed, count):
    """L'Ecuyer and Touzin 2000, section 5, figure 1."""
    m1, m2 = 2**31 - 1, 2**31 - 21069
    a, b = [seed] * 3, [seed] * 3
    for _ in range(count):
        a = [(2**22 * a[1] + (2**7 + 1) * a[2]) % m1, *a[:2]]
        b = [(2**15 * b[0] + (2**15 + 1) * b[2]) % m2, *b[:2]]
        yield ((a[0] - b[0]) % m1 or m1) / (m1 + 1)


def test_random_numbers_are_those_of_the_generators_paper():
    streams = MRG_RandomStreams(12345)
    made = theano.function([], streams.uniform((5,), nstreams=1))()
    np.testing.assert_allclose(made, list(mrg31k3p(12345, 5)), atol=1e-6)
