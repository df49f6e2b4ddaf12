"""`Image.show`: in the system's viewer, or below the cell of a notebook."""

import numpy as np
import pytest
from PIL import Image as PILImage
from PIL import ImageCms, ImageShow

from srkit import Image, ImageError
from srkit.imaging.metadata import Metadata

PIXELS = np.random.default_rng(28).integers(0, 256, (5, 7, 3), np.uint8)


class Watching(ImageShow.Viewer):
    """A viewer that remembers the files that Pillow hands to it."""

    format = "PNG"

    def __init__(self):
        self.pictures, self.titles = [], []

    def show_file(self, path, **options):
        with PILImage.open(path) as picture:
            picture.load()
            self.pictures.append(picture)
        self.titles.append(options["title"])
        return 1


@pytest.fixture
def viewer(monkeypatch):
    watching = Watching()
    monkeypatch.setattr(ImageShow, "_viewers", [watching])
    return watching


def test_the_viewer_gets_the_pixels(viewer):
    assert Image(PIXELS).show() is None
    np.testing.assert_array_equal(np.asarray(viewer.pictures[0]), PIXELS)
    assert viewer.titles == ["<srkit.Image 7x5 RGB uint8>"]


@pytest.mark.parametrize(
    ("pixels", "shown"),
    [
        (np.full((5, 7), 32896, np.uint16), 128),  # 32896 is 128 * 257
        (np.full((5, 7, 3), 0.2, np.float32), 51),  # of 255
        (np.full((5, 7, 4), 51, np.uint8), 51),
    ],
)
def test_deep_pictures_are_shown_at_8_bits(viewer, pixels, shown):
    Image(pixels).show()
    assert set(np.asarray(viewer.pictures[0]).ravel()) == {shown}


def test_the_profile_goes_along_but_for_cmyk(viewer):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    Image(PIXELS, Metadata("RGB", icc=profile)).show()
    ink = np.zeros((5, 7, 4), np.uint8)
    Image(ink, Metadata("CMYK", icc=profile)).show()
    assert viewer.pictures[0].info["icc_profile"] == profile
    assert "icc_profile" not in viewer.pictures[1].info
    np.testing.assert_array_equal(np.asarray(viewer.pictures[1]), 255)  # no ink: white


def test_without_a_viewer_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(ImageShow, "_viewers", [])
    with pytest.raises(ImageError, match=r"no program here.*image.save\('picture.png'\)"):
        Image(PIXELS).show()


def test_what_no_screen_shows_is_refused_as_elsewhere(viewer):
    with pytest.raises(ImageError, match="NaN"):
        Image(np.full((2, 2), np.nan, np.float32)).show()
    assert viewer.pictures == []
