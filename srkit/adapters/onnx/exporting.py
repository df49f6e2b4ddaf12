"""Models on torch as ONNX files: what of it users call."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srkit.advice import advise
from srkit.errors import OptionError
from srkit.extras import missing_extra, missing_packages
from srkit.models import loading
from srkit.upscaling.decisions import AUTO

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exported:
    """An ONNX file that was written.

    Attributes
    ----------
    path
        Where.
    difference
        The most that a value on ONNX Runtime differed by from torch, in [0, 1], on random
        tiles of two sizes.

    Examples
    --------
    >>> Exported(Path("espcn.onnx"), difference=3e-7).path.suffix
    '.onnx'
    """

    path: Path
    difference: float


def export(
    model: str | Path,
    target: str | Path,
    *,
    scale: int | None = None,
    denoise: float | str | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a model as an ONNX file; needs ``pip install "srkit[torch,onnx]"``.

    The file takes images of any size, and any number of them, and computes in float32. Its
    header tells what `srkit.load` needs to tile it exactly, and the credits. It is loaded on
    ONNX Runtime and compared with torch before it appears: whole, or not at all.

    Parameters
    ----------
    model
        The name of a model that runs on torch, or a weights file, as for `load`.
    target
        The file to write. Its suffix should be ``.onnx``, by which a bare name is known as a file.
    scale
        Factor of both sides; the model's default if left out.
    denoise
        For models that have it, from 0 (keeps noise) to 1 (takes it away): a file holds one
        network. Left out of a model that decides it for each picture, it is the middle, as the
        log warns.
    overwrite
        Replace `target` if it exists.

    Returns
    -------
    Exported
        ``path``, and ``difference``: the most that a value differed by from torch, in [0, 1].

    Raises
    ------
    OptionError
        If `target` exists, `denoise` is no number from 0 to 1, the model does not run on torch,
        does more than run a network of single images, or cannot be followed layer by layer, as
        networks with attention.
    WeightsError
        If the result differs from torch by more than 1e-5, or the network has a layer that
        cannot be written; then there is no file.
    UnknownModelError, CorruptFileError, UnsafeFileError
        See `load`.
    MissingDependencyError
        If torch, onnx or onnxruntime is not installed.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "espcn.onnx"
    >>> export("espcn", target, scale=2).difference < 1e-5
    True

    What it is for::

        srkit.export("srresnet", "model.onnx", scale=4)
        srkit.load("model.onnx").upscale("photo.png")
    """
    if missing := [*missing_packages("torch"), *missing_packages("onnx")]:
        raise missing_extra(f"to export needs {' and '.join(missing)}", "torch,onnx")
    target = Path(target)
    if target.exists() and not overwrite:
        raise OptionError(f"{target} exists; {advise('pass overwrite=True', 'use --overwrite')}")
    if denoise == AUTO:
        raise OptionError("a file holds one network: denoise is a number from 0 to 1, not 'auto'")
    from srkit.adapters.onnx.comparing import write_compared

    dial: dict[str, Any] = {} if denoise is None else {"denoise": denoise}
    # On a GPU convolutions round otherwise, and the comparison is with the CPU's.
    loaded = loading.load(model, scale=scale, runtime="torch", device="cpu", **dial)
    if loaded.decides:
        log.warning(
            "%s sets its dial for each picture, which a file cannot: written is the network of "
            "the middle, 0.5; choose another by denoise= (--denoise), from 0 to 1",
            loaded.card.name,
        )
    return Exported(target, write_compared(loaded, target))
