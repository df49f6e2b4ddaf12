"""Find the weights of a model: packaged, or downloaded once into the user's cache."""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from srkit.card import WeightsFile
from srkit.errors import WeightsError

PACKAGED = Path(__file__).parent / "pretrained"


def cache_folder() -> Path:
    """Where downloaded weights are kept: ``$SRKIT_CACHE``, or the user's cache folder."""
    if chosen := os.environ.get("SRKIT_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "srkit"


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_path(weights: WeightsFile) -> Path:
    """Path of a weights file whose checksum was verified; downloads it if need be.

    Raises
    ------
    WeightsError
        If the file is missing, cannot be downloaded, or has the wrong checksum.
    """
    if weights.source.startswith(("https://", "http://")):
        path = cache_folder() / f"{weights.sha256[:16]}-{Path(weights.file).name}"
        if not path.exists():
            _download(weights, path)
    else:
        path = PACKAGED / weights.file if weights.source == "packaged" else Path(weights.source)
    if not path.is_file():
        raise WeightsError(f"weights {path} are missing; install srkit again")
    if (digest := sha256(path)) != weights.sha256:
        raise WeightsError(
            f"{path} has SHA-256 {digest}, not {weights.sha256}: it is damaged or not the file "
            "that the model was published with; delete it and try again"
        )
    return path


def _download(weights: WeightsFile, path: Path) -> None:
    """Fetch into a temporary file beside `path`, verify, then rename."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    except OSError as error:
        raise WeightsError(
            f"weights cannot be kept in {path.parent} ({error}); "
            "name another folder in the environment variable SRKIT_CACHE"
        ) from error
    part = Path(name)
    try:
        with (
            os.fdopen(handle, "wb") as out,
            # The scheme was checked by the caller: http or https alone.
            urllib.request.urlopen(weights.source, timeout=60) as answer,  # noqa: S310
        ):
            while block := answer.read(1 << 20):
                out.write(block)
        if (digest := sha256(part)) != weights.sha256:
            raise WeightsError(
                f"{weights.source} gave a file with SHA-256 {digest}, not {weights.sha256}"
            )
        part.replace(path)
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        raise WeightsError(
            f"{weights.source} could not be downloaded ({error}); put the file at {path} by hand"
        ) from error
    finally:
        part.unlink(missing_ok=True)
