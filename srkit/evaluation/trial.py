"""One model on one picture after another: what is measured of each, and what of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from srkit.errors import ImageError, OptionError, SrkitError
from srkit.evaluation.costs import Costs, Stopwatch
from srkit.evaluation.dataset import Pair
from srkit.evaluation.scores import Score, score
from srkit.imaging.files.reading import read_image
from srkit.metrics import Protocol
from srkit.upscaling.upscaler import Upscaler

# Pixels a side of what a model is given before its time counts.
FIRST = 96


class UnfitError(Exception):
    """A picture that no benchmark takes, whatever the model.

    Attributes
    ----------
    error
        For who named the picture.
    reason
        Why, without its path.
    """

    def __init__(self, error: SrkitError, reason: str) -> None:
        super().__init__(str(error))
        self.error, self.reason = error, reason


class Trial:
    """A model that is measured picture by picture.

    Parameters
    ----------
    upscaler, protocol, metrics
        As `srkit.evaluation.scores.score` takes them.
    """

    def __init__(self, upscaler: Upscaler, protocol: Protocol, metrics: tuple[str, ...]) -> None:
        self._upscaler, self._protocol, self._metrics = upscaler, protocol, metrics
        self._watch = Stopwatch()
        self._kinds: set[tuple[str, tuple[int, ...]]] = set()
        self._largest: NDArray[Any] | None = None

    def score(self, pair: Pair) -> Score:
        """Upscale the LR image of a pair, and compare the result with the original.

        Raises
        ------
        UnfitError
            If the original is no grey or RGB image, or too small.
        ImageError, OptionError, CorruptFileError, OSError, SrkitError
            If a file cannot be read, the LR image does not fit, or the model refuses it.
        """
        reference, lr = self._images(pair)
        try:
            upscaled = self._protocol.compared(self._upscaled(lr, reference))
        except (ImageError, OptionError) as error:
            raise type(error)(f"{pair.lr or pair.hr}: {error}") from error
        try:
            return score(
                pair.hr.stem,
                reference,
                upscaled,
                scale=self._upscaler.scale,
                protocol=self._protocol,
                metrics=self._metrics,
            )
        except (ImageError, OptionError) as error:
            raise _unfit(pair.hr, error) from error

    def costs(self) -> Costs:
        """What the model took; the largest picture is run once more, to see its memory."""
        if (lr := self._largest) is not None:
            self._watch.weigh(lambda: self._upscaler.upscale(lr))
        return self._watch.costs(self._upscaler)

    def _images(self, pair: Pair) -> tuple[NDArray[Any], NDArray[Any]]:
        """What the result is compared with, and what the model is given."""
        scale, pixels = self._upscaler.scale, _pixels(pair.hr)
        try:
            reference = self._protocol.original(pixels, scale)
        except (ImageError, OptionError) as error:
            raise _unfit(pair.hr, error) from error
        if pair.lr is None:
            return reference, self._protocol.low_resolution(reference, scale)
        return reference, _fitting(pair.lr, reference, scale)

    def _upscaled(self, lr: NDArray[Any], reference: NDArray[Any]) -> NDArray[Any]:
        self._prepare(lr)
        if self._largest is None or lr.size > self._largest.size:
            self._largest = lr
        with self._watch.measure(reference.shape[0] * reference.shape[1]):
            upscaled: NDArray[Any] = self._upscaler.upscale(lr)
        return upscaled

    def _prepare(self, lr: NDArray[Any]) -> None:
        """Run the model on the corner of a picture, unless it has seen such a one already.

        What happens once, at the first call of colour or grey and at the first of a size, is no
        part of a model's time. Of a large picture's the size is little, so corners of one do.
        """
        corner = lr[:FIRST, :FIRST]
        kind = lr.dtype.str, corner.shape
        if kind not in self._kinds:
            self._upscaler.upscale(corner)
            self._kinds.add(kind)


def _unfit(path: Path, error: SrkitError) -> UnfitError:
    return UnfitError(type(error)(f"{path}: {error}"), str(error))


def _pixels(path: Path) -> NDArray[Any]:
    image = read_image(path)
    if image.metadata.mode not in ("L", "RGB"):
        reason = (
            f"is {image.metadata.mode}; benchmarks take grey and RGB images, "
            "so convert it or leave it out"
        )
        raise UnfitError(ImageError(f"{path} {reason}"), f"it {reason}")
    return image.pixels


def _fitting(path: Path, reference: NDArray[Any], scale: int) -> NDArray[Any]:
    """An LR image that has the size it must have for its original."""
    lr = _pixels(path)
    wanted = tuple(n // scale for n in reference.shape[:2])
    if lr.shape[:2] != wanted or lr.ndim != reference.ndim or lr.dtype != reference.dtype:
        raise ImageError(
            f"{path}: this LR image is {lr.dtype} of shape {lr.shape}, where the original, "
            f"{reference.dtype} of shape {reference.shape}, wants {wanted} at x{scale}"
        )
    return lr
