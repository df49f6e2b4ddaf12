"""`Running`: what runs a model, where, and in what precision; and how a model is shown."""

from __future__ import annotations

import functools
from typing import Any

from srkit.card import ModelCard
from srkit.upscaling.model import Model

# What users ask of a model; what its author may override besides is in `Model`.
_FOR_USERS = (
    *("card", "device", "multiply_adds", "name", "parameters", "precision", "radius", "runtime"),
    *("scale", "upscale", "upscale_file", "upscale_frames"),
)
# What `srkit.load` is asked for, by models of srkit's own.
SETTINGS = (
    *("border", "color", "denoise", "device", "dist", "halo", "match_histograms", "overlap"),
    *("perception", "precision", "runtime", "scale", "tile", "tiling", "weights"),
)
# Options of `srkit.load` that are shown otherwise, or not worth it.
_NOT_SHOWN = ("device", "dist", "precision", "runtime", "weights")


class Running:
    """What every `srkit.Upscaler` tells of how it runs, and how it is shown.

    ``dir(model)``, which is what notebooks complete, lists what is for users, and what a class or
    an object of somebody's own has besides.

    Adapters override these or set them, so they are no properties, which cannot be set. Once
    `srkit.load` has given a model out, nobody else sets what it was loaded with: the network
    would stay as it is, and only what is shown would change. Classes of other packages set what
    they like but `name` and `scale`.

    Examples
    --------
    >>> import srkit
    >>> srkit.load("bicubic", scale=2)
    <srkit.Upscaler bicubic x2, numpy on cpu>
    """

    card: ModelCard
    scale: int
    window: int
    origin: Any

    @functools.cached_property
    def name(self) -> str:
        """The model's name, as its card has it.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").name
        'bicubic'
        """
        return self.card.name

    @functools.cached_property
    def device(self) -> str:
        """Where the model runs, as ``device=`` has it: ``"cpu"``, unless an adapter says.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").device
        'cpu'
        """
        return "cpu"

    @functools.cached_property
    def precision(self) -> str:
        """What it computes in: ``"float32"``, unless an adapter says.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").precision
        'float32'
        """
        return "float32"

    @functools.cached_property
    def runtime(self) -> str:
        """The framework that it runs on: that of the card, unless an adapter says.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").runtime
        'numpy'
        """
        return self.card.framework

    def __setattr__(self, name: str, value: object) -> None:
        if self.origin is not None and name in self._settled:
            wanted = f"srkit.load(..., {name}={value!r}) loads another"
            if name == "name":
                wanted = f"srkit.compare and srkit.bench take {{{value!r}: model}}"
            raise AttributeError(f"{self.name} is loaded, and its {name} stays: {wanted}")
        super().__setattr__(name, value)

    @property
    def _settled(self) -> tuple[str, ...]:
        """What cannot be set on a loaded model."""
        if not type(self).__module__.startswith("srkit."):
            return "name", "scale"
        return ("name", *SETTINGS, *getattr(self.origin, "options", ()))

    def __dir__(self) -> list[str]:
        names = set(_FOR_USERS)
        for kind in type(self).__mro__:
            if not kind.__module__.startswith("srkit."):
                names |= vars(kind).keys() - vars(Model).keys()
        if not type(self).__module__.startswith("srkit."):
            names |= vars(self).keys() - vars(Model).keys() - {"origin"}
        return sorted(names)

    def __repr__(self) -> str:
        kind = "VideoUpscaler" if self.window > 1 else "Upscaler"
        defaults = self.card.defaults if self.origin else {}
        decided = dict(getattr(self, "decided", ()))
        asked = {**defaults, **getattr(self.origin, "options", {}), **decided}
        options = "".join(f" {name}={asked[name]!r}" for name in asked if name not in _NOT_SHOWN)
        reduced = "" if self.precision == "float32" else f" in {self.precision}"
        runs = f"{self.runtime} on {self.device}{reduced}"
        return f"<srkit.{kind} {self.name} x{self.scale}{options}, {runs}>"
