"""What training programs put around a network, told by names: of dicts, and before tensors' names.

One reader for all formats: in pickles networks lie in dicts, and in every format names may begin
with those of the modules that held the network. A name is judged by its words, so that ``netG``,
``net_g_ema`` and ``generator`` need no list of all programs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

# First match wins: of a GAN the generator, of two versions the averaged one.
WRAPPERS = (
    *("generator", "params_ema", "params-ema", "average", "params"),
    *("model_state_dict", "state_dict", "model", "net"),
)
# Words in the names of what is trained beside a network, of what it is trained against and of
# what trains it: never what is looked for.
_DISCRIMINATORS = {"discriminator", "disc", "critic", "netd", "teacher"}
_OPTIMIZERS = {"optimizer", "optimizers", "optim", "optims", "opt", "scaler", "amp"}
_SCHEDULERS = {"scheduler", "schedulers", "sched", "loops", "callbacks"}
_LOSSES = {"loss", "losses", "criterion", "vgg", "perceptual", "percep", "lpips", "extractor"}
_SETTINGS = {"hyper", "hparams", "config", "args", "preprocessor", "metric", "metrics", "psnr"}
_BESIDE = _DISCRIMINATORS | _OPTIMIZERS | _SCHEDULERS | _LOSSES | _SETTINGS
_AVERAGED = {"ema", "average", "averaged", "avg", "swa", "shadow"}
_GENERATOR = {"generator", "gen", "netg"}
_MODULES = {"module", "modules", "orig", "mod", "forward", "model", "models", "net", "nets"}
_PLAIN = _MODULES | {
    "network",
    "weights",
    "params",
    "state",
    "dict",
    "online",
    "student",
    "sr",
    "g",
}
# These alone are taken off whatever lies behind them, as they always were.
_UNCONDITIONAL = frozenset({"module", "_orig_mod", "net", "netG"})
# Of numbers that lie among the tensors.
_STEPS = {"epoch", "epochs", "iter", "iters", "iteration", "iterations", "step", "steps", "updates"}
_COUNTERS = _STEPS | {"averaged", "best", "count", "counter", "initted", "lr", "num", "seed"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Wrappers in wrappers that are taken off.
_DEEPEST = 9


def by_rank(keys: Iterable[object]) -> list[str]:
    """Keys of a dict under which the network may lie, the likeliest first.

    Averages of weights, then what `WRAPPERS` lists, then generators, then other names of networks.

    Examples
    --------
    >>> by_rank(["epoch", "netD", "netG", "net_g_ema", "state_dict"])
    ['net_g_ema', 'state_dict', 'netG']
    """
    ranked = [(_rank(key), key) for key in keys if isinstance(key, str)]
    return [key for rank, key in sorted((r, k) for r, k in ranked if r is not None)]


def beside(name: str) -> bool:
    """Whether a name is of what is trained beside a network, or of what trains it.

    Examples
    --------
    >>> beside("discriminator"), beside("net_d_ema"), beside("optimizer_g"), beside("body")
    (True, True, True, False)
    """
    words = _words(name)
    return bool(words & _BESIDE) or ("net" in words and "d" in words)


def network_names(names: Iterable[str]) -> dict[str, str]:
    """Which tensors are the network's, and their names without those of what held it.

    Parameters
    ----------
    names
        Of all tensors of a file.

    Returns
    -------
    dict
        From names that were given, in their order, to names within the network.

    Examples
    --------
    >>> network_names(["module.net.conv.weight", "module.net.conv.bias"])
    {'module.net.conv.weight': 'conv.weight', 'module.net.conv.bias': 'conv.bias'}
    >>> network_names(["generator.conv.weight", "discriminator.fc.weight"])
    {'generator.conv.weight': 'conv.weight'}
    >>> network_names(["net.weight", "head.weight"])
    {'net.weight': 'net.weight', 'head.weight': 'head.weight'}
    """
    kept = {name: name for name in names}
    for _ in range(_DEEPEST):
        narrowed = _narrowed(kept)
        if narrowed is None:
            break
        kept = narrowed
    return kept


def without_counters(shapes: Mapping[str, Sequence[int]]) -> list[str]:
    """Names of tensors less those that count steps: single numbers that belong to no layer.

    Parameters
    ----------
    shapes
        Of all tensors by their names.

    Examples
    --------
    >>> without_counters({"n_averaged": (), "conv.weight": (64, 3, 9, 9), "bn.num_batches": ()})
    ['conv.weight', 'bn.num_batches']
    """
    return [
        name
        for name, shape in shapes.items()
        if len(shape) or "." in name or not _words(name) & _COUNTERS
    ]


def _narrowed(kept: dict[str, str]) -> dict[str, str] | None:
    """Less the outermost wrapper and what lies beside it; None where there is no wrapper."""
    heads = dict.fromkeys(name.partition(".")[0] for name in kept.values())
    within = [head for head in heads if not beside(head)]
    ranks = {head: _rank(head) for head in within}
    # A name of any other kind is a layer's: then these are the network's own names.
    if not within or any(rank is None for rank in ranks.values()):
        return None
    best = min(within, key=lambda head: (ranks[head], head))
    rest = {old: new[len(best) + 1 :] for old, new in kept.items() if new.partition(".")[0] == best}
    if not all(rest.values()):
        return None
    # Numbers count the layers of an nn.Sequential, whose name is the network's own: of ESRGAN's
    # first form and of DnCNN it is `model`.
    if best not in _UNCONDITIONAL and any(name[0].isdecimal() for name in rest.values()):
        return None
    return rest


def _rank(name: str) -> int | None:
    """Place of a name among those that networks are found under; None if it is none of them."""
    if name in WRAPPERS:
        return 1 + WRAPPERS.index(name)
    words = _words(name)
    if beside(name) or not words - {"g"}:
        return None
    if words <= _PLAIN | _GENERATOR | _AVERAGED:
        if words & _AVERAGED:
            return 0
        generator = words & _GENERATOR or "g" in words
        return 1 + len(WRAPPERS) + (0 if generator else 1)
    return None


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(name[:128])}
