"""A traced network as steps that take rows, and the running of them over one image."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from srkit.adapters.pytorch.nets.resizing import ResizedLike
from srkit.adapters.pytorch.runtime.receptive import POINTWISE_FUNCTIONS
from srkit.adapters.pytorch.runtime.streaming.layers import (
    FUNCTIONS,
    CannotStream,
    Stage,
    each,
    kept,
    resized,
    stages_of,
)
from srkit.adapters.pytorch.runtime.streaming.pieces import Pieces, pieces_of
from srkit.adapters.pytorch.runtime.streaming.rows import Join, Machine, Rows, joined, split

# In-place operators, and the same without writing to what others may hold.
_WRITERS: dict[Any, Callable[..., Any]] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}
# What may give its input itself, or a view of it: layers, functions and methods.
_ALIASING_LAYERS = (nn.Identity, nn.Dropout, nn.Dropout2d)
_ALIASING_TARGETS = (operator.getitem, "contiguous", "to")


@dataclass(frozen=True)
class Step:
    """A stage at its place in the network.

    Attributes
    ----------
    make
        A machine for one image.
    sources
        Numbers of the steps whose rows it takes.
    density
        Rows of its output for each row of the image.
    owes
        Rows of the image that its rows at the end amount to, about.
    height
        Rows of its output, of those of its sources.
    sized
        Whether `make` is given the heights of the sources.
    reads, makes
        Channels of a convolution, which may be several steps; of other steps 0.
    """

    make: Callable[..., Machine]
    sources: tuple[int, ...]
    density: Fraction
    owes: Fraction
    height: Callable[..., int] = kept
    sized: bool = False
    reads: int = 0
    makes: int = 0


class Plan:
    """How a network runs strip by strip; holds no state, so threads may share it.

    Attributes
    ----------
    rate
        Rows of the result for each row of the image.
    wants_height
        Whether an image's height has to be known before its first row.
    pieces
        Steps that run on a part of a strip at a time, if any.

    Examples
    --------
    >>> import torch
    >>> from srkit.adapters.pytorch.runtime.tracing import trace
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.PixelShuffle(2))
    >>> stream, strip = plan(trace(net)).start(), torch.zeros(1, 1, 8, 5)
    >>> [stream.push(strip).shape[2] for _ in range(2)]
    [14, 16]
    >>> [rows.shape[2] for rows in stream.finish()]
    [2]
    """

    def __init__(self, steps: Sequence[Step], output: int) -> None:
        self.steps, self.output = tuple(steps), output
        self.rate = steps[output].density
        self.wants_height = any(step.sized for step in steps)
        self.pieces = pieces_of(self.steps, output)
        last = {source: number for number, step in enumerate(steps) for source in step.sources}
        self.done_after = tuple(
            tuple(s for s, at in last.items() if at == number and s != output)
            for number in range(len(steps))
        )

    def start(self, height: int | None = None) -> Stream:
        """Begin an image of so many rows."""
        return Stream(self, height)

    def machines(self, height: int | None) -> list[Machine]:
        """Machines of all steps but the first, which is the image itself.

        Raises
        ------
        ValueError
            If the height is not known, and has to be.
        """
        if not self.wants_height:
            return [step.make() for step in self.steps[1:]]
        if height is None:
            raise ValueError("the height of the image has to be known before its first row")
        heights, machines = [height], []
        for step in self.steps[1:]:
            given = [heights[source] for source in step.sources]
            machines.append(step.make(*given) if step.sized else step.make())
            heights.append(step.height(*given))
        return machines


class Stream:
    """One image on its way through a network."""

    def __init__(self, plan: Plan, height: int | None = None) -> None:
        self._plan = plan
        self._machines = plan.machines(height)
        self._ended = 0
        self._tallest = 1

    def push(self, rows: Tensor) -> Rows:
        """Take the next rows ``(N, C, h, W)`` and give those of the result that follow, if any."""
        self._tallest = max(self._tallest, rows.shape[2])
        return self._sweep(rows, 0)

    def finish(self) -> Iterator[Tensor]:
        """Give the rows that were waiting for more: the image ends here.

        Layer by layer learns of the end, so that no more rows are under way at a time than in
        the tallest strip.
        """
        under_way = Fraction(0)
        for number, step in enumerate(self._plan.steps):
            under_way += step.owes
            if under_way >= self._tallest or number == len(self._plan.steps) - 1:
                rows, under_way = self._sweep(None, number + 1), Fraction(0)
                if rows is not None:
                    yield rows

    def _sweep(self, rows: Rows, ending: int) -> Rows:
        """Pass rows through all steps; those before `ending` get their last ones."""
        plan, values = self._plan, {0: rows}
        if (pieces := plan.pieces) is None:
            self._run(range(1, len(plan.steps)), values, ending)
        else:
            self._run(range(1, pieces.source + 1), values, ending)
            self._run_pieces(pieces, values, ending)
            self._run(range(pieces.last + 1, len(plan.steps)), values, ending)
        self._ended = max(self._ended, ending)
        return values[plan.output]

    def _run(self, numbers: range, values: dict[int, Rows], ending: int) -> None:
        """Add the rows of some steps to those of others, and let go of what nobody reads."""
        for number in numbers:
            given = [values[source] for source in self._plan.steps[number].sources]
            made: Rows = None
            if number >= self._ended:
                made = self._machines[number - 1].push(given, number < ending)
            values[number] = made
            self._watch(number, values)
            # What nobody is going to read is let go before the next step.
            del given, made
            for source in self._plan.done_after[number]:
                del values[source]

    def _run_pieces(self, pieces: Pieces, values: dict[int, Rows], ending: int) -> None:
        """As `_run`, a piece of the source's rows after the other."""
        given = values[pieces.source]
        parts = [given] if given is None else split(given, _height(pieces, given))
        # Counted as alive under numbers that are no steps'.
        made: dict[int, Rows] = {-1: given}
        for number, part in enumerate(parts, 1):
            passing = values | made | {pieces.source: part}
            self._run(pieces.steps, passing, ending if number == len(parts) else 0)
            made[-1 - number] = passing[pieces.last]
        # What nobody is going to read is let go before they are joined.
        del made[-1], given, part, parts, passing
        if any(pieces.source in self._plan.done_after[number] for number in pieces.steps):
            del values[pieces.source]
        values[pieces.last] = joined(made.values())
        self._watch_joined(values | made)

    def _watch(self, number: int, values: Mapping[int, Rows]) -> None:
        """Called after each step; for those who measure."""

    def _watch_joined(self, values: Mapping[int, Rows]) -> None:
        """Called when rows of pieces were joined, and are there twice; for those who measure."""

    @property
    def held(self) -> list[Tensor]:
        """Rows kept for rows to come."""
        return [rows for machine in self._machines for rows in machine.held if rows is not None]


