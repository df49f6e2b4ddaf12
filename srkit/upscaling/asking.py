"""What `Upscaler` is asked for by keywords that it has not: refused with what was meant."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from srkit.errors import OptionError
from srkit.upscaling.running import SETTINGS

C = TypeVar("C", bound=Callable[..., Any])


def refusing_unknown(call: C) -> C:
    """A method that refuses keywords which it has not, with what was meant; its signature stays.

    Examples
    --------
    >>> import srkit
    >>> srkit.load("bicubic").upscale([], progess=True)
    Traceback (most recent call last):
    srkit.errors.OptionError: upscale has no option 'progess'; did you mean 'progress'?
    """
    parameters = inspect.signature(call).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    given = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]

    @functools.wraps(call)
    def checked(self: Any, /, *args: Any, **asked: Any) -> Any:
        for option in asked:
            if option not in known and option not in given:
                raise OptionError(_told(call.__name__, option, known, self.scale))
        return call(self, *args, **asked)

    return cast(C, checked)


def _told(name: str, option: str, known: list[str], scale: int) -> str:
    refused = f"{name} has no option {option!r}; "
    if near := difflib.get_close_matches(option, known, 1):
        return f"{refused}did you mean {near[0]!r}?"
    if option == "scale":
        other = "srkit.load(..., scale=...) loads it for another"
        size = ", and size=(height, width) reaches any size" if "size" in known else ""
        return f"{refused}the model is loaded for x{scale}: {other}{size}"
    if option in SETTINGS:
        return f"{refused}it is given to srkit.load, with the model's name"
    return f"{refused}it has {', '.join(sorted(known))}"
