"""The commands on the pages exist. That all code there runs, tests/snippets shows."""

import re
import shlex

import pytest
from checkout import ROOT

from srkit.cli import make_parser

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def command_lines(page):
    """Lines that call srkit, in blocks and in running text."""
    text = page.read_text(encoding="utf-8")
    # In running text, `srkit train espcn` may be a name; what has options or files is a call.
    inline = re.findall(r"`(srkit [^`]*(?: -|[./])[^`]*)`", text)
    block = [line for lines in blocks(page, "sh") for line in lines.splitlines()]
    found = [line for line in inline + block if re.match(r"(\S*/)?srkit ", line)]
    return [line for line in found if "..." not in line]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_command_on_a_page_is_understood(page, capsys):
    for line in command_lines(page):
        words = shlex.split(re.split(r" [<>] ", line)[0], comments=True)[1:]
        if words[-1] in ("--help", "--version") or len(words) == 1:
            words = [*words[:1], "--help"]
        try:
            make_parser().parse_args(words)
        except SystemExit as ended:
            assert ended.code == 0, f"{line}: {capsys.readouterr().err}"  # noqa: PT017


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", *PAGES], ids=lambda page: page.name)
def test_every_script_on_a_page_is_in_the_checkout(page):
    named = re.findall(r"\b(?:benchmarks|examples|tools)/[\w/-]+\.py\b", page.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_pages_have_commands():
    assert len(command_lines(ROOT / "README.md")) >= 10
