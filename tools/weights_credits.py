"""Write CREDITS.md: ``python tools/weights_credits.py PHOTOS.CSV OUT [COPYRIGHT ...]``."""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

HEAD = """# Credits

The weights in this folder were trained on {count} photos, downsampled from freely
licensed originals. Their authors do not endorse srkit or its weights.

{summary}

| photo | licence | by | source |
|---|---|---|---|
"""

# Photos of a repository's history are named after their blobs there, too.
GITHUB = re.compile(r"(?:hist/)?(?P<owner>[\w.-]+)\+(?P<name>[\w.-]+)/(?P<path>.+)")
DEBIAN = re.compile(r"debian: [xy]/(?P<name>[^/]+)/(?P<path>.+)")
BLOB = re.compile(r"__([0-9a-f]{8})(?=\.\w+$)")

Stanzas = dict[str, tuple[str, str]]


def stanzas(copyright_file: str) -> Stanzas:
    r"""File name to holders and licence, from a file in Debian's copyright format.

    Examples
    --------
    >>> stanzas("Files: a/b.jpg\nCopyright: Ada, 2018\nLicense: CC-BY-4.0\n")
    {'b.jpg': ('Ada, 2018', 'CC-BY-4.0')}
    """
    found: Stanzas = {}
    for block in re.split(r"\n\s*\n", copyright_file):
        fields = dict(re.findall(r"^(\w+):((?:.*)(?:\n[ \t].*)*)", block, re.MULTILINE))
        if {"Files", "Copyright", "License"} <= fields.keys():
            holders = " ".join(fields["Copyright"].split())
            licence = fields["License"].strip().splitlines()[0].strip()
            for name in fields["Files"].split():
                found[Path(name).name] = holders, licence
    return found


def address(source: str) -> str:
    """Where a photo comes from, for people, from the ``source`` of the table.

    Examples
    --------
    >>> address("hist/pop-os+wallpapers/sea__63adcf52.jpg")
    'github.com/pop-os/wallpapers: sea.jpg, blob 63adcf52'
    >>> address("debian: y/sea-wallpapers_1.2-3/usr/sea.jpg")
    'Debian package sea-wallpapers 1.2-3: usr/sea.jpg'
    """
    if found := DEBIAN.fullmatch(source):
        return f"Debian package {found['name'].replace('_', ' ')}: {found['path']}"
    if not (found := GITHUB.fullmatch(source)):
        return source
    path, blob = found["path"], BLOB.search(found["path"])
    where = BLOB.sub("", path) + (f", blob {blob[1]}" if blob else "")
    return f"github.com/{found['owner']}/{found['name']}: {where}"


def credits_of(table: Path, copyrights: Sequence[Path] = ()) -> str:
    """The credits as Markdown.

    Parameters
    ----------
    table
        A CSV file with the columns ``original``, ``licence`` and ``source``.
    copyrights
        Files in Debian's copyright format, which say more of some of the photos.
    """
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    known: Stanzas = {}
    for path in copyrights:
        known |= stanzas(path.read_text(encoding="utf-8", errors="replace"))
    lines, counts = [], Counter[str]()
    for row in rows:
        holders, licence = known.get(Path(row["original"]).name, ("", row["licence"]))
        counts[licence] += 1
        lines.append(f"| {row['original']} | {licence} | {holders} | {address(row['source'])} |")
    summary = ", ".join(f"{name}: {number}" for name, number in sorted(counts.items()))
    return HEAD.format(count=len(rows), summary=summary) + "\n".join(lines) + "\n"


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    given[1].write_text(credits_of(given[0], given[2:]), encoding="utf-8")
