"""Models as people ask for them in a line: ``srgan:perception=0.5``."""

from __future__ import annotations

import os
import re
from pathlib import Path

from srkit.errors import OptionError

Value = bool | int | float | str

# A colon before the name of an option; so "C:\\net.pth" has none.
_OPTIONS = re.compile(r":(?=[a-z_]+=)")
_WORDS: dict[str, Value] = {"true": True, "false": False}


def split(text: str | Path) -> tuple[str | Path, dict[str, Value]]:
    """A model's name or file, and its options.

    Parameters
    ----------
    text
        ``model:option=value,option=value``. Values are numbers, true, false, or words.

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
    # Unlike pathlib's, this takes names that are too long for a file.
    if isinstance(text, Path) or os.path.exists(text):  # noqa: PTH110
        return text, {}
    model, *rest = _OPTIONS.split(text, maxsplit=1)
    options: dict[str, Value] = {}
    for part in rest[0].split(",") if rest else []:
        name, _, value = part.partition("=")
        if not name.isidentifier() or not value:
            raise OptionError(
                f"{text}: options are name=value with commas between, such as "
                f"srgan:perception=0.5,device=cpu, not {part!r}"
            )
        if name in options:
            raise OptionError(f"{text}: {name} is given twice")
        options[name] = _value(value)
    return model, options


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
