"""The page on plugins shows what the example's files hold."""

import re
from pathlib import Path

import pytest
from checkout import ROOT

PAGE = (ROOT / "docs" / "plugins.md").read_text()
# Each snippet is preceded by the name of the file that it is from.
SNIPPETS = re.findall(r"^<!-- (\S+) -->\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_every_part_of_the_example_is_on_the_page():
    assert {Path(file).name for file, _ in SNIPPETS} == {
        "pyproject.toml", "__init__.py", "adapter.py", "test_back_projection.py",
    }  # fmt: skip


@pytest.mark.parametrize(("file", "snippet"), SNIPPETS, ids=[file for file, _ in SNIPPETS])
def test_a_snippet_is_what_its_file_holds(file, snippet):
    assert f"\n{snippet}" in f"\n{(ROOT / file).read_text()}"
