"""The networks that can be trained: a view on the table of architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.base import Architecture
from srkit.adapters.pytorch.architectures.table import ARCHITECTURES
from srkit.adapters.pytorch.architectures.training import Training
from srkit.training.data.crops import to_luma, to_planes


@dataclass(frozen=True, kw_only=True)
class Family(Training):
    """A network, and how it is trained.

    Attributes
    ----------
    architecture
        Its name in the header of weights.
    colour
        What it takes and gives: RGB, or luma alone.
    read
        A network with the weights of a state dict, for a scale.
    planes
        The network between planes in [0, 1].
    multiple
        LR pixels of which sides are multiples.
    """

    architecture: str
    colour: Literal["rgb", "luma"]
    read: Callable[[Mapping[str, Tensor], int], nn.Module]
    planes: Callable[[Any], nn.Module]
    multiple: Callable[[Any], int]

    @classmethod
    def of(cls, network: Architecture, training: Training) -> Family:
        """What the trainer knows of an architecture."""
        how = {field.name: getattr(training, field.name) for field in fields(training)}
        return cls(
            **how | {"planes": training.planes or network.planes},
            architecture=network.name,
            colour=network.colour,
            read=network.build,
            multiple=network.multiple,
        )

    def ready(self, batch: Tensor) -> Tensor:
        """A uint8 batch ``(N, H, W, C)`` as the planes that the network takes or gives.

        Windows of frames are luma already.
        """
        planes = to_planes(batch)
        return to_luma(planes) if self.colour == "luma" and self.window == 1 else planes


FAMILIES: Mapping[str, Family] = {
    name: Family.of(network, training)
    for network in ARCHITECTURES
    for name, training in network.training.items()
}
