"""Windows of frames from photos: geometry that can be worked out, and what is learned from them."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

import srkit
from srkit import OptionError
from srkit.adapters.pytorch.nets.avsr import AVSR, Size
from srkit.imaging.observation import Observation
from srkit.training.data.motion import Motion, Projected, Windows, moved, start_avsr
from srkit.training.data.photos import PATCH, Patches
from srkit.training.families import FAMILIES

STILL = Motion(pan=0, zoom=0, turn=0, local=0, exposure=0, still=0, ends=0)


@pytest.fixture(scope="module")
def patches():
    from skimage import data

    hr = np.stack([data.astronaut()[:PATCH, :PATCH], data.coffee()[:PATCH, :PATCH]])
    return Patches(hr, hr[:, ::4, ::4], np.array([1.0, 2.0]))


def ramp(down: float, right: float):
    rows, columns = np.indices((PATCH, PATCH), np.float32)
    return down * rows + right * columns


def frames(picture, count=5, seed=3, **motion):
    rng = np.random.default_rng(seed)
    return moved(picture, 64, count, Motion(**{**vars(STILL), **motion}), rng)


def test_without_motion_all_frames_are_a_cut_of_the_picture():
    made = frames(ramp(1, 1000))
    assert np.ptp(made, axis=2).max() < 1e-2
    # A thousand for each column, one for each row.
    np.testing.assert_allclose(np.diff(made[..., 0], axis=1), 1000, rtol=1e-4)
    np.testing.assert_allclose(np.diff(made[:, 0, 0]), 1, rtol=2e-2)


def test_a_pan_moves_every_frame_by_as_much():
    made = frames(ramp(0, 1), pan=3.0)
    steps = np.diff(made, axis=2)
    assert np.ptp(steps[8:-8, 8:-8]) < 1e-2
    assert 0.1 < abs(steps.mean()) < 12
    # As many pixels up as down from the middle frame, which stays where it was.
    still = frames(ramp(0, 1))
    np.testing.assert_allclose(made[8:-8, 8:-8, 2], still[8:-8, 8:-8, 2], atol=1e-2)


def test_half_of_all_windows_move_by_less_than_a_pixel_a_frame():
    def speed(seed):
        steps = [np.diff(frames(r, 2, seed, **vars(Motion(exposure=0, ends=0)))) for r in ramps]
        return np.median(np.hypot(*(step[8:-8, 8:-8] for step in steps)))

    ramps = ramp(1, 0), ramp(0, 1)
    speeds = [speed(seed) for seed in range(60)]
    assert 0.2 < np.median(speeds) < 1
    assert 1 < np.quantile(speeds, 0.9) < 6


def test_at_the_ends_of_a_scene_frames_repeat_as_in_a_video():
    still = set()
    for seed in range(40):
        made = frames(ramp(0, 1), seed=seed, pan=3.0, ends=1)
        same = [not step.any() for step in np.moveaxis(np.diff(made, axis=2), 2, 0)]
        still.add(tuple(same))
    # One or two frames lack, before or after the one in the middle, which there always is.
    one, two = (True, False, False, False), (True, True, False, False)
    assert still == {one, two, one[::-1], two[::-1]}


def test_a_zoom_is_about_the_middle():
    made = frames(ramp(0, 1), zoom=0.02)
    widths = made[32, -1] - made[32, 0]
    steps = np.diff(widths / widths[2])
    np.testing.assert_allclose(steps, steps[0], rtol=1e-2)
    assert 0.001 < abs(steps[0]) < 0.1
    middles = made[32, 31:33].mean(axis=0)
    np.testing.assert_allclose(middles, middles[2], atol=0.05)


def test_a_turn_keeps_distances():
    down, right = (frames(ramp(*slopes), turn=0.05) for slopes in ((1, 0), (0, 1)))
    # Where the upper left and the lower right corner of each frame lie in the picture.
    corners = np.stack([[p[0, 0], p[-1, -1]] for p in (down, right)])
    lengths = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=0)
    np.testing.assert_allclose(lengths, 63 * np.sqrt(2), rtol=1e-3)
    assert np.ptp(down[0, -1]) > 0.5


def test_exposure_changes_brightness_alone():
    made = frames(np.full((PATCH, PATCH), 100, np.float32), exposure=0.2)
    levels = made.mean(axis=(0, 1))
    np.testing.assert_allclose(np.diff(levels), np.diff(levels)[0], rtol=1e-2)
    assert np.ptp(made, axis=(0, 1)).max() < 1e-2
    assert levels[2] == pytest.approx(100, abs=1e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_window_is_hr_luma_and_what_shrinking_makes_of_it(patches, scale):
    side = 24 * scale
    windows = Windows(patches, scale, 24, 5, seed=2)
    for number in range(4):
        lr, hr = windows[number]
        assert (lr.shape, hr.shape) == ((24, 24, 5), (side, side, 1))
        assert lr.dtype == hr.dtype == np.uint8
        again = windows[number]
        assert np.array_equal(lr, again[0])
        assert np.array_equal(hr, again[1])
        shrunk = Observation(side, side, scale).apply(hr)[3:-3, 3:-3, 0]
        # HR is rounded before, LR after.
        assert np.abs(shrunk - lr[3:-3, 3:-3, 2]).max() <= 1.01
    assert not np.array_equal(windows[0][1], windows[1][1])


@pytest.mark.parametrize(("scale", "most"), [(2, 104), (3, 68), (4, 52)])
def test_crops_that_no_patch_holds_are_refused(patches, scale, most):
    """Of 240 HR pixels 16 at least are left out on each side, of whole LR pixels."""
    assert Windows(patches, scale, most, 5)[0][0].shape == (most, most, 5)
    with pytest.raises(OptionError, match=f"1 to {most} LR pixels at x{scale}"):
        Windows(patches, scale, most + 1, 5)


def test_what_is_trained_shrinks_to_the_frame_that_was_given():
    torch.manual_seed(0)
    net = Projected(AVSR(4, size=Size(8, 4, 1, 1)))
    given = torch.rand(2, 5, 12, 16)
    made = net(given)[:, 0].detach().double().numpy()
    for picture, frames in zip(made, given.double().numpy(), strict=True):
        lr = Observation(48, 64, scale=4).apply(picture[..., None])[..., 0]
        np.testing.assert_allclose(lr, frames[2], atol=1e-5)


def test_a_new_network_gives_the_pseudo_inverse():
    torch.manual_seed(0)
    net = AVSR(4, size=Size(8, 4, 1, 1))
    start_avsr(net)
    given = torch.rand(1, 5, 12, 12)
    made = Projected(net)(given)[0, 0].detach().numpy()
    wanted = Observation(48, 48, scale=4).invert(given[0, 2, :, :, None].numpy())[..., 0]
    assert np.abs(made - wanted).mean() < 0.02


@pytest.mark.parametrize("scale", [3, 4])
def test_a_run_on_windows_gives_a_model_for_video(photos, cache, tiny, tmp_path, scale):
    path = srkit.train(
        "vsr-small", photos, tmp_path / "out", scale=scale, cache=cache, **tiny | {"rim": 2}
    )
    model = srkit.load(path)
    assert (model.scale, model.window) == (scale, 5)
    frames = [np.full((12, 14, 3), level, np.uint8) for level in (0, 100, 101)]
    made = list(model.upscale_frames(frames))
    assert [frame.shape for frame in made] == [(12 * scale, 14 * scale, 3)] * 3


def test_windows_know_no_degradations(photos, cache, tiny, tmp_path):
    with pytest.raises(OptionError, match="leave degradations out"):
        srkit.train(
            "vsr-small", photos, tmp_path / "out", scale=4, cache=cache,
            degradations=[{"kind": "downsample"}], **tiny,
        )  # fmt: skip


def test_features_of_a_new_network_are_neither_silent_nor_a_grid():
    """Torch's own start lets them fade to nothing, and training then silences them for good."""
    torch.manual_seed(0)
    net = FAMILIES["vsr-small"].build(4)
    start_avsr(net)
    seen = []
    net.high.register_forward_hook(lambda module, given, made: seen.append((given[0], made)))
    Projected(net)(torch.rand(1, 5, 16, 16))
    shuffled, features = (x.detach() for x in seen[0])
    assert 0.2 < features.std() < 5
    # The sixteen pixels that are shuffled out of one are equal at first.
    blocks = shuffled.unfold(2, 4, 4).unfold(3, 4, 4)
    assert blocks.flatten(4).std(dim=4).max() < 1e-4


