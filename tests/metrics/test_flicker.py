"""The flicker of videos whose motion and errors are known."""

import numpy as np
import pytest
from skimage import data

import srkit
from srkit import ImageError
from srkit.metrics import flicker

WORLD = data.camera()[100:260, 100:300].astype(np.float64) / 255


def panned(step: int, count: int = 3):
    """Frames of a camera that moves by whole pixels."""
    return [WORLD[16:144, 16 + step * n : 144 + step * n] for n in range(count)]


@pytest.mark.parametrize("step", [0, 2])
def test_a_steady_error_does_not_flicker(step):
    """An error that moves with the scene is no flicker, however large."""
    frames = panned(step)
    dull = [0.8 * frame + 0.1 for frame in frames]
    blurred = [np.clip(srkit.imresize(srkit.imresize(f, 0.5), 2), 0, 1) for f in frames]
    assert flicker(frames, frames) == 0
    assert flicker(frames, dull) < 0.5
    # Shrinking is steady under moves by two pixels.
    assert flicker(frames, blurred) < 1


@pytest.mark.parametrize("deviation", [2.0, 6.0])
def test_noise_of_each_frame_flickers_as_strongly_as_it_is(deviation):
    frames = panned(0)
    rng = np.random.default_rng(0)
    noisy = [np.clip(f + rng.normal(0, deviation / 255, f.shape), 0, 1) for f in frames]
    # The difference of two independent noises is larger by the root of two.
    assert flicker(frames, noisy) == pytest.approx(deviation * np.sqrt(2), rel=0.05)


def test_an_error_that_stays_on_the_screen_flickers_when_the_scene_moves():
    """Dirt on the lens: at each place it is new for what passes by."""
    dirt = np.random.default_rng(0).normal(0, 4 / 255, (128, 128))
    still, moving = ([np.clip(f + dirt, 0, 1) for f in panned(step)] for step in (0, 2))
    assert flicker(panned(0), still) < 0.2
    assert flicker(panned(2), moving) > 3


def test_depth_and_colour_do_not_matter():
    frames = [np.stack([f] * 3, axis=-1) for f in panned(2)]
    rng = np.random.default_rng(0)
    noisy = [np.clip(f + rng.normal(0, 4 / 255, f.shape[:2])[..., None], 0, 1) for f in frames]
    floats = flicker(frames, noisy)
    for dtype, top in ((np.uint8, 255), (np.uint16, 65535)):
        levels = [[np.rint(f * top).astype(dtype) for f in both] for both in (frames, noisy)]
        assert flicker(*levels) == pytest.approx(floats, rel=0.02)


def test_bad_videos_are_refused():
    frames = panned(0)
    with pytest.raises(ImageError, match="two frames"):
        flicker(frames[:1], frames[:1])
    with pytest.raises(ImageError, match="differ in shape"):
        flicker(frames, [f[:-1] for f in frames])
    with pytest.raises(ImageError, match="as many frames"):
        flicker(frames, frames[:2])
