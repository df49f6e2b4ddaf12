"""``srkit serve`` where Starlette is not installed; with it: tests/web and tests/browser."""

import sys

from srkit.cli import main


def test_the_line_that_installs_it_is_given(monkeypatch, capsys):
    for name in ("page", "site"):
        monkeypatch.delitem(sys.modules, f"srkit.web.{name}", raising=False)
    for name in [name for name in sys.modules if name.startswith("starlette.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)  # what Python takes for not installed
    assert main(["serve"]) == 1
    assert 'pip install "srkit[web]"' in capsys.readouterr().err
