"""What a model was loaded from: enough to load it in another process, or to say that it changed."""

from __future__ import annotations

import functools
import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srkit.card import ModelCard
from srkit.errors import OptionError, WeightsError
from srkit.models.formats import files_of
from srkit.models.weights import sha256, with_companions

Stamp = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Source:
    """A name or a weights file, and how it was loaded.

    Attributes
    ----------
    model
        A name, or the absolute path of a file.
    scale, options
        As `srkit.load` was called; of a name the scale that was chosen.
    card
        Of a name that `srkit.register` added to this process alone.
    stamp
        Of a file, when it was loaded.
    digest
        Of the weights; of a file, left out until the model goes to another process.
    """

    model: str | Path
    scale: int | None
    options: Mapping[str, Any]
    card: ModelCard | None
    stamp: Stamp
    digest: str = ""

    def __getstate__(self) -> dict[str, Any]:
        """What goes to another process; the file is still the one that was loaded."""
        for name, value in self.options.items():
            try:
                pickle.dumps(value)
            except Exception as error:
                raise OptionError(
                    f"{self.model} was loaded with {name}={value!r}, which cannot be pickled for "
                    f"another process ({error})"
                ) from error
        self.check()
        digest = self.digest or _digest_of(self.model, self.stamp)
        return vars(self) | {"digest": digest}

    def check(self) -> None:
        """Whether the file is still the one that was loaded; names are checked when loaded.

        Raises
        ------
        WeightsError
            If it is not there, or other weights are.
        """
        if not isinstance(self.model, Path):
            return
        if not (stamp := stamp_of(self.model)):
            raise WeightsError(f"{self.model}, which the model was loaded from, is not there")
        # A copy on another machine has another stamp, and the same digest.
        if stamp != self.stamp and self.digest != _digest_of(self.model, stamp):
            raise WeightsError(
                f"{self.model} was changed or written anew since the model was loaded from it; "
                "load it again"
            )


def digest_of(card: ModelCard, scale: int) -> str:
    """Of the weights that a card states for a scale; empty where it states none."""
    file = card.weights.get(scale)
    return ",".join(one.sha256 for one in with_companions([file])) if file else ""


def stamp_of(model: str | Path) -> Stamp:
    """What changes when a weights file is written anew, or its name is another file's."""
    try:
        stats = [file.stat() for file in files_of(Path(model)) if file.is_file()]
    except (OSError, TypeError, ValueError):  # `load` says what is wrong
        return ()
    return tuple((s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns) for s in stats)


@functools.lru_cache(maxsize=32)
def _digest_of(model: str | Path, stamp: Stamp) -> str:
    """Of all files of a model, which are read once while they stay as they are."""
    if not isinstance(model, Path):
        return ""
    try:
        digests = "".join(sha256(file) for file in files_of(model))
    except OSError as error:
        raise WeightsError(f"{model} cannot be read: {error.strerror or error}") from error
    return hashlib.sha256(digests.encode()).hexdigest()
