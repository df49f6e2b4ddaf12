"""``srkit serve`` where Starlette is not installed; with it: tests/web and tests/browser."""

import subprocess
import sys

# What Python takes for not installed; in a process of its own, since what is imported stays.
WITHOUT = "import sys; sys.modules['starlette'] = None; from srkit.cli import main; "


def test_the_line_that_installs_it_is_given():
    given = [sys.executable, "-c", WITHOUT + "sys.exit(main(['serve']))"]
    made = subprocess.run(given, capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 1
    assert 'pip install "srkit[web]"' in made.stderr
