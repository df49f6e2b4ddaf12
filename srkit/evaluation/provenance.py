"""What a figure was made with: versions, device, precision, weights."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from srkit.models.formats import files_of
from srkit.models.weights import sha256
from srkit.upscaling.upscaler import Upscaler
from srkit.version import __version__

# Where a framework is installed under another name than cards call it by.
_PACKAGES = {"onnx": "onnxruntime", "theano": "Lasagne"}
# Hexadecimal digits of a digest that tables show.
_DIGITS = 12


@dataclass(frozen=True)
class Provenance:
    """What a model was measured with.

    Attributes
    ----------
    srkit
        Its version.
    runtime
        The framework that the model ran on, and its version.
    device, precision
        Where it ran, and what it computed in: by which figures differ in the second or third digit
        after the point.
    weights
        The first digits of the SHA-256 of each weights file; empty for models without any, and for
        functions and modules.

    Examples
    --------
    >>> found = Provenance("1.0", "torch 2.9.0", "cpu", "bfloat16", "0123456789ab")
    >>> found.told("span")
    'span in bfloat16 on cpu, torch 2.9.0, weights 0123456789ab'
    """

    srkit: str
    runtime: str
    device: str
    precision: str
    weights: str = ""

    def told(self, model: str) -> str:
        """It in a line, without srkit's version."""
        weights = f", weights {self.weights}" if self.weights else ""
        return f"{model} in {self.precision} on {self.device}, {self.runtime}{weights}"


def provenance_of(upscaler: Upscaler) -> Provenance:
    """What a loaded model runs with.

    Examples
    --------
    >>> import srkit
    >>> found = provenance_of(srkit.load("bicubic"))
    >>> found.srkit == srkit.__version__, found.device, found.precision, found.weights
    (True, 'cpu', 'float32', '')
    """
    digests = _digests(upscaler.origin)
    return Provenance(
        __version__,
        _with_version(upscaler.runtime),
        upscaler.device,
        upscaler.precision,
        " ".join(one[:_DIGITS] for one in digests),
    )


def _with_version(runtime: str) -> str:
    try:
        return f"{runtime} {metadata.version(_PACKAGES.get(runtime, runtime))}"
    except metadata.PackageNotFoundError:
        return runtime


def _digests(origin: Any) -> list[str]:
    """Of a name's files as its card states them, which loading holds them to; of a file its own."""
    model = getattr(origin, "model", None)
    if isinstance(model, Path):
        try:
            return [sha256(file) for file in files_of(model)]
        except OSError:  # gone since it was loaded
            return []
    return [one for one in getattr(origin, "digest", "").split(",") if one]
