"""Tiles cover the image once, see what they need, fit their budget, and bear failures."""

import math
import weakref

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from srkit.upscaling.tiling import SMALLEST_CORE, Grid, Region, border_index, plan, shrinking

BORDERS = ["reflect", "mirror", "edge", "zero"]


@st.composite
def grids(draw):
    halo = draw(st.integers(0, 12))
    return Grid.of(
        draw(st.integers(1, 90)),
        draw(st.integers(1, 90)),
        rim=draw(st.integers(0, halo)),
        halo=halo,
        multiple=draw(st.integers(1, 6)),
        border=draw(st.sampled_from(BORDERS)),
    )


@st.composite
def parts(draw, grid):
    """The whole image, or what is left of it after some rows."""
    return grid.whole._replace(top=draw(st.integers(0, grid.rows.length - 1)))


# --- geometry -----------------------------------------------------------------------------


@given(data=st.data(), grid=grids(), pixels=st.integers(1, 9000))
def test_cores_cover_the_part_exactly_once_in_reading_order(data, grid, pixels):
    part = data.draw(parts(grid))
    count = np.zeros((grid.rows.length, grid.columns.length), int)
    cores = plan(grid, part, pixels)
    for core in cores:
        count[core.top : core.bottom, core.left : core.right] += 1
    wanted = np.zeros_like(count)
    wanted[part.top : part.bottom, part.left : part.right] = 1
    np.testing.assert_array_equal(count, wanted)
    assert cores == sorted(cores, key=lambda core: (core.top, core.left))


@given(data=st.data(), grid=grids(), pixels=st.integers(1, 9000))
def test_windows_fit_the_budget_or_are_the_smallest(data, grid, pixels):
    part = data.draw(parts(grid))
    for core in plan(grid, part, pixels):
        side = max(core.bottom - core.top, core.right - core.left)
        assert grid.window(core).area <= pixels or side <= SMALLEST_CORE


@given(data=st.data(), grid=grids(), pixels=st.integers(1, 9000))
def test_windows_lie_inside_on_multiples_and_hold_the_receptive_field(data, grid, pixels):
    for core in plan(grid, data.draw(parts(grid)), pixels):
        window = grid.window(core)
        for axis, (first, last), (start, stop) in (
            (grid.rows, window[:2], core[:2]),
            (grid.columns, window[2:], core[2:]),
        ):
            assert 0 <= first < last <= axis.extended
            assert first % axis.multiple == last % axis.multiple == 0
            assert first <= max(0, start + axis.rim - axis.halo)
            assert last >= min(axis.extended, stop + axis.rim + axis.halo)


@given(grid=grids())
def test_an_image_within_the_budget_is_one_tile(grid):
    whole = grid.rows.extended * grid.columns.extended
    assert plan(grid, grid.whole, whole) == [grid.whole]
    assert grid.window(grid.whole).area <= whole


def test_a_flat_image_is_cut_across_only():
    # 20 rows and rims of 8 are 36; a halo of 40 would be 100 where there is room.
    grid = Grid.of(20, 1000, rim=8, halo=40, multiple=1, border="reflect")
    cores = plan(grid, grid.whole, 36 * 180)
    assert {(core.top, core.bottom) for core in cores} == {(0, 20)}
    assert [core.left for core in cores] == list(range(0, 1000, 100))


@given(grid=grids(), pixels=st.integers(1, 3000), seed=st.integers(0, 99))
@example(grid=Grid.of(40, 30, rim=3, halo=5, multiple=4, border="mirror"), pixels=500, seed=0)
def test_gathered_and_cropped_tiles_are_the_picture(grid, pixels, seed):
    """A model that repeats pixels: whatever the tiles, the picture comes out."""
    picture = np.random.default_rng(seed).random((grid.rows.length, grid.columns.length, 1))
    result = np.zeros((2 * grid.rows.length, 2 * grid.columns.length, 1))
    for core in plan(grid, grid.whole, pixels):
        window = grid.window(core)
        tile = grid.gather(picture, window)
        assert tile.shape[0] * tile.shape[1] == window.area
        made = grid.crop(tile.repeat(2, 0).repeat(2, 1), core, window, 2)
        result[2 * core.top : 2 * core.bottom, 2 * core.left : 2 * core.right] = made
    np.testing.assert_array_equal(result, picture.repeat(2, 0).repeat(2, 1))


