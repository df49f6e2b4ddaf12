"""Weights from one framework's file into another's."""

from __future__ import annotations

from pathlib import Path

from srkit.adapters.graphdef.frozen import open_frozen
from srkit.adapters.graphdef.portable import ARCHITECTURE, OPERATIONS, packed
from srkit.errors import MissingDependencyError, OptionError
from srkit.imaging.atomic import replacing
from srkit.weights import sha256


def convert(source: str | Path, target: str | Path, *, scale: int | None = None) -> Path:
    """Write weights in another format; the suffixes say from which to which.

    ESPCN and FSRCNN, trained here, become frozen graphs in the operators and names of
    the published ones, which OpenCV and TensorFlow load. A frozen graph becomes a
    safetensors file: its constants under their names, and its operations in the header.

    Parameters
    ----------
    source
        A checkpoint or ``.safetensors`` of ESPCN or FSRCNN, or a frozen graph (``.pb``).
    target
        A ``.pb`` file, or a ``.safetensors`` file. It appears whole or not at all.
    scale
        The factor, where the weights do not tell.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    OptionError
        If no such conversion exists, or the scale is not known, or not that of the
        weights.
    UnsafeFileError, CorruptFileError, WeightsError
        If `source` is refused; see `srkit.load`.
    MissingDependencyError
        Without torch or safetensors, where they are needed.
    """
    source, target = Path(source), Path(target)
    kinds = source.suffix.lower() == ".pb", target.suffix.lower()
    try:
        if kinds == (False, ".pb"):
            from srkit.adapters.pytorch.exporting import frozen_graph

            data = frozen_graph(source, scale)
        elif kinds == (True, ".safetensors"):
            data = _portable(source, scale)
        else:
            raise OptionError(
                f"{source.name} cannot become {target.name}: weights of ESPCN and FSRCNN can "
                "become frozen graphs (.pb), and frozen graphs .safetensors"
            )
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        raise MissingDependencyError(
            f'to convert weights needs {error.name}: pip install "srkit[torch]"'
        ) from error
    with replacing(target) as file:
        file.write(data)
    return target


def _portable(path: Path, scale: int | None) -> bytes:
    """A frozen graph as a safetensors file."""
    from safetensors.numpy import save

    frozen = open_frozen(path, scale, None, "torch")
    constants, operations = packed(frozen.program)
    header = {
        "architecture": ARCHITECTURE,
        "colour": frozen.card.colour,
        "made_from": f"{path.name}, SHA-256 {sha256(path)}",
        OPERATIONS: operations,
    }
    return save(constants, header)
