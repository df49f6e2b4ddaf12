"""What a plugin's adapter makes, and whose fault it is where that fails."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata

from srkit.errors import BrokenPluginError, SrkitError
from srkit.upscaling.upscaler import Upscaler

# What adapters of srkit's own raise needs no name before it.
OWN = "srkit."


def constructed(build: Callable[[], object], model: str, adapter: str) -> Upscaler:
    """The upscaler that an adapter makes.

    What the constructor of a plugin raises is named as the plugin's, and stays the cause: an
    error of srkit's stays of its kind; any other becomes a `BrokenPluginError`, but for memory
    that runs out.

    Parameters
    ----------
    build
        Calls the constructor.
    model
        Name of the model.
    adapter
        Whose constructor it is, ``"module:Class"``.

    Examples
    --------
    >>> constructed(lambda: {}["conv1"], "mine", "mine.adapter:Mine")
    Traceback (most recent call last):
    srkit.errors.BrokenPluginError: mine of mine (mine.adapter:Mine) cannot be made: \
KeyError: 'conv1'
    """
    try:
        made = build()
    except MemoryError:
        raise
    except Exception as error:
        if adapter.startswith(OWN):
            raise
        whose = _whose(model, adapter)
        if isinstance(error, SrkitError):
            raise type(error)(f"{whose}: {error}") from error
        told = f"{type(error).__name__}: {error}"
        raise BrokenPluginError(f"{whose} cannot be made: {told}") from error
    return checked(made, adapter)


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
