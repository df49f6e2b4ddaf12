"""`Copied`: models go to other processes, and are copied, by what they were loaded from."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any, Protocol, Self

from srkit.card import ModelCard
from srkit.errors import OptionError, SrkitError

# Models whose parts are being tried: one that holds itself is not tried again.
_TRIED = threading.local()


class Origin(Protocol):
    """What a model was loaded from."""

    def again(self) -> Any:
        """The same model, loaded afresh."""

    def reduced(self) -> tuple[Any, ...]:
        """A function and its arguments, to be pickled, that give the model in another process."""


class Copied:
    """How every `srkit.Upscaler` is copied, and pickled for other processes.

    One that `srkit.load` made is loaded there again, by its name or file and its options;
    networks, sessions and devices stay where they are, and so does what was set on it by hand.
    One that was made by hand goes as any Python object does.

    Attributes
    ----------
    origin
        What `srkit.load` loaded it from; None for models that were made by hand.

    Examples
    --------
    >>> import srkit
    >>> pickle.loads(pickle.dumps(srkit.load("bicubic", scale=3)))
    <srkit.Upscaler bicubic x3, numpy on cpu>
    """

    card: ModelCard
    origin: Origin | None = None

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self.origin is not None:
            return self.origin.reduced()
        _try(self)
        return super().__reduce_ex__(protocol)

    def __copy__(self) -> Self:
        """Another object with the same network."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Another with a network of its own: loaded again, where `srkit.load` made it."""
        if self.origin is not None:
            return self.origin.again()
        memo[id(self)] = made = object.__new__(type(self))
        for name, part in vars(self).items():
            try:
                made.__dict__[name] = copy.deepcopy(part, memo)
            except (SrkitError, MemoryError):
                raise
            except Exception as error:
                raise OptionError(
                    f"{self.card.name} was made by hand, and its {name} cannot be copied "
                    f"({type(error).__name__}: {error}); copy.copy(model) shares it"
                ) from error
        return made


def _try(model: Copied) -> None:
    """Refuse a model made by hand whose parts cannot be pickled.

    Raises
    ------
    OptionError
        With the part that cannot.
    """
    kind, tried = type(model), _TRIED.__dict__.setdefault("models", set())
    own_way = (
        kind.__getstate__ is not object.__getstate__ or kind.__reduce__ is not object.__reduce__
    )
    if own_way or id(model) in tried:
        return
    tried.add(id(model))
    try:
        for name, part in [("class", kind), *vars(model).items()]:
            try:
                pickle.Pickler(_Nowhere()).dump(part)
            except Exception as error:
                raise OptionError(
                    f"{model.card.name} was made by hand, and its {name} cannot be pickled "
                    f"({error}), as it would have to be for another process; make the model there, "
                    "or load it by a name (srkit.register) or a file"
                ) from error
    finally:
        tried.discard(id(model))


class _Nowhere:
    """A file that keeps nothing."""

    def write(self, data: bytes) -> int:
        return len(data)
