"""How torch's threads wait for each other, which OpenMP reads once, when torch is loaded."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

LOAD = "import os, srkit; srkit.load('espcn', device='cpu')"
TELL = "; print(os.environ.get('OMP_WAIT_POLICY'))"


@pytest.mark.parametrize(
    ("given", "script", "policy"),
    [
        ({}, LOAD, "passive"),
        ({"OMP_WAIT_POLICY": "active"}, LOAD, "active"),
        ({}, "import torch; " + LOAD, "None"),
        ({}, "import os, srkit; srkit.load('bicubic')", "None"),
    ],
    ids=["asleep", "as the user says", "as it is where torch is there already", "without torch"],
)
def test_threads_sleep_until_the_last_one_comes(given, script, policy):
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", script + TELL],
        env=environment | given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == policy
