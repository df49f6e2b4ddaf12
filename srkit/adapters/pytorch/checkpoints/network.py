"""Finding the one network wanted in a checkpoint, and flattening it to a state dict."""

from __future__ import annotations

from itertools import islice

from srkit.adapters.pytorch.checkpoints.records import LazyTensor
from srkit.adapters.readers.pickles.records import Instance, Members, shown
from srkit.errors import CorruptFileError, WeightsError

# First match wins: of a GAN the generator, of two versions the averaged one.
WRAPPERS = (
    *("generator", "params_ema", "params-ema", "average", "params"),
    *("model_state_dict", "state_dict", "model", "net"),
)
PREFIXES = ("module.", "_orig_mod.", "net.", "netG.")

MAX_WRAPPING = 3
MAX_ENTRIES = 100_000
MAX_NAME = 512
MAX_TRANSIENT = 100

_TABLES = ("_parameters", "_buffers", "_modules")


def find_network(root: object) -> dict[str, LazyTensor]:
    """Find the network in what was unpickled.

    Parameters
    ----------
    root
        A pickled module, a state dict, or dicts that hold one of these under
        one of the names in `WRAPPERS`, or of any name where there is no other.

    Returns
    -------
    dict[str, LazyTensor]
        Flat state dict, named as ``Module.state_dict`` does.

    Raises
    ------
    WeightsError
        If there is no network.
    CorruptFileError
        If a module is malformed or out of proportion.
    """
    found = _search(root, MAX_WRAPPING, set())
    if not found:
        raise WeightsError(
            f"no network found in it: it holds {_contents(root)}. srkit takes a state dict or a "
            f"module, as such, under a single key, or under one of {', '.join(WRAPPERS)}"
        )
    return found


def _search(value: object, levels: int, seen: set[tuple[int, int]]) -> dict[str, LazyTensor] | None:
    """The first network in a value, so many dicts deep; each dict is looked into once."""
    if isinstance(value, Instance):
        return _flatten(value) if _is_module(value) else None
    if not isinstance(value, dict) or not levels or (id(value), levels) in seen:
        return None
    seen.add((id(value), levels))
    for name in WRAPPERS:
        found = _search(value.get(name), levels - 1, seen)
        if found:
            return found
    if len(value) == 1 and (found := _search(next(iter(value.values())), levels - 1, seen)):
        return found
    return _flat_dict(value)


def _flat_dict(value: dict[object, object]) -> dict[str, LazyTensor] | None:
    """Return `value` if it is a state dict, less modules' extra state."""
    tensors: dict[str, LazyTensor] = {}
    for name, tensor in value.items():
        if not isinstance(name, str):
            return None
        if name.endswith("_extra_state"):
            continue
        if not isinstance(tensor, LazyTensor):
            return None
        if len(name) > MAX_NAME or len(tensors) >= MAX_ENTRIES:
            raise CorruptFileError("its state dict is out of proportion")
        tensors[name] = tensor
    return tensors


def _is_module(value: Instance) -> bool:
    return all(isinstance(value.state.get(table), dict) for table in _TABLES)


def _flatten(root: Instance) -> dict[str, LazyTensor]:
    """Do what ``Module.state_dict`` does: parameters, persistent buffers, then children."""
    tensors: dict[str, LazyTensor] = {}
    pending = [("", root)]
    # Modules may be shared, so that a small file can spell out an enormous tree.
    entries_left = MAX_ENTRIES
    while pending:
        prefix, module = pending.pop()
        tables = {table: _entries(module, table) for table in _TABLES}
        excluded = module.state.get("_non_persistent_buffers_set")
        transient = excluded.items if isinstance(excluded, Members) else []
        entries_left -= 1 + sum(map(len, tables.values()))
        if entries_left < 0 or len(transient) > MAX_TRANSIENT:
            raise CorruptFileError("its module is out of proportion")
        buffers = {n: t for n, t in tables["_buffers"].items() if n not in transient}
        for name, tensor in (tables["_parameters"] | buffers).items():
            if isinstance(tensor, LazyTensor):
                tensors[_checked_name(prefix + name)] = tensor
        for name, child in reversed(tables["_modules"].items()):
            if isinstance(child, Instance):
                pending.append((_checked_name(f"{prefix}{name}."), child))
    return tensors


def _entries(module: Instance, table: str) -> dict[str, object]:
    entries = module.state.get(table)
    if not isinstance(entries, dict) or not all(isinstance(name, str) for name in entries):
        raise CorruptFileError("a module is malformed")
    return entries


def _checked_name(name: str) -> str:
    if len(name) > MAX_NAME:
        raise CorruptFileError("a module has a name out of proportion")
    return name


def _contents(root: object) -> str:
    if not isinstance(root, dict):
        return f"a {root.kind.name if isinstance(root, Instance) else type(root).__name__}"
    if not root:
        return "an empty dict"
    keys = [shown(k) if isinstance(k, str) else type(k).__name__ for k in islice(root, 20)]
    return "the keys " + ", ".join(keys) + (", ..." if len(root) > 20 else "")


def strip_prefixes(names: list[str]) -> list[str]:
    """Remove the prefixes of wrappers, as long as every name has them.

    Examples
    --------
    >>> strip_prefixes(["module.net.conv.weight", "module.net.conv.bias"])
    ['conv.weight', 'conv.bias']
    >>> strip_prefixes(["net.weight", "head.weight"])
    ['net.weight', 'head.weight']
    """
    for prefix in PREFIXES * 3:
        if names and all(name.startswith(prefix) and name != prefix for name in names):
            names = [name.removeprefix(prefix) for name in names]
    return names
