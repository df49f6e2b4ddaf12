"""Crops to learn from teachers by: LR, HR and what the teachers make of LR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset

from srkit.errors import OptionError
from srkit.training.data.crops import turned
from srkit.training.data.photos import Pixels
from srkit.training.data.store import Store

Lesson = tuple[Pixels, ...]


@dataclass
class Lessons(Dataset[Lesson]):
    """Random crops of LR, HR and the teachers' answers, each a function of its number.

    Attributes
    ----------
    store
        Of answers.
    size
        Side of the LR crops.
    rim
        LR pixels at the border of crops that no loss sees: so far they may lie in the
        store's margin.
    seed
        Crop n is drawn by a generator seeded with (seed, n).
    flat
        Share of crops of one plain colour, whose answer is HR: teachers shift colours.
    apart
        Teachers whose own answers are wanted beside the mean.
    """

    store: Store
    size: int
    rim: int = 0
    seed: int = 0
    flat: float = 0.0
    apart: Sequence[str] = ()

    def __post_init__(self) -> None:
        asked = self.store.questions
        # How far from the patch's border crops stay.
        self._border = max(0, asked.margin - self.rim)
        most = asked.side - 2 * self._border
        if not 0 < self.size <= most:
            raise OptionError(
                f"crop is 1 to {most} LR pixels at x{asked.scale} with margin={asked.margin} and "
                f"rim={self.rim}, not {self.size}"
            )
        # As for crops without a teacher: the root of detail counts.
        detail = asked.patches.detail[[asked.patch(n) for n in range(self.store.count)]]
        chances = np.sqrt(detail + 0.5).cumsum()
        self._chances = chances / chances[-1]

    def __getitem__(self, number: int) -> Lesson:
        """Crop number `number`: LR ``(size, size, 3)``, and HR and answers, s times as large.

        Of windows, LR is ``(size, size, frames)``, and HR and answers have one channel.
        """
        rng = np.random.default_rng((self.seed, number))
        asked = self.store.questions
        if rng.random() < self.flat:
            lr, hr = asked.plain(self.size, rng)
            return lr, hr, *(hr.copy() for _ in range(1 + len(self.apart)))
        question = int(np.searchsorted(self._chances, rng.random()))
        lr, mean = self.store.pair(question)
        answers = [mean, *(self.store.answer_of(model, question) for model in self.apart)]
        hr = asked.hr(question)
        places = asked.side - 2 * self._border - self.size + 1
        y, x = self._border + rng.integers(places, size=2)
        s, n = asked.scale, self.size
        rows, columns = slice(s * y, s * (y + n)), slice(s * x, s * (x + n))
        wholes = [hr, *(self._whole(hr, answer) for answer in answers)]
        return tuple(turned([lr[y : y + n, x : x + n], *(w[rows, columns] for w in wholes)], rng))

    def _whole(self, hr: Pixels, answer: Pixels) -> Pixels:
        """An answer with HR in the margin, which no loss sees."""
        whole = hr.copy()
        kept = self.store.questions.kept
        whole[kept, kept] = answer
        return whole
