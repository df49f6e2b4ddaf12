"""Windows, scene cuts and models that see several frames; nothing here needs PyAV."""

import itertools
from importlib.util import find_spec

import numpy as np
import pytest
from dummies import MeanOfThree, Nearest, card
from hypothesis import given
from hypothesis import strategies as st

import srkit
from srkit import testing
from srkit.errors import ImageError, MissingDependencyError, OptionError
from srkit.upscaling.scenes import mark_scenes, thumbnail
from srkit.upscaling.windows import windows


class Middle(srkit.VideoUpscaler):
    """The frame in the middle, each pixel becoming four."""

    card = card("middle")
    scale, window = 2, 5

    def run(self, tiles):
        return tiles[:, 2].repeat(2, axis=1).repeat(2, axis=2)


class Luma(MeanOfThree):
    card = card("luma", colour="luma")


class Blurred(srkit.VideoUpscaler):
    """Sums of neighbours in space and time, so that tiles and windows matter."""

    card = card("blurred", radius=1)
    scale, window = 1, 3

    def __init__(self):
        self.card = card("blurred", radius=1, scales=(1, 2), default_scale=1)

    def run(self, tiles):
        padded = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)))
        height, width = tiles.shape[2:4]
        near = [padded[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3)]
        weights = np.array([0.25, 0.5, 0.25], np.float32)[:, None, None, None]
        return ((sum(near) / np.float32(9)) * weights).sum(axis=1)


def level(value):
    return np.full((20, 30, 3), value, np.uint8)


def noise(seed, shape=(20, 30, 3)):
    return np.random.default_rng(seed).integers(100, 140, shape, np.uint8)


def cuts(frames):
    marked = mark_scenes(frames, lambda frame: thumbnail(frame, 255))
    return [n for n, (_, begins) in enumerate(marked) if begins]


# --- windows ----------------------------------------------------------------------------


@given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.sampled_from([1, 3, 5, 7]))
def test_windows_are_those_of_their_definition(lengths, size):
    scenes = [[(scene, n) for n in range(length)] for scene, length in enumerate(lengths)]
    marked = [(frame, frame[1] == 0) for scene in scenes for frame in scene]
    radius = size // 2
    wanted = [
        tuple(scene[min(max(n + d, 0), len(scene) - 1)] for d in range(-radius, radius + 1))
        for scene in scenes
        for n in range(len(scene))
    ]
    assert list(windows(iter(marked), size)) == wanted


def test_no_more_frames_are_read_ahead_than_half_a_window():
    read = 0

    def frames():
        nonlocal read
        for read in itertools.count(1):
            yield read, read == 1

    stream = windows(frames(), 5)
    for number in range(1, 50):
        next(stream)
        assert read <= number + 2


def test_an_endless_video_is_upscaled_with_few_frames_read_ahead():
    read = 0

    def frames():
        nonlocal read
        for n in itertools.count():
            read = n + 1
            yield level(n % 3)

    stream = Middle().upscale_frames(frames())
    for number in range(1, 20):
        assert next(stream).max() == (number - 1) % 3
        assert read <= number + 3


# --- cuts ---------------------------------------------------------------------------------


def test_a_jump_between_still_scenes_is_a_cut():
    assert cuts([level(100)] * 4 + [level(120)] * 4) == [0, 4]


def test_a_scene_of_one_frame_is_a_scene():
    assert cuts([level(20)] * 3 + [level(200)] + [level(90)] * 3) == [0, 3, 4]


def test_scenes_of_one_brightness_and_other_colours_are_told_apart():
    red, blue = np.zeros((2, 20, 30, 3), np.uint8)
    red[..., 0] = blue[..., 2] = 150
    assert cuts([red] * 3 + [blue] * 3) == [0, 3]


def test_a_fade_is_no_cut():
    assert cuts([level(20 + 10 * n) for n in range(15)]) == [0]


