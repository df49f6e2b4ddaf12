"""``srkit serve`` where Gradio is not installed; with it: tests/web and tests/browser."""

import sys

from srkit.cli import main


def test_the_line_that_installs_it_is_given(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "srkit.web.page", raising=False)
    monkeypatch.setitem(sys.modules, "gradio", None)  # what Python takes for not installed
    assert main(["serve"]) == 1
    assert 'pip install "srkit[web]"' in capsys.readouterr().err
