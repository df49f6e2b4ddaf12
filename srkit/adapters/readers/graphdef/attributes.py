"""What nodes state of themselves, of which files may have made anything at all."""

from __future__ import annotations

import numpy as np

from srkit.adapters.readers.graphdef.graph import MOST_SIDES, Array, Attribute, Node
from srkit.errors import WeightsError

MOST_DILATION = 64


def layout(node: Node) -> str:
    """The order of axes that a node names: ``"NHWC"``, with channels last, or ``"NCHW"``."""
    found = node.attributes.get("data_format", "NHWC")
    if not isinstance(found, str) or found not in ("NHWC", "NCHW"):
        raise WeightsError(f"its layout is {shown(found)}; srkit knows NHWC and NCHW")
    return found


def shown(value: Attribute) -> str:
    """An attribute for a message; an array or a long list may be huge."""
    if isinstance(value, np.ndarray):
        return f"a tensor of shape {value.shape}"
    return str(value)[:60] if isinstance(value, str | float) else repr(value)[:60]


def dilation(node: Node) -> tuple[int, int]:
    """Dilation of a convolution along rows and columns."""
    found = node.attributes.get("dilations", (1, 1, 1, 1))
    if not isinstance(found, tuple) or len(found) != 4:
        raise WeightsError(f"its dilations are {shown(found)}")
    spatial = found[2:] if layout(node) == "NCHW" else found[1:3]
    if not all(1 <= n <= MOST_DILATION for n in spatial):
        raise WeightsError(f"its dilations are {shown(found)}")
    return spatial[0], spatial[1]


def few_integers(value: Array | None) -> tuple[int, ...] | None:
    """The numbers of a constant that states a shape or an order; None if it does not."""
    if value is None or value.size > MOST_SIDES or value.dtype.kind != "i":
        return None
    return tuple(int(n) for n in value.ravel())
