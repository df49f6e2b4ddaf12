"""What a plugin's adapter makes, and whose fault it is where that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from srkit.errors import BrokenPluginError, SrkitError
from srkit.upscaling.upscaler import Upscaler

# What adapters of srkit's own raise needs no name before it.
OWN = "srkit."


@contextmanager
def as_the_plugins(model: str, adapter: str) -> Iterator[None]:
    """Name the plugin in what its constructor raises, which stays the cause.

    An error of srkit's stays of its kind; any other becomes a `BrokenPluginError`, but for memory
    that runs out.

    Parameters
    ----------
    model
        Name of the model.
    adapter
        Whose constructor is called, ``"module:Class"``.

    Examples
    --------
    >>> with as_the_plugins("mine", "mine.adapter:Mine"):
    ...     raise KeyError("conv1")
    Traceback (most recent call last):
    srkit.errors.BrokenPluginError: mine of mine (mine.adapter:Mine) cannot be made: \
KeyError: 'conv1'
    """
    try:
        yield
    except MemoryError:
        raise
    except SrkitError as error:
        if adapter.startswith(OWN):
            raise
        raise type(error)(f"{_whose(model, adapter)}: {error}") from error
    except Exception as error:
        if adapter.startswith(OWN):
            raise
        raise BrokenPluginError(
            f"{_whose(model, adapter)} cannot be made: {type(error).__name__}: {error}"
        ) from error


def checked(made: object, adapter: str) -> Upscaler:
    """What an adapter made, as the upscaler that it must be.

    Raises
    ------
    BrokenPluginError
        If it is none, or has no card or scale.

    Examples
    --------
    >>> checked(4, "mine.adapter:Mine")
    Traceback (most recent call last):
    srkit.errors.BrokenPluginError: mine.adapter:Mine made <class 'int'>, not an Upscaler
    """
    if not isinstance(made, Upscaler):
        raise BrokenPluginError(f"{adapter} made {type(made)!r}, not an Upscaler")
    for name in ("card", "scale"):
        if not hasattr(made, name):
            raise BrokenPluginError(
                f"{adapter} made an Upscaler without a {name}: its constructor sets self.{name}"
            )
    return made


def _whose(model: str, adapter: str) -> str:
    """A model, the distribution that its adapter's package is of, and the adapter."""
    package = adapter.partition(":")[0].partition(".")[0]
    # Reads what is installed, which takes a while: for errors alone.
    owners = sorted(set(metadata.packages_distributions().get(package, [package])))
    return f"{model} of {' and '.join(owners)} ({adapter})"
