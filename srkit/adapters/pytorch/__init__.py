"""Models on PyTorch.

Its threads meet after every layer. Those that are there first sleep until the last one is, where
they would spin by default: beside other programs they would take the very processor from it that
it waits for. OpenMP reads the environment once, when torch is loaded, so that this has no effect
on who imported torch before, and none on who set a policy.
"""

import os
import sys

if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
