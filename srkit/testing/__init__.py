"""The conformance kit: what every upscaler must do, as checks for a plugin's own tests.

All at once:

>>> import srkit
>>> from srkit.testing import check_upscaler
>>> check_upscaler(lambda: srkit.load("nearest", scale=2))
{}

What it gives is what was left out, with the reason: here, nothing.

Or one by one with pytest, over every registered model whose name fits::

    @srkit.testing.parametrize(srkit.testing.CHECKS, "mine*")
    def test_conformance(check, factory):
        check(factory)

A check raises `AssertionError`; its message begins with the name of the check. What a card
excuses its model from, with a reason, is left out, and said. Images are tiny, so that a network
of some millions of parameters is checked in a minute on a laptop. The kit itself needs neither
pytest nor any framework.
"""

from __future__ import annotations

import difflib
import logging

from srkit.testing.colours import (
    ColourShift,
    check_even_colours,
    check_red_and_blue,
    colour_shift,
)
from srkit.testing.harness import Check, Factory, require, said_once
from srkit.testing.kinds import (
    check_arrays,
    check_batch,
    check_images_and_files,
    check_input_untouched,
    check_invalid_values,
    check_memory_layouts,
    check_pil_modes,
    check_sizes,
)
from srkit.testing.model import (
    check_card,
    check_receptive_field,
    check_run,
    check_run_rows,
)
from srkit.testing.registered import excuses, parametrize, registered
from srkit.testing.results import (
    check_constant,
    check_deterministic,
    check_invalid_output,
    check_offline,
    check_self_ensemble,
    check_threads,
)
from srkit.testing.tiles import (
    check_blending,
    check_memory_failures,
    check_memory_limit,
    check_memory_never_enough,
    check_tiles,
)
from srkit.testing.video import (
    check_video_reads_ahead_little,
    check_video_scenes,
    check_video_still,
    check_window,
)

__all__ = [
    "CHECKS",
    "TRAINED_ONLY",
    "Check",
    "ColourShift",
    "Factory",
    "check_arrays",
    "check_batch",
    "check_blending",
    "check_card",
    "check_constant",
    "check_deterministic",
    "check_even_colours",
    "check_images_and_files",
    "check_input_untouched",
    "check_invalid_output",
    "check_invalid_values",
    "check_memory_failures",
    "check_memory_layouts",
    "check_memory_limit",
    "check_memory_never_enough",
    "check_offline",
    "check_pil_modes",
    "check_receptive_field",
    "check_red_and_blue",
    "check_run",
    "check_run_rows",
    "check_self_ensemble",
    "check_sizes",
    "check_threads",
    "check_tiles",
    "check_upscaler",
    "check_video_reads_ahead_little",
    "check_video_scenes",
    "check_video_still",
    "check_window",
    "colour_shift",
    "excuses",
    "parametrize",
    "registered",
]

log = logging.getLogger(__name__)

CHECKS: tuple[Check, ...] = (
    check_card,
    check_run,
    check_run_rows,
    check_receptive_field,
    check_sizes,
    check_arrays,
    check_batch,
    check_pil_modes,
    check_images_and_files,
    check_input_untouched,
    check_memory_layouts,
    check_invalid_values,
    check_constant,
    check_even_colours,
    check_red_and_blue,
    check_deterministic,
    check_threads,
    check_self_ensemble,
    check_invalid_output,
    check_offline,
    check_tiles,
    check_blending,
    check_memory_failures,
    check_memory_limit,
    check_memory_never_enough,
    check_window,
    check_video_still,
    check_video_scenes,
    check_video_reads_ahead_little,
)
"""Every check."""

TRAINED_ONLY: tuple[Check, ...] = (check_constant, check_even_colours, check_red_and_blue)
"""Those that random weights need not pass."""


def check_upscaler(factory: Factory, *, trained: bool = True) -> dict[str, str]:
    """Run every check on an upscaler, but for those that it does not owe.

    Parameters
    ----------
    factory
        Called without arguments, at least once a check; returns a newly loaded
        upscaler each time. A check may replace its `run`.
    trained
        False for weights that are random, as in a test of an architecture: such a
        network owes a constant image no constant result, and `TRAINED_ONLY` are
        left out.

    Returns
    -------
    dict
        What was left out, and why: checks that the card excuses the model from (see
        `ModelCard.excused`), and `TRAINED_ONLY` where `trained` is false. The log tells it, too.

    Raises
    ------
    AssertionError
        If a check fails; the message begins with its name. Or if the card excuses the model from
        a check that there is not.

    Examples
    --------
    >>> import srkit
    >>> check_upscaler(lambda: srkit.load("bilinear", scale=2))
    {}
    >>> check_upscaler(lambda: srkit.load("nearest", scale=2), trained=False)["check_constant"]
    'random weights do not owe it'
    """
    with said_once():
        return _checked(factory, trained)


def _checked(factory: Factory, trained: bool) -> dict[str, str]:
    """See `check_upscaler`."""
    check_card(factory)  # which says what else it does not owe
    card = factory().card
    names = [check.__name__ for check in CHECKS]
    for name in card.excused:
        near = ", ".join(difflib.get_close_matches(name, names, 1))
        hint = f"; did you mean {near}?" if near else ""
        require(name in names, f"{card.name} is excused from {name!r}, which is no check{hint}")
    left_out = excuses(card, CHECKS)
    if not trained:
        left_out |= {check.__name__: "random weights do not owe it" for check in TRAINED_ONLY}
    for name, reason in left_out.items():
        log.warning("%s is not asked for %s: %s", card.name, name, reason)
    for check in CHECKS:
        if check is not check_card and check.__name__ not in left_out:
            check(factory)
    return left_out
