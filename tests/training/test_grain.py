"""What counts as grain, and what does not."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from srkit import OptionError
from srkit.training.learning.grain import Grain
from srkit.training.learning.losses import check

INNER = (..., slice(8, -8), slice(8, -8))


def board(amount: float, channels: int = 1) -> torch.Tensor:
    """A checkerboard of plus and minus an amount."""
    rows = torch.arange(48)
    return amount * ((-1.0) ** (rows[:, None] + rows)).expand(1, channels, 48, 48)


def even(level: float = 0.5, channels: int = 1) -> torch.Tensor:
    return torch.full((1, channels, 48, 48), level)


def test_a_checkerboard_counts_by_its_amount():
    """By hand: of nine squares five are of one sign, so a mean over them takes a ninth off, and
    the squares within a window have all one value; at the border means are of fewer pixels."""
    loss = Grain(fine=3, window=3)
    for amount in (0.05, 0.1):
        seen = loss._detail(even() + board(amount))[INNER]
        expected = ((amount * 8 / 9) ** 2 + 1e-6) ** 0.5
        assert torch.allclose(seen, torch.tensor(expected), rtol=1e-5)
    twice = loss(even() + board(0.1), even()) / loss(even() + board(0.05), even())
    assert twice.item() == pytest.approx(2, rel=0.02)


def test_detail_of_the_target_does_not_count_wherever_it_lies():
    loss = Grain()
    assert loss(even() + board(0.1), even() + board(0.1)).item() == 0
    moved = even() + board(0.1).roll(1, dims=-1)
    assert loss(moved, even() + board(0.1)).item() == pytest.approx(0, abs=1e-6)
    assert loss(even() + board(0.05), even() + board(0.1)).item() == 0


def test_softness_and_even_errors_and_slopes_do_not_count():
    loss = Grain()
    assert loss(even(), even() + board(0.1)).item() == 0
    assert loss(even(0.7), even(0.5)).item() == pytest.approx(0, abs=1e-6)
    slope = torch.linspace(0, 1, 48).expand(1, 1, 48, 48)
    inner = loss._detail(slope)[INNER]
    assert torch.allclose(inner, torch.full_like(inner, 1e-3), rtol=1e-3)


def test_specks_of_colour_count_though_luma_is_even():
    grey = even(channels=3)
    tint = board(0.1, 3) * torch.tensor([1.0, -0.299 / 0.587, 0.0]).view(1, 3, 1, 1)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    assert ((grey + tint) * luma).sum(dim=1).std().item() < 1e-6
    assert Grain()(grey + tint, grey).item() > 0.03


def test_a_step_downhill_takes_a_faint_weave_away():
    made = (even() + board(0.004)).requires_grad_()
    Grain()(made, even()).backward()
    assert (made.grad[INNER] * board(1.0)[INNER] > 0).all()


@pytest.mark.parametrize("wrong", [{"fine": 4}, {"window": 1}])
def test_squares_without_a_middle_are_refused(wrong):
    with pytest.raises(OptionError, match=f"{next(iter(wrong))} of grain is odd"):
        check((Grain(**wrong),), None)
