"""The blocks of code on pages, and what is said above them of those that are not run."""

import os
import re
from dataclasses import dataclass

from checkout import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = {
    **dict.fromkeys(("python", "py"), "python"),
    **dict.fromkeys(("sh", "bash", "shell", "console"), "sh"),
}
# Why a block, or some lines of it, may not be run here; nothing else is a reason.
REASONS = (
    "needs a GPU",
    "needs a cluster",
    "needs the network",
    "needs Docker",
    "needs FFmpeg",
    "needs another Python",
    "needs another framework",
    "needs files that do not come with srkit",
    "needs the service to run",
    "takes minutes",
    "trains for minutes or hours",
    "runs until it is ended",
    "shows a mistake",
)
_FENCE = re.compile(
    r"(?P<above>(?:^ *<!--[^\n]*-->\n)*)"
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^ *```$",
    re.M | re.S,
)
# <!-- not run: REASON -->, or of the lines with a text: <!-- not run (TEXT): REASON -->
_MARK = re.compile(r"<!-- not run(?: \((.+)\))?: (.+) -->")


@dataclass(frozen=True)
class Block:
    """One block of code.

    Attributes
    ----------
    place
        Page and line, to be found by who reads a failure.
    language
        "python" or "sh".
    text
        What is run: without the lines that are not.
    file
        The file of the checkout that it shows, if any.
    reasons
        Why it, or lines of it, are not run.
    lines_left_out
        How many lines those are; of a whole block all.
    faults
        What is wrong with the marks above it.
    """

    place: str
    language: str
    text: str
    file: str
    reasons: tuple[str, ...]
    lines_left_out: int
    faults: tuple[str, ...]


def blocks(page):
    """The blocks of a page, in their order, in languages that can be run."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        if found["language"] in LANGUAGES:
            line = text[: found.start("indent")].count("\n") + 1
            yield _block(f"{os.path.relpath(page, ROOT)}:{line}", found)


def _block(place, found):
    indent = len(found["indent"])
    lines = [line[indent:] for line in found["text"].splitlines()]
    if found["language"] == "console":  # commands behind a prompt, and what they wrote
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    reasons, faults, left_out, file = [], [], set(), ""
    for comment in found["above"].splitlines():
        if mark := _MARK.fullmatch(comment.strip()):
            lines_with, reason = mark.groups()
            reasons.append(reason)
            hit = {n for n, line in enumerate(lines) if lines_with is None or lines_with in line}
            left_out |= hit
            if reason not in REASONS:
                faults.append(f"{reason!r} is no reason; those are {', '.join(REASONS)}")
            if not hit:
                faults.append(f"no line has {lines_with!r}")
        elif "not run" in comment:
            faults.append(f"{comment.strip()} is not <!-- not run: REASON -->")
        elif shown := re.fullmatch(r" *<!-- (\S+) -->", comment):
            file = shown[1] if _is_shown_whole(shown[1]) else file
    kept = [line for n, line in enumerate(lines) if n not in left_out]
    text = "\n".join(kept) + "\n" if any(kept) else ""
    language = LANGUAGES[found["language"]]
    return Block(place, language, text, file, tuple(reasons), len(left_out), tuple(faults))


def _is_shown_whole(name):
    """Whether a page's comment names a file: other tests compare the two, and run the file."""
    return (ROOT / name).is_file() or (ROOT / "examples" / "service" / name).is_file()
