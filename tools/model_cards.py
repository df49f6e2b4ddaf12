"""Write the page of shipped models: ``python tools/model_cards.py DOCS``.

Everything on it comes from the headers of the weights, the models' cards and the
learning curves in ``DOCS/curves``, so that it says what the files say.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open

from srkit.atomic import replacing
from srkit.card import WeightsFile
from srkit.models import loading
from srkit.models.weights import weights_path
from srkit.tables import markdown_table

HEAD = """# Shipped models

Made from the headers of the weights by `python tools/model_cards.py docs`. The weights
are licensed CC BY-SA 4.0; the photos they were trained on are credited in
[CREDITS.md](../srkit/pretrained/CREDITS.md). PSNR on held-out photos is of RGB, or of luma for
models that see luma alone, and depends on how their LR was made: compare it within a curve.

Which of them to take for a picture: [which model?](which-model.md)
"""
# Rows of a learning curve that are shown.
POINTS = 12


def model_cards(curves: Path) -> str:
    """The page as Markdown.

    Parameters
    ----------
    curves
        Folder of ``<model>_x<scale>.csv``, as ``log.csv`` of each run.
    """
    parts = [HEAD]
    for name in loading.list_models():
        card = loading.card(name)
        if not any(file.source == "packaged" for file in card.weights.values()):
            continue
        parts.append(f"## {name}\n\n{card.summary} {card.paper}.\n")
        for scale, file in sorted(card.weights.items()):
            parts.append(f"### {name} x{scale}\n\n" + _of_file(file))
            parts += [
                f"### {name} x{scale}, denoise=0\n\n" + _of_file(sibling)
                for sibling in file.companions
            ]
            if (curve := curves / f"{name}_x{scale}.csv").exists():
                parts.append(_curve(curve))
    return "\n".join(parts)


def _of_file(file: WeightsFile) -> str:
    path = weights_path(file)
    with safe_open(path, framework="pt") as stored:
        header = stored.metadata()
    return _facts(header, f"{path.stat().st_size / 1e6:.1f} MB")


def _facts(header: Mapping[str, str], size: str) -> str:
    rows = [["", ""], ["size", size]]
    keys = sorted(header.keys() - {"recipe", "scale", "srkit"})
    rows += [[key.replace("_", " "), _plain(header[key])] for key in keys]
    if recipe := header.get("recipe"):
        rows.append(["recipe", _recipe(recipe)])
    return markdown_table(rows, "ll") + "\n"


def _plain(text: str) -> str:
    """A value as a reader takes it; dicts of figures as a list."""
    if not text.startswith("{"):
        return text
    return ", ".join(f"{name} {value}" for name, value in json.loads(text).items())


def _recipe(text: str) -> str:
    """What a recipe sets, but for what only matters while it runs."""
    if not text.startswith("{"):
        return text
    recipe = json.loads(text)
    shown = ("name", "batch", "crop", "rate", "schedule", "expand", "ema", "losses", "adversary")
    told = [f"{key} {json.dumps(recipe[key])}" for key in shown if recipe.get(key)]
    if recipe.get("degradations"):
        told.append("degradations " + json.dumps(recipe["degradations"]))
    return "; ".join(told).replace('"', "")


def _curve(path: Path) -> str:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    last = len(rows) - 1
    count = min(POINTS, len(rows))
    picked = [rows[round(n * last / max(1, count - 1))] for n in range(count)]
    columns = [name for name in ("step", "psnr", "st_lpips") if name in rows[0]]
    table = [[_HEADINGS[name] for name in columns]]
    table += [[row[name] for name in columns] for row in picked]
    return markdown_table(table, "r" * len(columns)) + "\n"


_HEADINGS = {"step": "step", "psnr": "PSNR, held out", "st_lpips": "ST-LPIPS, held out"}


if __name__ == "__main__":
    docs = Path(sys.argv[1])
    with replacing(docs / "models.md") as page:
        page.write(model_cards(docs / "curves").encode())
