"""PlainUSR's re-parameterised parts, merged into the convolutions that they amount to.

A part is trained as an expansion to more channels, a 3x3 convolution weighed by channels and added
to its input, and a reduction, added to the part's input (RepMBConv, Figure 3 of the paper). The
border is padded with what the expansion makes of zeros, so all of it is one convolution.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from srkit.adapters.pytorch.architectures.fitting import check_data
from srkit.errors import WeightsError

# Layers of a part as they are trained, and their numbers of dimensions.
LAYERS = {
    "expand_conv.weight": 4,
    "expand_conv.bias": 1,
    "fea_conv.weight": 4,
    "fea_conv.bias": 1,
    "reduce_conv.weight": 4,
    "reduce_conv.bias": 1,
    "se.tensor": 4,
    "se.se.1.weight": 2,
    "se.se.3.weight": 2,
}


def merged(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict as upstream's own merging writes it; one that is merged is given back.

    Parameters
    ----------
    name
        Of the network, for messages.

    Raises
    ------
    WeightsError
        If the layers of a part do not fit each other.
    """
    made = dict(tensors)
    try:
        for place in sorted(_parts(tensors)):
            layers = {layer: made.pop(f"{place}.{layer}") for layer in LAYERS}
            made[f"{place}.weight"], made[f"{place}.bias"] = _merged(layers)
        for body, at in sorted(_bodies(made)):
            _merge_first_channel(made, body, at)
    except KeyError as error:
        raise WeightsError(f"the weights do not fit {name}: {error} is missing") from error
    except (RuntimeError, ValueError) as error:
        raise WeightsError(f"the weights do not fit {name}: {error}") from error
    return made


def _parts(tensors: Mapping[str, Tensor]) -> set[str]:
    return {key.rpartition(".expand_conv.")[0] for key in tensors if ".expand_conv." in key}


def _bodies(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, int]]:
    """Blocks whose last convolution is followed by one that makes its first channel anew.

    Yields
    ------
    tuple
        The block's body, and the number of what follows.
    """
    for key in tensors:
        if found := re.fullmatch(r"(block\w+\.body)\.([1-9]\d*)\.conv\.weight", key):
            yield found[1], int(found[2])


def _merged(layers: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution that a part amounts to."""
    layers = {name: tensor.double() for name, tensor in _checked(layers).items()}
    expand, within, reduce = (
        layers[f"{name}.weight"] for name in ("expand_conv", "fea_conv", "reduce_conv")
    )
    expand, reduce = expand[:, :, 0, 0], reduce[:, :, 0, 0]
    inner, outer = expand.shape
    hidden = functional.silu(layers["se.se.1.weight"] @ layers["se.tensor"].flatten())
    shares = torch.sigmoid(layers["se.se.3.weight"] @ hidden)
    within = within * shares.view(-1, 1, 1, 1)
    within[range(inner), range(inner), 1, 1] += 1
    bias = layers["fea_conv.bias"] * shares + within.sum((2, 3)) @ layers["expand_conv.bias"]
    weight = torch.einsum("om,mnhw,ni->oihw", reduce, within, expand)
    weight[range(outer), range(outer), 1, 1] += 1
    return weight.float(), (reduce @ bias + layers["reduce_conv.bias"]).float()


def _checked(layers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Layers of shapes that fit, so that what is made of them is no larger than they are."""
    check_data(layers)
    for name, dimensions in LAYERS.items():
        if layers[name].ndim != dimensions:
            raise ValueError(f"{name} has {layers[name].ndim} dimensions, not {dimensions}")
    inner, outer = layers["expand_conv.weight"].shape[:2]
    hidden = layers["se.se.1.weight"].shape[0]
    wanted = {
        "expand_conv.weight": (inner, outer, 1, 1),
        "expand_conv.bias": (inner,),
        "fea_conv.weight": (inner, inner, 3, 3),
        "fea_conv.bias": (inner,),
        "reduce_conv.weight": (outer, inner, 1, 1),
        "reduce_conv.bias": (outer,),
        "se.tensor": (1, inner, 1, 1),
        "se.se.1.weight": (hidden, inner),
        "se.se.3.weight": (inner, hidden),
    }
    for name, shape in wanted.items():
        if tuple(layers[name].shape) != shape:
            raise ValueError(f"{name} is {tuple(layers[name].shape)}, not {shape}")
    if inner < outer:
        raise ValueError(f"{outer} channels are expanded to {inner}")
    return layers


def _merge_first_channel(tensors: dict[str, Tensor], body: str, at: int) -> None:
    """Merge a 1x1 convolution to one channel into the 3x3 before it; what follows moves up."""
    mixing, more = (tensors.pop(f"{body}.{at}.conv.{kind}") for kind in ("weight", "bias"))
    weight, bias = (tensors[f"{body}.{at - 1}.{kind}"].clone() for kind in ("weight", "bias"))
    if tuple(mixing.shape) != (1, weight.shape[0], 1, 1) or more.numel() != 1:
        raise ValueError(f"{body}.{at}.conv is {tuple(mixing.shape)}, which mixes no channels")
    check_data({f"{body}.{at}.conv.weight": mixing})
    first, shift = torch.tensordot(mixing.flatten(), weight, 1), mixing.flatten() @ bias + more
    weight[0], bias[0] = first, shift[0]
    tensors[f"{body}.{at - 1}.weight"], tensors[f"{body}.{at - 1}.bias"] = weight, bias
    for key in [key for key in tensors if key.startswith(f"{body}.{at + 1}.")]:
        tensors[key.replace(f"{body}.{at + 1}.", f"{body}.{at}.", 1)] = tensors.pop(key)
