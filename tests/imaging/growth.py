"""How much more memory a taller file takes, seen in a process of its own."""

import subprocess
import sys

# What formats import at their first use is no growth, and so is imported before.
SCRIPT = """
import resource, sys, srkit, {imports}
model = srkit.load("nearest", scale=2)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model.upscale_file(sys.argv[1], sys.argv[3], memory={memory})
before = peak()
model.upscale_file(sys.argv[2], sys.argv[3], memory={memory})
print(peak() - before)
"""


def growth(short, tall, target, *, imports, memory):
    """Kilobytes that `tall` takes beyond `short`, where both are upscaled by rows."""
    script = SCRIPT.format(imports=imports, memory=memory)
    command = [sys.executable, "-c", script, short, tall, target]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
