"""By how many levels each model changes even colours.

    python benchmarks/colours.py
    python benchmarks/colours.py 'real*'

64 colours and the greys 240 to 254, as the conformance kit measures them, in float32. Models whose
weights are not here are left out. Exits with 1 where a card promises more than was found.
"""

from __future__ import annotations

import argparse
import sys

from srkit.testing import colour_shift, registered
from srkit.testing.colours import WITHIN


def main() -> None:
    """Read the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("pattern", nargs="?", default="*", help="only names that fit")
    print("| model | largest change | away from borders | its card |")
    print("|---|---:|---:|---|")
    wrong = False
    for label, factory, missing in registered(parser.parse_args().pattern):
        if missing:
            print(f"{label} needs {missing}", file=sys.stderr)
            continue
        upscaler = factory()
        card, found = upscaler.card, colour_shift(upscaler)
        stated = card.colour_shift.get(upscaler.scale)
        told = f"within {WITHIN}" if card.even_colours else "-" if stated is None else str(stated)
        wrong |= found.largest > (WITHIN if card.even_colours else stated or found.largest)
        print(f"| {label} | {found.largest} | {found.within} | {told} |", flush=True)
    sys.exit(wrong)


if __name__ == "__main__":
    main()
