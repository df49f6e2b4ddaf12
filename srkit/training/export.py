"""Pack trained weights for shipping: ``python -m srkit.training.export WEIGHTS OUT``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save

from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.imaging.atomic import replacing
from srkit.weights import sha256


def export(weights: Path, out: Path, about: Mapping[str, str]) -> str:
    """Write weights as a safetensors file in half precision.

    Parameters
    ----------
    weights
        Any file that `srkit.load` takes.
    out
        The file to write; it appears whole or not at all.
    about
        What its header says: architecture, scale, training data, licence, recipe.

    Returns
    -------
    str
        SHA-256 of the file, for the model's card.
    """
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in read_checkpoint(weights).tensors.items()
    }
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ValueError(f"{name} does not fit half precision")
    with replacing(out) as file:
        file.write(save(tensors, dict(about)))
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
