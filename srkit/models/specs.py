"""Models as people ask for them in a line: ``srgan:perception=0.5``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srkit.errors import OptionError
from srkit.models.strangers import exists

Value = bool | int | float | str

# A colon before the name of an option; so "C:\\net.pth" has none.
_OPTIONS = re.compile(r":(?=[a-z_]+=)")
# Options whose values are texts, also where they look like numbers: "2025" is a version.
_TEXTS = ("weights",)
_WORDS: dict[str, Value] = {"true": True, "false": False}


def split(text: str | Path) -> tuple[str | Path, dict[str, Value]]:
    """A model's name or file, and its options.

    Parameters
    ----------
    text
        ``model:option=value,option=value``. Values are numbers, true, false, or words; those
        of ``weights``, which are versions, are always words.

    Raises
    ------
    OptionError
        If an option has no name or no value, or is given twice.

    Examples
    --------
    >>> split("srgan:perception=0.5,device=cpu")
    ('srgan', {'perception': 0.5, 'device': 'cpu'})
    >>> split("nets/mine.pth")
    ('nets/mine.pth', {})
    """
    if isinstance(text, Path) or not _OPTIONS.search(text) or exists(text):
        return text, {}
    model, listed = _OPTIONS.split(text, maxsplit=1)
    options: dict[str, Value] = {}
    for part in listed.split(","):
        name, _, value = part.partition("=")
        if not name.isidentifier() or not value:
            raise OptionError(
                f"{text}: options are name=value with commas between, such as "
                f"srgan:perception=0.5,device=cpu, not {part!r}"
            )
        if name in options:
            raise OptionError(f"{text}: {name} is given twice")
        options[name] = value if name in _TEXTS else _value(value)
    return model, options


def together(text: str, given: Mapping[str, Any]) -> tuple[str | Path, dict[str, Any]]:
    """A model's name or file, and options both of its line and of a call.

    Parameters
    ----------
    text
        As of `split`.
    given
        Options of the call; None and ``"auto"`` stand for what was not asked for.

    Raises
    ------
    OptionError
        As `split`, or if an option is in both, with two values.

    Examples
    --------
    >>> together("srgan:perception=0.5", {"scale": 4, "device": "auto"})
    ('srgan', {'scale': 4, 'perception': 0.5})
    """
    model, own = split(text)
    asked = {name: value for name, value in given.items() if not _left_out(value)}
    for name in own.keys() & asked.keys():
        if own[name] != asked[name]:
            raise OptionError(f"{text}: beside it stands {name}={asked[name]!r}; give one of them")
    return model, asked | own


def in_a_line(model: str | Path, options: Mapping[str, Any]) -> str:
    """A model and what was asked of it, as `split` takes them.

    Examples
    --------
    >>> in_a_line("srgan", {"perception": 0.5, "device": "auto"})
    'srgan:perception=0.5'
    """
    asked = {name: value for name, value in options.items() if not _left_out(value)}
    told = ",".join(f"{name}={value}" for name, value in asked.items())
    return f"{model}:{told}" if told else str(model)


def _left_out(value: object) -> bool:
    """Whether a value stands for what was not asked for."""
    return value is None or (isinstance(value, str) and value == "auto")


def _value(text: str) -> Value:
    """A number, true or false where it is one, else the word.

    Examples
    --------
    >>> [_value(text) for text in ("2", "0.5", "true", "auto")]
    [2, 0.5, True, 'auto']
    """
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
