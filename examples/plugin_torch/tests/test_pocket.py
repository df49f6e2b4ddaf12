"""The model does all that srkit asks of a model, and is better than what it starts from."""

from skimage import data

import srkit
from srkit.testing import CHECKS, parametrize


@parametrize(CHECKS, "pocket")
def test_pocket_conforms(check, factory):
    check(factory)


def test_it_is_better_than_bicubic_on_a_picture_that_it_was_not_trained_on():
    original = data.chelsea()[:, :450]  # of even sides
    small = srkit.imresize(original, 1 / 2)
    scores = srkit.compare(small, ["bicubic", "pocket"], scale=2, reference=original).scores
    assert scores["pocket"].psnr > scores["bicubic"].psnr + 0.3


def test_its_options_are_those_of_every_network():
    assert srkit.load("pocket", device="cpu", precision="float32").precision == "float32"
