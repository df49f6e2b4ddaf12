"""Trace a network into a graph while other threads go on running theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from torch import fx, nn

from srkit.adapters.pytorch.colours import Fixed
from srkit.adapters.pytorch.generated import forget_source, graph_module
from srkit.adapters.pytorch.graphs.graphdef import Reorder
from srkit.adapters.pytorch.nets.resizing import ResizedLike
from srkit.adapters.pytorch.runtime.int8 import Int8Conv2d
from srkit.adapters.pytorch.runtime.splitting import Sums
from srkit.adapters.pytorch.runtime.twins import with_twins
from srkit.errors import WeightsError

# torch.fx patches `nn.Module` for the whole process while it traces.
_LOCK = threading.Lock()


class _OneThread(fx.Tracer):
    """Traces what its own thread does, and lets the modules of other threads run."""

    def __init__(self) -> None:
        super().__init__(autowrap_modules=())  # type: ignore[arg-type]
        self._thread = threading.get_ident()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        own = isinstance(m, Reorder | Fixed | ResizedLike | Int8Conv2d | Sums)
        return own or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


def resizes(traced: fx.GraphModule) -> bool:
    """Whether a network brings a plane to the size of another: see `ResizedLike`."""
    return any(isinstance(part, ResizedLike) for part in traced.modules())


def trace(net: nn.Module) -> fx.GraphModule:
    """The graph of a network, sharing its layers; safe while other threads run models.

    Functions that have a module which does the same have become that module.

    Parameters
    ----------
    net
        A network that `torch.fx` can trace: no branches on the values of tensors.

    Raises
    ------
    WeightsError
        If it cannot.
    """
    try:
        with _LOCK:
            graph = _OneThread().trace(net)
    except Exception as error:
        told = str(error).strip().partition("\n")[0] or type(error).__name__
        raise WeightsError(f"torch.fx cannot follow {type(net).__name__}: {told}") from error
    made = graph_module(net, graph)
    with_twins(made)
    forget_source(made)
    return made
