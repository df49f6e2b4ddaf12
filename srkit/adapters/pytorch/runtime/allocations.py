"""What torch allocates while a network is built or run."""

from __future__ import annotations

import math
import weakref
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Allocations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up what operations of this thread allocate and keep; a context manager.

    Parameters
    ----------
    limit
        Bytes alive at a time beyond which an operation fails.

    Attributes
    ----------
    alive, peak
        Bytes now, and at most.

    Raises
    ------
    ValueError
        From within, where operations keep more than `limit`.

    Examples
    --------
    >>> import torch
    >>> with Allocations() as watched:
    ...     kept = torch.zeros(100) + torch.ones(100)
    >>> watched.alive, watched.peak
    (400, 1200)
    """

    def __init__(self, limit: float = math.inf) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.limit = limit
        self.alive = self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See `TorchDispatchMode`."""
        made = func(*args, **(kwargs or {}))
        # What an operation is given may have been there before.
        given = {id(value) for value in args if isinstance(value, Tensor)}
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor) and id(tensor) not in given and not tensor._is_view():
                self._add(tensor)
        if self.alive > self.limit:
            raise ValueError(f"it takes more than {self.limit / 1e6:.0f} MB")
        return made

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self._seen:
            self._seen.add(key)
            self.alive += size
            self.peak = max(self.peak, self.alive)
            weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.alive -= size
