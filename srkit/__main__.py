"""``python -m srkit``: the command, where its folder is not on the path, as in many notebooks."""

import sys

from srkit.cli import main

if __name__ == "__main__":  # processes that are spawned import this module by another name
    sys.exit(main())
