"""Users' ONNX files: what they take and give, and a card for them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from srkit.adapters.onnx.facts import MOST_RADIUS, MOST_SCALE, Colour, Facts, facts_of
from srkit.adapters.onnx.fixed import FixedTiles
from srkit.adapters.onnx.judging import judge_sizes, kind_name, read_network, shapes_of
from srkit.adapters.onnx.reach import Field, UnknownReachError, receptive_field
from srkit.adapters.onnx.session import Floats, make_session, run_session, told
from srkit.adapters.onnx.upscaler import OnnxNetwork, OnnxUpscaler
from srkit.advice import advise
from srkit.card import ModelCard
from srkit.errors import CorruptFileError, OptionError, WeightsError
from srkit.guard import reading

# Sides of the tile that is tried first, and what sides may have to be multiples of.
PROBE = 24
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
# Of networks that take images of one size.
LARGEST_TILE = 4096


def open_network(
    path: Path, *, scale: int | None = None, halo: int | None = None, device: str = "auto"
) -> OnnxUpscaler:
    """An upscaler from an ONNX file: one input and one output, ``(N, C, H, W)`` in [0, 1].

    Parameters
    ----------
    path
        The file. What it holds is judged before ONNX Runtime gets it; of other files those beside
        it are opened in which its numbers lie. A network that takes images of one size gets
        pictures in tiles of that size, or is freed of it where nothing in it depends on it.
    scale
        The factor expected; by default the one that the network has.
    halo
        LR pixels around a pixel on which the result depends, where neither the header nor the
        operators tell: less than the true figure makes seams between tiles. Of a network that
        sees all of the picture, as by channel attention, it allows tiles as if they were exact.
    device
        ``"auto"``, ``"cpu"``, or ``"cuda"`` where ONNX Runtime has it.

    Raises
    ------
    UnsafeFileError
        If it names files elsewhere, custom operators, functions or graphs within graphs, or is out
        of proportion.
    CorruptFileError
        If it is damaged.
    WeightsError
        If the network takes no images, or does not upscale by a whole factor.
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
        found = _opened(judged.model, form, device, stated, halo)
        if stated is not None and found.scale != stated.scale:
            raise CorruptFileError(
                f"its header states x{stated.scale}; the network makes x{found.scale}"
            )
        if scale not in (None, found.scale):
            raise OptionError(f"it is for x{found.scale}, not x{scale}")
        if halo is not None and halo < found.field.radius:
            raise OptionError(
                f"halo={halo} would make seams: the network sees {found.field.radius} pixels far"
            )
    radius = found.field.radius if halo is None else halo
    return OnnxUpscaler(
        _card(path, found, radius, stated), found.network(halo), device=device, stated=stated
    )


@dataclass(frozen=True)
class _Form:
    """What a graph takes: its input's name and channels, whether batches, and which sides."""

    given: str
    channels: int
    batches: bool
    sides: tuple[int | None, int | None]

    @property
    def colour(self) -> Colour:
        return "luma" if self.channels == 1 else "rgb"

    @property
    def is_fixed(self) -> bool:
        return self.sides != (None, None)


