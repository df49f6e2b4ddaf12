"""The size of a result: the model's, or what is asked for, with the shape that players show."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from srkit.advice import advise
from srkit.errors import OptionError

if TYPE_CHECKING:
    from srkit.video.reading import VideoFacts

log = logging.getLogger(__name__)

# Pixels of a side: more than any encoder takes.
_MOST = 65_535


@dataclass(frozen=True)
class Size:
    """What is asked for, as players show it: of a turned video, width is across the screen.

    Attributes
    ----------
    width, height
        In pixels; None for what keeps the shape of the video.

    Examples
    --------
    >>> bool(Size()), bool(Size(height=1080))
    (False, True)
    """

    width: int | None = None
    height: int | None = None

    def __post_init__(self) -> None:
        for name, side in (("width", self.width), ("height", self.height)):
            if side is None:
                continue
            if type(side) is not int or not 1 <= side <= _MOST:
                raise OptionError(f"the {name} is a whole number from 1 to {_MOST}, not {side!r}")

    def __bool__(self) -> bool:
        return self.width is not None or self.height is not None

    def coded(self, facts: VideoFacts) -> Size:
        """The same before a player turns the picture."""
        return Size(self.height, self.width) if is_turned(facts.display_matrix) else self


def is_turned(matrix: tuple[int, ...] | None) -> bool:
    """Whether a player turns the picture by a quarter.

    Examples
    --------
    >>> is_turned(None), is_turned((0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))
    (False, True)
    """
    return matrix is not None and abs(matrix[1]) > abs(matrix[0])


def factor_for(facts: VideoFacts, size: Size) -> float | None:
    """How much larger the result is; None where no size is asked for."""
    size = size.coded(facts)
    pairs = ((size.width, facts.width), (size.height, facts.height))
    return max((wanted / have for wanted, have in pairs if wanted), default=None)


def scale_for(factor: float, scales: tuple[int, ...]) -> int:
    """The least of a model's scales that reaches a factor, or its largest.

    Examples
    --------
    >>> scale_for(2.25, (2, 3, 4)), scale_for(0.5, (2, 4)), scale_for(9, (2, 4))
    (3, 2, 4)
    """
    return min((s for s in scales if s >= factor - 1e-9), default=max(scales))


def result_size(facts: VideoFacts, scale: int, size: Size) -> tuple[int, int, Fraction | None]:
    """Width and height as coded, and the shape of a pixel.

    A side that is not asked for is even, as encoders of players need it. Where both are, and
    are of another shape than the video, pixels are not square: players show what was.
    """
    size = size.coded(facts)
    if not size:
        return facts.width * scale, facts.height * scale, facts.aspect
    if size.width is None or size.height is None:
        return *_kept_shape(facts, size), facts.aspect
    width, height = size.width, size.height
    shape = Fraction(facts.width, facts.height) * (facts.aspect or 1)
    aspect = shape * height / width
    if abs(width * aspect - width) <= 1:
        return width, height, Fraction(1) if facts.aspect else None
    aspect = aspect.limit_denominator(1000)
    alone = advise("give width or height alone for square ones", "--width or --height alone")
    log.warning(
        "%dx%d is of another shape than the video: its pixels are shown %d:%d, so that nothing is "
        "distorted; %s keeps the shape of pixels",
        width, height, aspect.numerator, aspect.denominator, alone,
    )  # fmt: skip
    return width, height, aspect


def drawn_size(facts: VideoFacts, scale: int, size: Size) -> tuple[int, int]:
    """Width and height of pictures, whose pixels are square, so that they look as the video."""
    wide = facts.width * (facts.aspect or Fraction(1))
    if not size:
        return max(1, round(wide * scale)), facts.height * scale
    if size.width is None or size.height is None:
        return _kept_shape(replace(facts, width=max(1, round(wide))), size)
    width, height = size.width, size.height
    if abs(wide * height / facts.height - width) > 1:
        alone = advise("width or height alone keeps", "--width or --height alone keeps")
        log.warning("%dx%d is of another shape than the video; %s it", width, height, alone)
    return width, height


def _kept_shape(facts: VideoFacts, size: Size) -> tuple[int, int]:
    """Both sides, where one is asked for; the other one is told where it is not exact."""
    wide = size.width is not None
    given = size.width if wide else size.height
    have, other = (facts.width, facts.height) if wide else (facts.height, facts.width)
    exact = Fraction(other * (given or 0), have)
    made = max(2, 2 * round(exact / 2))
    if made != exact:
        log.warning(
            "the %s is %d, the nearest even number to %.4g, which encoders need",
            "height" if wide != is_turned(facts.display_matrix) else "width", made, float(exact),
        )  # fmt: skip
    return (given or 0, made) if wide else (made, given or 0)
