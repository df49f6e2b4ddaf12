"""The network that a run starts from, and the file that weights are written to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from safetensors.torch import save
from torch import Tensor, nn

from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.readers.luma_weights import stated_scale
from srkit.advice import advise
from srkit.atomic import replacing
from srkit.errors import OptionError, WeightsError
from srkit.models import loading
from srkit.models.weights import sha256, weights_path
from srkit.training.families import Family

log = logging.getLogger(__name__)


class Start(NamedTuple):
    """What a run begins with.

    Attributes
    ----------
    network
        To be trained.
    told
        What it is, for headers.
    teachers
        Whom its weights have learned from, as their header names them, or ``""``.
    """

    network: nn.Module
    told: str
    teachers: str = ""


def network(
    family: Family,
    scale: int,
    init: str | Path,
    seed: int,
    encoder: str = "",
    size: Mapping[str, int] | None = None,
) -> Start:
    """The network to start from.

    Parameters
    ----------
    init
        ``""`` for bicubic interpolation, or a model's name, or a weights file.
    encoder
        Of a new network, which has one: see `Recipe`.
    size
        Of a network whose size is free: what a recipe states of it. One that is smaller is grown.

    Raises
    ------
    WeightsError
        If the weights are of another network or scale, or in files of others' programs.
    """
    torch.manual_seed(seed)
    if encoder and (init or not family.encoded):
        raise OptionError("an encoder is for a new network that has one, such as unet")
    if size and not family.sized:
        raise OptionError(
            f"{', '.join(size)} are for a network whose size is free, such as compact"
        )
    if not init:
        net = _new(family, scale, encoder, size)
        family.start(net)
        return Start(net, "bicubic interpolation" + _encoder(encoder))
    path = _path(init, scale, family)
    checkpoint = read_checkpoint(path)
    told = f"{path.name}, SHA-256 {sha256(path)[:16]}"
    # Weights of FSRCNN do not tell their scale, but headers do.
    stated = stated_scale(checkpoint.metadata, least=1)
    found = stated
    if found is None and family.tells_scale:
        found = int(cast(Any, family.read(checkpoint.tensors, scale)).scale)
    for (old, new), rescale in family.rescale.items():
        if (old, new) == (found, scale):
            net, told = rescale(checkpoint.tensors), f"{told}, which is for x{old}"
            break
    else:
        net = family.read(checkpoint.tensors, scale)
        if (found or cast(Any, net).scale) != scale:
            raise WeightsError(f"{path} holds weights for x{found}, not x{scale}")
    grown = _sized(lambda: family.grow(net, size or {}))
    if grown is not net:
        log.info("the network of %s is smaller, and was grown to the recipe's size", path)
        told = f"{told}, grown"
    return Start(grown, told, checkpoint.metadata.get("teachers", ""))


def _new(family: Family, scale: int, encoder: str, size: Mapping[str, int] | None) -> nn.Module:
    if family.encoded:
        return family.encoded(scale, encoder)
    if not (size and family.sized):
        return family.build(scale)
    sized = family.sized
    return _sized(lambda: sized(scale, size))


def _sized(make: Callable[[], nn.Module]) -> nn.Module:
    """A network of a stated size, which may be none that networks can have."""
    try:
        return make()
    except ValueError as error:
        raise OptionError(str(error)) from error


def _encoder(encoder: str) -> str:
    """An encoder as headers tell of it; a file by its digest, since its name may stay."""
    if not encoder:
        return ""
    path = Path(encoder).expanduser()
    return f", encoder {path.name}" + (f", SHA-256 {sha256(path)[:16]}" if path.is_file() else "")


def _path(init: str | Path, scale: int, family: Family) -> Path:
    """The file to start from, of a model's name or a path."""
    if not (isinstance(init, str) and init in loading.list_models()):
        if not (Path(init).exists() or Path(init).suffix or Path(init).name != str(init)):
            raise OptionError(
                f"{init} is neither a model nor a file of weights; name what to start from by init "
                "(--init)"
            )
        return Path(init)
    card = loading.card(init)
    weights = {scale: f for scale, f in card.weights.items() if f.distribution is None}
    if card.weights and not weights:
        teacher = advise(f"teacher={init!r}", f"--teacher {init}")
        raise WeightsError(
            f"the weights of {init} are another's, in files that no run starts from; to learn from "
            f"what it makes of photos, give {teacher} in place of {advise('init', '--init')}"
        )
    for known in (scale, *(old for old, new in family.rescale if new == scale)):
        if known in weights:
            return weights_path(weights[known])
    own, bicubic = advise("init", "--init"), advise('start=""', "--set start=")
    raise WeightsError(
        f"{init} has no weights for x{scale} to start from; name a file of yours by {own}, or "
        f"start from bicubic interpolation by {bicubic}"
    )


def write_weights(tensors: Mapping[str, Tensor], out: Path, header: Mapping[str, str]) -> None:
    """Write weights as a safetensors file that appears whole or not at all."""
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with replacing(out) as file:
        file.write(save(plain, dict(header)))
