"""`Model`: what an adapter writes, and all that the engine knows of a model."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.card import ModelCard
from srkit.errors import OptionError
from srkit.imaging.luma import BicubicChroma, LumaRule
from srkit.memory import free_memory
from srkit.upscaling.findings import Findings

# Pixels of the border rule that most models see around the image. The network's own
# zero padding then acts outside the picture, where its dark rim does no harm.
RIM = 8
# Sides of an image after `size=` are bounded, so that a slip of the hand is an error. It is the
# radius of a model that may look at all of a picture.
LONGEST_SIDE = 1 << 20


class Model(ABC):
    """A network, and what has to be known of it to run it over pictures of any size.

    Adapters subclass `srkit.Upscaler`, which is a model with the calls for users. Only
    `card`, `scale` and `run` are required.

    Attributes
    ----------
    card
        The model's static facts.
    scale
        Factor of both sides.
    luma_rule
        For models that see brightness alone: what luma is, and where colour comes from.
    rim
        Pixels of the card's border rule that the model sees around an image, if it sees so
        far; beyond them lies what its own layers pad with.
    window
        Frames of a video that the model sees for each one it makes; 1 for models of single
        images. See `srkit.VideoUpscaler`.
    short_halo
        For models whose receptive field is wider than most memories hold: a shorter halo,
        in LR pixels, with which tiles are blended where the whole one does not fit. The result
        is then not exact. None for models that are always exact.
    decided
        What `for_picture` decided, by names of options.
    least_sides
        Height and width, in LR pixels, that every tile has at least; multiples of the card's
        `multiple`. A smaller picture is filled up by its reflection.

    Examples
    --------
    >>> import srkit
    >>> model = srkit.load("bicubic", scale=3)
    >>> isinstance(model, Model), model.scale, model.card.name, model.window
    (True, 3, 'bicubic', 1)
    """

    card: ModelCard
    scale: int
    luma_rule: LumaRule = BicubicChroma()
    rim: int = RIM
    short_halo: int | None = None
    window: int = 1
    decided: tuple[tuple[str, float], ...] = ()
    least_sides: tuple[int, int] = (1, 1)

    @abstractmethod
    def run(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upscale tiles of one size.

        Parameters
        ----------
        tiles
            ``(N, H, W, C)`` in [0, 1]; C is 3, or 1 where ``card.colour`` is
            ``"luma"``. Not to be modified.

        Returns
        -------
        NDArray
            ``(N, scale*H, scale*W, C)``, float32; values beyond [0, 1] are clipped
            later.

        Raises
        ------
        MemoryError
            Where memory ran out, on whatever device: smaller tiles follow.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic", scale=3).run(np.zeros((2, 8, 5, 3), np.float32)).shape
        (2, 24, 15, 3)
        """

    def run_rows(self, strips: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Upscale an image that arrives as full-width strips of rows, top to bottom.

        Optional: a model that overrides it is fed so, and no halo is computed twice.

        Parameters
        ----------
        strips
            ``(1, h, W, C)`` each, ``h`` as it comes; ``(1, T, h, W, C)`` for models with a
            window.

        Yields
        ------
        NDArray
            Rows of the result, ``(1, h', scale*W, C)``, as soon as they are known;
            in all ``scale`` times the rows that came in.

        Examples
        --------
        >>> import srkit
        >>> class Repeated(srkit.Upscaler):
        ...     card, scale = srkit.card("nearest"), 2
        ...     def run(self, tiles):
        ...         return tiles.repeat(2, axis=1).repeat(2, axis=2)
        ...     def run_rows(self, strips):
        ...         return map(self.run, strips)
        >>> strips = [np.zeros((1, rows, 6, 3), np.float32) for rows in (2, 1)]
        >>> [made.shape for made in Repeated().run_rows(strips)]
        [(1, 4, 12, 3), (1, 2, 12, 3)]
        """
        raise NotImplementedError

    @property
    def wants_height(self) -> bool:
        """Whether `run_rows` takes the keyword `height`: how many rows there are in all.

        For models in which a row of the result depends on how tall the picture is.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").wants_height
        False
        """
        return False

    def refine(self, made: NDArray[np.float32], given: NDArray[Any], top: float) -> None:
        """Change whole results, in place, by what they were made of.

        Optional: for what no tile can do, such as a projection.

        Parameters
        ----------
        made
            What the tiles gave, ``(N, scale*H, scale*W, C)``, also beyond [0, 1]; it is clipped
            after this.
        given
            Planes ``(N, H, W, C)`` in [0, `top`].
        top
            The value of `given` that stands for 1.0.

        Examples
        --------
        >>> import srkit
        >>> class Bounded(srkit.Upscaler):  # nowhere brighter than the picture was
        ...     card, scale = srkit.card("bicubic"), 4
        ...     def run(self, tiles):
        ...         return srkit.load("bicubic", scale=4).run(tiles)
        ...     def refine(self, made, given, top):
        ...         np.minimum(made, np.float32(given.max() / top), out=made)
        >>> edge = np.array([[0, 0, 0, 200, 200, 200]], np.uint8)
        >>> int(srkit.upscale(edge, "bicubic").max()), int(Bounded().upscale(edge).max())
        (215, 200)
        """
        raise NotImplementedError

    def for_picture(self, found: Findings) -> Model:
        """The upscaler for one picture, by what was found out about it.

        Optional: for models with options that are decided for each picture. It is asked once,
        before the picture, or the first frame of a clip, is cut into tiles.

        Parameters
        ----------
        found
            What is known of it: noise, JPEG quality, sharpness.

        Returns
        -------
        Upscaler
            Of the same card, scale and radius, which states `decided`.

        Examples
        --------
        >>> import srkit
        >>> class Careful(srkit.Upscaler):
        ...     card, scale = srkit.card("nearest"), 2
        ...     def run(self, tiles):
        ...         return tiles.repeat(2, axis=1).repeat(2, axis=2)
        ...     def for_picture(self, found):
        ...         chosen = Careful()
        ...         chosen.decided = (("denoise", 0.5 if found.noise > 2 else 0.0),)
        ...         return chosen
        >>> Careful().for_picture(Findings(noise=6.0)).decided
        (('denoise', 0.5),)
        """
        raise NotImplementedError

    @property
    def decides(self) -> bool:
        """Whether something is still to be decided for each picture.

        By default, whether `for_picture` is there and this is not what it returned.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").decides
        False
        """
        return type(self).for_picture is not Model.for_picture and not self.decided

    @property
    def refines(self) -> bool:
        """Whether the model overrides `refine`.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").refines
        False
        """
        return type(self).refine is not Model.refine

    @property
    def streams(self) -> bool:
        """Whether `run_rows` is there to be used: by default, whether it is overridden.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").streams
        False
        """
        return type(self).run_rows is not Model.run_rows

    @property
    def radius(self) -> int:
        """Receptive-field radius in LR pixels; the card's, unless an adapter knows better.

        Raises
        ------
        OptionError
            If the card states none.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").radius  # Keys' kernel is four pixels wide
        2
        """
        radius = self.card.radius_at(self.scale)
        if radius is None:
            raise OptionError(f"the card of {self.card.name} states no radius for x{self.scale}")
        return radius

    @property
    def sees_all(self) -> bool:
        """Whether the model may look at all of a picture, however large.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").sees_all, srkit.wrap(lambda tiles: tiles, scale=1).sees_all
        (False, True)
        """
        return self.radius >= LONGEST_SIDE

    @property
    def bytes_per_pixel(self) -> float:
        """Working memory of `run` in bytes for each LR pixel of its tiles.

        The default suits light filters in numpy; an adapter should measure.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic", scale=2).bytes_per_pixel
        256.0
        """
        return 64.0 * self.scale**2

    def strip_bytes(self, rows: int, width: int) -> float:
        """Working memory of `run_rows` in bytes, with strips of so many LR pixels.

        The default is that of `run`.

        Parameters
        ----------
        rows, width
            Of a strip, in LR pixels.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic", scale=2).strip_bytes(rows=10, width=100)
        256000.0
        """
        return self.bytes_per_pixel * rows * width

    @property
    def quick_strip_bytes(self) -> float:
        """Working memory of `run_rows` beyond which higher strips are no faster.

        Where memory allows more, strips are still only as high as this, or `engine.LOW_ROWS`.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").quick_strip_bytes
        inf
        """
        return math.inf

    @property
    def quick_whole_bytes(self) -> float:
        """Working memory up to which a picture had better run whole than in quick strips.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").quick_whole_bytes
        inf
        """
        return self.quick_strip_bytes

    @property
    def parameters(self) -> int | None:
        """Numbers that were trained; None for models without a network.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").parameters is None
        True
        """
        return None

    @property
    def multiply_adds(self) -> float | None:
        """Multiplications, each with an addition, for one LR pixel; None if not known.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("bicubic").multiply_adds is None
        True
        """
        return None

    def available_memory(self) -> int:
        """Bytes that `upscale` may work with when the caller sets no `memory`.

        Half of what the machine has free, and at most 4 GiB.

        Examples
        --------
        >>> import srkit
        >>> 0 < srkit.load("bicubic").available_memory() <= 4 * 2**30
        True
        """
        return min(4 << 30, free_memory() // 2)


def rows_of(
    model: Model, strips: Iterable[NDArray[np.float32]], height: int
) -> Iterator[NDArray[np.float32]]:
    """What `Model.run_rows` makes of an image of so many rows, which it is told if it wants.

    Examples
    --------
    >>> import srkit
    >>> class Repeated(srkit.Upscaler):
    ...     card, scale = srkit.card("nearest"), 2
    ...     def run(self, tiles):
    ...         return tiles.repeat(2, axis=1).repeat(2, axis=2)
    ...     def run_rows(self, strips):
    ...         return map(self.run, strips)
    >>> strips = [np.zeros((1, rows, 6, 3), np.float32) for rows in (2, 1)]
    >>> sum(made.shape[1] for made in rows_of(Repeated(), strips, 3))
    6
    """
    told = {"height": height} if model.wants_height else {}
    return model.run_rows(strips, **told)
