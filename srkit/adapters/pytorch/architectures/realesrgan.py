"""Real-ESRGAN's small network for photos, which comes twice: one denoises, one hardly does."""

from __future__ import annotations

import functools
from collections.abc import Callable
from numbers import Real
from pathlib import Path

from srkit.adapters.pytorch.architectures.compact import CompactUpscaler
from srkit.adapters.pytorch.architectures.interpolation import interpolate
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.card import ModelCard
from srkit.errors import OptionError
from srkit.models.weights import weights_path
from srkit.upscaling.decisions import AUTO, automatic_denoise
from srkit.upscaling.model import Findings
from srkit.upscaling.upscaler import Upscaler

# Of the dial, for what is asked of the model apart from a picture, such as its memory.
MIDDLE = 0.5
# Networks of 5 MB that are kept for pictures to come.
KEPT = 4


class GeneralUpscaler(CompactUpscaler):
    """realesr-general-x4v3, its sibling realesr-general-wdn-x4v3, or any network between them.

    Parameters
    ----------
    card, scale
        The model and its factor. The card's weights have those of the sibling as a companion.
    weights
        The checkpoint of the network that denoises.
    denoise
        0 keeps noise and grain, 1 takes them away. Weights are mixed as Real-ESRGAN's program
        does for ``-dn``, whose default this is. ``"auto"`` decides for each picture, by its noise
        and the quality of its JPEG file; see `srkit.upscaling.decisions.automatic_denoise`.
    device, precision
        See `TorchUpscaler`.

    Raises
    ------
    OptionError
        If `denoise` is neither from 0 to 1 nor ``"auto"``.
    WeightsError
        If weights are of another network or scale, or their checksum is wrong.
    """

    def __init__(
        self,
        card: ModelCard,
        scale: int,
        weights: Path,
        *,
        denoise: float | str = 0.5,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        self.check_values(denoise=denoise)
        self._decides = denoise == AUTO
        share = MIDDLE if denoise == AUTO else float(denoise)
        (sibling,) = card.weights[scale].companions
        keeps = read_checkpoint(weights_path(sibling)).tensors
        takes = read_checkpoint(weights).tensors

        def between(share: float) -> CompactUpscaler:
            tensors = interpolate(keeps, takes, share)
            made = CompactUpscaler(card, scale, tensors, device=device, precision=precision)
            made.decided = (("denoise", share),)
            return made

        # Weights of both are kept for as long as there is something to mix.
        self._between: Callable[[float], Upscaler] | None = None
        if self._decides:
            self._between = functools.lru_cache(KEPT)(between)
        tensors = interpolate(keeps, takes, float(share))
        super().__init__(card, scale, tensors, device=device, precision=precision)

    @staticmethod
    def check_values(*, denoise: float | str = MIDDLE, **others: object) -> None:
        """Refuse a dial beyond its ends; `srkit.load` asks before it downloads the weights.

        Raises
        ------
        OptionError
            If `denoise` is neither from 0 to 1 nor ``"auto"``.
        """
        if denoise != AUTO and not (isinstance(denoise, Real) and 0 <= denoise <= 1):
            raise OptionError(
                f"denoise is from 0 (keeps noise) to 1 (takes it away), or {AUTO!r}, "
                f"not {denoise!r}"
            )

    @property
    def decides(self) -> bool:
        """Whether `denoise` is decided for each picture."""
        return self._decides

    def for_picture(self, found: Findings) -> Upscaler:
        """See `Upscaler.for_picture`. The last networks that were mixed are kept."""
        if self._between is None:
            return self
        return self._between(automatic_denoise(found.noise, found.jpeg_quality))
