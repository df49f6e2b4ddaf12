"""Modules that `torch.fx` generates the code of."""

from __future__ import annotations

import linecache

from torch import fx, nn


def graph_module(root: nn.Module, graph: fx.Graph) -> fx.GraphModule:
    """A module that runs a graph, and of which nothing stays when it goes."""
    made = fx.GraphModule(root, graph)
    forget_source(made)
    return made


def forget_source(module: fx.GraphModule) -> None:
    """Forget the source that was generated for a module, for tracebacks alone.

    torch.fx enters it into two tables of the process, and never takes it out: each model that
    was ever loaded would leave its own.
    """
    code = getattr(type(module).forward, "__code__", None)
    if code is not None:
        linecache.cache.pop(code.co_filename, None)
        loader = getattr(fx.graph_module, "_loader", None)
        getattr(loader, "eval_cache", {}).pop(code.co_filename, None)
