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

# Of sources whose files say it in words alone, or for all photos at once.
HOLDERS = {
    "debian: y/forensics-samples": "2019-2020 Joao Eriberto Mota Filho",
    "debian: y/gnome-backgrounds": "2012 Garrett LeSage",
    "hist/getsolus+artwork/HermiteCrab": "Dirk Hohndel",
    "imazen+codec-corpus/CID22/": "Cloudinary, CID22 dataset",
}

# Whose photo it is, and its licence or "" for that of the table, by its name without what follows.
Stanzas = dict[str, tuple[str, str]]
FIELD = re.compile(r"^(Files?|Authors?|Copyright|License):((?:.*)(?:\n[ \t].*)*)", re.MULTILINE)


def stanzas(copyright_file: str) -> Stanzas:
    r"""Photos to holders and licence, from a file in Debian's copyright format, or one like it.

    Examples
    --------
    >>> stanzas("Files: a/b.jpg\nCopyright: Ada, 2018\nLicense: CC-BY-4.0\n")
    {'b': ('Ada, 2018', 'CC-BY-4.0')}
    >>> stanzas("File: /usr/c.jxl\nAuthors: Grace (https://grace.example)\nLicense: free\n")
    {'c': ('Grace (https://grace.example)', '')}
    """
    found: Stanzas = {}
    for block in re.split(r"\n\s*\n", copyright_file):
        told = {name.rstrip("s"): " ".join(text.split()) for name, text in FIELD.findall(block)}
        holders = told.get("Copyright") or told.get("Author")
        if not holders or not told.keys() >= {"File", "License"}:
            continue
        # Only Debian's names of licences are short.
        licence = told["License"].split(" ")[0] if "Copyright" in told else ""
        for name in told["File"].split():
            found[key(name)] = holders, licence
    return found


def key(name: str) -> str:
    """What a photo is known by, whatever its folder, format and blob.

    Examples
    --------
    >>> key("popos/sea__63adcf52.jpg")
    'sea'
    """
    return Path(BLOB.sub("", name)).stem


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
        Files in Debian's copyright format, or of ``File``, ``Authors`` and ``License``, which say
        more of some of the photos; of others they are searched in vain.
    """
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    known: Stanzas = {}
    for path in copyrights:
        known |= stanzas(path.read_text(encoding="utf-8", errors="replace"))
    lines, counts = [], Counter[str]()
    for row in rows:
        holders, licence = known.get(key(row["original"]), ("", ""))
        licence = licence or row["licence"]
        by_source = (holder for begin, holder in HOLDERS.items() if row["source"].startswith(begin))
        holders = holders or next(by_source, "")
        counts[licence] += 1
        lines.append(f"| {row['original']} | {licence} | {holders} | {address(row['source'])} |")
    summary = ", ".join(f"{name}: {number}" for name, number in sorted(counts.items()))
    return HEAD.format(count=len(rows), summary=summary) + "\n".join(lines) + "\n"


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    given[1].write_text(credits_of(given[0], given[2:]), encoding="utf-8")
