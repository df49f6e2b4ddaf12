"""Answers of teachers to fixed poor versions of patches, on the disk.

A teacher is slow, so each of its answers is learned from many times. What it is asked is a
function of a seed and a number: number n is a patch, degraded or moved in one way. LR and
answers lie in files of `BLOCK` pictures each, which appear whole. So the store goes on wherever
it was stopped, may grow, and is filled by several processes without a word between them.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import math
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from srkit.atomic import replacing
from srkit.errors import OptionError
from srkit.training.data.crops import Pair, plain
from srkit.training.data.degradations import Degradation, degrade
from srkit.training.data.photos import PATCH, Patches
from srkit.training.data.teachers import COLOURS, Pixels, Teacher, answer, answers
from srkit.upscaling.forecast import in_words
from srkit.upscaling.upscaler import Upscaler

log = logging.getLogger(__name__)

# Pictures of a file.
BLOCK = 16
# Seconds between two looks for what other processes write, and without anything new until it
# is given up.
PATIENCE, GIVE_UP = 2.0, 1800.0
# Of what is drawn here, apart from crops and held-out pairs.
_DRAWS = 2


@dataclass(frozen=True)
class Questions:
    """What teachers are asked: poor versions of patches, each a function of its number.

    Attributes
    ----------
    patches
        What LR is made of.
    scale
        HR pixels for each LR pixel, along a side.
    degradations
        How; none for MATLAB's bicubic of the whole photo.
    seed
        Of the patches' order, and of what is drawn for each version.
    margin
        LR pixels at the border of patches that teachers see, and nobody learns from: there
        they lack what lies beyond.
    """

    patches: Patches
    scale: int
    degradations: Sequence[Degradation] = ()
    seed: int = 0
    margin: int = 6

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.margin < self.side:
            raise OptionError(
                f"margin is less than half of a patch of {self.side} LR pixels, not {self.margin}"
            )

    @property
    def side(self) -> int:
        """Side of LR."""
        return PATCH // self.scale

    @property
    def channels(self) -> tuple[int, int]:
        """Values of a pixel, of LR and of HR."""
        return 3, 3

    @property
    def kept(self) -> slice:
        """Rows, and columns, of HR that answers are kept of."""
        return slice(self.margin * self.scale, (self.side - self.margin) * self.scale)

    @functools.cached_property
    def _order(self) -> list[int]:
        count = len(self.patches.detail)
        return np.random.default_rng((self.seed, _DRAWS)).permutation(count).tolist()  # type: ignore[no-any-return]

    def patch(self, number: int) -> int:
        """Which patch a number is of: all patches come once before any comes again."""
        return self._order[number % len(self._order)]

    def lr(self, number: int) -> Pixels:
        """LR ``(side, side, 3)`` of a number."""
        patch = self.patch(number)
        if not self.degradations:
            return np.array(self.patches.lr[patch])
        return degrade(self.hr(number), self.scale, self.degradations, self._draws(number))

    def hr(self, number: int) -> Pixels:
        """HR ``(PATCH, PATCH, 3)`` of a number."""
        return np.array(self.patches.hr[self.patch(number)])

    def plain(self, size: int, rng: np.random.Generator) -> Pair:
        """LR and HR of one colour, of `size` LR pixels a side, made as poor as others."""
        lr, hr = plain(size, self.scale, rng)
        if self.degradations:
            lr = degrade(hr, self.scale, self.degradations, rng)
        return lr, hr

    def _draws(self, number: int) -> np.random.Generator:
        """What is drawn for a number."""
        return np.random.default_rng((self.seed, _DRAWS, number))

    @property
    def _asked(self) -> tuple[object, ...]:
        """What they are made of, beside patches."""
        return self.scale, tuple(self.degradations), self.seed, self.margin

    @functools.cached_property
    def digest(self) -> str:
        """What tells them from others: hexadecimal."""
        key = (self.patches.digest, *self._asked, BLOCK, COLOURS)
        return hashlib.sha256(repr(key).encode()).hexdigest()[:16]


class Store:
    """LR and answers to the first `count` questions.

    Parameters
    ----------
    folder
        Where they lie, below the digest of the questions.
    questions
        What is asked.
    teachers
        Who answers; their answers lie below digests of their weights.
    count
        How many questions count.
    """

    def __init__(
        self, folder: Path, questions: Questions, teachers: Sequence[Teacher], count: int
    ) -> None:
        self.questions, self.teachers, self.count = questions, tuple(teachers), count
        self.folder = folder / f"x{questions.scale}-{questions.digest}"
        self._names = [teacher.digest(questions.scale) for teacher in self.teachers]
        total = sum(teacher.weight for teacher in self.teachers)
        self._shares = [np.float32(teacher.weight / total) for teacher in self.teachers]

    def fill(self, *, device: str = "auto", rank: int = 0, world: int = 1) -> None:
        """Ask what was not asked yet, of several processes each its share; then wait for all.

        How long it takes, and how much of the disk, is told before.

        Raises
        ------
        OptionError
            If a teacher has no fitting scale, the disk is too small, or other processes give no
            answer for half an hour.
        """
        missing = {name: self._missing(name) for name in self._names}
        self._check_disk(missing)
        work = []
        for teacher, name in zip(self.teachers, self._names, strict=True):
            if mine := [block for block in missing[name] if block % world == rank]:
                model = teacher.load(self.questions.scale, device)
                self._tell(model, teacher, len(mine))
                work.append((model, teacher, name, mine))
        for model, teacher, name, mine in work:
            self._ask(model, teacher, name, mine)
        self._wait(missing)

    def pair(self, number: int) -> tuple[Pixels, Pixels]:
        """LR, and the mean of the teachers' answers to it, without the margin."""
        block, place = divmod(number, BLOCK)
        lr = _picture(self._file("lr", block), place)
        answers = [_picture(self._file(name, block), place) for name in self._names]
        if len(answers) == 1:
            return lr, answers[0]
        mean = sum(share * a for share, a in zip(self._shares, answers, strict=True))
        return lr, np.rint(mean).astype(np.uint8)

    def answer_of(self, model: str, number: int) -> Pixels:
        """The answer of one of the teachers, without the margin."""
        names = {t.model: name for t, name in zip(self.teachers, self._names, strict=True)}
        block, place = divmod(number, BLOCK)
        return _picture(self._file(names[model], block), place)

    def _file(self, name: str, block: int) -> Path:
        return self.folder / name / f"{block:06d}.npy"

    def _missing(self, name: str) -> list[int]:
        blocks = range(-(-self.count // BLOCK))
        return [block for block in blocks if not self._file(name, block).is_file()]

    def _wait(self, missing: Mapping[str, Sequence[int]]) -> None:
        """Wait for what other processes write."""
        rest = [self._file(name, block) for name, blocks in missing.items() for block in blocks]
        since = time.monotonic()
        while left := [path for path in rest if not path.is_file()]:
            if len(left) < len(rest):
                since = time.monotonic()
                log.info("waiting for %d files of answers by other processes", len(left))
            elif time.monotonic() - since > GIVE_UP:
                raise OptionError(
                    f"{len(left)} files of answers, the first of them {left[0]}, did not come: "
                    "another process ended, or does not see this folder"
                )
            rest = left
            time.sleep(PATIENCE)

    def _ask(self, model: Upscaler, teacher: Teacher, name: str, blocks: Sequence[int]) -> None:
        kept = self.questions.kept
        for block in tqdm(blocks, desc=teacher.model, unit="block", disable=None):
            if self._file(name, block).is_file():
                continue  # another run asked the same meanwhile
            numbers = range(block * BLOCK, (block + 1) * BLOCK)
            hr = [self.questions.hr(number) for number in numbers]
            made = answers(model, self._lr(block, numbers), hr)
            _write(self._file(name, block), [picture[kept, kept] for picture in made])

    def _lr(self, block: int, numbers: Iterable[int]) -> Sequence[Pixels]:
        path = self._file("lr", block)
        if not path.is_file():
            _write(path, [self.questions.lr(number) for number in numbers])
        return list(np.load(path))

    def _tell(self, model: Upscaler, teacher: Teacher, blocks: int) -> None:
        """Say how long it will take, by the second of two answers."""
        lr, hr = self.questions.lr(0), self.questions.hr(0)
        answers(model, [lr], [hr])
        begun = time.monotonic()
        answers(model, [lr], [hr])
        seconds = (time.monotonic() - begun) * blocks * BLOCK
        log.info(
            "%s answers %d questions of %dx%d pixels: about %s",
            teacher.model,
            blocks * BLOCK,
            self.questions.side,
            self.questions.side,
            in_words(seconds),
        )

    def _check_disk(self, missing: Mapping[str, Sequence[int]]) -> None:
        """Say how much of the disk all files that are missing take, and refuse too much."""
        kept = self.questions.scale * (self.questions.side - 2 * self.questions.margin)
        files = sum(map(len, missing.values()))
        asked, answered = self.questions.channels
        taught = files * kept**2 * answered
        needed = BLOCK * (taught + len(self._missing("lr")) * self.questions.side**2 * asked)
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise OptionError(
                f"answers of teachers take {needed / 1e9:.1f} GB, and {self.folder} has "
                f"{free / 1e9:.1f} GB left; ask less by answers= or versions="
            )
        if files:
            log.info("answers of teachers take %.0f MB below %s", needed / 1e6, self.folder)


def _picture(path: Path, place: int) -> Pixels:
    # Not a map: making one takes as long as a step of a small network, and one that is kept
    # keeps a file open, of which a process may have a thousand.
    start, shape = _layout(path)
    count = math.prod(shape)
    return np.fromfile(path, np.uint8, count, offset=start + place * count).reshape(shape)


@functools.cache
def _layout(path: Path) -> tuple[int, tuple[int, ...]]:
    """Where a file's pictures begin, and the shape of each."""
    pictures = np.load(path, mmap_mode="r")
    return pictures.offset, pictures.shape[1:]


def _write(path: Path, pictures: Sequence[Pixels]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        np.save(file, np.stack(pictures))


def answers_to(
    pairs: Sequence[tuple[Pixels, Pixels]],
    teachers: Sequence[Teacher],
    scale: int,
    cache: Path,
    *,
    device: str = "auto",
) -> list[Pixels]:
    """What teachers make of some pairs of LR and HR, from a file where it was asked before.

    Returns
    -------
    list of NDArray
        For each pair the weighted mean of their answers, of HR's size, uint8.
    """
    pixels = b"".join(lr.tobytes() + hr.tobytes() for lr, hr in pairs)
    asked = hashlib.sha256(pixels + repr(COLOURS).encode()).hexdigest()
    total = sum(teacher.weight for teacher in teachers)
    mean = [np.zeros(hr.shape, np.float32) for _, hr in pairs]
    for teacher in teachers:
        path = cache / f"{teacher.digest(scale)}-{asked[:16]}.npz"
        if not path.is_file():
            model = teacher.load(scale, device)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as file:
                np.savez(file, *(answer(model, lr, hr) for lr, hr in pairs))
        with np.load(path) as stored:
            for number, sum_ in enumerate(mean):
                sum_ += np.float32(teacher.weight / total) * stored[f"arr_{number}"]
    return [np.rint(sum_).astype(np.uint8) for sum_ in mean]
