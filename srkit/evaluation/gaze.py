"""Where the eye looks first: a face, else the middle, else what is there; or a part asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from srkit.errors import OptionError

# Pictures are looked at with a longer side of so many pixels, so that it takes about a second at
# most. Smaller ones are enlarged: the classifier knows faces of 24 pixels and more.
SIDE = 320
MOST_ENLARGED = 4
_FACE = 24
# Each size of face is that much larger than the one before, and so many neighbours agree. Half of
# what is taken for a face is none in the mirror.
_STEP, _NEIGHBOURS, _OVERLAP = 1.1, 6, 0.4
# It sees from brows to chin: a head is so much larger.
_HEAD = 1.5
# Where eyes, nose and mouth are in it, in shares: the left column, the top row, width and height.
_FEATURES = 0.05, 0.22, 0.9, 0.74
# The middle is nearly blank where so much of it is level, and another third has so much more.
_BLANK, _MORE = 0.85, 1.25

_Square = tuple[int, int, int]  # left, top, side


@dataclass(frozen=True)
class Part:
    """A part of a picture, in its pixels.

    Attributes
    ----------
    left, top, width, height
        Where it is.
    what
        ``"face"``, ``"middle"``, ``"detail"``, or ``"part"`` where it was asked for.
    features
        Of a face, the part from the eyes to the mouth.

    Examples
    --------
    >>> Part(10, 20, 30, 40).times(4)
    Part(left=40, top=80, width=120, height=160, what='part')
    """

    left: int
    top: int
    width: int
    height: int
    what: str = "part"
    features: Part | None = field(default=None, repr=False)

    def times(self, scale: int) -> Part:
        """The same part of the picture enlarged."""
        left, top, width, height = (scale * side for side in self.box)
        features = self.features and self.features.times(scale)
        return Part(left, top, width, height, self.what, features)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height."""
        return self.left, self.top, self.width, self.height

    @property
    def centre(self) -> tuple[float, float]:
        """Column and row of its middle; of a face, of what is between eyes and mouth."""
        if self.features:
            return self.features.centre
        return self.left + self.width / 2, self.top + self.height / 2


