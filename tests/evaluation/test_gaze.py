"""Where the eye looks first: faces, the middle, and that it is quick and always the same."""

import io
import time

import numpy as np
import pytest
from PIL import Image as PILImage
from skimage import data

import srkit
from srkit.evaluation.gaze import Part, first_look
from srkit.evaluation.sheet import lay_out

PHOTO = data.astronaut()
# By eye: chin, brows and cheeks of the astronaut.
FACE = (175, 65, 275, 185)
# Likewise the outer edges of the irises, the upper lids, and the lower lip.
EYES_TO_MOUTH = (198, 99, 252, 152)


def smaller(factor):
    size = round(512 * factor)
    return np.asarray(PILImage.fromarray(PHOTO).resize((size, size), PILImage.Resampling.LANCZOS))


def covers(part, factor=1.0):
    """How much of the face is within the part."""
    left, top, right, bottom = (factor * side for side in FACE)
    wide = min(part.left + part.width, right) - max(part.left, left)
    high = min(part.top + part.height, bottom) - max(part.top, top)
    return max(0, wide) * max(0, high) / ((right - left) * (bottom - top))


@pytest.mark.parametrize("factor", [0.25, 0.5, 1, 3])
def test_a_face_is_found_at_any_size(factor):
    part = first_look(smaller(factor))
    assert part.what == "face"
    assert covers(part, factor) > 0.6
    assert part.width < 0.4 * 512 * factor


def test_it_is_found_in_grey_and_near_a_border():
    assert covers(first_look(PHOTO.mean(axis=2).astype(np.uint8))) > 0.6
    cut = np.ascontiguousarray(PHOTO[40:240, 150:420])
    part = first_look(cut)
    assert part.what == "face"
    assert part.left + part.width <= 270
    assert part.top + part.height <= 200
    assert part.left >= 0
    assert part.top >= 0


def saved(picture, quality):
    """What a JPEG of that quality keeps of a picture; the picture where there is none."""
    if quality is None:
        return picture
    file = io.BytesIO()
    PILImage.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(PILImage.open(file))


@pytest.mark.parametrize("quality", [None, 60])
@pytest.mark.parametrize(
    "cut",
    [
        (150, 20, 297, 180),
        (155, 30, 302, 190),
        (165, 45, 285, 195),
        (175, 40, 322, 200),
        (150, 60, 297, 220),
        (130, 35, 277, 195),
        (100, 0, 360, 300),
        (0, 0, 512, 512),
    ],
)
def test_the_detail_of_a_sheet_holds_eyes_and_mouth(cut, quality):
    left, top, right, bottom = cut
    portrait = saved(PHOTO[top:bottom, left:right], quality)
    for scale in (2, 4):
        size = scale * (right - left), scale * (bottom - top)
        layout = lay_out(5, size, first_look(portrait).times(scale))
        box = [side / scale for side in layout.box]
        assert box[0] + left <= EYES_TO_MOUTH[0]
        assert box[1] + top <= EYES_TO_MOUTH[1]
        assert box[2] + left >= EYES_TO_MOUTH[2]
        assert box[3] + top >= EYES_TO_MOUTH[3]
        # It shows more than the whole picture above it does.
        assert layout.zoom > layout.panel[0] / size[0]


@pytest.mark.parametrize(
    ("size", "side", "zoom"),
    [
        # One of five columns: 774 pixels of the sheet's 4000, margins and gaps left out.
        ((4000, 3000), 258, 3),
        ((4000, 3000), 259, 2),
        ((4000, 3000), 388, 1),
        ((4000, 3000), 2000, 1),
        # Shown as it is, it is not shown as large again.
        ((600, 600), 200, 3),
        ((600, 600), 201, 2),
        ((600, 600), 400, 2),
        # Shown four times as large already.
        ((64, 64), 64, 5),
    ],
)
def test_a_face_is_enlarged_as_far_as_there_is_room_for_its_features(size, side, zoom):
    features = Part((size[0] - side) // 2, (size[1] - side) // 2, side, side)
    layout = lay_out(5, size, Part(0, 0, *size, "face", features))
    assert layout.zoom == zoom
    assert layout.box[2] - layout.box[0] == layout.box[3] - layout.box[1]


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket", "camera", "brick", "text", "page"])
def test_what_is_no_face_is_taken_for_none(name):
    picture = getattr(data, name)()
    height, width = picture.shape[:2]
    part = first_look(picture)
    assert part.what == "middle"
    assert (part.width, part.height) == (width // 3, height // 3)
    assert part.centre == pytest.approx((width / 2, height / 2), abs=1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2, 2, 3), (5, 4000), (4000, 3)])
def test_any_picture_has_a_part(shape):
    part = first_look(np.full(shape, 90, np.uint8))
    assert 1 <= part.width <= shape[1]
    assert 0 <= part.left <= shape[1] - part.width
    assert 1 <= part.height <= shape[0]
    assert 0 <= part.top <= shape[0] - part.height


def test_the_same_picture_gives_the_same_part():
    assert len({first_look(PHOTO) for _ in range(5)}) == 1


def test_a_large_picture_takes_hardly_longer():
    def seconds(picture):
        begun = time.process_time()
        first_look(picture)
        return time.process_time() - begun

    noise = np.random.default_rng(0).integers(0, 256, (500, 500), np.uint8)
    first_look(noise)
    small, large = seconds(noise), seconds(noise.repeat(6, 0).repeat(6, 1))
    assert large < small + 3


def test_of_two_faces_the_larger_is_taken():
    both = np.full((512, 900, 3), 128, np.uint8)
    both[:, :512] = PHOTO
    both[:256, 600:856] = PHOTO[::2, ::2]
    assert covers(first_look(both)) > 0.6
    assert covers(first_look(np.ascontiguousarray(both[:, ::-1]))) == 0


def test_a_comparison_looks_once(monkeypatch):
    looks = []

    def looked(picture):
        looks.append(picture.shape)
        return Part(1, 2, 3, 4, "middle")

    monkeypatch.setattr("srkit.evaluation.comparison.first_look", looked)
    made = srkit.compare(PHOTO[:40, :60], ["nearest"], scale=2)
    made.sheet()
    made._repr_html_()
    assert looks == [(40, 60, 3)]


def screenshot(top, left):
    """A white window with lines of black and white at a place, and nothing else."""
    picture = np.full((300, 450, 3), 255, np.uint8)
    picture[top : top + 60 : 4, left : left + 120 : 2] = 0
    return picture


@pytest.mark.parametrize(("top", "left"), [(10, 10), (10, 300), (230, 20), (200, 310)])
def test_where_the_middle_is_blank_it_looks_at_what_is_there(top, left):
    part = first_look(screenshot(top, left))
    assert part.what == "detail"
    assert (part.width, part.height) == (150, 100)
    assert part.left - 6 <= left
    assert left + 120 <= part.left + part.width + 6
    assert part.top - 6 <= top
    assert top + 60 <= part.top + part.height + 6


def test_what_is_in_the_middle_stays_before_what_has_more_detail():
    picture = screenshot(10, 10)
    picture[110:190, 180:270] = data.coffee()[100:180, 200:290]
    assert first_look(picture).what == "middle"


def test_a_picture_that_is_blank_has_its_middle():
    assert first_look(np.full((90, 120, 3), 200, np.uint8)) == Part(40, 30, 40, 30, "middle")
