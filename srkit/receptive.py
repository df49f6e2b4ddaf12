"""How far the layers of networks see: the arithmetic of receptive fields, whatever the framework.

The radius is that of Araujo, Norris and Sim, Computing receptive fields of convolutional neural
networks, Distill, 2019, on one side of a pixel, for layers that make planes coarser and finer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Reach:
    """How far the pixels of a plane within a network see, along one axis.

    Attributes
    ----------
    radius
        In pixels of the network's input.
    density
        Pixels of the plane for each pixel of the input.

    Examples
    --------
    A convolution over three pixels, one that halves the side, and one that doubles it again:

    >>> reach = Reach().convolved(stride=1, padding=1, last=2)
    >>> reach.convolved(stride=2, padding=1, last=3).transposed(stride=2, padding=1, last=3)
    Reach(radius=Fraction(4, 1), density=Fraction(1, 1))
    """

    radius: Fraction = Fraction(0)
    density: Fraction = Fraction(1)

    @classmethod
    def widest(cls, reaches: Iterable[Reach]) -> Reach:
        """Of what is made of several planes, such as their sum."""
        planes = list(reaches)
        return cls(max(p.radius for p in planes), max(p.density for p in planes))

    def beyond(self, pixels: int) -> Reach:
        """Of what sees so many pixels of this plane farther, on one side."""
        return Reach(self.radius + Fraction(pixels) / self.density, self.density)

    def convolved(self, stride: int, padding: int, last: int) -> Reach:
        """Of a convolution or a pool of this plane.

        Parameters
        ----------
        padding
            Pixels before the plane.
        last
            Where the last tap of the kernel lies: dilation * (size - 1).
        """
        # Output o stands for pixels stride * o and the next ones.
        seen = self.beyond(max(0, padding, last - padding - (stride - 1)))
        return Reach(seen.radius, self.density / stride)

    def centred(self, last: int) -> Reach:
        """Of a convolution of stride 1 that keeps the size of this plane."""
        return self.convolved(1, last // 2, last)

    def transposed(self, stride: int, padding: int, last: int) -> Reach:
        """Of a transposed convolution of this plane; parameters as for `convolved`."""
        # Output o gets pixel i by tap o + padding - stride * i; o lies `stride` to a pixel.
        seen = self.beyond(max((stride - 1 + padding) // stride, (last - padding) // stride))
        return Reach(seen.radius, self.density * stride)

    def finer(self, factor: int) -> Reach:
        """Of a plane of which each pixel of this one becomes so many along the axis."""
        # In a pixel that is wider than one of the input, what is at its one side reaches the other.
        density = self.density * factor
        within = 1 / self.density - max(Fraction(1), 1 / density)
        return Reach(self.radius + max(Fraction(0), within), density)

    def coarser(self, factor: int) -> Reach:
        """Of a plane of which each pixel stands for so many of this one along the axis."""
        return Reach(self.radius, self.density / factor)
