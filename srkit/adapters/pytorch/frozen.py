"""Users' frozen TensorFlow graphs on torch."""

from __future__ import annotations

from pathlib import Path

from srkit.adapters.graphdef.frozen import Colour, Frozen, open_frozen, rule_of
from srkit.adapters.pytorch.graph import rebuild
from srkit.adapters.pytorch.upscaler import TorchUpscaler


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
        for which such graphs were published. ``"float"``: srkit's own way.
    output
        Name of an output.
    device, precision
        See `TorchUpscaler`.

    Raises
    ------
    UnsafeFileError, CorruptFileError, WeightsError, OptionError
        See `open_frozen`.
    """
    rule_of(color)  # before the file is read
    frozen = open_frozen(path, scale, output, "torch")
    return run_frozen(frozen, color, device=device, precision=precision)


def run_frozen(frozen: Frozen, color: Colour, *, device: str, precision: str) -> TorchUpscaler:
    """An upscaler from a graph that was checked; see `open_graph`."""
    rule = rule_of(color)
    net = rebuild(frozen.program, frozen.output)
    made = TorchUpscaler(frozen.card, frozen.scale, net, device=device, precision=precision)
    made.luma_rule = rule
    return made
