"""What is written below a version of a picture: its figures, and what was decided for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from srkit.evaluation.scores import Score

# The best PSNR, SSIM and ST-LPIPS.
Best = tuple[float, float, float | None]


def best_of(scores: Sequence[Score]) -> Best:
    """The best of each figure, to be compared with `==`; none of a single model's."""
    if len(scores) < 2:
        return np.nan, np.nan, None
    distances = [s.st_lpips for s in scores if s.st_lpips is not None]
    return (
        max(s.psnr for s in scores),
        max(s.ssim for s in scores),
        min(distances, default=None),
    )


def of_figures(figures: Score, best: Best) -> Iterator[tuple[str, bool]]:
    """Lines of figures, and whether each is the best."""
    yield f"PSNR {figures.psnr:.2f} dB", figures.psnr == best[0]
    yield f"SSIM {figures.ssim:.4f}", figures.ssim == best[1]
    if figures.st_lpips is not None:
        yield f"ST-LPIPS {figures.st_lpips:.4f}", figures.st_lpips == best[2]


def of_decisions(decided: Mapping[str, float]) -> Iterator[tuple[str, bool]]:
    """Lines of what a model decided by itself.

    Examples
    --------
    >>> list(of_decisions({"denoise": 0.6}))
    [('denoise=0.6 (auto)', False)]
    """
    for name, value in decided.items():
        yield f"{name}={value:g} (auto)", False
