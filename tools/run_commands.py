"""The command of `srkit train` that a file of weights was made by, from its header."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping
from typing import Any

from srkit.training import RECIPES
from srkit.training.recipe import Recipe

# What a command says otherwise than by --set, and the digest of a teacher, which follows from it.
APART = {"name", "model", "teachers", "steps"}
# What changes nothing of what is learned.
FREE = {"workers", "check_every", "save_every", "picture_every"}
# Commits of runs before SPAN's first layer had a rate of its own, which headers do not tell.
BEFORE_SHARES = {"e067517", "40fa9e8"}


def command_of(header: Mapping[str, str]) -> str:
    """The command, or "" where the header tells of no recipe that there is today.

    Examples
    --------
    >>> recipe = {"name": "espcn", "steps": 500, "betas": [0.9, 0.99]}
    >>> print(command_of({"recipe": json.dumps(recipe), "scale": "2"}))
    srkit train espcn photos/ -o runs/mine --scale 2 --set 'betas=[0.9, 0.99]' --steps 500
    """
    if not header.get("recipe", "").startswith("{"):
        return ""
    recipe = json.loads(header["recipe"])
    known = RECIPES.get(recipe["name"])
    if known is None or known.model != recipe.get("model", known.model):
        return ""
    parts = ["srkit", "train", recipe["name"], "photos/", "-o", "runs/mine"]
    parts += ["--scale", header["scale"]]
    if ".safetensors" in (start := header.get("started_from", "")):
        parts += ["--init", start.partition(",")[0]]
    for teacher in recipe.get("teachers", ()):
        parts += ["--teacher", teacher["model"]]
    changes = changed(recipe, known)
    if header.get("commit") in BEFORE_SHARES and recipe["name"] == "span":
        changes["shares"] = [1.0, 1.0, 1.0]
    for name, value in changes.items():
        parts += ["--set", f"{name}={value if isinstance(value, str) else toml(value)}"]
    return shlex.join([*parts, "--steps", str(recipe["steps"])])


def changed(recipe: Mapping[str, Any], known: Recipe) -> dict[str, Any]:
    """Values in which a recipe of a header differs from the one of its name."""
    theirs = json.loads(json.dumps(dataclasses.asdict(known)))
    fields = {field.name for field in dataclasses.fields(Recipe)} - APART - FREE
    values = {name: value for name, value in recipe.items() if name in fields}
    return {name: value for name, value in values.items() if value != theirs[name]}


def toml(value: Any) -> str:
    """A value as TOML writes it in a line.

    Examples
    --------
    >>> toml([{"kind": "l1", "spare_edges": False}, 0.5])
    '[{ kind = "l1", spare_edges = false }, 0.5]'
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {toml(one)}' for key, one in value.items())} }}"
    return json.dumps(value)
