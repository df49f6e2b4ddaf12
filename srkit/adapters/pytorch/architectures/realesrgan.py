"""Real-ESRGAN's small network for photos, which comes twice: one denoises, one hardly does."""

from __future__ import annotations

from numbers import Real
from pathlib import Path

from srkit.adapters.pytorch.architectures.compact import CompactUpscaler
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.interpolation import interpolate
from srkit.card import ModelCard
from srkit.errors import OptionError
from srkit.weights import weights_path


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
        does for ``-dn``, whose default this is.
    device, precision
        See `TorchUpscaler`.

    Raises
    ------
    OptionError
        If `denoise` is not from 0 to 1.
    WeightsError
        If weights are of another network or scale, or their checksum is wrong.
    """

    def __init__(
        self,
        card: ModelCard,
        scale: int,
        weights: Path,
        *,
        denoise: float = 0.5,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        self.check_values(denoise=denoise)
        (sibling,) = card.weights[scale].companions
        keeps = read_checkpoint(weights_path(sibling)).tensors
        takes = read_checkpoint(weights).tensors
        tensors = interpolate(keeps, takes, float(denoise))
        super().__init__(card, scale, tensors, device=device, precision=precision)

    @staticmethod
    def check_values(*, denoise: float = 0.5, **others: object) -> None:
        """Refuse a dial beyond its ends; `srkit.load` asks before it downloads the weights.

        Raises
        ------
        OptionError
            If `denoise` is not from 0 to 1.
        """
        if not (isinstance(denoise, Real) and 0 <= denoise <= 1):
            raise OptionError(
                f"denoise is from 0 (keeps noise) to 1 (takes it away), not {denoise!r}"
            )
