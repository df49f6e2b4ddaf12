"""Where a picture lies on the earth, by the tags of GeoTIFF 1.1 and of GDAL."""

from __future__ import annotations

from dataclasses import dataclass, replace

_PIXEL_SCALE, _TIEPOINTS, _TRANSFORMATION, _KEYS = 33550, 33922, 34264, 34735
_RASTER_TYPE, _POINTS = 1025, 2  # a key and its value: pixels are points, not areas
# Those above, parameters of keys, and GDAL's metadata and value for "no data".
TAGS = (_PIXEL_SCALE, _TIEPOINTS, _TRANSFORMATION, _KEYS, 34736, 34737, 42112, 42113)
_ASCII, _SHORT, _DOUBLE = 2, 3, 12

Values = tuple[float, ...] | tuple[int, ...] | str


@dataclass(frozen=True)
class GeoTags:
    """Tags by number, and the size of the picture that they are true of."""

    width: int
    height: int
    tags: tuple[tuple[int, Values], ...]

    def scaled(self, width: int, height: int) -> GeoTags:
        """The same place on the earth, for another number of pixels."""
        across, down = width / self.width, height / self.height
        if across == down == 1:
            return self
        # Points lie in the middle of pixels, areas at their corner (GeoTIFF 1.1, B.5).
        half = 0.5 if self._are_points() else 0.0
        tags = tuple((tag, _scaled(tag, value, across, down, half)) for tag, value in self.tags)
        return replace(self, width=width, height=height, tags=tags)

    def extratags(self) -> list[tuple[int, int, int, object, bool]]:
        """As `tifffile.imwrite` takes them."""
        extra: list[tuple[int, int, int, object, bool]] = []
        for tag, value in self.tags:
            if isinstance(value, str):
                text = value.encode("latin-1", "replace") + b"\0"
                extra.append((tag, _ASCII, len(text), text, True))
            else:
                extra.append((tag, _SHORT if tag == _KEYS else _DOUBLE, len(value), value, True))
        return extra

    def _are_points(self) -> bool:
        keys = dict(self.tags).get(_KEYS, ())
        entries = zip(keys[4::4], keys[5::4], keys[7::4], strict=False)
        return any(key == (_RASTER_TYPE, 0, _POINTS) for key in entries)


def of_tags(width: int, height: int, stated: dict[int, object]) -> GeoTags | None:
    """What a file says; None if that is not where it lies."""
    if not {_KEYS, _PIXEL_SCALE, _TRANSFORMATION, _TIEPOINTS} & set(stated):
        return None
    tags: list[tuple[int, Values]] = []
    for tag, value in sorted(stated.items()):
        if isinstance(value, str) or (
            isinstance(value, tuple) and all(isinstance(number, int | float) for number in value)
        ):
            tags.append((tag, value))
    return GeoTags(width, height, tuple(tags))


def _scaled(tag: int, value: Values, across: float, down: float, half: float) -> Values:
    if isinstance(value, str):
        return value
    numbers = [float(number) for number in value]
    if tag == _PIXEL_SCALE and len(numbers) >= 2:
        return (numbers[0] / across, numbers[1] / down, *numbers[2:])
    if tag == _TIEPOINTS:
        for at in range(0, len(numbers) - 5, 6):  # column, row, depth, then x, y, z
            numbers[at] = (numbers[at] + half) * across - half
            numbers[at + 1] = (numbers[at + 1] + half) * down - half
        return tuple(numbers)
    if tag == _TRANSFORMATION and len(numbers) == 16:
        for row in range(0, 16, 4):  # new columns and rows are first brought to old ones
            a, b, c, d = numbers[row : row + 4]
            shift = a * (half / across - half) + b * (half / down - half)
            numbers[row : row + 4] = a / across, b / down, c, d + shift
        return tuple(numbers)
    return value
