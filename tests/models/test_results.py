"""The shipped weights are as good as docs/results.md says: run on Set5 and Set14."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

import srkit
from srkit.evaluation.scores import Score
from srkit.testing.harness import in_tiles

pytest.importorskip("torch", reason="the networks need PyTorch: pip install 'srkit[torch]'")

OLDER = ("bicubic", "photo-2025")


@functools.cache
def mean_of(name: str, folder: Path, scale: int) -> Score:
    """Several tests compare with the same figures."""
    return srkit.evaluate(name, folder, scale=scale).mean


# 0.06 dB below what is shipped, whose figures stand in docs/results.md.
@pytest.mark.parametrize(
    ("name", "scale", "least"),
    [("Set5", 4, 31.61), ("Set14", 4, 28.16), ("Set5", 2, 37.46), ("Set14", 2, 33.04)],
)
def test_srresnet_enlarges_clean_pictures(data_folder, name: str, scale: int, least: float) -> None:
    folder = data_folder(f"bench/{name}")
    assert mean_of("srresnet", folder, scale).psnr >= least


# As above.
@pytest.mark.parametrize(
    ("name", "scale", "least"),
    [("Set5", 4, 31.53), ("Set14", 4, 28.1), ("Set5", 2, 37.5), ("Set14", 2, 33.0)],
)
def test_span_enlarges_clean_pictures(data_folder, name: str, scale: int, least: float) -> None:
    folder = data_folder(f"bench/{name}")
    assert mean_of("span", folder, scale).psnr >= least


def test_srgan_is_perceptually_nearer_than_srresnet_on_set14_by_40_percent(data_folder) -> None:
    pytest.importorskip("stlpips_pytorch", reason="needs pip install 'srkit[perceptual]'")
    folder = data_folder("bench/Set14")
    srresnet, srgan = (mean_of(name, folder, 4) for name in ("srresnet", "srgan"))
    assert srgan.st_lpips <= 0.6 * srresnet.st_lpips


def test_halfway_between_srresnet_and_srgan_is_truer_and_little_less_alike(data_folder) -> None:
    """Of networks that have gone too far from each other the mean is worse than either."""
    pytest.importorskip("stlpips_pytorch", reason="needs pip install 'srkit[perceptual]'")
    folder = data_folder("bench/Set14")
    names = ("srresnet", "srgan:perception=0.5", "srgan")
    srresnet, half, srgan = (mean_of(name, folder, 4) for name in names)
    # Well above what lies halfway in figures.
    assert half.psnr > 0.7 * srresnet.psnr + 0.3 * srgan.psnr
    assert half.st_lpips < srresnet.st_lpips - 0.02


@pytest.mark.parametrize("scale", [2, 4])
def test_unet_is_truer_than_bicubic_and_perceptually_nearer_than_srresnet(
    data_folder, scale: int
) -> None:
    pytest.importorskip("stlpips_pytorch", reason="needs pip install 'srkit[perceptual]'")
    folder = data_folder("bench/Set14")
    bicubic, srresnet, unet = (
        mean_of(name, folder, scale) for name in ("bicubic", "srresnet", "unet")
    )
    assert unet.psnr > bicubic.psnr + 0.3
    assert unet.st_lpips < srresnet.st_lpips


def test_vsr_flickers_less_than_srresnet_and_is_nearly_as_true_between_frames(data_folder) -> None:
    paths = sorted(data_folder("video/calendar").iterdir())[2:7]
    sharp = [srkit.read_image(path).pixels[:320, :400] for path in paths]
    small = [srkit.imresize(frame, 1 / 4) for frame in sharp]
    made = {
        name: list(srkit.load(name, scale=4).upscale_frames(small))
        for name in ("bicubic", "srresnet", "vsr", "vsr-small")
    }
    psnr = {
        name: np.array([srkit.metrics.psnr(*pair, crop=4) for pair in zip(sharp, own, strict=True)])
        for name, own in made.items()
    }
    flicker = {name: srkit.metrics.flicker(sharp, made[name]) for name in ("srresnet", "vsr")}
    assert psnr["vsr"].mean() > psnr["bicubic"].mean() + 1.15
    assert psnr["vsr-small"].mean() > psnr["bicubic"].mean() + 1.05
    # The first and the last lack frames beside them, and srresnet has learned on since.
    assert all(psnr["vsr"][1:-1] > psnr["srresnet"][1:-1] - 0.05)
    assert flicker["vsr"] < flicker["srresnet"]


def test_unet_in_little_memory_is_at_most_a_level_off_where_tiles_meet(caplog) -> None:
    from skimage import data

    model = srkit.load("unet", scale=4, precision="float32")
    lr = data.astronaut()[50:250, 100:300]
    whole = model.upscale(lr).astype(int)
    # Strips, which are exact, would fit.
    blended = in_tiles(model).upscale(lr, memory=int(model.bytes_per_pixel * 130**2))
    assert "blended, which is not exact" in caplog.text
    assert np.abs(blended - whole).max() <= 1


@pytest.mark.parametrize(
    ("name", "scale", "least"),
    [
        *(("espcn", *row) for row in ((2, 36.86), (3, 32.88), (4, 30.6))),
        *(("fsrcnn", *row) for row in ((2, 36.87), (3, 32.94), (4, 30.55))),
    ],
)
def test_small_models_on_set5(data_folder, name: str, scale: int, least: float) -> None:
    assert srkit.evaluate(name, data_folder("bench/Set5"), scale=scale).mean.psnr >= least


def test_srresnet_beats_bicubic_on_a_photo_that_comes_with_scikit_image() -> None:
    from skimage import data

    comparison = srkit.compare(
        srkit.metrics.STANDARD.low_resolution(data.astronaut(), 4),
        ["bicubic", "srresnet"],
        scale=4,
        reference=data.astronaut(),
    )
    # Bicubic's figure is that of MATLAB's imresize to 0.01 dB: tests/metrics/test_metrics.py.
    assert comparison.scores["srresnet"].psnr > comparison.scores["bicubic"].psnr + 1.0
