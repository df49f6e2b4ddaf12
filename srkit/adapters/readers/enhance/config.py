"""The shape of neural-enhance's generator, as its files state it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from srkit.errors import WeightsError

# Far beyond any network that was published, and small enough to be built.
MOST_BLOCKS, MOST_FILTERS, MOST_STEPS = 256, 1024, 4
MOST_NUMBERS = 100_000_000


@dataclass(frozen=True)
class Stage:
    """A convolution and the PReLU after it.

    Attributes
    ----------
    name
        The layer's name in files, without the ending ``x`` or ``>``.
    channels
        It makes so many.
    kind
        ``"plain"``; ``"down"``: halves both sides; ``"up"``: a shuffle follows that
        doubles both sides and leaves a quarter of the channels.
    """

    name: str
    channels: int
    kernel: int
    kind: str = "plain"

    @property
    def passed(self) -> int:
        """Channels that the next stage gets."""
        return self.channels // 4 if self.kind == "up" else self.channels


@dataclass(frozen=True)
class Config:
    """The generator's shape, by the names of the original's options.

    Attributes
    ----------
    upscale, downscale
        How often both sides are doubled, and halved before that.
    blocks
        Convolutions between.
    filters
        Channels of the first convolution, of each that halves, of all blocks, and of each
        that doubles; the last number repeats.
    residual
        Kept for files; the original's network ignores it.
    """

    upscale: int = 1
    downscale: int = 0
    blocks: int = 8
    filters: tuple[int, ...] = (128,)
    residual: int = 0

    def __post_init__(self) -> None:
        """Refuse what no network of this kind has; raises WeightsError."""
        for name, most in (("upscale", MOST_STEPS), ("downscale", MOST_STEPS)):
            _whole(name, getattr(self, name), 0, most)
        _whole("blocks", self.blocks, 0, MOST_BLOCKS)
        _whole("residual", self.residual, 0, MOST_BLOCKS)
        if not 1 <= len(self.filters) <= MOST_BLOCKS:
            raise WeightsError(f"generator_filters has {len(self.filters)} numbers")
        for number in self.filters:
            _whole("filters", number, 1, MOST_FILTERS)
        if self.downscale > self.upscale:
            raise WeightsError("it shrinks images: generator_downscale is above generator_upscale")
        if self.numbers > MOST_NUMBERS:
            raise WeightsError(f"its config is of a network of {self.numbers} numbers")

    @property
    def scale(self) -> int:
        """Factor of both sides."""
        return int(2 ** (self.upscale - self.downscale))

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All convolutions but the last, in their order."""
        place = iter(range(len(self.filters) + 2 * MOST_STEPS + 2))

        def next_filters() -> int:
            return self.filters[min(next(place), len(self.filters) - 1)]

        stages = [Stage("iter.0", next_filters(), 7)]
        for n in range(self.downscale):
            stages += [Stage(f"downscale{n}", next_filters(), 4, "down")]
        width = next_filters()
        stages += [Stage(f"iter.{n}-A", width, 3) for n in range(1, self.blocks + 1)]
        for n in range(self.upscale):
            stages += [Stage(f"upscale{n}.2", 4 * next_filters(), 3, "up")]
        return tuple(stages)

    @property
    def multiple(self) -> int:
        """Sides of the network's input are multiples of this."""
        return int(2**self.downscale)

    @property
    def radius(self) -> int:
        """Radius of the receptive field, in pixels of the input."""
        reach, pixel = 0.0, 1.0  # in pixels of the input; the side of a pixel within
        for stage in self.stages:
            if stage.kind == "down":
                # Four taps for two pixels: one more on each side.
                reach, pixel = reach + pixel, 2 * pixel
                continue
            reach += pixel * (stage.kernel // 2)
            if stage.kind == "up":
                # In a pixel wider than one of the input, one side reaches the other.
                reach, pixel = reach + max(0.0, pixel - max(1.0, pixel / 2)), pixel / 2
        return math.ceil(reach + 3 * pixel)

    @property
    def numbers(self) -> int:
        """Parameters of the network."""
        return sum(math.prod(s) for shapes in self.shapes().values() for s in shapes)

    def shapes(self) -> dict[str, tuple[tuple[int, ...], ...]]:
        """Shapes of the arrays of each layer in a file."""
        shapes: dict[str, tuple[tuple[int, ...], ...]] = {}
        given = 3
        for stage in self.stages:
            kernel = (stage.channels, given, stage.kernel, stage.kernel)
            shapes[f"{stage.name}x"] = (kernel, (stage.channels,))
            shapes[f"{stage.name}>"] = ((stage.channels,),)
            given = stage.passed
        shapes["out"] = ((3, given, 7, 7), (3,))
        return shapes

    def as_dict(self) -> dict[str, object]:
        """The config of a file."""
        return {
            "generator_blocks": self.blocks,
            "generator_residual": self.residual,
            "generator_filters": list(self.filters),
            "generator_upscale": self.upscale,
            "generator_downscale": self.downscale,
        }

    @classmethod
    def of(cls, found: Mapping[object, object]) -> Config:
        """The config that a file holds.

        Raises
        ------
        WeightsError
            If a number is missing, or none that a network has.
        """
        filters = found.get("generator_filters")
        if not isinstance(filters, list | tuple):
            raise WeightsError("its config has no list generator_filters")
        numbers = {}
        for name in ("upscale", "downscale", "blocks"):
            value = found.get(f"generator_{name}")
            if value is None:
                raise WeightsError(f"its config has no generator_{name}")
            numbers[name] = value
        residual = found.get("generator_residual", 0)
        return cls(**numbers, filters=tuple(filters), residual=residual)  # type: ignore[arg-type]


def _whole(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        short = isinstance(value, int) and abs(value) < 10**9
        shown = value if short or isinstance(value, float) else type(value).__name__
        raise WeightsError(f"generator_{name} is {shown}; srkit knows {least} to {most}")
