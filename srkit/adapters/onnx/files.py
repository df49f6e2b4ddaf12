"""Users' ONNX files: what they take and give, and a card for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from srkit.adapters.onnx.facts import MOST_RADIUS, MOST_SCALE, Colour, Facts, facts_of
from srkit.adapters.onnx.judging import judge_sizes, kind_name, read_network
from srkit.adapters.onnx.reach import Field, UnknownReachError, receptive_field
from srkit.adapters.onnx.session import Floats, make_session, run_session, told
from srkit.adapters.onnx.upscaler import OnnxUpscaler
from srkit.card import ModelCard
from srkit.errors import CorruptFileError, OptionError, WeightsError
from srkit.guard import reading

# Sides of the tile that is tried first, and what sides may have to be multiples of.
PROBE = 24
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)


def open_network(
    path: Path, *, scale: int | None = None, halo: int | None = None, device: str = "auto"
) -> OnnxUpscaler:
    """An upscaler from an ONNX file: one input and one output, ``(N, C, H, W)`` in [0, 1].

    Parameters
    ----------
    path
        The file. What it holds is judged before ONNX Runtime gets it; no other file is opened.
    scale
        The factor expected; by default the one that the network has.
    halo
        LR pixels around a pixel on which the result depends, where neither the header nor the
        operators tell: less than the true figure makes seams between tiles.
    device
        ``"auto"``, ``"cpu"``, or ``"cuda"`` where ONNX Runtime has it.

    Raises
    ------
    UnsafeFileError
        If it names other files, custom operators, functions or graphs within graphs, or is out
        of proportion.
    CorruptFileError
        If it is damaged.
    WeightsError
        If the network takes no images of any size, or does not upscale by a whole factor.
    OptionError
        If it is for another scale, or `halo` is needed, or too small.
    """
    if halo is not None and (
        isinstance(halo, bool) or not isinstance(halo, int) or not 0 <= halo <= MOST_RADIUS
    ):
        raise OptionError(f"halo is a number of LR pixels from 0 to {MOST_RADIUS}, not {halo!r}")
    judged = read_network(path)
    with reading(path, "ONNX network"):
        stated = facts_of(judged.header)
        form = _form(judged.model.graph)
        if stated and stated.colour != form.colour:
            raise CorruptFileError(f"its header states {stated.colour}, its input {form.colour}")
        judge_sizes(judged.model, (1, form.channels, PROBE, PROBE))
        session = make_session(judged.model, device)
        card = _card(path, judged.model.graph, form, session, stated, halo)
        if scale not in (None, card.default_scale):
            raise OptionError(f"it is for x{card.default_scale}, not x{scale}")
    return OnnxUpscaler(
        card, judged.model, session, device=device, stated=stated, batches=form.batches
    )


@dataclass(frozen=True)
class _Form:
    """What a graph takes: the name of its input, its channels, and whether batches."""

    given: str
    channels: int
    batches: bool

    @property
    def colour(self) -> Colour:
        return "luma" if self.channels == 1 else "rgb"


def _form(graph: Any) -> _Form:
    """The form of a graph's input, which is left as the only one.

    Raises
    ------
    WeightsError
        If it is not ``(N, 1 or 3, H, W)`` of float32 with free height and width.
    """
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise WeightsError(
            f"it has {len(inputs)} inputs and {len(graph.output)} outputs; a network of single "
            "images has one of each"
        )
    tensor = inputs[0].type.tensor_type
    sides = [dim.dim_value for dim in tensor.shape.dim]  # 0 where free
    shown = "x".join(str(side) if side else "?" for side in sides) or "of no stated shape"
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        kind = kind_name(tensor.elem_type)
        raise WeightsError(f"its input is {kind}; only float32 in [0, 1] is taken")
    if len(sides) != 4 or sides[1] not in (1, 3) or sides[0] not in (0, 1):
        raise WeightsError(
            f"its input is {shown}; only (batch, channels, height, width) is taken, with 1 channel "
            "(luma) or 3 (RGB)"
        )
    if sides[2] or sides[3]:
        raise WeightsError(
            f"its input is {shown}, images of one size; export it with free height and width"
        )
    del graph.input[:]
    graph.input.append(inputs[0])
    return _Form(inputs[0].name, sides[1], not sides[0])


def _card(
    path: Path, graph: Any, form: _Form, session: Any, stated: Facts | None, halo: int | None
) -> ModelCard:
    """The facts of a network: what its header states, or what its operators and a try show."""
    if stated is not None:
        least = Field(stated.radius, stated.multiple)
        scale, multiple = tried(session, form.channels, (stated.multiple,))
        if scale != stated.scale:
            raise CorruptFileError(f"its header states x{stated.scale}; the network makes x{scale}")
    else:
        least = _field(graph, form, halo)
        multiples = tuple(n for n in MULTIPLES if n % least.multiple == 0)
        scale, multiple = tried(session, form.channels, multiples)
    if halo is not None and halo < least.radius:
        raise OptionError(
            f"halo={halo} would make seams: the network sees {least.radius} pixels far"
        )
    return ModelCard(
        name=(stated.name if stated else "") or path.name.split(".")[0] or "network",
        summary=f"ONNX network from {path.name}.",
        adapter="srkit.adapters.onnx.files:open_network",
        framework="onnx",
        scales=(scale,),
        default_scale=scale,
        colour=form.colour,
        border=stated.border if stated else "zero",
        radius=least.radius if halo is None else halo,
        multiple=multiple,
        licence=stated.licence if stated else "",
        paper=stated.paper if stated else "",
        training_data=stated.training_data if stated else "",
    )


def _field(graph: Any, form: _Form, halo: int | None) -> Field:
    """How far a network sees, by its operators or else by the option `halo`."""
    try:
        return receptive_field(graph, form.given)
    except UnknownReachError as error:
        if halo is not None:
            return Field(halo, 1)
        raise OptionError(
            f"{error} sees farther than is known here, and tiles could show seams; give halo=, the "
            "number of LR pixels around a pixel on which the result depends (more only cost time)"
        ) from error


def tried(session: Any, channels: int, multiples: tuple[int, ...] = MULTIPLES) -> tuple[int, int]:
    """Scale, and of what sides are multiples, by the first small tile that the network takes.

    Raises
    ------
    WeightsError
        If it takes none, or makes no whole multiple of the size.
    """
    failure = "no multiple of sides is left to try"
    for multiple in multiples:
        # An odd number of multiples, and sides that differ, so that none can be mixed up.
        height = multiple * (PROBE // multiple | 1)
        width = height + 2 * multiple
        try:
            made = run_session(session, _grey(height, width, channels))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 ONNX Runtime's have no parent of their own
            failure = told(error)
            continue
        scale = made.shape[1] // height if made.ndim == 4 else 0
        wanted = (1, height * scale, width * scale, channels)
        if made.shape == wanted and 1 <= scale <= MOST_SCALE and made.dtype == np.float32:
            return scale, multiple
        failure = f"of (1, {height}, {width}, {channels}) it makes {made.dtype} {made.shape}"
    raise WeightsError(f"it does not upscale images by a whole factor: {failure}")


def _grey(height: int, width: int, channels: int) -> Floats:
    return np.full((1, height, width, channels), 0.5, np.float32)
