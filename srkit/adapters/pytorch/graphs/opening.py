"""Users' frozen TensorFlow graphs on torch."""

from __future__ import annotations

from pathlib import Path

from srkit.adapters.pytorch.graphs.graphdef import rebuild
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.adapters.readers.graphdef.frozen import Colour, Frozen, open_frozen


def open_graph(
    path: Path,
    *,
    scale: int | None = None,
    color: Colour = "opencv",
    output: str | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> TorchUpscaler:
    """An upscaler from a frozen graph, rebuilt layer by layer; TensorFlow is not needed.

    Parameters
    ----------
    path
        A ``.pb`` file. What it holds is checked before anything is made of it.
    scale
        The factor wanted, where the graph has outputs for several.
    color
        ``"opencv"``: 8-bit YCrCb and bilinear chroma, as OpenCV's ``dnn_superres`` does,
        and zeros beyond the border; for this such graphs were published. ``"float"``:
        srkit's own way, with reflected pixels there.
    output
        Name of an output.
    device, precision
        See `TorchUpscaler`.

    Raises
    ------
    UnsafeFileError, CorruptFileError, WeightsError, OptionError
        See `open_frozen`.
    """
    frozen = open_frozen(path, scale, output, color, "torch")
    return run_frozen(frozen, device=device, precision=precision)


def run_frozen(frozen: Frozen, *, device: str, precision: str) -> TorchUpscaler:
    """An upscaler from a graph that was checked; see `open_graph`."""
    net = rebuild(frozen.program, frozen.output)
    made = TorchUpscaler(frozen.card, frozen.scale, net, device=device, precision=precision)
    made.luma_rule = frozen.rule
    return made
