"""A user's frozen graph as a model: which output, which scale, which colours."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from srkit.adapters.readers.graphdef.graph import Graph, read_graph
from srkit.adapters.readers.graphdef.program import Program, understand
from srkit.card import ModelCard
from srkit.errors import OptionError
from srkit.guard import reading
from srkit.imaging.luma import BicubicChroma, LumaRule, OpenCVColour
from srkit.models.contents import Contents, TensorFacts

Colour = Literal["opencv", "float"]
RULES: dict[str, LumaRule] = {"opencv": OpenCVColour(), "float": BicubicChroma()}


@dataclass(frozen=True)
class Frozen:
    """A frozen graph that was checked, and what of it is used.

    Attributes
    ----------
    program
        What it computes.
    output
        Which of its outputs.
    scale
        Of that output.
    card
        The model's facts.
    rule
        What luma is, and where colour comes from.
    """

    program: Program
    output: str
    scale: int
    card: ModelCard
    rule: LumaRule

    @property
    def radius(self) -> int:
        """Radius of the receptive field in LR pixels."""
        reach = self.program.planes[self.output].reach
        return -(-reach.numerator // reach.denominator)


def open_frozen(
    path: Path, scale: int | None, output: str | None, color: str, framework: str
) -> Frozen:
    """Read and check a frozen graph.

    Parameters
    ----------
    path
        A ``.pb`` file.
    scale
        The factor wanted: the output for it is taken; by default the largest.
    output
        Name of the output, where several have one scale.
    color
        ``"opencv"`` or ``"float"``: of luma, chroma and borders.
    framework
        On which it will run, for the card.

    Raises
    ------
    UnsafeFileError, CorruptFileError, WeightsError
        If the graph is refused; see `read_graph` and `understand`.
    OptionError
        If it has no such output, or the colour is unknown.
    """
    _rule_of(color)  # before the file is read
    return choose(read_graph(path), path, scale, output, color, framework)


def choose(
    graph: Graph, path: Path, scale: int | None, output: str | None, color: str, framework: str
) -> Frozen:
    """Check a graph that was read from `path`; for the rest see `open_frozen`."""
    rule = _rule_of(color)
    with reading(path, "frozen TensorFlow graph"):
        program = understand(graph)
        colour: Literal["rgb", "luma"] = "luma" if program.channels == 1 else "rgb"
        chosen = program.output(scale, output)
    found = program.planes[chosen].scale
    card = ModelCard(
        name=path.name.split(".")[0],
        summary=f"Frozen graph {path.name}.",
        adapter="srkit.adapters.pytorch.graphs.opening:open_graph",
        framework=framework,
        scales=(found,),
        default_scale=found,
        colour=colour,
        # The programs that such graphs were made for left zeros there, by the network itself.
        border="zero" if color == "opencv" else "reflect",
    )
    return Frozen(program, chosen, found, card, rule)


def contents(path: Path) -> Contents:
    """What a frozen graph holds: its constants, and its operations as the header.

    Raises
    ------
    UnsafeFileError, CorruptFileError, WeightsError
        If the graph is refused; see `read_graph` and `understand`.
    """
    graph = read_graph(path)
    with reading(path, "frozen TensorFlow graph"):
        program = understand(graph)
    tensors = {
        name: TensorFacts(value.shape, value.dtype.name)
        for name, value in program.constants.items()
    }
    counts = Counter(node.op for node in program.nodes)
    header = {
        "operations": ", ".join(f"{count} {name}" for name, count in counts.items()),
        "input": program.input,
        "outputs": ", ".join(f"{o} (x{program.planes[o].scale})" for o in program.outputs),
    }
    return Contents(tensors, header)


def _rule_of(color: str) -> LumaRule:
    """The rule of a name.

    Raises
    ------
    OptionError
    """
    if color not in RULES:
        raise OptionError(f"color is 'opencv' or 'float', not {color!r}")
    return RULES[color]
