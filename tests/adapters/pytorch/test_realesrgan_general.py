"""Real-ESRGAN's small network for photos, and its dial for noise."""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from images import noisy
from PIL import Image as PILImage
from PIL import ImageFilter
from skimage import data as scikit_data
from torch.nn import functional

import srkit
from srkit import OptionError, WeightsError, WeightsFile
from srkit.adapters.pytorch.architectures.loading import load_network
from srkit.cli import main
from srkit.imaging.noise import estimate_noise
from srkit.models import loading
from srkit.models.weights import sha256
from srkit.upscaling import decisions
from srkit.upscaling import parts as regions

TEACHERS = {"takes": "RealESRGAN_General_x4_v3.bin", "keeps": "RealESRGAN_General_WDN_x4_v3.bin"}
FEATURES, LAYERS = 64, 32
PHOTO = np.random.default_rng(0).random((9, 11, 3)).astype(np.float32)


def state_of_ncnn(path):
    """A state dict as upstream's checkpoints have it, of the ncnn file of the same network.

    A convolution is a tag, half floats and a bias in floats; a PReLU is floats.
    """
    data, at, state = path.read_bytes(), 0, {}

    def take(count, dtype):
        nonlocal at
        numbers = np.frombuffer(data, dtype, count, at)
        at += -(-numbers.nbytes // 4) * 4
        return torch.from_numpy(numbers.astype(np.float32))

    sides = [3, *[FEATURES] * (LAYERS + 1), 48]
    for number, (inside, outside) in enumerate(itertools.pairwise(sides)):
        (tag,) = np.frombuffer(data, "<u4", 1, at)
        assert tag == 0x01306B47
        at += 4
        kernel = take(outside * inside * 9, "<f2").reshape(outside, inside, 3, 3)
        state[f"body.{2 * number}.weight"] = kernel
        state[f"body.{2 * number}.bias"] = take(outside, "<f4")
        if number <= LAYERS:
            state[f"body.{2 * number + 1}.weight"] = take(FEATURES, "<f4")
    assert at == len(data)
    return state


def computed(state, image):
    """What the paper's layers make of an image, one after another."""
    rgb = torch.from_numpy(image).permute(2, 0, 1)[None]
    made, number = rgb, 0
    while f"body.{number}.weight" in state:
        weight = state[f"body.{number}.weight"]
        if weight.ndim == 1:
            made = functional.prelu(made, weight)
        else:
            made = functional.conv2d(made, weight, state[f"body.{number}.bias"], padding=1)
        number += 1
    made = functional.pixel_shuffle(made, 4) + functional.interpolate(rgb, scale_factor=4)
    return made[0].permute(1, 2, 0).clamp(0, 1).numpy()


@pytest.fixture
def states(data_folder):
    return {kind: state_of_ncnn(data_folder(f"teachers/{n}")) for kind, n in TEACHERS.items()}


@pytest.fixture
def files(states, tmp_path):
    """Checkpoints of upstream's layout."""
    for kind, state in states.items():
        torch.save({"params": state}, tmp_path / f"{kind}.pth")
    return {kind: tmp_path / f"{kind}.pth" for kind in states}


def load(files, **options):
    takes, keeps = (
        WeightsFile(path.name, sha256(path), str(path)) for path in (files["takes"], files["keeps"])
    )
    weights = {4: dataclasses.replace(takes, companions=(keeps,))}
    card = dataclasses.replace(srkit.card("realesrgan-general"), weights=weights)
    return load_network(card, 4, files["takes"], precision="float32", **options)


@pytest.mark.parametrize("denoise", [0, 0.25, 1])
def test_weights_are_mixed_as_real_esrgans_program_does(states, files, denoise):
    mixed = {
        name: denoise * value + (1 - denoise) * states["keeps"][name]
        for name, value in states["takes"].items()
    }
    made = load(files, denoise=denoise).upscale(PHOTO)
    np.testing.assert_allclose(made, computed(mixed, PHOTO), atol=1e-5)


def test_the_default_is_that_of_real_esrgans_program(files):
    default = load(files).upscale(PHOTO)
    np.testing.assert_array_equal(default, load(files, denoise=0.5).upscale(PHOTO))


def test_one_takes_noise_away_and_zero_keeps_it(files):
    flat = np.full((32, 32, 3), 0.5, np.float32)
    noisy = np.clip(flat + np.random.default_rng(1).normal(0, 0.03, flat.shape), 0, 1)
    left = [load(files, denoise=d).upscale(noisy)[16:-16, 16:-16].std() for d in (0, 0.5, 1)]
    assert left == sorted(left, reverse=True)
    assert left[0] > 2 * left[2]


def test_the_card_is_true_of_the_network(files):
    model = load(files)
    card = srkit.card("realesrgan-general")
    assert model.radius == card.radius_at(4) == LAYERS + 2
    assert model.parameters == 1_213_296


@pytest.mark.parametrize("denoise", [-0.1, 1.5, "0.5", None])
def test_a_dial_beyond_its_ends_is_refused(denoise):
    with pytest.raises(OptionError, match=r"denoise is from 0 .* to 1 .*, or 'auto', not"):
        load_network(srkit.card("realesrgan-general"), 4, Path("x.pth"), denoise=denoise)


@pytest.mark.parametrize("denoise", [2, "x"])
def test_the_dial_is_judged_before_anything_is_downloaded(denoise, tmp_path, monkeypatch):
    monkeypatch.setenv("SRKIT_CACHE", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("it was downloaded"))
    with pytest.raises(OptionError, match=f"denoise is from 0 .*, not {denoise!r}"):
        srkit.load("realesrgan-general", denoise=denoise)


def test_the_dial_of_another_model_is_named():
    with pytest.raises(OptionError, match="'denoise'; photo and realesrgan-general have"):
        srkit.load("photo-2025", denoise=0.5)


def test_a_file_that_is_not_upstreams_is_refused(files):
    model = load(files)
    files["keeps"].write_bytes(files["keeps"].read_bytes()[:-1] + b"!")
    with pytest.raises(WeightsError, match="SHA-256"):
        load_network(model.card, 4, files["takes"])


def test_both_files_are_of_the_release_and_of_its_size():
    (takes,) = srkit.card("realesrgan-general").weights.values()
    for file in (takes, *takes.companions):
        assert file.source.startswith("https://github.com/xinntao/Real-ESRGAN/releases/download/")
        assert file.source.endswith(f"/{file.file}")
        # The weights in floats, some 100 bytes for the name of each tensor, and a pickle.
        assert 4 * 1_213_296 < file.size < 4 * 1_213_296 + 50_000


# --- denoise="auto": decided once a picture, before any tile --------------------------------

CAT = scikit_data.chelsea()[100:164, 150:246]


@pytest.fixture
def auto(files):
    return load(files, denoise="auto")


def share_of(image):
    """By the documented rule: noise of 1 level is 0 of the dial, and of 5 levels 1."""
    return round(np.clip((estimate_noise(image) - 1) / 4, 0, 1) * 20) / 20


def test_each_picture_is_upscaled_by_the_network_for_its_noise(files, auto):
    shares = []
    for sigma in (0, 2, 20):
        image = noisy(CAT, sigma)
        shares.append(share_of(image))
        wanted = load(files, denoise=shares[-1]).upscale(image)
        np.testing.assert_array_equal(auto.upscale(image), wanted)
    assert shares[0] < 0.4 < shares[1] < 0.7
    assert shares[2] == 1


def test_tiles_paths_and_rows_are_decided_as_the_whole_array_is(auto, tmp_path, caplog):
    image = noisy(CAT, 2)
    with decisions.collecting() as told, caplog.at_level("INFO", "srkit.upscaling.decisions"):
        whole = auto.upscale(image)
        tiled = auto.upscale(image, memory=auto.bytes_per_pixel * 80**2)
        pil = np.asarray(auto.upscale(PILImage.fromarray(image)))
        srkit.Image(image).save(tmp_path / "a.png")
        srkit.Image(image).save(tmp_path / "a.tif")
        read = auto.upscale(tmp_path / "a.png")
        auto.upscale_file(tmp_path / "a.tif", tmp_path / "b.tif")
    rows = srkit.read_image(tmp_path / "b.tif").pixels
    for other in (tiled, pil, read.pixels, rows):
        apart = np.abs(other.astype(int) - whole)
        assert apart.max() <= 1
        assert np.count_nonzero(apart) <= 5
    assert told == [(("denoise", share_of(image)),)] * 5
    assert read.metadata.decided == told[0]
    assert f"realesrgan-general: denoise={share_of(image):g} (noise of" in caplog.text


def test_pictures_of_a_batch_are_decided_one_by_one(auto):
    batch = np.stack([noisy(CAT, 0), noisy(CAT, 20)])
    apart = [auto.upscale(image) for image in batch]
    np.testing.assert_array_equal(auto.upscale(batch), np.stack(apart))


def test_frames_of_a_clip_are_decided_by_the_first(files, auto):
    frames = [noisy(CAT, 20), noisy(CAT, 0)]
    strong = load(files, denoise=1)
    for made, frame in zip(auto.upscale_frames(frames), frames, strict=True):
        np.testing.assert_array_equal(made, strong.upscale(frame))


def test_a_jpeg_is_decided_by_its_quality_and_its_result_is_no_jpeg_any_more(auto, tmp_path):
    PILImage.fromarray(noisy(CAT, 0)).save(tmp_path / "a.jpg", quality=88)
    made = auto.upscale(tmp_path / "a.jpg")
    # (95 - 88) / 10
    assert made.metadata.decided == (("denoise", 0.7),)
    assert made.metadata.jpeg_quality is None


def test_what_was_a_jpeg_is_decided_as_the_file_was_wherever_its_pixels_are(auto, tmp_path, caplog):
    PILImage.fromarray(CAT).save(tmp_path / "a.jpg", quality=88)
    pixels = np.asarray(PILImage.open(tmp_path / "a.jpg"))
    srkit.Image(pixels).save(tmp_path / "a.png")
    srkit.Image(pixels).save(tmp_path / "a.tif")
    with decisions.collecting() as told, caplog.at_level("INFO", "srkit.upscaling.decisions"):
        auto.upscale(pixels)
        auto.upscale(tmp_path / "a.png")
        auto.upscale_file(tmp_path / "a.tif", tmp_path / "b.tif")
        auto.upscale(np.stack([pixels, CAT]))
    by_noise = share_of(CAT)
    assert by_noise < 0.4
    # (95 - 88) / 10, as of the file
    assert told == [(("denoise", 0.7),)] * 4 + [(("denoise", by_noise),)]
    assert "once a JPEG of quality" in caplog.text


@pytest.fixture
def named(auto, monkeypatch):
    """The model of these files is what its name loads."""
    monkeypatch.setitem(loading.REGISTRY._added, auto.card.name, auto.card)


OPTIONS = {"denoise": "auto", "precision": "float32"}


def test_a_lazy_array_is_decided_as_the_whole_is(named, auto):
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    import srkit.dask

    image = noisy(CAT, 2)
    lazy = srkit.dask.upscale(
        da.from_array(image, chunks=(40, 48, 3)), "realesrgan-general", **OPTIONS
    )
    # In this process, in which the name stands for these files.
    apart = np.abs(lazy.compute(scheduler="threads").astype(int) - auto.upscale(image))
    assert apart.max() <= 1
    assert np.count_nonzero(apart) <= 5


def test_blocks_on_a_cluster_are_decided_as_the_whole_is(named, auto, tmp_path):
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    zarr = pytest.importorskip("zarr", reason="zarr is not installed")
    import srkit.dask
    from srkit.dask import sources

    image = noisy(CAT, 2)
    srkit.Image(image).save(tmp_path / "a.tif")
    # Threads of this process, in which the name stands for these files.
    with distributed.Client(processes=False, dashboard_address=":0") as client:
        srkit.dask.upscale_blocks(
            tmp_path / "a.tif",
            tmp_path / "b.zarr",
            "realesrgan-general",
            client=client,
            block=48,
            **OPTIONS,
        )
    # Workers end with their files; this process goes on.
    place = (tmp_path / "a.tif").resolve()
    sources.opened(place, sources.source_digest(place)).close()
    sources._opened.cache_clear()
    made = zarr.open_array(tmp_path / "b.zarr", mode="r")[:]
    apart = np.abs(made.astype(int) - auto.upscale(image))
    assert apart.max() <= 1
    assert np.count_nonzero(apart) <= 5


def test_the_command_tells_programs_what_was_decided(named, tmp_path, capsys):
    image = noisy(CAT, 2)
    srkit.Image(image).save(tmp_path / "a.png")
    given = ["upscale", str(tmp_path / "a.png"), "-m", "realesrgan-general", "--denoise", "auto"]
    assert main([*given, "--json"]) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert (told["model"], told["options"]) == ("realesrgan-general", {"denoise": "auto"})
    (entry,) = told["written"]
    assert entry["decided"] == {"denoise": share_of(image)}
    assert f"denoise={share_of(image):g}" in captured.err


def test_a_part_alone_is_refused_as_it_does_not_tell_what_the_whole_is(auto):
    with pytest.raises(OptionError, match="decides its options for whole pictures"):
        regions.check(auto)
    regions.check(auto.for_picture(decisions.Findings(3.0)))


@pytest.mark.parametrize(
    ("noise", "quality", "share"),
    [(0, None, 0), (1, None, 0), (2, None, 0.25), (5, None, 1), (40, 95, 1), (0, 95, 0),
     (0, 90, 0.5), (0, 85, 1), (0, 1, 1), (3, 92, 0.5), (1.6, 100, 0.15)],
)  # fmt: skip
def test_the_rule_has_its_documented_values(noise, quality, share):
    assert decisions.automatic_denoise(noise, quality) == share


@pytest.mark.parametrize(("sharpness", "share"), [(0.9, 0), (0.65, 0), (0.6, 0.5), (0.55, 1)])
def test_soft_pictures_are_taken_for_poor_ones(sharpness, share):
    assert decisions.automatic_denoise(0, None, sharpness) == share
    assert decisions.automatic_denoise(2, 95, sharpness) == max(0.25, share)


def test_a_picture_out_of_focus_is_decided_by_that_and_it_is_told(auto, caplog):
    soft = np.asarray(PILImage.fromarray(CAT).filter(ImageFilter.GaussianBlur(2)))
    with decisions.collecting() as told, caplog.at_level("INFO", "srkit.upscaling.decisions"):
        auto.upscale(soft)
    assert told == [(("denoise", 1.0),)]
    assert "denoise=1 (soft, noise of " in caplog.text