def first_look(picture: NDArray[np.uint8]) -> Part:
    """The part of a picture that people look at first.

    The largest face that looks at the camera, by the classifier that comes with scikit-image
    (Ahonen et al., Face description with local binary patterns, TPAMI 2006). Of a picture without
    one the middle third; or, where that is nearly blank, as on screenshots, the third with most
    detail. The same picture always gives the same part.

    Parameters
    ----------
    picture
        ``(H, W)`` or ``(H, W, 3)``.

    Examples
    --------
    >>> from skimage import data
    >>> first_look(data.astronaut()).what, first_look(data.coffee()).what
    ('face', 'middle')
    >>> first_look(np.zeros((30, 60), np.uint8))
    Part(left=20, top=10, width=20, height=10, what='middle')
    """
    height, width = picture.shape[:2]
    grey = PILImage.fromarray(picture).convert("L")
    factor = min(SIDE / max(width, height), MOST_ENLARGED)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = np.asarray(grey.resize(size, PILImage.Resampling.BICUBIC))
    if faces := _faces(small):
        face = np.array(_most_seen(faces, size)) / factor
        return _head(face, (width, height))
    third = max(1, width // 3), max(1, height // 3)
    middle = Part((width - third[0]) // 2, (height - third[1]) // 2, *third, "middle")
    if place := _detailed(small):
        left, top = (
            round(share * side) for share, side in zip(place, (width, height), strict=True)
        )
        return Part(min(left, width - third[0]), min(top, height - third[1]), *third, "detail")
    return middle


def part_asked_for(crop: object, size: tuple[int, int]) -> Part:
    """A part that somebody named, if the picture has it.

    Parameters
    ----------
    crop
        Left, top, width and height.
    size
        Width and height of the picture.

    Raises
    ------
    OptionError
        If these are not four whole numbers, the part is empty, or not all of it is in the picture.

    Examples
    --------
    >>> part_asked_for((10, 20, 30, 40), (100, 100))
    Part(left=10, top=20, width=30, height=40, what='part')
    >>> part_asked_for((90, 0, 30, 40), (100, 80))
    Traceback (most recent call last):
    srkit.errors.OptionError: crop (90, 0, 30, 40) is not in the picture: it ends at column 120, \
row 40, and the picture is 100x80 pixels
    """
    if (
        not isinstance(crop, Sequence)
        or len(crop) != 4
        or not all(_is_whole(number) for number in crop)
    ):
        raise OptionError(
            "crop is left, top, width and height in pixels, such as (120, 80, 64, 48), "
            f"not {crop!r}"
        )
    left, top, width, height = (int(number) for number in crop)
    told = f"crop {(left, top, width, height)}"
    if width < 1 or height < 1:
        raise OptionError(f"{told} is empty: width and height are at least 1 pixel")
    if left < 0 or top < 0:
        raise OptionError(f"{told} is not in the picture: columns and rows begin at 0")
    if left + width > size[0] or top + height > size[1]:
        raise OptionError(
            f"{told} is not in the picture: it ends at column {left + width}, row {top + height}, "
            f"and the picture is {size[0]}x{size[1]} pixels"
        )
    return Part(left, top, width, height)


def _is_whole(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _faces(grey: NDArray[np.uint8]) -> list[list[_Square]]:
    """Squares with a face, in the picture and in its mirror; behind each all that are about it."""
    if min(grey.shape) < _FACE:
        return []
    # Here, since it takes half a second that comparisons without a picture need not spend.
    from skimage import data
    from skimage.feature import Cascade

    file: Callable[[], str] = data.lbp_frontal_face_cascade_filename
    classifier = Cascade(file())
    width = grey.shape[1]
    seen = list(_seen(classifier, grey))
    if not seen:
        return []
    mirrored = [
        (width - left - side, top, side)
        for left, top, side in _seen(classifier, np.ascontiguousarray(grey[:, ::-1]))
    ]

    def near(one: _Square, others: Iterable[_Square]) -> list[_Square]:
        return [other for other in others if _shared(one, other) > _OVERLAP]

    return [[one, *near(one, seen), *near(one, mirrored)] for one in seen if near(one, mirrored)]


def _seen(classifier: Any, grey: NDArray[np.uint8]) -> Iterable[_Square]:
    found = classifier.detect_multi_scale(
        grey,
        scale_factor=_STEP,
        step_ratio=1,
        min_size=(_FACE, _FACE),
        max_size=grey.shape,
        min_neighbor_number=_NEIGHBOURS,
    )
    return ((one["c"], one["r"], one["width"]) for one in found)


def _head(face: NDArray[np.float64], size: tuple[int, int]) -> Part:
    """The first of the squares of a face with what is around it, as far as the picture goes."""
    left, top, side = face[0]
    more = (_HEAD - 1) / 2 * side
    head = left - more, top - more, left + side + more, top + side + more
    # A square may be off by a tenth of its side to any direction: their mean is by less.
    left, top, side = face.mean(axis=0)
    first = left + _FEATURES[0] * side, top + _FEATURES[1] * side
    last = first[0] + _FEATURES[2] * side, first[1] + _FEATURES[3] * side
    return _within(size, head, "face", _within(size, (*first, *last), "features"))


def _within(
    size: tuple[int, int],
    edges: tuple[float, float, float, float],
    what: str,
    features: Part | None = None,
) -> Part:
    """What is between edges, as far as the picture goes."""
    first = max(0, round(edges[0])), max(0, round(edges[1]))
    last = min(size[0], round(edges[2])), min(size[1], round(edges[3]))
    return Part(*first, last[0] - first[0], last[1] - first[1], what, features)


def _detailed(grey: NDArray[np.uint8]) -> tuple[float, float] | None:
    """Where the third with most detail begins, in shares; None where the middle is not blank."""
    if min(grey.shape) < 3:
        return None
    levels = grey.astype(np.float64)
    steps = np.zeros(grey.shape)
    steps[:, 1:] = np.abs(np.diff(levels, axis=1))
    steps[1:] = np.maximum(steps[1:], np.abs(np.diff(levels, axis=0)))
    high, wide = (side // 3 for side in grey.shape)
    top, left = (grey.shape[0] - high) // 2, (grey.shape[1] - wide) // 2
    if np.mean(steps[top : top + high, left : left + wide] <= 1) < _BLANK:
        return None
    # Of each third the sum: differences of sums from the corner.
    sums = np.pad(steps, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    thirds = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    if thirds.max() <= _MORE * thirds[top, left]:
        return None
    row, column = np.unravel_index(np.argmax(thirds), thirds.shape)
    return float(column) / grey.shape[1], float(row) / grey.shape[0]


def _shared(one: _Square, other: _Square) -> float:
    """The common part of two squares, as a share of what both cover."""
    wide, high = (min(one[k] + one[2], other[k] + other[2]) - max(one[k], other[k]) for k in (0, 1))
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / (one[2] ** 2 + other[2] ** 2 - wide * high)


def _most_seen(faces: Sequence[list[_Square]], size: tuple[int, int]) -> list[_Square]:
    """The largest; of two as large the one nearer to the middle."""

    def far(face: _Square) -> float:
        return sum((face[k] + face[2] / 2 - size[k] / 2) ** 2 for k in (0, 1))

    return min(faces, key=lambda face: (-face[0][2], far(face[0]), face[0]))
