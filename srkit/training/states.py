"""The file from which a stopped run goes on, and whether it is of this run."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from srkit.advice import advise
from srkit.errors import CorruptFileError, OptionError
from srkit.training.recipe import Recipe

# What every state has had.
_PARTS = {"parts", "average", "step", "best", "settings", "random"}


def read_state(path: Path) -> dict[str, Any]:
    """Read a state that `srkit.training.loop.Run` wrote.

    Raises
    ------
    CorruptFileError
        If it is damaged, or something else.
    """
    again = advise("resume=False", "--fresh")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    # Bytes that are no pickle raise whatever they happen to spell.
    except (pickle.UnpicklingError, EOFError, RuntimeError, LookupError, ValueError) as error:
        raise CorruptFileError(f"{path} is damaged; start afresh with {again}") from error
    if not (isinstance(state, dict) and state.keys() >= _PARTS):
        raise CorruptFileError(f"{path} is no state of srkit train; start afresh with {again}")
    return state


def told_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], counts: tuple[int | None, int]
) -> str:
    """In which settings two runs differ, in words; ``""`` where in none.

    Parameters
    ----------
    counts
        Photos of each; None for a state that does not say it.
    """
    # States from before a setting existed, also one of a loss, have what is its default now.
    known = {field.name for field in dataclasses.fields(Recipe)}
    stated = {key: value for key, value in old.items() if key in known}
    try:
        completed = Recipe(model=new["model"]).changed(stated)
        old = dict(old) | json.loads(json.dumps(dataclasses.asdict(completed)))
    except OptionError:
        pass  # of a version with settings that are no more; they differ, then
    names = [k for k in new if old.get(k) != new[k]]
    told = {k: f"{k} was {old.get(k)!r}, is {new[k]!r}" for k in names}
    if "photos" in told:
        more = f" ({counts[1]} instead of {counts[0]})" if counts[0] else ""
        told["photos"] = f"the photos are others than before{more}"
    return ", ".join(told.values())
