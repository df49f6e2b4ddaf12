"""Frozen graphs on TensorFlow itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.adapters.readers.graphdef.frozen import Colour, Frozen, open_frozen
from srkit.adapters.readers.graphdef.judged import INPUT, OUTPUT, judged_graph
from srkit.adapters.tensorflow.quiet import tensorflow
from srkit.errors import OptionError
from srkit.upscaling.upscaler import Upscaler

# Working memory of TensorFlow against the widest layer's output, by peak memory of
# whole processes.
HEADROOM = 4


class TensorFlowGraph(Upscaler):
    """Runs a frozen graph that was checked.

    Parameters
    ----------
    frozen
        The graph. TensorFlow gets what was judged of it, never the file.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, or as TensorFlow has it, ``"GPU:0"``.
    """

    runtime = "tensorflow"

    def __init__(self, frozen: Frozen, device: str) -> None:
        self.card, self.scale = frozen.card, frozen.scale
        self.luma_rule = frozen.rule
        self._frozen = frozen
        self._tf = tensorflow()
        self._device = _device(self._tf, device)
        kind, _, number = self._device.partition(":")
        self.device = "cpu" if kind == "CPU" else f"cuda:{number}"
        self._run = _imported(self._tf, frozen)
        self._first = frozen.program.planes[frozen.output].first

    @property
    def radius(self) -> int:
        """Radius of the receptive field in LR pixels, worked out from the graph."""
        return self._frozen.radius

    @property
    def bytes_per_pixel(self) -> float:
        """By the widest layer."""
        program = self._frozen.program
        planes = [program.planes[node.name] for node in program.needed(self._frozen.output)]
        return 4.0 * HEADROOM * max((p.channels or 1) * p.scale**2 for p in planes)

    def run(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Upscaler.run`."""
        errors = self._tf.errors
        try:
            with self._tf.device(self._device):
                made = self._run(self._tf.constant(tiles)).numpy()
        except errors.ResourceExhaustedError as error:
            raise MemoryError(str(error).splitlines()[0]) from error
        result: NDArray[np.float32] = made.transpose(0, 2, 3, 1) if self._first else made
        return result


def _imported(tf: Any, frozen: Frozen) -> Any:
    """The graph as a function of its input."""
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString(judged_graph(frozen.program, frozen.output))
    wrapped = tf.compat.v1.wrap_function(
        lambda: tf.compat.v1.import_graph_def(definition, name=""), []
    )
    return wrapped.prune(f"{INPUT}:0", f"{OUTPUT}:0")


def _device(tf: Any, device: str) -> str:
    if device == "auto":
        return "GPU:0" if tf.config.list_physical_devices("GPU") else "CPU:0"
    known = [d.name.removeprefix("/device:") for d in tf.config.list_logical_devices()]
    wanted = device.upper().replace("CUDA", "GPU")
    wanted = wanted if ":" in wanted else f"{wanted}:0"
    if wanted not in known:
        raise OptionError(f"TensorFlow has no device {device!r}; it has {', '.join(known)}")
    return wanted


def open_graph(
    path: Path,
    *,
    scale: int | None = None,
    color: Colour = "opencv",
    output: str | None = None,
    device: str = "auto",
) -> TensorFlowGraph:
    """An upscaler from a frozen graph.

    Parameters
    ----------
    path, scale, color, output
        See `srkit.adapters.pytorch.graphs.opening.open_graph`.
    device
        See `TensorFlowGraph`.

    Raises
    ------
    UnsafeFileError, CorruptFileError, WeightsError, OptionError
        See `open_frozen`. TensorFlow sees the graph only after it was found harmless.
    """
    frozen = open_frozen(path, scale, output, color, "tensorflow")
    return TensorFlowGraph(frozen, device)
