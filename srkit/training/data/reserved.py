"""The photos that figures for poor photos are measured on, and that nothing is trained on.

They are known by their content, so that no folder, name or split brings them into a training, nor
into what weights are chosen by. A copy that was saved anew is not recognised.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from srkit.errors import CorruptFileError, OptionError
from srkit.models.weights import sha256


@dataclass(frozen=True)
class Photo:
    """A file by its name, its size in bytes, and its digest."""

    name: str
    size: int
    sha256: str


# The photos that were held out of the trainings of `photo`, `srresnet` and `srgan`.
RESERVED = (
    Photo("0000.jpg", 472001, "0fa9cb10e1c548bd100c9833a03fa6bfa78b60c99be0480c4c7f0e326f3998a4"),
    Photo("0036.jpg", 575284, "44826570199a65547755ab7c2c67c6aa6c7086723859ede1e91c91a2a0c3017a"),
    Photo("0072.jpg", 455148, "a96075a865fb2069a56429e402589007abbebfd84e3134e18302715745689756"),
    Photo("0108.jpg", 420188, "8017a67fa6d27b38abdc13cb8df2bdfca7154ae0631afa62b0a2bfe575b54b9e"),
    Photo("0145.jpg", 163463, "581184cdad229793f23db5fbbd6d05426ce721617986bc75da040a23bdd25acc"),
    Photo("0182.jpg", 178407, "b18bd0cb13fe30c866e1d378f291b3624cf071e6c14f55a1769b19044c408619"),
    Photo("0220.jpg", 103880, "a7ea46efe8fbb2338901577a358bc1a93365ca4861c3b56d436e74fe3d090431"),
    Photo("0256.jpg", 132561, "80b693efadf28540a7b13e3a4b808b29edd9309ee4ce59ad36a72e88580ea29c"),
    Photo("0292.jpg", 111925, "07fa2a6bfd3579b4187fb689b756b8937003d672b2a8331b032c614aa35a8713"),
    Photo("0328.jpg", 174400, "eaba02d8e44cb0472dbb62fb08e3e8a2ad88b1a58a9839f1d6af573ba3795840"),
    Photo("0364.jpg", 175609, "832cbe7079a0b3ce3cd256c54d83786ba885b398d3d07eafea1115f0c6747396"),
    Photo("0400.jpg", 604278, "199ae4a3491a03dcbe4b27e5fe887884296153df847dd7ed043903ff2f463eed"),
)


def is_reserved(path: Path) -> bool:
    """Whether a file is one of the photos, whatever its name; few others are read for that."""
    if not path.is_file():
        return False
    size = path.stat().st_size
    digests = {photo.sha256 for photo in RESERVED if photo.size == size}
    return bool(digests) and sha256(path) in digests


def find_reserved(folder: Path) -> list[Path]:
    """Paths of all of them, in their order, in a folder that holds them by their names.

    Raises
    ------
    OptionError
        If one is not there.
    CorruptFileError
        If a file of its name is another one.
    """
    paths = [folder / photo.name for photo in RESERVED]
    for path, photo in zip(paths, RESERVED, strict=True):
        if not path.is_file():
            listed = ", ".join(photo.name for photo in RESERVED)
            raise OptionError(f"{folder} has no {photo.name}; figures are measured on {listed}")
        if sha256(path) != photo.sha256:
            raise CorruptFileError(
                f"{path} is not the photo that figures are measured on: its sha256 is "
                f"{sha256(path)}, not {photo.sha256}"
            )
    return paths
