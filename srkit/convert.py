"""Weights from one framework's file into another's."""

from __future__ import annotations

from pathlib import Path

from srkit.errors import MissingDependencyError, OptionError
from srkit.imaging.atomic import replacing


def convert(source: str | Path, target: str | Path, *, scale: int | None = None) -> Path:
    """Write weights in another format; the suffixes say from which to which.

    ESPCN and FSRCNN, trained here, become frozen graphs in the operators and names of
    the published ones, which OpenCV and TensorFlow load.

    Parameters
    ----------
    source
        A checkpoint or ``.safetensors`` of ESPCN or FSRCNN.
    target
        A ``.pb`` file. It appears whole or not at all.
    scale
        The factor, where the weights do not tell.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    OptionError
        If no such conversion exists, or the scale is not known.
    UnsafeFileError, CorruptFileError, WeightsError
        If `source` is refused; see `srkit.load`.
    MissingDependencyError
        Without torch.
    """
    source, target = Path(source), Path(target)
    if target.suffix.lower() != ".pb" or source.suffix.lower() == ".pb":
        raise OptionError(
            f"{source.name} cannot become {target.name}: weights of ESPCN and FSRCNN can become "
            "frozen graphs (.pb)"
        )
    try:
        from srkit.adapters.pytorch.exporting import frozen_graph
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        raise MissingDependencyError(
            'to convert weights needs torch: pip install "srkit[torch]"'
        ) from error
    data = frozen_graph(source, scale)
    with replacing(target) as file:
        file.write(data)
    return target
