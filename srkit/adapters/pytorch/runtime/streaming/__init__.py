"""Run a network over an image that comes in strips of rows.

In terms of tensors and layers alone: `plan` says whether and how a traced network can run
so, `Stream` does it, `cost_of` says in how much memory.
"""

from __future__ import annotations

from srkit.adapters.pytorch.runtime.streaming.layers import CannotStream
from srkit.adapters.pytorch.runtime.streaming.memory import Cost, cost_of
from srkit.adapters.pytorch.runtime.streaming.plan import Plan, Stream, plan

__all__ = ["CannotStream", "Cost", "Plan", "Stream", "cost_of", "plan"]
