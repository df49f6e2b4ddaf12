"""What a run tells while it goes on: a bar, a CSV file, TensorBoard, pictures."""

from __future__ import annotations

import csv
import io
import logging
import math
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image as PILImage
from torch import Tensor
from tqdm import tqdm

from srkit.atomic import replacing
from srkit.guard import reading
from srkit.training.data.photos import Pixels

log = logging.getLogger(__name__)

# Shown losses are means over about so many steps.
MEMORY = 50


class Report:
    """Reports of a run that begins, or goes on.

    Parameters
    ----------
    out
        Folder of ``log.csv``, ``tensorboard/`` and ``pictures/``.
    first
        Steps done before.
    seen, images
        Crops of all processes that were seen before, and in all.

    Attributes
    ----------
    means
        Of each loss over the last steps; part of a run's state.
    """

    def __init__(
        self,
        out: Path,
        first: int,
        seen: int,
        images: int,
        means: Mapping[str, Tensor] | None = None,
    ) -> None:
        self._path, self._pictures = out / "log.csv", out / "pictures"
        self.means: dict[str, Tensor] = {} if means is None else dict(means)
        self._checked: dict[str, str] = {}
        self._steps = first
        self._rows = _rows_before(self._path, first)
        # Of an earlier part those until its last check are known.
        earlier = float(self._rows[-1].get("seconds") or 0) if self._rows else 0.0
        self._begun = time.monotonic() - earlier
        # disable=None: no bar where stderr is not a terminal.
        self._bar = tqdm(
            total=images,
            initial=seen,
            unit="image",
            desc="training",
            disable=None,
        )
        self._board: Any = None
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(out / "tensorboard"), purge_step=first)

    def step(self, figures: Mapping[str, Tensor], images: int) -> None:
        """Take in the losses of a step on so many crops."""
        for name, value in figures.items():
            # In few bits a mean would stand still; a state may hold some.
            value, mean = value.float(), self.means.get(name)
            self.means[name] = value if mean is None else mean.float().lerp(value, 1 / MEMORY)
        if self._bar.disable:
            return
        self._bar.update(images)
        self._steps += 1
        # Reading a loss waits for the device, so it is not done at every step.
        if self._steps % MEMORY == 0:
            shown = {name: f"{float(mean):.4f}" for name, mean in self.means.items()}
            self._bar.set_postfix(shown | self._checked, refresh=False)

    def check(self, step: int, figures: Mapping[str, float], rate: float) -> None:
        """Take in a check on held-out photos, and write it down."""
        losses = {name: float(mean) for name, mean in self.means.items()}
        row = {"step": step, **figures, **losses, "rate": rate, "seconds": self._seconds()}
        self._rows.append({name: _shown(value) for name, value in row.items()})
        self._write()
        self._checked = {name: f"{value:.3f}" for name, value in figures.items()}
        log.info("step %d: %s", step, " ".join(f"{n} {v}" for n, v in self._checked.items()))
        if self._board:
            for name, value in (dict(figures) | losses).items():
                self._board.add_scalar(name, value, step)

    def picture(self, step: int, picture: Pixels) -> None:
        """Keep a picture of results."""
        self._pictures.mkdir(exist_ok=True)
        with replacing(self._pictures / f"{step:07d}.png") as file:
            PILImage.fromarray(picture).save(file, "PNG")
        if self._board:
            self._board.add_image("held out", picture, step, dataformats="HWC")

    def close(self) -> None:
        """End the bar and the board."""
        self._bar.close()
        if self._board:
            self._board.close()

    def _seconds(self) -> float:
        return time.monotonic() - self._begun

    def _write(self) -> None:
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(self._rows)
        with replacing(self._path) as file:
            file.write(text.getvalue().encode())


def _shown(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _rows_before(path: Path, first: int) -> list[dict[str, str]]:
    """Rows of an earlier part of the run: those of steps after its last state are dropped."""
    if not first or not path.exists():
        return []
    with reading(path, "log of a run"), path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if int(row["step"]) <= first]
