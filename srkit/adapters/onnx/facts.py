"""What an ONNX file that srkit wrote says of itself, in its ``metadata_props``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from srkit.errors import CorruptFileError

Border = Literal["reflect", "mirror", "edge", "zero"]
Colour = Literal["rgb", "luma"]
Luma = Literal["float", "opencv"]

PREFIX = "srkit."
# Bounds of what a header may state: beyond them it is nonsense.
MOST_SCALE, MOST_RADIUS, MOST_RIM, MOST_MULTIPLE = 16, 1 << 14, 1 << 10, 1 << 10


@dataclass(frozen=True)
class Facts:
    """All that tiling and colour need to know of a network, and its credits.

    Attributes
    ----------
    name, scale, colour, border, multiple, licence, paper, training_data
        See `srkit.ModelCard`.
    radius
        Of the receptive field, in LR pixels.
    rim, short_halo
        See `srkit.Upscaler`.
    luma
        The rule of luma and chroma: the option `color` of frozen graphs.
    """

    name: str
    scale: int
    colour: Colour
    border: Border
    radius: int
    rim: int
    multiple: int = 1
    short_halo: int | None = None
    luma: Luma = "float"
    licence: str = ""
    paper: str = ""
    training_data: str = ""

    def header(self) -> dict[str, str]:
        """Keys and values for ``metadata_props``.

        Examples
        --------
        >>> Facts("mine", 2, "rgb", "zero", radius=3, rim=0).header()["srkit.radius"]
        '3'
        """
        return {
            PREFIX + key: str(value) for key, value in vars(self).items() if value not in ("", None)
        }


def facts_of(header: Mapping[str, str]) -> Facts | None:
    """The facts that a header states; None where srkit did not write it.

    Raises
    ------
    CorruptFileError
        If one is missing, or makes no sense.
    """
    stated = {
        key.removeprefix(PREFIX): text for key, text in header.items() if key.startswith(PREFIX)
    }
    if not stated:
        return None
    halo = _number(stated, "short_halo", 1, MOST_RADIUS) if "short_halo" in stated else None
    return Facts(
        name=stated.get("name", "").strip(),
        scale=_number(stated, "scale", 1, MOST_SCALE),
        colour=cast(Colour, _choice(stated, "colour", get_args(Colour))),
        border=cast(Border, _choice(stated, "border", get_args(Border))),
        radius=_number(stated, "radius", 0, MOST_RADIUS),
        rim=_number(stated, "rim", 0, MOST_RIM),
        multiple=_number(stated, "multiple", 1, MOST_MULTIPLE),
        short_halo=halo,
        luma=cast(Luma, _choice(stated, "luma", get_args(Luma))),
        **{key: stated.get(key, "") for key in ("licence", "paper", "training_data")},
    )


def _number(stated: Mapping[str, str], key: str, least: int, most: int) -> int:
    text = stated.get(key, "")
    if not (text.isdecimal() and len(text) <= 6 and least <= int(text) <= most):
        raise CorruptFileError(
            f"its header states {PREFIX}{key} as {text[:20]!r}; "
            f"a number from {least} to {most} was expected"
        )
    return int(text)


def _choice(stated: Mapping[str, str], key: str, choices: tuple[str, ...]) -> str:
    text = stated.get(key, "")
    if text not in choices:
        raise CorruptFileError(
            f"its header states {PREFIX}{key} as {text[:20]!r}; "
            f"one of {', '.join(choices)} was expected"
        )
    return text
