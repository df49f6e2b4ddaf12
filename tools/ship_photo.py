"""Put weights of the default model in place: ``python tools/ship_photo.py TAKES KEEPS commit=...``.

TAKES are weights for x4 that take noise away, and KEEPS those of the sibling that keeps grain.
Without ``--double TAKES KEEPS``, weights for x2, both are halved. Written are the four files in
`srkit/pretrained`, and their digests in `srkit/models/builtin.py`. What else has to be made again,
pictures and tables, is listed in CONTRIBUTING.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from export_weights import export

from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.models import builtin
from srkit.models.weights import PACKAGED, sha256
from srkit.training.origin import write_weights
from srkit.training.starts.compact import halve_compact

CARDS = Path(builtin.__file__)
ABOUT = {
    "licence": "CC-BY-SA-4.0",
    "training_data": (
        "photos of CREDITS.md, but for the twelve that figures are measured on, made poor as the "
        "recipe says"
    ),
    "teachers": (
        "RealESRGAN_x4plus, realesr-general-x4v3 and its denoising twin "
        "(xinntao/Real-ESRGAN, BSD-3-Clause); of clean pictures PlainUSR-L (icandle/PlainUSR, MIT)"
    ),
}


def halve(weights: Path, out: Path) -> None:
    """Write weights for x2 that make what those for x4 do, shrunk by area."""
    checkpoint = read_checkpoint(weights)
    header = dict(checkpoint.metadata)
    header.pop("held_out", None)  # is of x4
    header |= {
        "scale": "2",
        "started_from": f"{weights.name}, SHA-256 {sha256(weights)[:16]}, which is for x4: halved",
    }
    write_weights(halve_compact(checkpoint.tensors).state_dict(), out, header)


def ship(weights: Path, name: str, about: Mapping[str, str]) -> str:
    """Export weights under the name of a packaged file; their digest."""
    return export(weights, PACKAGED / name, {**ABOUT, **about})


def main() -> None:
    """Command line: ``KEY=VALUE`` arguments after the weights go into all headers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("takes", type=Path)
    parser.add_argument("keeps", type=Path)
    parser.add_argument("about", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--double", nargs=2, type=Path, metavar=("TAKES", "KEEPS"))
    given = parser.parse_intermixed_args()
    about = dict(text.split("=", 1) for text in given.about)
    text = CARDS.read_text()
    with tempfile.TemporaryDirectory() as folder:
        double = given.double or [Path(folder) / path.name for path in (given.takes, given.keeps)]
        if not given.double:
            for large, small in zip((given.takes, given.keeps), double, strict=True):
                halve(large, small)
        for scale, (takes, keeps) in ((4, (given.takes, given.keeps)), (2, double)):
            file = builtin.PHOTO.weights[scale]
            (sibling,) = file.companions
            for weights, old in ((takes, file), (keeps, sibling)):
                digest = ship(weights, old.file, about)
                text = text.replace(old.sha256, digest)
                sys.stdout.write(f"{digest}  {old.file}\n")
    CARDS.write_text(text)


if __name__ == "__main__":
    main()
