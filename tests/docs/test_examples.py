"""Every name of the reference, and every public one, shows itself by an example that is run."""

import inspect
import re
from importlib import import_module
from importlib.util import find_spec

import pytest
from checkout import ROOT

import srkit

REFERENCE = ROOT / "docs" / "reference"
# What is shown and imports only where an extra is installed, and packages of that extra.
EXTRAS = {
    "srkit.VideoReport": ("av",),
    "srkit.video.preview.Preview": ("av",),
    "srkit.dask": ("dask", "distributed", "fsspec", "av"),
    "srkit.training.recipe": ("torch", "safetensors"),
    "srkit.adapters.pytorch.runtime.upscaler.TorchUpscaler": ("torch", "safetensors"),
    "srkit.adapters.pytorch.runtime.closed.ClosedUpscaler": ("torch", "safetensors"),
}


def shown():
    """Names of `srkit.__all__`, and those that pages of the reference show."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md"))
    names = {f"srkit.{name}" for name in srkit.__all__} | set(re.findall("^::: (.+)$", pages, re.M))
    return sorted(names)


def named(path):
    """What a dotted name stands for; `srkit.card` is the function, not the module."""
    parent, _, name = path.rpartition(".")
    if parent and hasattr(owner := named(parent), name):
        return getattr(owner, name)
    return import_module(path)


def public(thing):
    """A module, class or function, and what of it is public, by full names."""
    if inspect.ismodule(thing):
        yield thing.__name__, thing
        own = [n for n, x in vars(thing).items() if getattr(x, "__module__", "") == thing.__name__]
        for name in getattr(thing, "__all__", own):
            if not name.startswith("_"):
                yield from public(getattr(thing, name))
    elif inspect.isclass(thing) or inspect.isfunction(thing):
        yield f"{thing.__module__}.{thing.__qualname__}", thing
    # What is inherited or defined anew counts once, where it is defined first.
    for kind in thing.__mro__ if inspect.isclass(thing) else ():
        for name, member in vars(kind).items():
            described = member.fget if isinstance(member, property) else member
            described = inspect.unwrap(getattr(described, "__func__", described))
            ours = kind.__module__.startswith("srkit") and not name.startswith("_")
            anew = any(name in vars(base) for base in kind.__mro__[1:])
            if ours and not anew and inspect.isfunction(described):
                yield f"{kind.__module__}.{kind.__qualname__}.{name}", described


def derived_from():
    """Classes of adapters that plugins are told to derive from."""
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    return re.findall(r"`(srkit\.adapters\.[\w.]+)`", page)


@pytest.mark.parametrize("path", derived_from())
def test_what_plugins_derive_from_has_an_example(path):
    pytest.importorskip("torch")
    assert ">>>" in named(path).__doc__


@pytest.mark.parametrize("path", shown())
def test_what_users_import_has_an_example(path):
    if missing := [package for package in EXTRAS.get(path, ()) if find_spec(package) is None]:
        pytest.skip(f"{missing[0]} is not installed")
    without = [name for name, thing in public(named(path)) if ">>>" not in (thing.__doc__ or "")]
    assert not without
