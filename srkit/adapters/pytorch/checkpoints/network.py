"""Finding the one network wanted in a checkpoint, and flattening it to a state dict."""

from __future__ import annotations

from itertools import islice

from srkit.adapters.pytorch.checkpoints.records import LazyTensor
from srkit.adapters.pytorch.checkpoints.wrappers import (
    WRAPPERS,
    beside,
    by_rank,
    without_counters,
)
from srkit.adapters.readers.pickles.records import Instance, Members, shown
from srkit.errors import CorruptFileError, WeightsError

MAX_WRAPPING = 3
MAX_ENTRIES = 100_000
MAX_NAME = 512
MAX_TRANSIENT = 100
# Values of one dict that are looked into where none of them has the name of a wrapper.
MAX_OTHERS = 64

_TABLES = ("_parameters", "_buffers", "_modules")


def find_network(root: object) -> dict[str, LazyTensor]:
    """Find the network in what was unpickled.

    Parameters
    ----------
    root
        A pickled module, a state dict, also with numbers and texts among its tensors, or dicts
        that hold one of these: under the name of a wrapper, see `wrappers.by_rank`, or of any
        name where no other holds one.

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
    found = _Search().within(root, MAX_WRAPPING)
    if not found:
        raise WeightsError(
            f"no network found in it: it holds {_contents(root)}. srkit takes a state dict or a "
            f"module, as such, under a single key, or under one of {', '.join(WRAPPERS)}"
        )
    return found


class _Search:
    """Looks for the first network; what was looked into is not looked into again."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], dict[str, LazyTensor] | None] = {}
        # Modules may be shared, so that a small file can spell out an enormous tree.
        self._entries_left = MAX_ENTRIES

    def within(self, value: object, levels: int) -> dict[str, LazyTensor] | None:
        """The first network in a value, so many dicts deep."""
        if isinstance(value, Instance):
            return self._flatten(value) if _is_module(value) else None
        if not isinstance(value, dict) or not levels:
            return None
        place = id(value), levels
        if place not in self._known:
            self._known[place] = None  # of a dict that holds itself
            self._known[place] = self._in_dict(value, levels)
        return self._known[place]

    def _in_dict(self, value: dict[object, object], levels: int) -> dict[str, LazyTensor] | None:
        for name in by_rank(value):
            if found := self.within(value[name], levels - 1):
                return found
        if len(value) == 1 and (found := self.within(next(iter(value.values())), levels - 1)):
            return found
        return _flat_dict(value) or self._only_other(value)

    def _only_other(self, value: dict[object, object]) -> dict[str, LazyTensor] | None:
        """The network under a name that says nothing, where there is but one."""
        others = [
            inner
            for name, inner in islice(value.items(), MAX_OTHERS)
            if isinstance(name, str) and isinstance(inner, dict | Instance) and not beside(name)
        ]
        found = [net for net in (self.within(inner, 1) for inner in others) if net]
        return found[0] if len(found) == 1 else None

    def _flatten(self, root: Instance) -> dict[str, LazyTensor]:
        """Do what ``Module.state_dict`` does: parameters, persistent buffers, then children."""
        tensors: dict[str, LazyTensor] = {}
        pending = [("", root)]
        while pending:
            prefix, module = pending.pop()
            tables = {table: _entries(module, table) for table in _TABLES}
            excluded = module.state.get("_non_persistent_buffers_set")
            transient = excluded.items if isinstance(excluded, Members) else []
            self._entries_left -= 1 + sum(map(len, tables.values()))
            if self._entries_left < 0 or len(transient) > MAX_TRANSIENT:
                raise CorruptFileError("its module is out of proportion")
            buffers = {n: t for n, t in tables["_buffers"].items() if n not in transient}
            for name, tensor in (tables["_parameters"] | buffers).items():
                if isinstance(tensor, LazyTensor):
                    tensors[_checked_name(prefix + name)] = tensor
            for name, child in reversed(tables["_modules"].items()):
                if isinstance(child, Instance):
                    pending.append((_checked_name(f"{prefix}{name}."), child))
        return tensors


def _flat_dict(value: dict[object, object]) -> dict[str, LazyTensor] | None:
    """Return `value` if it is a state dict, less modules' extra state and counters.

    Numbers, texts and settings may lie among the tensors if these are a network's: some of them
    have two dimensions.
    """
    if not all(isinstance(name, str) for name in value):
        return None
    plain = {str(n): v for n, v in value.items() if not str(n).endswith("_extra_state")}
    tensors = {name: tensor for name, tensor in plain.items() if isinstance(tensor, LazyTensor)}
    if any(len(name) > MAX_NAME for name in tensors) or len(tensors) > MAX_ENTRIES:
        raise CorruptFileError("its state dict is out of proportion")
    if not any(len(tensor.size) > 1 for tensor in tensors.values()):
        return tensors if len(tensors) == len(plain) else None
    if any(isinstance(v, dict) and _holds_tensors(v) for n, v in plain.items() if not beside(n)):
        return None
    return {
        name: tensors[name] for name in without_counters({n: t.size for n, t in tensors.items()})
    }


def _holds_tensors(value: dict[object, object]) -> bool:
    return any(isinstance(inner, LazyTensor) for inner in value.values())


def _is_module(value: Instance) -> bool:
    return all(isinstance(value.state.get(table), dict) for table in _TABLES)


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
