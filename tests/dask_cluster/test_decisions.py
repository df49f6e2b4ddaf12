"""What a model of somebody else's decides for each picture."""

import dask
import dask.array as da
import numpy as np
import pytest
from dummies import Nearest, card
from images import noisy

import srkit
import srkit.dask
from srkit.models import loading
from srkit.upscaling import decisions
from srkit.upscaling import parts as regions
from srkit.upscaling.findings import Findings

NAME = "dims-noise"


class Dims(Nearest):
    """Halves what is noisy; what it makes for a picture is of the same class, as is natural."""

    def __init__(self, card, scale, weights=None, *, dim="auto"):
        self.card, self.scale, self.dim = card, scale, dim

    def for_picture(self, found):
        made = Dims(self.card, self.scale, dim=float(found.noise > 5))
        made.decided = (("dim", made.dim),)
        return made

    @property
    def decides(self):
        return self.dim == "auto" and super().decides

    def run(self, tiles):
        return super().run(tiles) * (0.5 if self.dim == 1 else 1)


class Natural(Dims):
    """Says nothing of whether something is still to be decided."""

    def for_picture(self, found):
        made = Natural(self.card, self.scale, dim=float(found.noise > 5))
        made.decided = (("dim", made.dim),)
        return made

    decides = srkit.Upscaler.decides


CARD = card(NAME, adapter=f"{__name__}:Dims")


GREY = np.full((96, 96, 3), 120.0)


@pytest.fixture(params=[Dims, Natural])
def model(request):
    return request.param(CARD, 2)


def test_a_clip_is_decided_once_by_its_first_frame(model):
    frames = [noisy(GREY, 0), noisy(GREY, 10), noisy(GREY, 0)]
    with decisions.collecting() as told:
        made = list(model.upscale_frames(frames))
    assert told == [(("dim", 0.0),)]
    for frame, result in zip(frames, made, strict=True):
        np.testing.assert_array_equal(result[::2, ::2], frame)


def test_each_picture_of_a_batch_is_decided_for_itself(model):
    made = model.upscale(np.stack([noisy(GREY, 10), noisy(GREY, 0)]))
    np.testing.assert_allclose(made[0, ::2, ::2], noisy(GREY, 10) / 2, atol=0.51)
    np.testing.assert_array_equal(made[1, ::2, ::2], noisy(GREY, 0))


def test_what_was_decided_for_a_picture_upscales_its_parts(model):
    regions.check(model.for_picture(Findings(3.0)))


def test_a_lazy_picture_is_sampled_by_one_computation(monkeypatch):
    computed = []

    def decode():
        computed.append(1)
        return np.tile(noisy(GREY, 10), (6, 6, 1))

    srkit.register(CARD)
    try:
        lazy = da.from_delayed(dask.delayed(decode)(), (576, 576, 3), np.uint8)
        # In this process, whatever cluster another test left.
        with dask.config.set(scheduler="threads"):
            made = srkit.dask.upscale(lazy, NAME, dim="auto")
        assert len(computed) == 1
        expected = np.tile(noisy(GREY, 10), (6, 6, 1)) / 2
        part = made[:96, :96].compute(scheduler="synchronous")
        np.testing.assert_allclose(part[::2, ::2], expected[:48, :48], atol=0.51)
    finally:
        loading.REGISTRY._added.pop(NAME)
