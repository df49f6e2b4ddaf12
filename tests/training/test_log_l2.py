"""The loss that is minus the PSNR of each crop, beside scikit-image's PSNR."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from skimage.filters import sobel
from skimage.metrics import peak_signal_noise_ratio

from srkit.training.learning.losses import FLOOR, Pixel, decibels


def test_the_logarithm_of_squares_is_minus_the_psnr_of_each_crop():
    photo = torch.full((2, 1, 8, 8), 0.5)
    # scikit-image's PSNR of errors of .1 and .01 alone, 20 and 40 dB, but for what is added.
    made = photo + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    alone = [
        peak_signal_noise_ratio(p.numpy(), m.numpy(), data_range=1)
        for p, m in zip(photo, made, strict=True)
    ]
    squares = [10 ** (-one / 10) + FLOOR for one in alone]
    wanted = np.mean([10 * np.log10(one) for one in squares])
    assert float(Pixel("log_l2")(made, photo)) == pytest.approx(wanted, abs=1e-4)


def test_by_the_logarithm_of_squares_a_small_error_pulls_more_than_a_large_one():
    photo = torch.full((2, 1, 8, 8), 0.5)
    made = (photo + torch.tensor([0.2, 0.02]).view(2, 1, 1, 1)).requires_grad_()
    Pixel("log_l2")(made, photo).backward()
    large, small = made.grad.abs().mean((1, 2, 3)).tolist()
    # d log(e^2) / de = 2 / e, and of the mean squares 2 e.
    assert small / large == pytest.approx(10, rel=0.1)
    assert torch.isfinite(torch.autograd.grad(Pixel("log_l2")(made, made.detach()), made)[0]).all()


def test_edges_count_less_by_the_logarithm_of_squares_too():
    rng = torch.Generator().manual_seed(0)
    made, photo = (torch.rand((2, 3, 16, 16), generator=rng) for _ in range(2))
    edges = np.stack([sobel(one.mean(0).numpy(), mode="nearest") for one in photo])
    weights = torch.from_numpy(1 - edges)[:, None]
    found = Pixel("log_l2", spare_edges=True)(made, photo)
    assert float(found) == pytest.approx(float(decibels(weights * (made - photo) ** 2)), abs=1e-4)
    assert found < Pixel("log_l2")(made, photo)
