"""What tells files and weights from others: for work that is gone on with later."""

from __future__ import annotations

import hashlib
from pathlib import Path

from srkit.models.formats import files_of
from srkit.models.weights import sha256
from srkit.upscaling.upscaler import Upscaler

# A fingerprint reads this many pieces of a file, spread evenly, and not all of a large one.
PIECES, PIECE = 16, 1 << 18
# Options that change how work is done and not what comes of it.
FREE_OPTIONS = ("device", "memory")


def fingerprint(path: Path) -> str:
    """What tells a file from others: a hash of its size and of pieces all over it.

    Examples
    --------
    >>> fingerprint(Path(__file__)) == fingerprint(Path(__file__))
    True
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for number in range(PIECES):
            file.seek(max(0, size - PIECE) * number // (PIECES - 1))
            digest.update(file.read(PIECE))
    return digest.hexdigest()


def weights_digest(model: str | Path | Upscaler, upscaler: Upscaler) -> str:
    """What tells weights from others: a digest, of a user's own files, too; or ""."""
    if known := upscaler.card.weights.get(upscaler.scale):
        return known.sha256
    if isinstance(model, Upscaler) or not Path(model).is_file():
        return ""
    digests = [sha256(file) for file in files_of(Path(model))]
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )
