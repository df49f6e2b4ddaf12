"""`Running`: what runs a model, where, and in what precision."""

from __future__ import annotations

import functools

from srkit.card import ModelCard


class Running:
    """What every `srkit.Upscaler` tells of how it runs, and how it is shown.

    Adapters override these or set them, so they are no properties, which cannot be set.

    Examples
    --------
    >>> import srkit
    >>> srkit.load("bicubic", scale=2)
    <srkit.Upscaler bicubic x2, numpy on cpu>
    """

    card: ModelCard
    scale: int
    window: int

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

    def __repr__(self) -> str:
        kind = "VideoUpscaler" if self.window > 1 else "Upscaler"
        reduced = "" if self.precision == "float32" else f" in {self.precision}"
        runs = f"{self.runtime} on {self.device}{reduced}"
        return f"<srkit.{kind} {self.card.name} x{self.scale}, {runs}>"
