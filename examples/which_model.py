"""The pictures of docs/which-model.md: kinds of pictures, by models that come into question.

    python examples/which_model.py docs/pictures --photos /path/to/photos
    python examples/which_model.py docs/pictures --photos /path/to/photos --kinds face text

Needs pip install "srkit[all]". Where a photo comes from, and its licence, says the page.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from samples import SAMPLES, middle
from side_by_side import SCALE, Models, Picture, add_use, from_jpeg, sheet

from srkit.training.data.degradations import Blur, Degradation, Downsample, Jpeg, Noise, degrade


def _blur(sigma: float) -> Blur:
    return Blur(sigma=(sigma, sigma))


def _noise(sigma: float, grey: float) -> Noise:
    return Noise(sigma=(sigma, sigma), grey=grey)


def _jpeg(quality: float) -> Jpeg:
    return Jpeg(quality=(quality, quality), halved=1.0)


@dataclass(frozen=True)
class Kind:
    """Samples, what happens to them, who enlarges them, and how they are shown."""

    samples: tuple[str, ...]
    degradations: tuple[Degradation, ...]
    models: tuple[str, ...]
    whole: bool = False
    times: int = 3

    @property
    def quality(self) -> int | None:
        """Of the JPEG that such a picture is, if it is one."""
        last = self.degradations[-1]
        return round(last.quality[0]) if isinstance(last, Jpeg) else None


KINDS: Mapping[str, Kind] = {
    "face": Kind(
        ("astronaut", "freckles"),
        (_blur(2.4), Downsample(), _noise(4, grey=0), _jpeg(60)),
        ("bicubic", "photo", "realesrgan"),
    ),
    "web": Kind(
        ("dome", "pizza"),
        (Downsample(), _jpeg(60)),
        ("bicubic", "photo", "realesrgan"),
    ),
    "scan": Kind(
        ("old", "sun"),
        (_blur(2.0), Downsample(), _noise(8, grey=1), _jpeg(85)),
        ("bicubic", "photo", "realesrgan-general"),
    ),
    "clean": Kind(
        ("cat", "coffee"),
        (Downsample(),),
        ("bicubic", "photo", "srresnet", "srgan"),
    ),
    "text": Kind(
        ("screenshot", "page"),
        (Downsample(), _jpeg(75)),
        ("bicubic", "photo-2025", "photo", "realesrgan"),
        whole=True,
        times=1,
    ),
    "drawing": Kind(
        ("drawing",),
        (Downsample(), _jpeg(40)),
        ("bicubic", "photo", "realesrgan-anime"),
        whole=True,
        times=2,
    ),
}


def row(kind: Kind, sample: str, photos: Path, models: Models) -> dict[str, Picture]:
    """One sample by every model of its kind, and the original."""
    original = SAMPLES[sample](photos)
    small = degrade(original, SCALE, kind.degradations, np.random.default_rng(1))
    file = from_jpeg(small, kind.quality)
    whole = {name: models.enlarge(name, file) for name in kind.models}
    whole["original"] = original
    if kind.whole:
        return whole
    return {name: middle(picture) for name, picture in whole.items()}


def main() -> None:
    """Read the command line, write a sheet for each kind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    add_use(parser)
    given = parser.parse_args()
    models = Models(given.use)
    for name in given.kinds:
        kind = KINDS[name]
        rows = [row(kind, sample, given.photos, models) for sample in kind.samples]
        page = sheet(rows, kind.times)
        page.save(given.folder / f"which-{name}.webp", quality=80, method=6)


if __name__ == "__main__":
    main()
