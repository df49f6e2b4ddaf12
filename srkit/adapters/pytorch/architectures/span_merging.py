"""Convolutions that SPAN's program trains as four, as the one of 3x3 pixels that they amount to."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from srkit.adapters.pytorch.architectures.fitting import check_data
from srkit.errors import WeightsError

# How many times the channels there are between the three convolutions.
GAIN = 2
# Of a block: its number, and that of the convolution.
_BLOCK = re.compile(r"block_([1-9]\d*)\.c([123])_r")
# Of one layer: the pixel beside the three, the three, and their sum.
_PART = re.compile(r"(.+)\.(sk|conv\.[012]|eval_conv)\.(weight|bias)")


def merged(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of SPAN's program, with one convolution in place of four.

    A layer ``x`` of it is ``x.conv.0``, ``.1`` and ``.2``, of 1x1, 3x3 and 1x1 pixels, beside
    ``x.sk``, of 1x1. Their sum is ``x.weight`` and ``x.bias``, as is ``x.eval_conv`` where a file
    has nothing else. Beside the others that is a copy, which may be older than they are; upstream's
    program makes it anew whenever it is run. All other tensors stay.

    Parameters
    ----------
    name
        Of the network, for messages.

    Raises
    ------
    WeightsError
        If parts of a layer are missing or of the wrong shape, or larger than their data.

    Examples
    --------
    >>> state = {"conv_1.eval_conv.weight": torch.zeros(8, 3, 3, 3), "other": torch.ones(1)}
    >>> found = merged("SPAN", state)
    >>> sorted(found)
    ['conv_1.weight', 'other']
    """
    kept: dict[str, Tensor] = {}
    layers: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if found := _PART.fullmatch(key):
            layers.setdefault(found[1], {})[f"{found[2]}.{found[3]}"] = tensor
        else:
            kept[key] = tensor
    try:
        check_data(tensors)
        for layer, parts in layers.items():
            kept |= {f"{layer}.{kind}": value for kind, value in _layer(layer, parts).items()}
    except ValueError as error:
        raise WeightsError(f"the weights do not fit {name}: {error}") from error
    return kept


def renamed(tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Tensors of SPAN's program, as `merged` gives them, under the names that they have here.

    Parameters
    ----------
    names
        Of layers outside of blocks: theirs, and ours.

    Examples
    --------
    >>> one = torch.ones(1)
    >>> list(renamed({"block_2.c1_r.bias": one, "conv_cat.bias": one}, {"conv_cat": "join"}))
    ['blocks.1.conv1.bias', 'join.bias']
    """
    own: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition(".")
        if block := _BLOCK.fullmatch(layer):
            own[f"blocks.{int(block[1]) - 1}.conv{block[2]}.{part}"] = tensor
        else:
            own[f"{names[layer]}.{part}" if layer in names else name] = tensor
    return own


def _layer(layer: str, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    trained = {part: value for part, value in parts.items() if not part.startswith("eval_conv")}
    if not trained:
        return {part.split(".")[1]: value for part, value in parts.items()}
    _check(layer, trained)
    return dict(zip(("weight", "bias"), _sum(trained), strict=True))


def _sum(parts: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Weight and bias of one layer."""
    # Products of three in float64, so that float32 holds the sum as exactly as it can.
    exact = {name: tensor.double() for name, tensor in parts.items()}
    before, within, after = (exact[f"conv.{n}.weight"] for n in range(3))
    weight = torch.einsum("om,mnyx,ni->oiyx", after[:, :, 0, 0], within, before[:, :, 0, 0])
    weight[:, :, 1, 1] += exact["sk.weight"][:, :, 0, 0]
    # What their biases amount to, at the border as well: their program puts zeros around what the
    # first of the three sees, whose bias then fills the padding like all else, and the second sees
    # it there. So zeros around what the sum sees do the same. Around what the second sees, as a
    # convolution's own padding would have it, they would lack that bias.
    bias = torch.einsum("mnyx,n->m", within, exact["conv.0.bias"]) + exact["conv.1.bias"]
    bias = after[:, :, 0, 0] @ bias + exact["conv.2.bias"] + exact["sk.bias"]
    return weight.float(), bias.float()


def _check(layer: str, parts: Mapping[str, Tensor]) -> None:
    """Refuse what has no sum, before anything is computed: shapes alone could fill the memory."""
    beside = parts.get("sk.weight")
    made, given = beside.shape[:2] if beside is not None and beside.ndim == 4 else (0, 0)
    wanted = {
        "sk": (made, given, 1, 1),
        "conv.0": (GAIN * given, given, 1, 1),
        "conv.1": (GAIN * made, GAIN * given, 3, 3),
        "conv.2": (made, GAIN * made, 1, 1),
    }
    for part, shape in wanted.items():
        for name, right in ((f"{part}.weight", shape), (f"{part}.bias", shape[:1])):
            if name not in parts:
                raise ValueError(f"{layer}.{name} is missing")
            if parts[name].shape != right:
                raise ValueError(
                    f"{layer}.{name} is {tuple(parts[name].shape)}, where {layer}.sk wants {right}"
                )
