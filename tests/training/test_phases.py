"""What counts as a grid of a pixel shuffle, and what does not."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from srkit import OptionError
from srkit.training.learning.losses import check
from srkit.training.learning.phases import Phases


def dots(height: int, width: int) -> torch.Tensor:
    """Squares of four pixels, in each of which one is lighter by 0.4."""
    planes = torch.zeros(1, 1, height, width)
    planes[..., ::2, 1::2] = 0.4
    return planes


def test_a_grid_of_dots_counts_by_how_far_its_places_are_apart():
    """By hand: places are off by 0.4, 0, 0, 0, that is by 0.3, -0.1, -0.1, -0.1 from the mean."""
    photo = torch.full((1, 1, 16, 16), 0.25)
    loss = Phases(period=2, window=4)
    assert loss(photo + dots(16, 16), photo).item() == pytest.approx((0.3 + 3 * 0.1) / 4)
    # Rows and columns beyond the last whole square are left out.
    photo = torch.full((1, 1, 17, 17), 0.25)
    assert loss(photo + dots(17, 17), photo).item() == pytest.approx(0.15)


def test_an_even_error_and_the_photos_own_dots_do_not_count():
    photo = 0.25 + dots(16, 16)
    loss = Phases(period=2)
    assert loss(photo + 0.1, photo).item() == pytest.approx(0, abs=1e-6)
    assert loss(photo, photo).item() == 0


def test_dots_that_average_out_within_a_window_do_not_count():
    """The first row of squares is lighter at one place, the next darker."""
    error = dots(16, 16)
    error[..., 2::4, :] *= -1
    photo = torch.zeros(1, 1, 16, 16)
    assert Phases(period=2, window=4)(error, photo).item() == pytest.approx(0, abs=1e-7)
    assert Phases(period=2, window=1)(error, photo).item() == pytest.approx(0.15)


def test_crops_without_a_whole_square_are_refused():
    with pytest.raises(OptionError, match="period=4 need crops of that many HR pixels, not of 3x9"):
        Phases()(torch.zeros(1, 1, 3, 9), torch.zeros(1, 1, 3, 9))


@pytest.mark.parametrize("wrong", [{"period": 1}, {"window": 0}])
def test_phases_of_nothing_are_refused(wrong):
    with pytest.raises(OptionError, match=f"{next(iter(wrong))} of phases is"):
        check((Phases(**wrong),), None)
