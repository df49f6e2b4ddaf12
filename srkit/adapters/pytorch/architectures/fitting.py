"""Put the weights of a file into a network of ours, or say what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from srkit.errors import WeightsError

Net = TypeVar("Net", bound=nn.Module)


def fitted(name: str, build: Callable[[], Net], tensors: Mapping[str, Tensor]) -> Net:
    """A network with the weights of a state dict, in float32.

    Parameters
    ----------
    name
        Of the architecture, for messages.
    build
        Makes the network. It is called without storage, so what a hostile file claims
        to be large costs nothing.

    Raises
    ------
    WeightsError
        If tensors are missing, left over, of the wrong shape, or larger than their
        data.
    """
    try:
        with torch.device("meta"):
            net = build()
        _check_shapes(net.state_dict(), tensors)
        floats = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
        net.load_state_dict(floats, assign=True)
    except (RuntimeError, ValueError) as error:
        raise WeightsError(f"the weights do not fit {name}: {error}") from error
    return net


def _check_shapes(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Compare names and shapes, and refuse tensors that are larger than their data."""
    if apart := sorted(wanted.keys() ^ given.keys()):
        verb = "missing" if apart[0] in wanted else "left over"
        raise ValueError(f"{apart[0]} is {verb}, and {len(apart) - 1} more tensors do not match")
    for name, tensor in given.items():
        if tensor.shape != wanted[name].shape:
            raise ValueError(
                f"{name} is {tuple(tensor.shape)}, where the others want "
                f"{tuple(wanted[name].shape)}"
            )
    check_data(given)


def check_data(tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are larger than their data, as a small file may claim.

    Raises
    ------
    ValueError
    """
    for name, tensor in tensors.items():
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ValueError(f"{name} repeats its data, which no trained weights do")
