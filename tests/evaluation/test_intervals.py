"""Intervals of means, and of differences image by image."""

import math

import numpy as np
import pytest
from scipy import stats

from srkit.errors import OptionError
from srkit.evaluation.intervals import interval
from srkit.evaluation.results import Scores
from srkit.evaluation.scores import Score
from srkit.metrics import PROTOCOLS, STANDARD


def test_it_is_the_interval_of_scipy():
    figures = [28.1, 30.4, 26.6, 33.3, 29.0, 31.7]
    low, high = stats.t.interval(0.95, 5, loc=np.mean(figures), scale=stats.sem(figures))
    found = interval(figures)
    assert (found.low, found.high, found.images) == pytest.approx((low, high, 6))


def test_it_holds_the_mean_of_all_images_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [interval(list(rng.normal(30, 2, 5))) for _ in range(2000)]
    held = np.mean([one.low <= 30 <= one.high for one in found])
    assert held == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("figures", [[], [30.0], [30.0, None], [30.0, math.inf], [math.nan, 1.0]])
def test_there_is_none_where_it_would_say_nothing(figures):
    assert interval(figures) is None


def scores(*figures, names="abcdefgh", **changes):
    rows = [
        Score(name, decibels, 0.5, more={"niqe": natural})
        for name, (decibels, natural) in zip(names, figures, strict=False)
    ]
    return Scores("m", "d", 4, changes.get("protocol", STANDARD), tuple(rows))


def test_differences_are_taken_image_by_image():
    """A t-test for pairs, by scipy."""
    mine = scores((31.0, 4.0), (26.5, 5.0), (35.25, 3.0))
    theirs = scores((30.0, 4.5), (25.0, 4.0), (35.0, 5.0))
    for metric, which in (("psnr", 0), ("niqe", 1)):
        pairs = [[row.figure(metric) for row in one.rows] for one in (mine, theirs)]
        expected = stats.ttest_rel(*pairs).confidence_interval(0.95)
        found = mine.difference(theirs, metric)
        assert (found.low, found.high) == pytest.approx(tuple(expected)), which
    # The images differ by far more than the models.
    assert mine.difference(theirs).half < mine.interval().half / 3


def test_a_figure_that_is_missing_leaves_no_difference():
    assert (
        scores((31.0, None), (26.5, 5.0)).difference(scores((30.0, 1.0), (25.0, 4.0)), "niqe")
        is None
    )


@pytest.mark.parametrize("change", [{"names": "acb"}, {"protocol": PROTOCOLS["rgb"]}])
def test_other_images_or_protocols_are_not_compared(change):
    figures = [(31.0, 1.0), (26.5, 2.0), (30.0, 2.0)]
    with pytest.raises(OptionError, match="not measured on the same images"):
        scores(*figures).difference(scores(*figures, **change))
