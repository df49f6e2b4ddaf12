"""neural-enhance's training on Lasagne and Theano, as the original does it.

It is here to prove what the original minimises; `srkit.train` is for real use, on torch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import lasagne
import numpy as np
import theano
import theano.tensor as T  # noqa: N812 as all of Theano's users write it
from lasagne.layers import Conv2DLayer, get_output

from neural_enhance_original.vgg import vgg
from srkit.adapters.lasagne.enhance import generator
from srkit.adapters.lasagne.layers import ConcatLayer, ParametricRectifierLayer, batch_norm
from srkit.adapters.readers.enhance.config import Config
from srkit.adapters.readers.enhance.files import EnhanceWeights, Floats
from srkit.adapters.readers.enhance.vgg import LAYERS, VggWeights
from srkit.errors import ImageError, OptionError

# Each element of the discriminator's gradients is clipped to plus or minus this.
MOST_SLOPE = 5.0
# The discriminator halves twice what VGG has not pooled, and joins it to what VGG has.
MULTIPLE = 4


@dataclass(frozen=True)
class Settings:
    """Settings, by the names and defaults of the original's options.

    Attributes
    ----------
    perceptual_layer
        Layer of VGG-19 that is compared.
    perceptual_weight, smoothness_weight, adversary_weight
        Weights in the generator's loss.
    generator_start, discriminator_start
        Epochs from which each learns.
    adversarial_start
        Epoch from which the discriminator counts in the generator's loss.
    learning_rate, learning_period, learning_decay
        The rate of both networks, the epochs after which it falls, and the factor.
    discriminator_size
        Channels of the discriminator's first layer.
    adversary
        ``"neural-enhance"``: what the original minimises; ``"cross-entropy"``.
    """

    perceptual_layer: str = "conv2_2"
    perceptual_weight: float = 1.0
    smoothness_weight: float = 2e5
    adversary_weight: float = 5e2
    generator_start: int = 0
    discriminator_start: int = 1
    adversarial_start: int = 2
    learning_rate: float = 1e-4
    learning_period: int = 75
    learning_decay: float = 0.5
    discriminator_size: int = 32
    adversary: Literal["neural-enhance", "cross-entropy"] = "neural-enhance"

    def __post_init__(self) -> None:
        """Refuse what makes no sense; raises OptionError."""
        if self.perceptual_layer not in LAYERS:
            raise OptionError(
                f"perceptual_layer is one of {LAYERS[0]} to {LAYERS[-1]}, "
                f"not {self.perceptual_layer!r}"
            )
        for name in ("learning_period", "discriminator_size"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} is at least 1, not {getattr(self, name)}")
        if self.adversary not in ("neural-enhance", "cross-entropy"):
            raise OptionError(
                f"adversary is 'neural-enhance' or 'cross-entropy', not {self.adversary!r}"
            )

    def at(self, epoch: int) -> Schedule:
        """What holds in an epoch, counted from 0.

        Examples
        --------
        >>> Settings().at(1)
        Schedule(generator_rate=0.0001, discriminator_rate=0.0001, adversary_weight=0.0)
        """
        rate = self.learning_rate * self.learning_decay ** (epoch // self.learning_period)
        return Schedule(
            rate if epoch >= self.generator_start else 0.0,
            rate if epoch >= self.discriminator_start else 0.0,
            self.adversary_weight if epoch >= self.adversarial_start else 0.0,
        )


class Schedule(NamedTuple):
    """Learning rates, and the weight of the generator's adversarial loss."""

    generator_rate: float
    discriminator_rate: float
    adversary_weight: float


class Losses(NamedTuple):
    """The losses before a step, not weighted."""

    perceptual: float
    smoothness: float
    adversarial: float
    discriminator: float


