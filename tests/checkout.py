"""Where the checkout lies, for tests of what it holds beside srkit: pages, examples, tools."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