def plan(traced: fx.GraphModule) -> Plan:
    """Plan how to run a network over an image that comes in strips of rows.

    Each layer with vertical extent remembers the last rows of its input, so that nothing is
    computed twice, and the result is that of the whole image.

    Parameters
    ----------
    traced
        A network of one image ``(N, C, H, W)``. Its layers are shared, not copied.

    Raises
    ------
    CannotStream
        If an operation needs more than some rows; the message names it.
    """
    return _Planner(traced).plan()


class _Planner:
    """Walks over a graph and writes down the steps."""

    def __init__(self, traced: fx.GraphModule) -> None:
        self._traced = traced
        self._modules = dict(traced.named_modules())
        self._steps: list[Step] = []
        # The step whose rows a node's are, and values that have no rows.
        self._place: dict[fx.Node, int] = {}
        self._constants: dict[fx.Node, Any] = {}

    def plan(self) -> Plan:
        for node in self._traced.graph.nodes:
            if node.op == "placeholder":
                if self._steps:
                    raise CannotStream("more than one input")
                self._steps.append(Step(_no_machine, (), Fraction(1), Fraction(0)))
                self._place[node] = 0
            elif node.op == "get_attr":
                self._constants[node] = operator.attrgetter(node.target)(self._traced)
            elif node.op == "output":
                result = node.args[0]
                if not isinstance(result, fx.Node) or result not in self._place:
                    raise CannotStream("a result that is not one image")
                return Plan(self._steps, self._place[result])
            else:
                self._place[node] = self._add(node)
        raise CannotStream("no result")

    def _add(self, node: fx.Node) -> int:
        """Write down a node's steps; the number of the last of them."""
        sources = [n for n in node.all_input_nodes if n in self._place]
        name = self._name(node)
        if not sources:
            raise CannotStream(f"{name} of constants")
        self._check_writing(node, sources)
        places = tuple(self._place[n] for n in sources)
        stages = self._stages(node, name, sources)
        heights = {self._steps[place].density for place in places}
        if len(heights) > 1 and not stages[0].sized:
            raise CannotStream(f"{name} of branches of different height")
        for stage in stages:
            density = self._steps[places[0]].density * stage.rate
            owes = stage.owes / density
            step = Step(
                stage.make, places, density, owes, stage.height, stage.sized, *self._channels(node)
            )
            self._steps.append(step)
            places = (len(self._steps) - 1,)
        return places[0]

    def _stages(self, node: fx.Node, name: str, sources: list[fx.Node]) -> list[Stage]:
        if node.op == "call_module":
            if isinstance(self._modules[str(node.target)], ResizedLike) and len(sources) == 2:
                small, like = (self._steps[self._place[n]].density for n in sources)
                return [resized(like / small)]
            if node.all_input_nodes != [node.args[0]] or len(node.args) > 1 or node.kwargs:
                raise CannotStream(f"{name} of more than one input")
            return stages_of(self._modules[str(node.target)])
        if name in FUNCTIONS:
            given = {k: v for k, v in node.kwargs.items() if k != "input"}
            if len(node.all_input_nodes) > 1:
                raise CannotStream(f"{name} by computed numbers")
            return FUNCTIONS[name](*node.args[1:], **given)
        if name == "cat":
            dim = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)
            if dim not in (1, -3) or set(node.all_input_nodes) != set(sources):
                raise CannotStream("cat, unless of images along channels")
        elif name == "getitem":
            _check_channels(node.args[1])
        elif name not in POINTWISE_FUNCTIONS:
            raise CannotStream(name)
        self._check_constants(node, name)
        apply = self._applied(node, sources)
        if len(sources) == 1:
            return [each(lambda rows: apply([rows]))]
        return [Stage(partial(Join, apply, len(sources)))]

    def _applied(
        self, node: fx.Node, sources: list[fx.Node]
    ) -> Callable[[Sequence[Tensor]], Tensor]:
        """A function or method as a function of its sources' rows."""
        constants = self._constants
        target: Any = node.target
        function = _WRITERS.get(target, target)
        if node.op == "call_method":
            function = _method(target)
        kwargs = {k: False if k == "inplace" else v for k, v in node.kwargs.items()}

        def apply(rows: Sequence[Tensor]) -> Tensor:
            values = dict(zip(sources, rows, strict=True))

            def value(n: fx.Node) -> Any:
                return values[n] if n in values else constants[n]

            result: Tensor = function(*map_arg(node.args, value), **map_arg(kwargs, value))
            return result

        return apply

    def _name(self, node: fx.Node) -> str:
        if node.op == "call_module":
            return type(self._modules[str(node.target)]).__name__
        return str(getattr(node.target, "__name__", node.target))

    def _channels(self, node: fx.Node) -> tuple[int, int]:
        layer = self._modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, nn.Conv2d):
            return layer.in_channels, layer.out_channels
        return 0, 0

    def _check_constants(self, node: fx.Node, name: str) -> None:
        """A constant has to be the same for all rows."""
        for n in node.all_input_nodes:
            value = self._constants.get(n)
            if isinstance(value, Tensor) and value.ndim > 1 and value.shape[-2] != 1:
                raise CannotStream(f"{name} with a constant that differs from row to row")

    def _check_writing(self, node: fx.Node, sources: list[fx.Node]) -> None:
        """What writes to its input must be the only one to see it: others would see the change."""
        layer = self._modules.get(str(node.target)) if node.op == "call_module" else None
        if any(arg is True for arg in node.args):
            raise CannotStream(f"{self._name(node)} with a switch given by position")
        writes = (
            node.target in _WRITERS
            or getattr(layer, "inplace", False)
            or node.kwargs.get("inplace", False)
        )
        while writes:
            source = sources[0]
            if len(source.users) > 1 or source.op == "placeholder":
                raise CannotStream(f"{self._name(node)} in place, of what is used elsewhere")
            layer = self._modules.get(str(source.target)) if source.op == "call_module" else None
            writes = isinstance(layer, _ALIASING_LAYERS) or source.target in _ALIASING_TARGETS
            sources = [n for n in source.all_input_nodes if n in self._place]


def _check_channels(index: Any) -> None:
    """Only channels may be picked."""
    whole = slice(None)
    parts = index if isinstance(index, tuple) else (index,)
    channels = parts[1] if len(parts) > 1 else whole
    others = (part for number, part in enumerate(parts) if number != 1)
    if not isinstance(channels, slice) or any(part != whole for part in others):
        raise CannotStream("getitem, unless of a range of channels")


def _method(name: str) -> Callable[..., Any]:
    return lambda given, *args, **kwargs: getattr(given, name)(*args, **kwargs)


def _height(pieces: Pieces, rows: Tensor) -> int:
    # Only the CPU's allocator asks for small blocks; elsewhere launches would cost more.
    width = rows.shape[3] if rows.device.type == "cpu" else 1
    return pieces.rows(width, rows.element_size())


def _no_machine() -> Machine:
    raise RuntimeError("the image is no step")