class Training:
    """Generator and discriminator, which learn at the same time.

    Parameters
    ----------
    start
        The generator to begin with.
    backbone
        VGG-19, of any width. Its layers conv1_2, conv2_2 and conv3_2 lose bias and
        rectification, for the perceptual loss, too: see `discriminator`.
    settings
        See `Settings`.
    rng
        Draws the discriminator to begin with.

    Attributes
    ----------
    generator, discriminator
        Lasagne layers by their names.
    """

    def __init__(
        self,
        start: EnhanceWeights,
        backbone: VggWeights,
        settings: Settings,
        rng: np.random.Generator,
    ) -> None:
        self.settings, self.config = settings, start.config
        small, photos = T.tensor4("small"), T.tensor4("photos")
        self.generator = generator(start.config, small)
        for name, arrays in start.layers.items():
            for parameter, array in zip(self.generator[name].get_params(), arrays, strict=True):
                parameter.set_value(array)
        made = get_output(self.generator["out"])
        features = vgg(T.concatenate([photos, made]), backbone)
        self.discriminator = discriminator(features, settings.discriminator_size, rng)
        # The averages are used nowhere, so they need not be kept.
        compared, logits = get_output(
            [features[settings.perceptual_layer], self.discriminator["disc"]],
            batch_norm_update_averages=False,
        )
        count = photos.shape[0]
        losses = Losses(
            T.mean((compared[:count] - compared[count:]) ** 2),
            smoothness(made),
            *adversarial(settings.adversary, logits[:count], logits[count:]),
        )
        self._step = self._built(photos, small, losses)

    def _built(self, photos: Any, small: Any, losses: Losses) -> Callable[..., list[Any]]:
        """The function that updates both networks from what they were before."""
        scheduled = Schedule(*(T.scalar(name) for name in Schedule._fields))
        total = (
            self.settings.perceptual_weight * losses.perceptual
            + self.settings.smoothness_weight * losses.smoothness
            + scheduled.adversary_weight * losses.adversarial
        )
        learned = lasagne.layers.get_all_params(self.generator["out"], trainable=True)
        updates = OrderedDict(lasagne.updates.adam(total, learned, scheduled.generator_rate))
        # What named layers hold. The last convolution and the normalisations have no name, so
        # the original never trains them.
        learned = [p for layer in self.discriminator.values() for p in layer.get_params()]
        slopes = [
            slope.clip(-MOST_SLOPE, MOST_SLOPE) for slope in T.grad(losses.discriminator, learned)
        ]
        updates.update(lasagne.updates.adam(slopes, learned, scheduled.discriminator_rate))
        function: Callable[..., list[Any]] = theano.function(
            [photos, small, *scheduled], list(losses), updates=updates
        )
        return function

    def step(self, photos: Floats, small: Floats, *, epoch: int) -> Losses:
        """Learn from one batch.

        Parameters
        ----------
        photos, small
            HR and LR crops, ``(N, 3, H, W)`` and ``(N, 3, H / scale, W / scale)`` in
            [-0.5, 0.5]; H and W are multiples of 4.
        epoch
            Decides rates and weights, see `Settings.at`.

        Raises
        ------
        ImageError
            If the crops do not fit together, or not the networks.
        """
        if photos.ndim != 4 or photos.shape[1] != 3 or any(n % MULTIPLE for n in photos.shape[2:]):
            raise ImageError(f"photos are (N, 3, 4 h, 4 w), not {photos.shape}")
        scale, multiple = self.config.scale, self.config.multiple
        high, wide = photos.shape[2:]
        wanted = (len(photos), 3, high // scale, wide // scale)
        fits = not (high % (scale * multiple) or wide % (scale * multiple))
        if small.shape != wanted or not fits:
            raise ImageError(
                f"photos of shape {photos.shape} with LR crops of {small.shape}: these must be "
                f"smaller by {scale}, and their sides multiples of {multiple}"
            )
        crops = (np.asarray(half, np.float32) for half in (photos, small))
        return Losses(*map(float, self._step(*crops, *self.settings.at(epoch))))

    def weights(self) -> EnhanceWeights:
        """The generator as it is now, for `srkit.adapters.readers.enhance.files.packed_weights`."""
        return EnhanceWeights(
            self.config,
            {
                name: tuple(parameter.get_value() for parameter in layer.get_params())
                for name, layer in self.generator.items()
            },
        )


# --- networks ---------------------------------------------------------------------------------


def discriminator(features: dict[str, Any], size: int, rng: np.random.Generator) -> dict[str, Any]:
    """The layers that tell photos from what was made, by what VGG sees; ``disc`` is the last.

    Parameters
    ----------
    features
        VGG's layers. Those that are taken from here are changed: `batch_norm` takes away bias
        and nonlinearity. All that follows in VGG gets what is left, as in the original.
    size
        Channels of the first layer.
    rng
        Draws the kernels.
    """
    layers: dict[str, Any] = {}

    def add(name: str, last: Any, channels: int, kernel: int, stride: int = 1) -> Any:
        conv = Conv2DLayer(
            last,
            channels * size,
            kernel,
            stride=stride,
            pad=kernel // 2,
            W=lambda shape: glorot(shape, rng),
            nonlinearity=None,
        )
        layers[f"{name}x"] = conv
        layers[f"{name}>"] = ParametricRectifierLayer(conv)
        return layers[f"{name}>"]

    fine, middle, coarse = (
        batch_norm(features[name]) for name in ("conv1_2", "conv2_2", "conv3_2")
    )
    fine = add("disc1.2", add("disc1.1", fine, 1, 5, stride=2), 1, 5, stride=2)
    middle = add("disc2", middle, 2, 5, stride=2)
    coarse = add("disc3", coarse, 3, 3)
    last = add("disc4", ConcatLayer([fine, middle, coarse]), 4, 1)
    last = add("disc6", add("disc5", last, 3, 3, stride=2), 2, 1)
    kernel = glorot((1, 2 * size, 1, 1), rng)
    layers["disc"] = batch_norm(Conv2DLayer(last, 1, 1, W=kernel, nonlinearity=None))
    return layers


def glorot(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """A kernel by Glorot and Bengio (2010, equation 16), Lasagne's default, from a known seed."""
    out, given, *window = shape
    limit = np.sqrt(6 / ((out + given) * np.prod(window)))
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def new_generator(config: Config, rng: np.random.Generator) -> EnhanceWeights:
    """A generator as the original begins with: slopes are 0.25, and 0.1 within blocks."""
    layers: dict[str, tuple[Floats, ...]] = {}
    for name, shapes in config.shapes().items():
        if name.endswith(">"):
            slope = 0.1 if name.endswith("-A>") else 0.25
            layers[name] = (np.full(shapes[0], slope, np.float32),)
        else:
            layers[name] = glorot(shapes[0], rng), np.zeros(shapes[1], np.float32)
    return EnhanceWeights(config, layers)


# --- losses -----------------------------------------------------------------------------------


def smoothness(made: Any) -> Any:
    """Mean of the squared gradient's length, to the power of 1.25."""
    here = made[:, :, :-1, :-1]
    down, right = made[:, :, 1:, :-1], made[:, :, :-1, 1:]
    return T.mean(((here - down) ** 2 + (here - right) ** 2) ** 1.25)


def adversarial(
    kind: Literal["neural-enhance", "cross-entropy"], real: Any, made: Any
) -> tuple[Any, Any]:
    """The losses of generator and discriminator, of the logits of photos and of what was made.

    The original's discriminator gains without bound where it is right, and learns little
    where it is wrong.
    """
    plus = T.nnet.softplus
    if kind == "cross-entropy":
        return T.mean(plus(-made)), T.mean(plus(made)) + T.mean(plus(-real))
    log_sigmoid = made - plus(made)
    return T.mean(1 - log_sigmoid), T.mean(log_sigmoid) - T.mean(plus(real))
