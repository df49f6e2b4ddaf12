"""What lies behind the upsampling runs on pieces of a strip: less memory, and the same result.

Of whole numbers, whose sums are exact; of others kernels for other heights may round otherwise.
"""

from __future__ import annotations

from unittest import mock

import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from hypothesis import given, settings
from hypothesis import strategies as st
from streams import CHANNELS, check_equal, picture, whole_numbers
from torch import nn

from srkit.adapters.pytorch.runtime.streaming import cost_of, memory, pieces, plan
from srkit.adapters.pytorch.runtime.tracing import trace

WIDE = 16


class Tail(nn.Module):
    """A body, an upsampling, and convolutions behind it, as SRResNet has them; and a branch."""

    def __init__(self, up, *, channels=WIDE, branch="low"):
        super().__init__()
        self.branch = branch
        self.head = nn.Conv2d(CHANNELS, WIDE, 3, padding=1)
        self.body = nn.Conv2d(WIDE, WIDE, 3, padding=1)
        self.up = up
        self.late = nn.Conv2d(channels, 4, 5, padding=2)
        self.last = nn.Conv2d(4, 4, 3, padding=1)
        self.beside = nn.Sequential(nn.Conv2d(CHANNELS, 16, 1), nn.PixelShuffle(2))

    def forward(self, x):
        low = self.head(x)
        low = low + self.body(low)
        high = self.up(low)
        late = torch.relu(self.late(high))
        made = self.last(late)
        if self.branch == "none":
            return made
        # Colours that are put right at the end, from the image itself; or from within the tail.
        return made + (self.beside(x) if self.branch == "low" else late)


def shuffle():
    return nn.Sequential(nn.Conv2d(WIDE, 64, 3, padding=1), nn.PReLU(64), nn.PixelShuffle(2))


def enlarge():
    return nn.Upsample(scale_factor=2)


@pytest.mark.parametrize("up", [shuffle, enlarge])
@pytest.mark.parametrize("branch", ["none", "low", "high"])
@pytest.mark.parametrize("heights", [[1], [40], [3, 17, 1, 9]])
def test_a_wide_tail_runs_in_pieces_and_gives_the_bits_of_the_whole(up, branch, heights):
    net = whole_numbers(Tail(up(), branch=branch))
    with mock.patch.object(pieces, "MOST", 8):
        found = plan(trace(net)).pieces
        assert found is not None
        assert found.rows(9, 4) == 4
        check_equal(net, picture(50), heights)


def test_pieces_begin_before_the_convolution_that_widens_for_a_shuffle():
    steps = plan(trace(Tail(shuffle()).eval()))
    assert steps.pieces is not None
    source = steps.steps[steps.pieces.source]
    assert (source.density, source.makes) == (1, 0)  # the sum of body and head
    widened = [n for n, step in enumerate(steps.steps) if step.makes == 64]
    assert steps.pieces.source < min(widened)


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Conv2d(3, WIDE, 3), nn.Conv2d(WIDE, 12, 3), nn.PixelShuffle(2)),
        nn.Sequential(nn.Conv2d(3, WIDE, 3), nn.Conv2d(WIDE, 16, 3)),
        Tail(nn.Sequential(nn.Conv2d(WIDE, 32, 1), nn.PixelShuffle(2)), channels=8),
    ],
    ids=["as espcn", "not enlarged", "narrow"],
)
def test_where_no_wide_convolution_lies_behind_the_upsampling_strips_stay_whole(net):
    assert plan(trace(net.eval())).pieces is None


def test_memory_of_high_strips_is_that_of_the_layers_before_the_upsampling():
    net = Tail(shuffle(), branch="none").eval()
    cost = cost_of(trace(net), CHANNELS)
    with mock.patch.object(pieces, "WIDE", 1000):
        whole = cost_of(trace(net), CHANNELS)
    # Of each pixel of a strip: 64 channels and their shuffle before; now the body's 16, which is
    # read, made and added, and four results.
    assert whole.pixel >= 2 * 64 * 4
    assert cost.pixel <= (3 * 16 + 2 * 16) * 4 * 1.4
    assert cost.bytes(64, 100) < whole.bytes(64, 100)


@pytest.mark.parametrize("rows", [1, 8, 12, 16, 24, 40, 200, 600])
@pytest.mark.parametrize("branch", ["none", "low", "high"])
def test_what_is_stated_is_not_below_what_is_measured_at_any_height(rows, branch):
    net = trace(Tail(shuffle(), branch=branch).eval())
    stated = cost_of(net, CHANNELS).bytes(rows, memory.WIDTH)
    assert stated >= 1.2 * max(memory._peaks(net, CHANNELS, rows, memory.WIDTH))


class Deep(nn.Module):
    """A high plane that a step reads which makes fewer rows of it, and an end nobody reads."""

    def __init__(self):
        super().__init__()
        self.tail, self.early = Tail(shuffle(), branch="none"), nn.Conv2d(4, 3, 1)
        self.down = nn.Conv2d(4, 16, 2, stride=2)

    def forward(self, x):
        high = self.tail.up(self.tail.head(x))
        late = self.tail.late(high)
        unread = self.early(late)
        made = self.tail.last(late)
        low = nn.functional.pixel_shuffle(self.down(late), 2)
        return (made + low, unread)[0]


def test_what_others_read_and_what_nobody_reads_is_left_in_peace():
    check_equal(whole_numbers(Deep()), picture(40), [7])


class Inner(nn.Module):
    """Its result is made halfway; the rest is read by nobody."""

    def __init__(self):
        super().__init__()
        self.tail = Tail(shuffle(), branch="none")

    def forward(self, x):
        late = self.tail.late(self.tail.up(self.tail.head(x)))
        return (late, self.tail.last(late))[0]


def test_a_result_halfway_is_found():
    check_equal(whole_numbers(Inner()), picture(40), [7])


def test_a_strip_that_leaves_no_rows_ends_as_well():
    cropped = [nn.Conv2d(CHANNELS, 64, 3, padding=1), nn.ZeroPad2d((0, 0, 0, -1))]
    net = nn.Sequential(*cropped, nn.PixelShuffle(2), nn.ZeroPad2d(2), nn.Conv2d(WIDE, 4, 3))
    assert plan(trace(net.eval())).pieces is not None
    for height in (1, 2, 5):
        check_equal(whole_numbers(net), picture(height), [1])


@settings(max_examples=40)
@given(
    st.sampled_from([shuffle, enlarge]),
    st.sampled_from(["none", "low", "high"]),
    st.integers(1, 40),
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.integers(1, 9),
)
def test_pieces_of_any_height_give_the_bits_of_the_whole(up, branch, height, heights, most):
    net = whole_numbers(Tail(up(), branch=branch), most)
    with mock.patch.multiple(pieces, LEAST=1, MOST=most):
        check_equal(net, picture(height, most), heights)
