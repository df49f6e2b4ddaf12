"""A user's pair of ncnn files: either finds the other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from srkit.adapters.readers.ncnn.network import Network, understand
from srkit.adapters.readers.ncnn.operations import numbers_of
from srkit.errors import SrkitError, UnsafeFileError, WeightsError
from srkit.models.contents import Contents, TensorFacts
from srkit.models.formats import ncnn_pair

# No network is larger.
MOST_TEXT, MOST_BYTES = 1 << 24, 1 << 30
# Files that a message lists.
_NAMED = 3


def read_network(path: Path) -> Network:
    """Read and judge a model. Nothing in it is run.

    Parameters
    ----------
    path
        Its .param or its .bin file; the other has the same name but for the ending, and lies
        beside it.

    Raises
    ------
    UnsafeFileError, CorruptFileError, WeightsError
        See `understand`; WeightsError also where a file cannot be read, or the other is not
        there.
    """
    if path.name.endswith(".param.bin"):
        raise WeightsError(
            f"{path} is ncnn's binary form of a .param file; open the text, which is named .param"
        )
    param, weights = ncnn_pair(path)
    texts = [_read(file, most, path) for file, most in ((param, MOST_TEXT), (weights, MOST_BYTES))]
    try:
        return understand(*texts)
    except SrkitError as error:
        raise type(error)(f"{path}: {error}") from error


def _read(file: Path, most: int, asked: Path) -> bytes:
    try:
        if (size := file.stat().st_size) > most:
            raise UnsafeFileError(f"{file} has {size} bytes; over {most} are refused")
        return file.read_bytes()
    except OSError as error:
        if isinstance(error, FileNotFoundError) and file != asked:
            raise WeightsError(
                f"{asked} is half of an ncnn model, whose other half {file.name} does not lie "
                f"beside it{_others(file)}"
            ) from error
        raise WeightsError(f"{file} cannot be read: {error.strerror or error}") from error


def _others(missing: Path) -> str:
    """What lies where a file was looked for, as one of a pair that was renamed by half does."""
    names = sorted(file.name for file in missing.parent.glob(f"*{missing.suffix}"))
    if not names:
        return ""
    told = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    return (
        f"; in {missing.parent} there {'is' if len(names) == 1 else 'are'} {told}: if it belongs "
        f"to this one, name it {missing.name}"
    )


def contents(path: Path) -> Contents:
    """What a model holds: the numbers of its layers, and as the header what it is made of.

    Raises
    ------
    UnsafeFileError, CorruptFileError, WeightsError
        See `read_network`.
    """
    network = read_network(path)
    tensors = {
        f"{layer.name}.{name}": TensorFacts(array.shape, array.dtype.name)
        for layer, step in zip(network.layers, network.steps, strict=True)
        for operation in step.operations
        for name, array in numbers_of(operation).items()
    }
    counts = Counter(layer.kind for layer in network.layers)
    header = {
        "layers": ", ".join(f"{count} {kind}" for kind, count in counts.items()),
        "files": " and ".join(file.name for file in ncnn_pair(path)),
        "scale": _scale(network),
    }
    return Contents(tensors, header)


def _scale(network: Network) -> str:
    try:
        return f"x{network.scale}"
    except WeightsError as error:
        return f"none: {error}"
