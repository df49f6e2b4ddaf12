"""Unfinished work is gone on with by the same settings alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from srkit.advice import advise
from srkit.errors import SrkitError


def fresh(what: str = "it") -> str:
    """What else to do than to give the same settings.

    Examples
    --------
    >>> fresh("the folder")
    'call again with resume=False, which removes the folder'
    """
    again = advise("call again with resume=False", "use --fresh")
    return f"{again}, which removes {what}"


def changed(have: Any, want: dict[str, Any]) -> list[str]:
    """Names of settings in which unfinished work differs from what is wanted.

    Parameters
    ----------
    have
        As JSON gave them back; anything at all where that is damaged.
    want
        As they are, before JSON makes lists of tuples.

    Examples
    --------
    >>> changed({"scale": 2, "size": [1, 2]}, {"scale": 4, "size": (1, 2)})
    ['scale']
    """
    known = have if isinstance(have, dict) else {}
    wanted = json.loads(json.dumps(want))
    return sorted(k for k in known.keys() | wanted.keys() if known.get(k) != wanted.get(k))


def check_same(
    folder: Path,
    have: Any,
    want: dict[str, Any],
    error: type[SrkitError],
    advice: str = "",
) -> None:
    """Refuse to go on with work of other settings; parameters as for `changed`.

    Parameters
    ----------
    folder
        Where the unfinished work is.
    error
        What to raise.
    advice
        What to do else than to use the same settings; `fresh` where it is left out.

    Examples
    --------
    >>> from srkit.errors import OptionError
    >>> try:
    ...     check_same(Path("a"), {"scale": 2}, {"scale": 4}, OptionError, "name another folder")
    ... except OptionError as error:
    ...     print(error)
    a holds unfinished work that differs in scale: use the same, or name another folder
    """
    if differing := changed(have, want):
        raise error(
            f"{folder} holds unfinished work that differs in {', '.join(differing)}: "
            f"use the same, or {advice or fresh()}"
        )
