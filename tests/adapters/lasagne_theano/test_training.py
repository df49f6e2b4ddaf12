"""neural-enhance's training on Theano, against the same formulas in torch and by hand."""

import functools
from importlib.util import find_spec

import numpy as np
import pytest
from adapters.enhance.originals import random_vgg
from skimage import data

if not all(map(find_spec, ("theano", "lasagne"))):
    pytest.skip("needs pip install 'srkit[lasagne]'", allow_module_level=True)
torch = pytest.importorskip("torch", reason="is compared with torch")
pytest.importorskip("lightning_fabric", reason="is compared with srkit's trainer")

import torch.nn.functional as F  # noqa: N812

import srkit.adapters.lasagne  # noqa: F401 isort:skip makes the next lines work

import theano
from lasagne.layers import get_output
from neural_enhance_original.degradation import Degradation, crops, degrade
from neural_enhance_original.training import Settings, Training, new_generator
from neural_enhance_original.vgg import vgg

from srkit import ImageError, OptionError
from srkit.adapters.readers.enhance.config import Config
from srkit.adapters.readers.enhance.files import packed_weights, read_weights
from srkit.training.learning.backbones import vgg19

CONFIG = Config(1, 0, 2, (6,))
WIDTH = 4
AT_ONCE = {"discriminator_size": 3, "discriminator_start": 0, "adversarial_start": 0}
ALONE = {**AT_ONCE, "smoothness_weight": 0.0, "adversary_weight": 0.0}
CASES = {
    "perceptual loss alone": (Settings(**ALONE), (0, 0, 0)),
    "of a deep layer": (Settings("conv5_2", **ALONE), (0, 0, 0)),
    "all losses": (Settings(**AT_ONCE, adversary_weight=5e4), (0, 0, 0)),
    "cross-entropy": (
        Settings(**AT_ONCE, adversary_weight=5e4, adversary="cross-entropy"),
        (0, 0, 0),
    ),
    "one loss after the other": (Settings(discriminator_size=3), (0, 1, 2)),
}


@pytest.fixture(autouse=True)
def _quickly(request, monkeypatch):
    """Build functions in a second: Theano's optimisations take a quarter of a minute."""
    if "all losses" not in request.node.name:
        plain = theano.compile.Mode(theano.compile.get_default_mode().linker, "merge")
        monkeypatch.setattr(theano, "function", functools.partial(theano.function, mode=plain))


def batches(rng):
    """HR and LR crops for three steps, two pairs a step."""
    photo = data.astronaut()[40:168, 160:288]
    how = Degradation(batch_shape=32, train_noise=1.0, buffer_fraction=1)
    photos, small = zip(*crops(*degrade(photo, how, rng), how, rng), strict=True)
    return [(np.stack(photos[n : n + 2]), np.stack(small[n : n + 2])) for n in (0, 2, 4)]


def begun(settings, seed=0):
    rng = np.random.default_rng(seed)
    start, backbone = new_generator(CONFIG, rng), random_vgg(rng, WIDTH)
    return Training(start, backbone, settings, rng), start, backbone, batches(rng)


# --- the same in torch, in double precision ---------------------------------------------------


