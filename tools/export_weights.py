"""Pack trained weights for shipping: ``python tools/export_weights.py WEIGHTS OUT``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.errors import WeightsError
from srkit.models.weights import sha256
from srkit.training.origin import write_weights

# Networks with no more numbers stay in single precision: they take under 200 KB.
SMALL = 50_000


def export(weights: Path, out: Path, about: Mapping[str, str]) -> str:
    """Write weights as a safetensors file, large ones in half precision.

    Parameters
    ----------
    weights
        Any file that `srkit.load` takes. The header of a trained one is kept.
    out
        The file to write; it appears whole or not at all.
    about
        What else its header says, such as licence, training data and scores.

    Returns
    -------
    str
        SHA-256 of the file, for the model's card.

    Raises
    ------
    WeightsError
        If a number does not fit half precision.
    """
    checkpoint = read_checkpoint(weights)
    small = sum(value.numel() for value in checkpoint.tensors.values()) <= SMALL
    tensors = {
        name: value.half() if value.is_floating_point() and not small else value
        for name, value in checkpoint.tensors.items()
    }
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise WeightsError(f"{name} does not fit half precision")
    write_weights(tensors, out, {**checkpoint.metadata, **about})
    return sha256(out)


def main() -> None:
    """Command line: ``KEY=VALUE`` arguments after the paths go into the header."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("about", nargs="*", metavar="KEY=VALUE")
    given = parser.parse_args()
    about = dict(text.split("=", 1) for text in given.about)
    sys.stdout.write(export(given.weights, given.out, about) + "\n")


if __name__ == "__main__":
    main()
