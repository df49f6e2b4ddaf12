"""Weights from one framework's file into another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from srkit.adapters.readers.enhance.files import read_weights
from srkit.adapters.readers.enhance.tensors import tensors_of
from srkit.adapters.readers.graphdef.frozen import open_frozen
from srkit.adapters.readers.graphdef.portable import ARCHITECTURE, OPERATIONS, packed
from srkit.atomic import replacing
from srkit.errors import OptionError
from srkit.extras import missing_extra
from srkit.models.weights import sha256


def convert(source: str | Path, target: str | Path, *, scale: int | None = None) -> Path:
    """Write weights in another format; the suffixes say from which to which.

    ========================  ================  ==============================================
    from                      to                what it is for
    ========================  ================  ==============================================
    ESPCN, FSRCNN             ``.pb``           OpenCV and TensorFlow: a frozen graph in the
                                                operators and names of the published ones
    frozen graph (``.pb``)    ``.safetensors``  its constants under their names, and its
                                                operations in the header
    ``.pkl.bz2``              ``.safetensors``  neural-enhance's weights, in torch's layout
    neural-enhance            ``.pkl.bz2``      the original program
    ========================  ================  ==============================================

    Networks trained here come as ``.safetensors`` or as a checkpoint.

    Parameters
    ----------
    source, target
        Files. `target` appears whole or not at all.
    scale
        The factor, where the weights do not tell; of a graph with several outputs the one
        to keep.

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

    Examples
    --------
    >>> import tempfile
    >>> from srkit.models.weights import PACKAGED
    >>> graph = Path(tempfile.mkdtemp()) / "ESPCN_x3.pb"
    >>> convert(PACKAGED / "espcn_x3.safetensors", graph).name
    'ESPCN_x3.pb'
    >>> from srkit.models.loading import REGISTRY
    >>> REGISTRY.format_of(graph).name
    'frozen TensorFlow graph'
    """
    source, target = Path(source), Path(target)
    kinds = _kind(source), _kind(target)
    if kinds not in _CONVERSIONS:
        raise OptionError(
            f"{source.name} cannot become {target.name}: .pb and .pkl.bz2 can become .safetensors; "
            "weights of ESPCN and FSRCNN that srkit train wrote can become .pb, those of "
            "neural-enhance .pkl.bz2"
        )
    try:
        data = _CONVERSIONS[kinds](source, scale)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        raise missing_extra(f"to convert weights needs {error.name}", "torch") from error
    with replacing(target) as file:
        file.write(data)
    return target


def _kind(path: Path) -> str:
    name = path.name.lower()
    for suffix in (".pb", ".pkl.bz2"):
        if name.endswith(suffix):
            return suffix
    # Checkpoints have many suffixes; what they hold decides.
    return ".safetensors" if name.endswith(".safetensors") else "checkpoint"


def _graph_of_network(path: Path, scale: int | None) -> bytes:
    from srkit.adapters.pytorch.graphs.exporting import frozen_graph

    return frozen_graph(path, scale)


def _portable_graph(path: Path, scale: int | None) -> bytes:
    from safetensors.numpy import save

    frozen = open_frozen(path, scale, None, "opencv", "torch")
    constants, operations = packed(frozen.program, frozen.output if scale else None)
    header = {
        "architecture": ARCHITECTURE,
        "colour": frozen.card.colour,
        "made_from": f"{path.name}, SHA-256 {sha256(path)}",
        OPERATIONS: operations,
    }
    return save(constants, header)


def _enhance_tensors(path: Path, scale: int | None) -> bytes:
    from safetensors.numpy import save

    weights = read_weights(path)
    if scale not in (None, weights.config.scale):
        raise OptionError(f"{path} holds weights for x{weights.config.scale}, not x{scale}")
    header = {
        "architecture": "neural-enhance",
        "scale": str(weights.config.scale),
        "colour": "rgb",
        "made_from": f"{path.name}, SHA-256 {sha256(path)}",
    }
    return save(tensors_of(weights), header)


def _enhance_file(path: Path, scale: int | None) -> bytes:
    from srkit.adapters.pytorch.graphs.exporting import enhance_file

    return enhance_file(path, scale)


_CONVERSIONS: Mapping[tuple[str, str], Callable[[Path, int | None], bytes]] = {
    ("checkpoint", ".pb"): _graph_of_network,
    (".safetensors", ".pb"): _graph_of_network,
    (".pb", ".safetensors"): _portable_graph,
    (".pkl.bz2", ".safetensors"): _enhance_tensors,
    ("checkpoint", ".pkl.bz2"): _enhance_file,
    (".safetensors", ".pkl.bz2"): _enhance_file,
}
