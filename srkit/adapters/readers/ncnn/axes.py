"""One side of an intermediate result: how long it is, and how much of the image it depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from srkit.errors import CorruptFileError, WeightsError

ONE, NONE = Fraction(1), Fraction(0)


class Uneven(Exception):  # noqa: N818 -- a finding, which its caller acts on
    """Sides that are a larger multiple would divide; `factor` says how many times larger."""

    def __init__(self, factor: int) -> None:
        super().__init__(factor)
        self.factor = factor


@dataclass(frozen=True)
class Axis:
    """Rows or columns of a result, for images of every size at once.

    For an image of t multiples of some number of pixels it has ``slope * t + offset`` places.
    Place n depends on no pixels but those from ``step * n + first`` to ``step * n + last``.

    Examples
    --------
    >>> axis = Axis(1).window(3, 1, 1, 1).repeated(2)
    >>> axis.slope, axis.offset, axis.radius
    (2, 0, 1)
    """

    slope: int
    offset: int = 0
    step: Fraction = ONE
    first: Fraction = NONE
    last: Fraction = NONE

    @property
    def radius(self) -> int:
        """Pixels that a result which enlarges the image depends on, beyond the one it is in."""
        return max(math.floor(-self.first), math.floor(self.last + 1 - self.step), 0)

    def window(self, extent: int, stride: int, before: int, after: int) -> Axis:
        """After a window of `extent` places that moves by `stride`, on a padded axis.

        Raises
        ------
        Uneven
            If how many places are left over depends on the image.
        """
        self._divide(stride)
        return Axis(
            self.slope // stride,
            (self.offset + before + after - extent) // stride + 1,
            self.step * stride,
            self.first - self.step * before,
            self.last + self.step * (extent - 1 - before),
        )

    def spread(self, extent: int, stride: int, before: int, after: int) -> Axis:
        """After each place was spread over `extent` of them, `stride` apart, and ends were cut."""
        return Axis(
            self.slope * stride,
            (self.offset - 1) * stride + extent - before - after,
            self.step / stride,
            self.first + self.step * Fraction(before - extent + 1, stride),
            self.last + self.step * Fraction(before, stride),
        )

    def repeated(self, times: int) -> Axis:
        """After each place became several."""
        within = self.step * Fraction(times - 1, times)
        return Axis(
            self.slope * times,
            self.offset * times,
            self.step / times,
            self.first - within,
            self.last,
        )

    def resampled(self, up: int, down: int, spans: list[tuple[int, int]]) -> Axis:
        """After each `down` places became `up`, of which each depends on a span around them.

        Parameters
        ----------
        spans
            First and last place for each of the `up`, from the first of the `down` on.

        Raises
        ------
        Uneven
        """
        self._divide(down)
        if self.offset % down:
            raise WeightsError(f"it takes {down} places at a time, which do not go up")
        ratio = Fraction(down, up)
        below = min(begin - n * ratio for n, (begin, _) in enumerate(spans))
        above = max(end - n * ratio for n, (_, end) in enumerate(spans))
        return Axis(
            self.slope // down * up,
            self.offset // down * up,
            self.step * ratio,
            self.first + self.step * below,
            self.last + self.step * above,
        )

    def cut(self, before: int, after: int) -> Axis:
        """Without some places at the ends, or with more where these are negative."""
        return replace(
            self,
            offset=self.offset - before - after,
            first=self.first + self.step * before,
            last=self.last + self.step * before,
        )

    def mirrored(self, before: int, after: int, farthest: int) -> Axis:
        """With places at the ends that repeat others, at most `farthest` times as far inside."""
        padded = self.cut(-before, -after)
        return replace(
            padded,
            first=padded.first - self.step * farthest * after,
            last=padded.last + self.step * farthest * before,
        )

    def joined(self, other: Axis) -> Axis:
        """What two results have together.

        Raises
        ------
        CorruptFileError
            If they are not equally long, for images of every size.
        """
        if (self.slope, self.offset, self.step) != (other.slope, other.offset, other.step):
            raise CorruptFileError("it takes results of different sizes")
        return replace(self, first=min(self.first, other.first), last=max(self.last, other.last))

    def _divide(self, divisor: int) -> None:
        if (factor := divisor // math.gcd(self.slope, divisor)) > 1:
            raise Uneven(factor)