def conv(x, kernel, bias=None, stride=1):
    return F.conv2d(x, kernel.flip(2, 3), bias, stride, kernel.shape[-1] // 2)


def normal(x):
    mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(var + 1e-4)


def upscaled(x, p):
    for name in ("iter.0", "iter.1-A", "iter.2-A", "upscale0.2"):
        x = F.prelu(conv(x, *p[f"{name}x"]), p[f"{name}>"][0])
    return conv(F.pixel_shuffle(x, 2), *p["out"])


def seen(x, backbone):
    """What the network sees, by layer; three are linear and have no bias."""
    x = (x + 0.5) * 255 - torch.tensor([103.939, 116.779, 123.68]).double().view(1, 3, 1, 1)
    found = {}
    for name, (kernel, bias) in backbone.items():
        if name in ("conv2_1", "conv3_1", "conv4_1", "conv5_1"):
            x = F.max_pool2d(x, 2)
        if name in ("conv1_2", "conv2_2", "conv3_2"):
            x = conv(x, kernel)
        else:
            x = torch.relu(conv(x, kernel, bias))
        found[name] = x
    return found


def judged(found, p, last):
    def layer(name, x, stride=1):
        return F.prelu(conv(x, *p[f"{name}x"], stride), p[f"{name}>"][0])

    one, two, three = (torch.relu(normal(found[n])) for n in ("conv1_2", "conv2_2", "conv3_2"))
    one = layer("disc1.2", layer("disc1.1", one, 2), 2)
    x = torch.cat([one, layer("disc2", two, 2), layer("disc3", three)], 1)
    x = layer("disc6", layer("disc5", layer("disc4", x), 2))
    return normal(conv(x, last))


def losses_of(settings, made, photos, backbone, judge, last):
    found = seen(torch.cat([photos, made]), backbone)
    wanted, got = found[settings.perceptual_layer].chunk(2)
    real, fake = judged(found, judge, last).chunk(2)
    steps = (made[..., 1:, :-1] - made[..., :-1, :-1]).square()
    steps = steps + (made[..., :-1, 1:] - made[..., :-1, :-1]).square()
    if settings.adversary == "cross-entropy":
        fooling = F.softplus(-fake).mean()
        judging = F.softplus(fake).mean() + F.softplus(-real).mean()
    else:
        fooling = (1 - F.logsigmoid(fake)).mean()
        judging = (F.logsigmoid(fake) - F.softplus(real)).mean()
    return (wanted - got).square().mean(), steps.pow(1.25).mean(), fooling, judging


class Adam:
    """Kingma and Ba, 2015, the faster form at the end of section 2."""

    def __init__(self, parameters):
        self.parameters, self.t = parameters, 0
        self.m, self.v = ([torch.zeros_like(p) for p in parameters] for _ in range(2))

    def step(self, slopes, rate):
        self.t += 1
        rate = rate * (1 - 0.999**self.t) ** 0.5 / (1 - 0.9**self.t)
        for p, slope, m, v in zip(self.parameters, slopes, self.m, self.v, strict=True):
            m.mul_(0.9).add_(0.1 * slope)
            v.mul_(0.999).add_(0.001 * slope**2)
            p.data -= rate * m / (v.sqrt() + 1e-8)


def doubles(layers, *, learn=False):
    return {
        name: [torch.tensor(a).double().requires_grad_(learn) for a in arrays]
        for name, arrays in layers.items()
    }


def flat(layers):
    return [array for arrays in layers.values() for array in arrays]


def values(layers):
    return {name: [p.get_value() for p in layer.get_params()] for name, layer in layers.items()}


def reference(settings, epochs, start, judge, last, backbone, pairs):
    """Parameters of both networks and the losses after some steps; whether slopes were clipped."""
    backbone, start = doubles(backbone), doubles(start, learn=True)
    judge = doubles(judge, learn=True)
    last = torch.tensor(last).double()
    builder, critic, told, clipped = Adam(flat(start)), Adam(flat(judge)), [], False
    for epoch, pair in zip(epochs, pairs, strict=True):
        photos, small = (torch.tensor(half).double() for half in pair)
        losses = losses_of(settings, upscaled(small, start), photos, backbone, judge, last)
        told.append([loss.item() for loss in losses])
        against = settings.adversary_weight if epoch >= settings.adversarial_start else 0
        total = losses[0] + settings.smoothness_weight * losses[1] + against * losses[2]
        slopes = torch.autograd.grad(total, flat(start), retain_graph=True)
        judging = torch.autograd.grad(losses[3], flat(judge))
        clipped |= any(bool((slope.abs() > 5).any()) for slope in judging)
        builder.step(slopes, 1e-4)
        critic.step(
            [slope.clamp(-5, 5) for slope in judging],
            1e-4 if epoch >= settings.discriminator_start else 0,
        )
    return start, judge, told, clipped


def apart(layers, wanted):
    return max(
        float(np.abs(a - b.detach().numpy()).max())
        for a, b in zip(flat(layers), flat(wanted), strict=True)
    )


@pytest.mark.parametrize("case", CASES)
def test_three_steps_are_those_of_torch(case):
    settings, epochs = CASES[case]
    training, start, backbone, pairs = begun(settings)
    (outside,) = training.discriminator["disc"].input_layer.input_layer.get_params()
    # A small kernel before a normalisation has steep slopes, of which some are clipped.
    for parameter, factor in ((training.discriminator["disc6x"].W, 0.01), (outside, 20)):
        parameter.set_value(parameter.get_value() * np.float32(factor))
    judge, last = values(training.discriminator), outside.get_value()
    told = [training.step(*pair, epoch=n) for pair, n in zip(pairs, epochs, strict=True)]
    wanted, wanted_judge, wanted_told, clipped = reference(
        settings, epochs, start.layers, judge, last, backbone, pairs
    )
    assert clipped
    np.testing.assert_allclose(told, wanted_told, rtol=1e-5)
    assert apart(training.weights().layers, wanted) < 1e-6
    assert apart(values(training.discriminator), wanted_judge) < 1e-6
    # Adam moves nearly every number by nearly the whole rate.
    assert apart(start.layers, wanted) > 2e-4
    assert apart(judge, wanted_judge) > 1e-4
    np.testing.assert_array_equal(outside.get_value(), last)


# --- schedule and steps -----------------------------------------------------------------------


def test_schedule():
    # The first stage of the original's recipes, and their second.
    plain = Settings(smoothness_weight=1e7, adversary_weight=0.0)
    assert [plain.at(epoch)[0] for epoch in (0, 74, 75, 150)] == [1e-4, 1e-4, 5e-5, 2.5e-5]
    second = Settings(
        "conv5_2",
        adversary_weight=50.0,
        generator_start=10,
        discriminator_start=0,
        adversarial_start=10,
    )
    assert second.at(0) == second.at(9) == (0, 1e-4, 0)
    assert second.at(10) == second.at(74) == (1e-4, 1e-4, 50)
    assert second.at(75) == (5e-5, 5e-5, 50)
    assert Settings().at(0) == (1e-4, 0, 0)
    assert Settings().at(1) == (1e-4, 1e-4, 0)
    assert Settings().at(2) == (1e-4, 1e-4, 500)


def test_a_new_generator_is_that_of_the_original():
    layers = new_generator(Config(1, 1, 2, (16,)), np.random.default_rng(0)).layers
    slopes = {name: set(arrays[0].tolist()) for name, arrays in layers.items() if name[-1] == ">"}
    quarter, tenth = {0.25}, {float(np.float32(0.1))}
    assert slopes == {
        "iter.0>": quarter,
        "downscale0>": quarter,
        "iter.1-A>": tenth,
        "iter.2-A>": tenth,
        "upscale0.2>": quarter,
    }
    kernel, bias = layers["iter.1-Ax"]
    # A uniform distribution of variance 2 / (given + made).
    assert kernel.var() == pytest.approx(2 / (9 * 32), rel=0.05)
    assert np.abs(kernel).max() <= np.sqrt(3 * 2 / (9 * 32))
    assert not bias.any()


def test_training_lowers_the_perceptual_loss_and_its_generator_can_be_saved(tmp_path):
    training, start, _, ((photos, small), *_) = begun(Settings(**ALONE, learning_rate=3e-3))
    told = [training.step(photos, small, epoch=0).perceptual for _ in range(25)]
    assert told[-1] < 0.5 * told[0]
    path = tmp_path / "ne.pkl.bz2"
    path.write_bytes(packed_weights(training.weights()))
    saved = read_weights(path)
    assert saved.config == CONFIG
    assert apart(saved.layers, doubles(training.weights().layers)) < 1e-3
    assert apart(saved.layers, doubles(start.layers)) > 1e-2

    with pytest.raises(ImageError, match=r"4 h, 4 w.*\(2, 3, 30, 32\)"):
        training.step(photos[:, :, :30], small, epoch=0)
    with pytest.raises(ImageError, match="smaller by 2"):
        training.step(photos, small[:1], epoch=0)


def test_the_torch_trainer_sees_by_this_vgg_what_lasagne_sees():
    rng = np.random.default_rng(0)
    weights, image = random_vgg(rng, WIDTH), rng.random((2, 3, 48, 32)).astype(np.float32)
    layers = vgg(theano.shared(image - np.float32(0.5)), weights)
    names = ["conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_4"]
    wanted = [get_output(layers[name]).eval() for name in names]
    found = vgg19(weights, torch.device("cpu"))(torch.from_numpy(image), 5)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * abs(other).max())
    assert len(vgg19(weights, torch.device("cpu"))(torch.from_numpy(image), 2)) == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"perceptual_layer": "conv6_1"}, "conv1_1 to conv5_4, not 'conv6_1'"),
        ({"learning_period": 0}, "learning_period is at least 1"),
        ({"discriminator_size": 0}, "discriminator_size is at least 1"),
        ({"adversary": "hinge"}, "not 'hinge'"),
    ],
)
def test_settings_that_make_no_sense(options, told):
    with pytest.raises(OptionError, match=told):
        Settings(**options)
