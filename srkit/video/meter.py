"""Progress over the frames of a video."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from srkit.upscaling.upscaler import Upscaler


class Meter:
    """Tells a bar or a function of frames done; a bar shows frames a second and time left.

    Parameters
    ----------
    progress
        True for a bar, or a function called with frames done and frames in all.
    frames
        How many there are, perhaps by estimate.
    done
        How many are done already; they do not count for the speed.
    """

    def __init__(
        self,
        progress: bool | Callable[[int, int], None],
        frames: int,
        done: int,
        upscaler: Upscaler,
    ) -> None:
        self._call = progress if callable(progress) else None
        self._frames, self._done = frames, done
        self._bar: Any = None
        if progress is True:
            from tqdm import tqdm

            label = f"{upscaler.card.name} x{upscaler.scale}"
            self._bar = tqdm(total=frames, initial=done, desc=label, unit="frame")

    def __enter__(self) -> Callable[[], None]:
        return self._advance

    def _advance(self) -> None:
        self._done += 1
        # An estimate that proves too small grows, so that no share is above one.
        self._frames = max(self._frames, self._done)
        if self._bar is not None:
            self._bar.total = self._frames
            self._bar.update()
        if self._call is not None:
            self._call(self._done, self._frames)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