def test_the_rim_is_filled_by_the_border_rule():
    row = np.arange(4.0).reshape(1, 4, 1)

    def seen(border, multiple=1):
        grid = Grid.of(1, 4, rim=2, halo=2, multiple=multiple, border=border)
        return grid.gather(row, grid.window(grid.whole))[0, :, 0].tolist()

    assert seen("reflect") == [2, 1, 0, 1, 2, 3, 2, 1]
    assert seen("mirror") == [1, 0, 0, 1, 2, 3, 3, 2]
    assert seen("edge") == [0, 0, 0, 1, 2, 3, 3, 3]
    # The network itself pads with zeros; only a multiple needs filling.
    assert seen("zero") == [0, 1, 2, 3]
    assert seen("zero", multiple=3) == [0, 1, 2, 3, 2, 1]


@given(
    length=st.integers(1, 9),
    pad=st.integers(0, 30),
    border=st.sampled_from([("reflect", "reflect"), ("mirror", "symmetric"), ("edge", "edge")]),
)
def test_borders_are_those_of_numpy(length, pad, border):
    rule, mode = border
    index = border_index(np.arange(-pad, length + pad), length, rule)
    np.testing.assert_array_equal(index, np.pad(np.arange(length), pad, mode=mode))


# --- memory that runs out -----------------------------------------------------------------


def run(cores, fits):
    """Regions tried, and regions done, in order."""
    tried = []

    def work(core):
        tried.append(core)
        if not fits(core, len(tried)):
            raise MemoryError

    return tried, list(shrinking(cores, work))


A, B = Region(0, 16, 0, 16), Region(0, 16, 16, 32)


def test_without_trouble_each_core_is_done_once_in_order():
    assert run([A, B], lambda core, call: True) == ([A, B], [A, B])


def test_after_a_failure_the_halves_follow_and_later_cores_are_halved_untried():
    tried, done = run([A, B], lambda core, call: core.area <= 128)
    a, b = A.halves(), B.halves()
    assert tried == [A, *a, *b]
    assert done == [*a, *b]


def test_what_is_done_is_not_done_again():
    tried, done = run([A, B], lambda core, call: call != 2)
    assert tried == [A, B, *B.halves()]
    assert done == [A, *B.halves()]


def test_halves_are_cut_across_the_longer_side():
    assert Region(0, 10, 0, 30).halves() == (Region(0, 10, 0, 15), Region(0, 10, 15, 30))
    assert Region(5, 16, 0, 4).halves() == (Region(5, 10, 0, 4), Region(10, 16, 0, 4))


def test_halving_goes_on_until_it_fits():
    _, done = run([Region(0, 64, 0, 64)], lambda core, call: core.area <= 300)
    assert {core.area for core in done} == {256}
    assert sum(core.area for core in done) == 64 * 64


def test_when_the_smallest_fails_memory_error_says_so():
    tried = []

    def work(core):
        tried.append(core)
        raise MemoryError

    with pytest.raises(MemoryError, match="8x8 pixels and its halo does not fit"):
        list(shrinking([A, B], work))
    assert tried == [A, Region(0, 8, 0, 16), Region(0, 8, 0, 8)]


def test_small_cores_are_tried_even_when_a_little_larger_than_what_fitted():
    # 8x9 fails: at most 36 pixels from here on. 8x5 is 40, but cannot be made smaller.
    odd = Region(0, 8, 0, 9)
    tried, done = run([odd, A], lambda core, call: call != 1)
    assert done[:2] == [Region(0, 8, 0, 4), Region(0, 8, 4, 9)]
    assert sum(core.area for core in done) == odd.area + A.area
    assert tried[1:] == done


@given(
    sides=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    failing=st.sets(st.integers(1, 20), max_size=3),
)
def test_failures_anywhere_leave_every_pixel_done_once(sides, failing):
    grid = Grid.of(*sides, rim=0, halo=0, multiple=1, border="edge")
    small = [0]

    def fits(core, call):
        # A failure of the smallest is the end, so those never fail here.
        side = max(core.bottom - core.top, core.right - core.left)
        small[0] += side <= SMALLEST_CORE
        return side <= SMALLEST_CORE or call not in failing

    _, done = run(plan(grid, grid.whole, 400), fits)
    count = np.zeros(sides, int)
    for core in done:
        count[core.top : core.bottom, core.left : core.right] += 1
    assert (count == 1).all()


def test_other_errors_pass():
    def work(core):
        raise ValueError("another")

    with pytest.raises(ValueError, match="another"):
        list(shrinking([A], work))


def test_memory_of_the_failed_attempt_is_free_before_the_next():
    held = []

    def work(core):
        assert all(reference() is None for reference in held)
        array = np.zeros(4)
        held.append(weakref.ref(array))
        if core.area > 64:
            raise MemoryError

    assert math.prod(A[1::2]) == 256
    assert len(list(shrinking([A], work))) == 4
