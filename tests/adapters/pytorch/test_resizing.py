"""A plane at the size of another, over strips: its alignment depends on the picture's height."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image as PILImage
from streams import held_bytes, whole_numbers
from torch import nn
from torch.nn import functional
from wrapping import wrapped

import srkit
from srkit.adapters.pytorch.nets.resizing import ResizedLike
from srkit.adapters.pytorch.runtime.receptive import receptive_radius
from srkit.adapters.pytorch.runtime.streaming import CannotStream, cost_of, plan
from srkit.adapters.pytorch.runtime.streaming.resizing import mixed_rows
from srkit.adapters.pytorch.runtime.tracing import trace
from srkit.upscaling.upscaler import LONGEST_SIDE

C, WIDTH = 4, 23
# The same in double precision, but for the order in which products are added.
CLOSE = {"atol": 1e-9, "rtol": 1e-12}


class Weighed(nn.Module):
    """Features beside a coarse look at them: both come together at the height of the features."""

    def __init__(self, coarse, fine=None):
        super().__init__()
        self.coarse, self.fine = coarse, fine or nn.Identity()
        self.resized = ResizedLike()

    def forward(self, x):
        fine = self.fine(x)
        return fine - self.resized(self.coarse(x), fine)


def pooled():
    """As in RLFN: a strided convolution, a wide pool and a convolution at a sixth of the size."""
    return nn.Sequential(
        nn.Conv2d(C, C, 3, stride=2), nn.MaxPool2d(7, stride=3), nn.Conv2d(C, C, 3, padding=1)
    )


def averaged():
    """As in PlainUSR."""
    return nn.Sequential(
        nn.AvgPool2d(7, stride=3),
        nn.Conv2d(C, C, 3, stride=2, padding=1),
        nn.Conv2d(C, C, 3, padding=1),
    )


NETWORKS = {
    "pooled": lambda: Weighed(pooled()),
    "averaged": lambda: Weighed(averaged()),
    "one after another": lambda: nn.Sequential(
        Weighed(pooled()), nn.Conv2d(C, C, 3, padding=1), Weighed(averaged(), nn.ReLU())
    ),
    "fine branch later": lambda: Weighed(averaged(), nn.Conv2d(C, C, 41, padding=20)),
    "finer than the picture": lambda: Weighed(
        nn.AvgPool2d(3, stride=2), nn.Sequential(nn.Conv2d(C, 4 * C, 1), nn.PixelShuffle(2))
    ),
    "of one row": lambda: Weighed(nn.Conv2d(C, C, (15, 1), stride=(99, 1))),
    "larger than its like": lambda: Weighed(nn.Upsample(scale_factor=3)),
}  # fmt: skip


def picture(height, width=WIDTH):
    generator = torch.Generator().manual_seed(height)
    return torch.randint(-4, 5, (1, C, height, width), generator=generator).double()


@torch.inference_mode()
def streamed(net, image, heights):
    stream, parts, at = plan(trace(net)).start(image.shape[2]), [], 0
    for height in itertools.cycle(heights):
        if at >= image.shape[2]:
            break
        strip = image[:, :, at : at + height].contiguous(memory_format=torch.channels_last)
        parts.append(stream.push(strip))
        at += height
    parts += stream.finish()
    assert held_bytes(stream) == 0
    return torch.cat([part for part in parts if part is not None], 2)


@torch.inference_mode()
def whole(net, image):
    return net(image)


@pytest.mark.parametrize("heights", [(1,), (2,), (7,), (3, 1, 4), (40,)], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_strips_give_what_the_whole_image_gives(name, heights):
    net = whole_numbers(NETWORKS[name]())
    for height in (15, 16, 31, 58, 97):
        image = picture(height)
        torch.testing.assert_close(streamed(net, image, heights), whole(net, image), **CLOSE)


@st.composite
def layers(draw):
    """A way to a plane of another height: convolutions and pools, with strides and padding."""
    chain = []
    for _ in range(draw(st.integers(1, 3))):
        span, stride = draw(st.integers(1, 5)), draw(st.integers(1, 4))
        pad = draw(st.integers(0, span // 2))
        kind = draw(st.sampled_from(["conv", "most", "mean", "shuffle"]))
        if kind == "conv":
            chain.append(nn.Conv2d(C, C, (span, 3), (stride, 1), (pad, 1)))
        elif kind == "shuffle":
            chain.append(nn.Sequential(nn.Conv2d(C, 4 * C, 1), nn.PixelShuffle(2)))
        else:
            pool = nn.MaxPool2d if kind == "most" else nn.AvgPool2d
            chain.append(pool((span, 1), (stride, 1), (pad, 0)))
    return nn.Sequential(*chain)


@settings(max_examples=150, deadline=None)
@example(pooled(), nn.Identity(), 15, [1], 0)
@given(
    layers(),
    st.sampled_from([nn.Identity(), nn.Conv2d(C, C, 5, padding=2), nn.ReLU()]),
    st.integers(1, 120),
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.integers(0, 9),
)
def test_random_networks_of_whole_numbers_give_what_the_whole_image_gives(
    coarse, fine, height, heights, seed
):
    net = whole_numbers(Weighed(coarse, fine), seed)
    image = picture(height)
    try:
        made = whole(net, image)
    except RuntimeError:
        return  # torch itself finds the image too small
    torch.testing.assert_close(streamed(net, image, heights), made, atol=1e-6, rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("small", "tall"), [(1, 15), (2, 4), (3, 3), (11, 97), (166, 1017), (9, 4), (700, 4201)]
)
def test_rows_are_mixed_as_torch_mixes_them(small, tall, dtype):
    plane = torch.arange(small, dtype=dtype).view(1, 1, -1, 1) ** 2 / small
    wanted = functional.interpolate(plane, (tall, 1), mode="bilinear", align_corners=False)
    upper, lower, share = mixed_rows(small, tall, dtype)
    column = plane.flatten()
    made = column[upper] * (1 - share) + column[lower] * share
    # Torch may fuse a product and a sum, which moves a share by its last digit.
    exact = {torch.float32: 1e-6, torch.float64: 1e-14}[dtype]
    torch.testing.assert_close(made, wanted.flatten(), atol=exact * small**2, rtol=exact)


def test_another_height_would_be_another_picture():
    net, image = whole_numbers(Weighed(pooled())), picture(60)
    apart = whole(net, image)[:, :, :20] - whole(net, image[:, :, :40])[:, :, :20]
    # This is why the height has to be known, and why tiles cannot be exact.
    assert apart.abs().max() > 1


def test_a_stream_asks_for_the_height_where_it_needs_it():
    sized = plan(trace(Weighed(pooled())))
    assert sized.wants_height
    with pytest.raises(ValueError, match="height of the image has to be known"):
        sized.start()
    plain = plan(trace(pooled()))
    assert not plain.wants_height
    plain.start()


def test_heights_of_all_layers_are_those_that_torch_gives():
    """A stream is told one height, and works out those of the planes within by itself."""
    chains = [
        nn.Conv2d(C, C, 3, 2, dilation=2),
        nn.ConvTranspose2d(C, C, 5, 3, padding=1, output_padding=1),
        nn.ReflectionPad2d((0, 0, 2, 3)),
        nn.ZeroPad2d((0, 0, -2, 3)),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Sequential(nn.Upsample(scale_factor=2), nn.PixelUnshuffle(2), nn.Conv2d(4 * C, C, 1)),
    ]
    for layer, height in itertools.product(chains, (19, 24)):
        net, image = whole_numbers(Weighed(nn.Sequential(layer))), picture(height)
        torch.testing.assert_close(streamed(net, image, (5,)), whole(net, image), **CLOSE)


@torch.inference_mode()
def test_what_is_held_does_not_grow_with_height():
    most = []
    for strips in (60, 600):
        stream, held = plan(trace(Weighed(pooled()).double())).start(5 * strips), []
        for _ in range(strips):
            stream.push(torch.zeros(1, C, 5, WIDTH).double())
            held.append(held_bytes(stream))
        most.append(max(held))
    assert most[1] < 1.2 * most[0]


def test_the_cost_is_measured_though_the_height_is_not_known():
    cost = cost_of(trace(Weighed(pooled())), C)
    # At least what comes in and goes out, for each pixel, in floats.
    assert cost.pixel > 2 * 4 * C
    # A fine row waits for the coarse one that lies up to 17 rows below it.
    assert cost.column > 10 * 4 * C


def test_such_a_network_sees_all_of_a_picture():
    assert receptive_radius(trace(Weighed(pooled()))) == LONGEST_SIDE


def test_two_planes_of_which_one_is_a_constant_are_refused():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("small", torch.ones(1, C, 3, 3))
            self.resized = ResizedLike()

        def forward(self, x):
            return self.resized(self.small, x)

    with pytest.raises(CannotStream, match="ResizedLike of more than one input"):
        plan(trace(Fixed()))


# --- models ---------------------------------------------------------------------------------


def doubling():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, C, 3, padding=1), Weighed(pooled()), nn.Conv2d(C, 12, 1), nn.PixelShuffle(2)
    )
    model = wrapped(net, border="zero")
    model.short_halo, model.least_sides = 24, (15, 15)
    return model


IMAGE = np.random.default_rng(0).random((150, 40, 3)).astype(np.float32)


def test_a_picture_in_strips_is_the_whole_picture():
    model = doubling()
    assert model.streams
    assert model.wants_height
    heights, rows = [], model.run_rows

    def told(strips, height):
        heights.append(height)
        return rows(strips, height=height)

    model.run_rows = told
    made = model.upscale(IMAGE)
    assert heights == [150]
    np.testing.assert_allclose(made, np.clip(model.run(IMAGE[None])[0], 0, 1), atol=1e-5)


def test_strips_of_unknown_height_are_put_together_first():
    model = doubling()
    made = list(model.run_rows(IMAGE[None, y : y + 32] for y in range(0, 150, 32)))
    assert len(made) == 1
    np.testing.assert_allclose(made[0], model.run(IMAGE[None]), atol=1e-5)


def test_from_file_to_file_strips_are_the_whole_picture(tmp_path):
    model = doubling()
    levels = np.rint(255 * IMAGE).astype(np.uint8)
    PILImage.fromarray(levels).save(tmp_path / "small.png")
    model.upscale_file(tmp_path / "small.png", tmp_path / "large.png")
    with PILImage.open(tmp_path / "large.png") as made:
        apart = np.abs(np.asarray(made).astype(int) - model.upscale(levels))
    assert apart.max() <= 1
    assert np.count_nonzero(apart) <= 3


@pytest.mark.parametrize("failing", [1, 7, 20])
def test_memory_that_runs_out_in_a_strip_leads_to_blended_tiles_and_is_told(failing, caplog):
    model = doubling()
    calls, conv2d = [], functional.conv2d

    def scarce(rows, *rest):
        calls.append(rows.shape)
        if len(calls) == failing:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return conv2d(rows, *rest)

    large = np.random.default_rng(1).random((400, 40, 3), np.float32)
    # It would fit as a whole.
    model._full.quick_strip_bytes = model.strip_bytes(64, 56)
    wanted = model.upscale(large)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functional, "conv2d", scarce)
        made = model.upscale(large)
    assert any("tiles with a halo of 24 are blended" in line for line in caplog.messages)
    assert 0 < np.abs(made - wanted).mean() < 0.05 * wanted.std()
    # No tile saw all of the picture over and over.
    assert len(calls) < 400


def test_parts_of_a_picture_for_a_cluster_are_refused():
    pytest.importorskip("dask", reason="needs pip install 'srkit[dask]'")
    from srkit.upscaling.parts import check

    with pytest.raises(srkit.OptionError, match="parts that wide are hardly parts"):
        check(doubling())


def test_a_picture_below_the_least_sides_is_filled_up_by_its_reflection():
    model = doubling()
    small = IMAGE[:9, :12]
    filled = np.pad(small, ((0, 6), (0, 3), (0, 0)), "reflect")
    wanted = np.clip(model.run(filled[None])[0, :18, :24], 0, 1)
    np.testing.assert_allclose(model.upscale(small), wanted, atol=1e-6)


def test_reduced_precision_runs_the_same_network():
    torch.manual_seed(0)
    net = doubling().net
    model = wrapped(net, border="zero", precision="bfloat16")
    wanted = doubling().upscale(IMAGE)
    apart = np.abs(model.upscale(IMAGE, memory=1 << 40) - wanted)
    assert 0 < apart.max() < 0.05
