"""What a network computes in float32 where the rest of it is in bfloat16."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import torch
from torch import Tensor, fx, nn

from srkit.adapters.pytorch.colours import Fixed
from srkit.adapters.pytorch.generated import forget_source


def keep_in_float32(traced: fx.GraphModule, *, strided: bool) -> None:
    """Let a network in bfloat16 take float32, and its first convolution compute in it.

    Of numbers above a half, bfloat16 has every 256th: it would round the pixels themselves.
    That is most of what it changes in a picture, and the first convolution is cheap. Convolutions
    of fixed weights, and what follows them, compute in float32 as well.

    Parameters
    ----------
    traced
        A network in bfloat16, as `trace` gives it. It is changed, its layers too.
    strided
        Whether convolutions with a stride compute in float32 as well. On CPUs with AMX oneDNN
        computes some in bfloat16 from unset memory, where a result is one column wide: torch
        2.13 has it from before strides were mended
        (https://github.com/uxlfoundation/oneDNN/pull/5494).
    """
    convolutions = [node for node in traced.graph.nodes if _is_convolution(traced, node)]
    exact = _with_ancestors(convolutions[0]) if convolutions else _inputs(traced)
    if strided:
        exact += [node for node in convolutions[1:] if _has_stride(traced, node)]
    for node in convolutions:
        if isinstance(traced.get_submodule(str(node.target)), Fixed):
            exact += [follower for follower in _with_followers(node) if follower not in exact]
    exact += [node for node in _sharing(traced, exact) if node not in exact]
    for node in exact:
        if node.op == "call_module":
            traced.get_submodule(str(node.target)).float()
    for node in exact:
        for source in set(node.all_input_nodes) - set(exact):
            _insert_cast(traced.graph, source, [node], torch.float32)
        others = [user for user in node.users if user not in exact and user.op != "output"]
        if others and node.op != "get_attr":
            _insert_cast(traced.graph, node, others, torch.bfloat16)
    traced.recompile()
    forget_source(traced)


def _inputs(traced: fx.GraphModule) -> list[fx.Node]:
    return [node for node in traced.graph.nodes if node.op == "placeholder"]


def _with_ancestors(node: fx.Node) -> list[fx.Node]:
    """A node and all that it is computed from."""
    found = [node]
    for one in found:
        found += [source for source in one.all_input_nodes if source not in found]
    return found


def _with_followers(node: fx.Node) -> list[fx.Node]:
    """A node and all that is computed from it, but for the network's end."""
    found = [node]
    for one in found:
        found += [user for user in one.users if user.op != "output" and user not in found]
    return found


def _sharing(traced: fx.GraphModule, exact: list[fx.Node]) -> list[fx.Node]:
    """Nodes whose layers have weights of these nodes' layers, which turn to float32 with them."""
    taken = {id(weight) for node in exact for weight in _weights(traced, node)}
    return [
        node
        for node in traced.graph.nodes
        if any(id(weight) in taken for weight in _weights(traced, node))
    ]


def _weights(traced: fx.GraphModule, node: fx.Node) -> Iterable[Tensor]:
    if node.op != "call_module":
        return ()
    layer = traced.get_submodule(str(node.target))
    return itertools.chain(layer.parameters(), layer.buffers())


def _is_convolution(traced: fx.GraphModule, node: fx.Node) -> bool:
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return node.op == "call_module" and isinstance(traced.get_submodule(str(node.target)), kinds)


def _has_stride(traced: fx.GraphModule, node: fx.Node) -> bool:
    layer = traced.get_submodule(str(node.target))
    return isinstance(layer, nn.Conv2d) and max(layer.stride) > 1


def _insert_cast(
    graph: fx.Graph, source: fx.Node, users: list[fx.Node], dtype: torch.dtype
) -> None:
    """Let some users of a node have what it gives in another precision."""
    with graph.inserting_after(source):
        cast = graph.call_method("to", (source, dtype))
    for user in users:
        user.replace_input_with(source, cast)