def test_noise_and_motion_are_no_cuts():
    assert cuts([noise(seed) for seed in range(8)]) == [0]
    wide = np.random.default_rng(0).integers(0, 256, (6, 10, 3), np.uint8)
    wide = wide.repeat(20, axis=0).repeat(20, axis=1)
    assert cuts([wide[:, 2 * n : 2 * n + 150] for n in range(12)]) == [0]


def test_frames_smaller_than_the_thumbnail_are_compared_as_well():
    small = [np.full((3, 2, 3), value, np.uint8) for value in (10, 10, 200, 200)]
    assert cuts(small) == [0, 2]


# --- upscalers ------------------------------------------------------------------------------


@pytest.mark.parametrize("dummy", [Middle, MeanOfThree, Luma, Blurred])
def test_video_models_conform(dummy):
    testing.check_upscaler(dummy, trained=dummy is not Blurred)


def test_a_mean_over_three_frames_is_that_by_hand():
    made = [int(frame[0, 0, 0]) for frame in MeanOfThree().upscale_frames(map(level, (0, 3, 6, 9)))]
    assert made == [1, 3, 6, 8]


def test_no_frame_is_made_from_two_scenes():
    made = list(MeanOfThree().upscale_frames([level(60)] * 4 + [level(180)] * 4))
    assert [{int(n) for n in np.unique(frame)} for frame in made] == [{60}] * 4 + [{180}] * 4


def test_tiles_of_a_video_give_the_whole_frame():
    frames = [noise(seed, (40, 50, 3)) for seed in range(4)]
    model = Blurred()
    whole = list(model.upscale_frames(frames))
    for memory in (20_000, 60_000):
        tiled = list(model.upscale_frames(frames, memory=memory))
        for one, other in zip(whole, tiled, strict=True):
            assert np.abs(one.astype(int) - other).max() <= 1
            assert np.mean(one != other) < 1e-3


def test_a_luma_model_takes_colour_from_the_frame_itself():
    grey, red = level(100), level(100).copy()
    red[..., 0] += 4
    made = list(Luma().upscale_frames([grey, red, grey]))
    assert np.abs(made[1].astype(int)[..., 0] - made[1][..., 1]).max() == 4
    assert np.ptp(made[0], axis=-1).max() == 0


def test_frames_of_every_kind_come_back_as_they_were():
    from PIL import Image as PILImage

    deep = np.full((4, 6), 1000, np.uint16)
    clear = np.full((4, 6, 4), 90, np.uint8)
    for frame in (deep, clear):
        (made,) = MeanOfThree().upscale_frames([frame])
        assert (made.shape[:2], made.dtype) == ((8, 12), frame.dtype)
        assert np.unique(made).tolist() == np.unique(frame).tolist()
    (made,) = MeanOfThree().upscale_frames([PILImage.fromarray(clear[..., :3])])
    assert (made.size, made.mode) == ((12, 8), "RGB")


def test_single_image_models_upscale_frame_by_frame():
    frames = [noise(seed) for seed in range(3)]
    made = list(Nearest().upscale_frames(iter(frames)))
    for given_, got in zip(frames, made, strict=True):
        assert np.array_equal(got, given_.repeat(2, 0).repeat(2, 1))


def test_an_even_window_is_refused():
    class Even(MeanOfThree):
        window = 4

    with pytest.raises(OptionError, match="odd"):
        next(Even().upscale_frames([level(1)]))


def test_frames_of_two_depths_in_one_scene_are_refused():
    with pytest.raises(ImageError, match="one kind"):
        list(MeanOfThree().upscale_frames([level(1), np.full((20, 30, 3), 257, np.uint16)]))


def test_importing_srkit_does_not_import_pyav():
    import subprocess
    import sys

    code = "import sys, srkit; srkit.VideoUpscaler; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(find_spec("av") is not None, reason="PyAV is installed")
def test_without_pyav_the_error_has_the_line_that_installs_it(tmp_path):
    with pytest.raises(MissingDependencyError, match=r'pip install "srkit\[video\]"'):
        srkit.upscale_video(tmp_path / "in.mp4", tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())
