"""What the trainer has to know of a network, told beside the network itself.

What training needs beyond the network, such as starts from bicubic interpolation, is named as
text, as cards name adapters: adapters may not import `srkit.training`, and who upscales imports
none of it. A start of few lines may as well lie in the file of its architecture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from srkit.extras import import_named


def later(name: str) -> Callable[..., Any]:
    """The function of the name ``"module:function"``, imported when it is first called.

    Examples
    --------
    >>> later("math:sqrt")(4)
    2.0
    """

    def call(*args: Any, **options: Any) -> Any:
        return import_named(name)(*args, **options)

    return call


def unchanged(net: nn.Module, stated: Mapping[str, int]) -> nn.Module:
    """The `Training.grow` of networks of one size."""
    return net


def last_apart(last: Callable[[Any], nn.Module]) -> Callable[[Any], list[list[nn.Module]]]:
    """All but one layer, and that one: by default the last learns ten times slower.

    Shi et al., 2016, Section 3.2.
    """

    def groups(net: nn.Module) -> list[list[nn.Module]]:
        return [[net], [last(net)]]

    return groups


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is trained.

    Attributes
    ----------
    scales
        Scales for which `start` exists.
    build
        A network of random weights for a scale.
    start
        Sets weights so that the network begins as bicubic interpolation.
    groups
        Its layers in groups, which may learn at different rates.
    shares
        The rate of each group by default, as a share of the highest.
    planes
        The network between planes in [0, 1], where training has another way to these than
        `Architecture.planes`.
    rescale
        A network for a scale from the state dict of one for another, by both scales:
        ``(from, to)``.
    encoded
        For networks on an encoder: one of random weights for a scale, on an encoder that
        a recipe names.
    sized
        For networks whose size is free: one of random weights for a scale, of the size that
        a recipe states, see `srkit.training.recipe.SIZES`.
    tells_scale
        Whether a network that was read tells its scale: one that keeps sizes knows of none.
    window
        Frames that it sees; 1 for networks of single images.
    weight_norm
        Trains the network's convolutions as direction and length, where it can be.
    revive
        Draws units anew that never fire on some pictures, in planes, by a seed; how many.
    grow
        A network of the size that is trained, or of what a recipe states of it, from a smaller
        one to start from.
    """

    scales: tuple[int, ...]
    build: Callable[[int], nn.Module]
    start: Callable[[Any], None]
    groups: Callable[[Any], Sequence[Sequence[nn.Module]]]
    shares: tuple[float, ...] = (1.0, 0.1)
    planes: Callable[[Any], nn.Module] | None = None
    rescale: Mapping[tuple[int, int], Callable[[Mapping[str, Tensor]], nn.Module]] = field(
        default_factory=dict
    )
    encoded: Callable[[int, str], nn.Module] | None = None
    sized: Callable[[int, Mapping[str, int]], nn.Module] | None = None
    tells_scale: bool = True
    window: int = 1
    weight_norm: Callable[[Any], None] | None = None
    revive: Callable[[Any, Tensor, int], int] | None = None
    grow: Callable[[Any, Mapping[str, int]], nn.Module] = unchanged