def test_every_feature_of_a_new_network_is_heard_of_somewhere(patches):
    """One that no rectifier lets through on any photo never learns."""
    windows = Windows(patches, 4, 24, 5, motion=STILL)
    given = torch.stack([torch.from_numpy(windows[n][0]) for n in range(8)])
    active = []
    for seed in range(3):
        active.clear()
        torch.manual_seed(seed)
        net = FAMILIES["vsr-small"].build(4)
        start_avsr(net)
        for layer in net.modules():
            if isinstance(layer, torch.nn.Conv2d) and layer not in (net.out, net.expand):
                layer.register_forward_hook(
                    lambda layer, seen, made: active.append((made > 0).float().mean((0, 2, 3)))
                )
        Projected(net)(given.permute(0, 3, 1, 2) / 255)
        assert len(active) == 6 + 2 * 9
        assert 0.001 < torch.cat(active).min() < torch.cat(active).max() < 0.999


def test_slow_motion_is_commoner_than_fast():
    """Speeds of pans in HR pixels a frame: normal along each axis, times an exponential."""
    speeds = []
    for seed in range(200):
        made = [frames(ramp(*slopes), 3, seed, pan=2.0) for slopes in ((1, 0), (0, 1))]
        # Frames at the border of the photo see it mirrored.
        speeds.append([np.median(np.diff(one, axis=2)) for one in made])
    lengths = np.hypot(*np.transpose(speeds))
    rng = np.random.default_rng(0)
    wanted = np.hypot(*rng.normal(0, 2.0, (2, 100000))) * rng.exponential(size=100000)
    for share in (0.25, 0.5, 0.75):
        assert np.quantile(lengths, share) == pytest.approx(np.quantile(wanted, share), rel=0.35)
    assert np.median(lengths) < lengths.mean() / 1.3
