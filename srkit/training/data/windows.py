"""What teachers are asked for networks that see several frames."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from srkit.training.data.crops import Pair
from srkit.training.data.motion import (
    GRID,
    MARGIN,
    Motion,
    grey_window,
    middle_of,
    most_at,
    window_of,
)
from srkit.training.data.photos import Pixels
from srkit.training.data.store import Questions


@dataclass(frozen=True)
class WindowQuestions(Questions):
    """Windows of luma of patches that move, each a function of its number.

    As large as patches hold them, and never degraded otherwise than by MATLAB's bicubic.
    Teachers see the frame in the middle: see `srkit.training.data.teachers.answer`.

    Attributes
    ----------
    frames
        Of a window.
    motion
        See `Motion`.
    """

    frames: int = 5
    motion: Motion = field(default_factory=Motion)

    @property
    def side(self) -> int:
        """Side of LR."""
        return most_at(self.scale)

    @property
    def channels(self) -> tuple[int, int]:
        """Values of a pixel, of LR and of HR."""
        return self.frames, 1

    def lr(self, number: int) -> Pixels:
        """LR ``(side, side, frames)`` of a number."""
        made = self.scale, self.side, self.frames, self.motion, self._draws(number)
        return window_of(super().hr(number), *made)[0]

    def hr(self, number: int) -> Pixels:
        """HR ``(s*side, s*side, 1)`` of a number."""
        return middle_of(super().hr(number), self.scale, self._draws(number))

    def plain(self, size: int, rng: np.random.Generator) -> Pair:
        """LR and HR of one grey, of `size` LR pixels a side."""
        return grey_window(size, self.scale, self.frames, rng)

    @property
    def _asked(self) -> tuple[object, ...]:
        return (*super()._asked, self.frames, self.motion, MARGIN, GRID)
