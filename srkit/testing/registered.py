"""The conformance kit over the registry, for pytest."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from srkit.card import ModelCard
from srkit.errors import DuplicateModelError
from srkit.models import loading
from srkit.models.weights import absent, missing_for
from srkit.testing.harness import Check, Factory

if TYPE_CHECKING:
    import pytest


def registered(pattern: str = "*") -> Iterator[tuple[str, Factory, str]]:
    """Every model of the registry at every scale it has weights for.

    Models without weights, which are the same code at any scale, come at their default
    scale and at x3. What a card lets run in a reduced precision comes in float32, of which
    the kit's bounds are.

    Parameters
    ----------
    pattern
        Shell pattern of names, as in `srkit.list_models`.

    Yields
    ------
    (label, factory, missing)
        Such as ``"srgan-x4"``, a function that loads it, and what has to be installed or
        downloaded first, or ``""``: also where a file is missing that a package on this machine
        owes, which is a fault.

    Examples
    --------
    >>> [label for label, factory, missing in registered("bic*")]
    ['bicubic-x3', 'bicubic-x4']
    """
    for name in loading.list_models(pattern):
        try:
            card = loading.card(name)
        except DuplicateModelError:
            continue  # each of these comes by the name that it has for itself
        missing = ", ".join(missing_for(card))
        scales = card.weights or {card.default_scale, *card.scales[1:2]}
        for scale in sorted(scales):
            full = {"precision": "float32"} if card.precisions.get(scale) else {}
            load = functools.partial(loading.load, name, scale=scale, **full)
            files = [card.weights[scale]] if scale in card.weights else []
            waits = any(file.downloaded for file in absent(files))
            yield f"{name}-x{scale}", load, missing or ("its weights" if waits else "")


def excuses(card: ModelCard, checks: Iterable[Check]) -> dict[str, str]:
    """Names of those checks that a card excuses its model from, and why.

    An excuse without a reason is none. Nothing excuses from `check_card`, by which a card is read.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import srkit
    >>> card = replace(srkit.card("bicubic"), excused={"check_constant": "it brightens"})
    >>> excuses(card, srkit.testing.CHECKS)
    {'check_constant': 'it brightens'}
    """
    named = {check.__name__: card.excused.get(check.__name__, "").strip() for check in checks}
    return {name: why for name, why in named.items() if why and name != "check_card"}


def parametrize(checks: tuple[Check, ...], pattern: str = "*") -> pytest.MarkDecorator:
    """Parametrise a test over the registry: it is given `check` and `factory`.

    A model that needs what is not installed, or weights that were not downloaded yet, is
    skipped, with that as the reason; and so is a check that the model's card excuses it from.
    Weights that an installed package should hold, and does not, fail every check.

    Parameters
    ----------
    checks
        Such as `CHECKS`.
    pattern
        Shell pattern of names, as in `srkit.list_models`.

    Examples
    --------
    In a plugin's own tests, over its models alone:

    >>> import srkit
    >>> @parametrize((srkit.testing.check_run,), "bic*")
    ... def test_conformance(check, factory):
    ...     check(factory)
    >>> [case.id for case in test_conformance.pytestmark[0].args[1]]
    ['bicubic-x3-check_run', 'bicubic-x4-check_run']
    """
    import pytest

    cases = []
    for label, factory, missing in registered(pattern):
        left_out = excuses(loading.card(label.rpartition("-x")[0]), checks)
        for check in checks:
            why = f"missing: {missing}" if missing else ""
            if not why and check.__name__ in left_out:
                why = f"its card excuses it: {left_out[check.__name__]}"
            marks = [pytest.mark.skip(reason=why)] if why else []
            cases.append(pytest.param(check, factory, id=f"{label}-{check.__name__}", marks=marks))
    return pytest.mark.parametrize(("check", "factory"), cases)
