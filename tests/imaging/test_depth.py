"""Arrays of 16 bits that hold fewer: told of where the evidence is strong, and nowhere else."""

import dummies
import numpy as np
import pytest
from PIL import Image as PILImage
from skimage import data

import srkit
from srkit.imaging import depth

RNG = np.random.default_rng(28)
PHOTO = data.camera()[100:164, 100:180]
COLOUR = data.chelsea()[:64, :80]


def of_bits(photo, bits):
    """A photo of 8 bits as a camera of so many has it, with its white where it belongs."""
    made = photo.astype(np.uint16) << (bits - 8)
    made[0, 0] = (1 << bits) - 1
    return made


@pytest.fixture(autouse=True)
def _untold(monkeypatch):
    monkeypatch.setattr(depth, "_TOLD", set())


def told(caplog, image):
    caplog.clear()
    dummies.Nearest().upscale(image)
    return "\n".join(caplog.messages)


@pytest.mark.parametrize("photo", [PHOTO, COLOUR])
@pytest.mark.parametrize(
    ("bits", "remedy"), [(8, "astype(numpy.uint8)"), (10, "image * 64"), (12, "image * 16")]
)
def test_few_bits_in_sixteen_are_told_of_with_what_to_do(caplog, photo, bits, remedy):
    given = of_bits(photo, bits)
    said = told(caplog, given)
    assert f"up to {2**bits - 1}, look like {bits} bits" in said
    assert remedy in said
    assert told(caplog, given) == ""  # once is enough for a series


@pytest.mark.parametrize("name", ["torch", "batch", "alpha", "list"])
def test_every_kind_of_array_is_looked_at(caplog, name):
    given = of_bits(COLOUR, 12)
    if name == "torch":
        given = pytest.importorskip("torch").from_numpy(given.transpose(2, 0, 1).copy())
    if name == "batch":
        given = np.stack([given, given])
    if name == "alpha":  # full of another white
        given = np.concatenate([given, np.full((64, 80, 1), 65535, np.uint16)], axis=-1)
    if name == "list":
        given = [given]
    assert "look like 12 bits" in told(caplog, given)


def labels():
    return np.arange(1, 101, dtype=np.uint16).reshape(10, 10).repeat(8, 0).repeat(8, 1)


@pytest.mark.parametrize(
    "image",
    [
        PHOTO.astype(np.uint16) * 257,
        PHOTO.astype(np.uint16) << 6,  # 14 bits: so dark a picture may be
        RNG.integers(0, 40, (64, 80), np.uint16),  # a frame of the dark
        RNG.integers(0, 2, (64, 80), np.uint16) * 4095,  # a mask
        labels(),
        np.full((64, 80), 1000, np.uint16),
        np.where(np.arange(80) == 40, 65535, PHOTO.astype(np.uint16)),  # one bright line
        PHOTO,
        PHOTO.astype(np.float32) / 65535,
    ],
)
def test_without_strong_evidence_nothing_is_said(caplog, image):
    assert told(caplog, image) == ""


def test_dark_pictures_of_files_and_of_pillow_are_dark(caplog, tmp_path):
    dark = of_bits(PHOTO, 12)
    path = tmp_path / "dark.png"
    srkit.Image(dark).save(path)
    for image in (path, srkit.read_image(path), PILImage.fromarray(dark)):
        assert told(caplog, image) == ""


def test_the_remedies_give_the_picture_of_its_full_range():
    model = srkit.load("bicubic", scale=2)
    wanted = model.upscale(PHOTO).astype(float)
    assert np.abs(model.upscale(of_bits(PHOTO, 12) * 16) / 257 - wanted)[4:].max() < 2
    np.testing.assert_array_equal(model.upscale(PHOTO.astype(np.uint16).astype(np.uint8)), wanted)
