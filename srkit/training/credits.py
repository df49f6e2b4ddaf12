"""Write CREDITS.md from a table of photos: ``python -m srkit.training.credits CSV OUT``."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

HEAD = """# Credits

The weights in this folder were trained on {count} photos, downsampled from freely
licensed originals. Their authors do not endorse srkit or its weights.

{summary}

| photo | licence | source |
|---|---|---|
"""


def credits_of(table: Path) -> str:
    """The credits as Markdown.

    Parameters
    ----------
    table
        A CSV file with the columns ``original``, ``licence`` and ``source``.
    """
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    counts = Counter(row["licence"] for row in rows)
    summary = ", ".join(f"{name}: {number}" for name, number in sorted(counts.items()))
    lines = [f"| {r['original']} | {r['licence']} | {r['source']} |" for r in rows]
    return HEAD.format(count=len(rows), summary=summary) + "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(credits_of(Path(sys.argv[1])), encoding="utf-8")
