"""The version of srkit, which results, files and clusters name."""

from __future__ import annotations

__version__ = "0.1.0"