def _form(graph: Any) -> _Form:
    """The form of a graph's input, which is left as the only one.

    Raises
    ------
    WeightsError
        If it is not ``(N, 1 or 3, H, W)`` of float32.
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
    if any(side < 0 or side > LARGEST_TILE for side in sides[2:]):
        raise WeightsError(f"its input is {shown}; images of up to {LARGEST_TILE} are taken")
    del graph.input[:]
    graph.input.append(inputs[0])
    return _Form(inputs[0].name, sides[1], not sides[0], (sides[2] or None, sides[3] or None))


@dataclass(frozen=True)
class _Found:
    """A network that was judged and tried, and what is known of it."""

    model: Any
    session: Any
    form: _Form
    scale: int
    field: Field

    def network(self, halo: int | None) -> OnnxNetwork:
        """What runs; a given `halo` is believed also of what sees all of the picture."""
        sees_all = "" if halo is not None else self.field.sees_all
        reach = self.field.radius if halo is None else halo
        fixed = None
        if self.form.is_fixed:
            far = None if sees_all else reach
            fixed = FixedTiles(self.form.sides, far, self.field.multiple, self.scale)
        return OnnxNetwork(self.model, self.session, self.form.batches, fixed, sees_all)


def _opened(model: Any, form: _Form, device: str, stated: Facts | None, halo: int | None) -> _Found:
    """The network as it is, or freed of its size where nothing in it depends on that."""
    if form.is_fixed and (freed := _freed(model, form)) is not None:
        try:
            return _tried(freed, replace(form, sides=(None, None)), device, stated, halo)
        except (WeightsError, CorruptFileError):
            pass  # it was bound to the size after all
    return _tried(model, form, device, stated, halo)


def _freed(model: Any, form: _Form) -> Any | None:
    """A network of one size with free sides; None where an operator could depend on the size."""
    try:
        receptive_field(model.graph, form.given)
    except UnknownReachError:
        return None
    freed = onnx.ModelProto()
    freed.CopyFrom(model)
    del freed.graph.value_info[:]
    for dim, name in zip(freed.graph.input[0].type.tensor_type.shape.dim[2:], "hw", strict=True):
        dim.dim_param = name
    freed.graph.output[0].type.tensor_type.ClearField("shape")
    return freed


def _tried(model: Any, form: _Form, device: str, stated: Facts | None, halo: int | None) -> _Found:
    """The facts of a network: what its header states, or what its operators and a try show."""
    height, width = (side or PROBE for side in form.sides)
    judge_sizes(model, (1, form.channels, height, width))
    session = make_session(model, device)
    if stated is not None:
        field = Field(stated.radius, stated.multiple)
        scale, _ = tried(session, form.channels, (stated.multiple,), sides=form.sides)
        return _Found(model, session, form, scale, field)
    scale, least = tried(session, form.channels, sides=form.sides)
    field = _field(model, form, least, halo)
    # What layers are coarser by, or what else the network asks of sides.
    multiple = field.multiple if form.is_fixed else math.lcm(field.multiple, least)
    return _Found(model, session, form, scale, replace(field, multiple=multiple))


def _field(model: Any, form: _Form, least: int, halo: int | None) -> Field:
    """How far a network sees, by its operators or else by the option `halo`."""
    sizes = [(n * least, (n + 3) * least) for n in _blocks(least)]
    tiles = [(1, form.channels, form.sides[0] or h, form.sides[1] or w) for h, w in sizes]
    if all(form.sides):
        del tiles[1:]
    try:
        return receptive_field(model.graph, form.given, shapes_of(model, tiles))
    except UnknownReachError as error:
        if halo is not None:
            return Field(halo, 1)
        raise OptionError(
            f"{error} sees farther than is known here, and tiles could show seams; give "
            f"{advise('halo=', '--halo')}, the number of LR pixels around a pixel on which the "
            "result depends (more only cost time)"
        ) from error


def _blocks(least: int) -> tuple[int, int]:
    """Sides of two tiles, in multiples: of no small ones by chance."""
    few = max(2, PROBE // least)
    return few, few + 1


def _card(path: Path, found: _Found, radius: int, stated: Facts | None) -> ModelCard:
    return ModelCard(
        name=(stated.name if stated else "") or path.name.split(".")[0] or "network",
        summary=f"ONNX network from {path.name}.",
        adapter="srkit.adapters.onnx.files:open_network",
        framework="onnx",
        scales=(found.scale,),
        default_scale=found.scale,
        colour=found.form.colour,
        border=stated.border if stated else "zero",
        radius=radius,
        multiple=found.field.multiple,
        licence=stated.licence if stated else "",
        paper=stated.paper if stated else "",
        training_data=stated.training_data if stated else "",
    )


Sides = tuple[int | None, int | None]


def tried(
    session: Any,
    channels: int,
    multiples: tuple[int, ...] = MULTIPLES,
    *,
    sides: Sides = (None, None),
) -> tuple[int, int]:
    """Scale, and of what sides are multiples, by the first small tile that the network takes.

    Parameters
    ----------
    sides
        Height and width that the network takes, where these are not free.

    Raises
    ------
    WeightsError
        If it takes none, or makes no whole multiple of the size.
    """
    failure = "no multiple of sides is left to try"
    for multiple in multiples:
        # An odd number of multiples, and sides that differ, so that none can be mixed up.
        free = multiple * (PROBE // multiple | 1)
        height, width = sides[0] or free, sides[1] or free + 2 * multiple
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
        if all(sides):
            break
    raise WeightsError(f"it does not upscale images by a whole factor: {failure}")


def _grey(height: int, width: int, channels: int) -> Floats:
    return np.full((1, height, width, channels), 0.5, np.float32)
