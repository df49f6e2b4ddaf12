"""Networks whole, by strips and by tiles; how far they see; and how they are opened."""

import itertools
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from ncnn_pairs import (
    HALVES,
    Pair,
    all_layers,
    compact,
    floats,
    judged,
    mutated,
    normal,
    shrinking,
    tagged,
)
from torch.nn import functional

import srkit
from srkit import OptionError, SrkitError, WeightsError, testing
from srkit.adapters.pytorch.graphs.ncnn import NcnnModel
from srkit.adapters.pytorch.graphs.rebuilding import rebuild
from srkit.adapters.pytorch.runtime.receptive import receptive_radius
from srkit.adapters.readers.ncnn.network import understand

# --- whole, by strips and by tiles --------------------------------------------------------------


def by_hand(image, scale=2, features=8):
    """`compact` in torch's own functions."""
    planes = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
    x = planes
    for number, inputs in enumerate((3, features, features)):
        weight = torch.from_numpy(normal(features, inputs, 3, 3, seed=number)).half().float()
        x = functional.conv2d(x, weight, torch.from_numpy(normal(features, seed=9)), padding=1)
        x = functional.prelu(x, torch.linspace(-0.5, 0.5, features))
    weight = torch.from_numpy(normal(3 * scale**2, features, 3, 3, seed=8)).half().float()
    x = functional.pixel_shuffle(functional.conv2d(x, weight, padding=1), scale)
    x = x + planes.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    return x[0].numpy().transpose(1, 2, 0).clip(0, 1)


def test_pixels_are_those_of_the_network_by_hand(tmp_path):
    image = np.random.default_rng(0).random((37, 41, 3), np.float32)
    loaded = srkit.load(compact(tag=HALVES).save(tmp_path), device="cpu")
    assert (loaded.scale, loaded.card.border, loaded.card.colour) == (2, "zero", "rgb")
    np.testing.assert_allclose(loaded.upscale(image), by_hand(image), atol=1e-5)


def strided():
    pair = Pair().conv("in", "half", normal(8, 3, 4, 4), normal(8), "3=2 4=1 9=1")
    data = tagged(normal(6, 8, 4, 4)) + floats(normal(6))
    pair.add("Deconvolution", "half", "same", "0=6 1=4 3=2 4=1 5=1 6=768", data)
    pair.conv("same", "c", normal(12, 6, 3, 3), None, "4=-233")
    return pair.add("PixelShuffle", "c", "out", "0=2")


def framed():
    pair = Pair().add("Padding", "in", "wide", "0=1 1=1 2=1 3=1 4=2")
    pair.conv("wide", "c", normal(12, 3, 3, 3), normal(12))
    pair.add("PixelShuffle", "c", "large", "0=2 1=1").add("Swish", "large", "s")
    return pair.add("UnaryOp", "s", "out", "0=4")


def upright():
    pair = Pair().conv("in", "c", normal(12, 3, 7, 1), None, "4=0 14=3")
    return pair.add("PixelShuffle", "c", "out", "0=2")


def leaning(keys):
    pair = Pair().conv("in", "c", normal(12, 3, 5, 5), None, keys)
    return pair.add("PixelShuffle", "c", "out", "0=2")


NETWORKS = {
    "compact": compact,
    "bicubic by 1/2": lambda: shrinking(4, 2),
    "bicubic by 3/4": lambda: shrinking(4, 4 / 3),
    "bilinear by 1/2": lambda: shrinking(4, 2, 2),
    "bicubic by 2": lambda: shrinking(1, 0.5),
    "strided": strided,
    "reflected": framed,
    "upright": upright,
    # Kernels that see to one side alone.
    "before": lambda: leaning("4=4 15=0 16=0"),
    "behind": lambda: leaning("4=0 15=4 16=4"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_strips_and_tiles_equal_the_whole(name, tmp_path):
    loaded = srkit.load(NETWORKS[name]().save(tmp_path), device="cpu")
    sides = (n + -n % loaded.card.multiple for n in (71, 50))
    image = np.random.default_rng(0).random((*sides, 3), np.float32)
    whole = loaded.run(image[None])[0].clip(0, 1)
    strips = np.concatenate(list(loaded.run_rows(np.split(image[None], [8, 20, 60], axis=1))), 1)
    np.testing.assert_allclose(strips[0].clip(0, 1), whole, atol=1e-5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(loaded), "streams", False)
        tiles = loaded.upscale(image, memory=int(900 * loaded.bytes_per_pixel))
        np.testing.assert_allclose(tiles, whole, atol=1e-5)


def test_a_network_keeps_the_contract(tmp_path):
    path = shrinking(4, 2).save(tmp_path)
    testing.check_upscaler(lambda: srkit.load(path, device="cpu"), trained=False)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_pixel_beyond_the_radius_counts_and_one_at_it_does(name, tmp_path):
    network = judged(NETWORKS[name]())
    net, scale, side = rebuild(network).double(), network.scale, 24
    # Of a linear network with positive weights every pixel that is seen counts.
    for parameter in net.parameters():
        parameter.data.abs_()
    image = torch.rand(1, 3, side, side, dtype=torch.double)
    image.requires_grad_(True)
    seen = 0
    for row in range(12 * scale, 13 * scale):
        for column in range(12 * scale, 13 * scale):
            result = net(image)[0, :, row, column].sum()
            (slopes,) = torch.autograd.grad(result, image)
            rows, columns = slopes[0].abs().sum(0).nonzero().T
            centre = row // scale, column // scale
            for places, middle in zip((rows, columns), centre, strict=True):
                seen = max(seen, int((places - middle).abs().max()))
    assert seen == network.radius


@pytest.mark.parametrize("name", ["compact", "bicubic by 1/2", "strided", "upright"])
def test_the_radius_is_no_larger_than_that_of_torchs_layers(name):
    network = judged(NETWORKS[name]())
    assert network.radius <= receptive_radius(rebuild(network))


def test_weights_of_a_filter_for_interpolation_are_not_counted_as_trained(tmp_path):
    path = shrinking(4, 2).save(tmp_path)
    assert srkit.load(path, device="cpu").parameters == 48 * 3 * 9


def test_halves_run_as_other_networks_do(tmp_path):
    path = shrinking(4, 2).save(tmp_path)
    image = np.random.default_rng(0).random((40, 30, 3), np.float32)
    wanted = srkit.load(path, device="cpu").upscale(image)
    half = srkit.load(path, device="cpu", precision="bfloat16").upscale(image)
    np.testing.assert_allclose(half, wanted, atol=0.02)


# --- opening ------------------------------------------------------------------------------------


def test_another_scale_than_asked_for_is_an_error(tmp_path):
    path = compact().save(tmp_path)
    assert srkit.load(path, scale=2).scale == 2
    with pytest.raises(OptionError, match="for x2, not x3"):
        srkit.load(path, scale=3)


def test_a_card_of_ones_own_has_to_fit_the_network(tmp_path):
    path = compact(scale=4).save(tmp_path)
    facts = {"summary": "", "adapter": "a:b", "framework": "torch", "border": "zero"}
    card = srkit.ModelCard(name="mine", scales=(2, 4), default_scale=4, **facts)
    model = NcnnModel(card, 4, path.with_suffix(".bin"), device="cpu")
    assert (model.card.name, model.radius) == ("mine", 4)
    with pytest.raises(WeightsError, match="x4"):
        NcnnModel(card, 2, path)


def test_work_that_is_gone_on_with_knows_both_files(tmp_path):
    from srkit.batch.identity import weights_digest

    first, second = (compact().save(tmp_path, name) for name in ("a", "b"))
    loaded = srkit.load(first)
    assert weights_digest(first, loaded) == weights_digest(second, loaded)
    assert weights_digest(first, loaded) == weights_digest(first.with_suffix(".bin"), loaded)
    data = bytearray(second.with_suffix(".bin").read_bytes())
    data[8] ^= 1
    second.with_suffix(".bin").write_bytes(data)
    assert weights_digest(first, loaded) != weights_digest(second, loaded)


def test_what_was_judged_runs_whatever_was_damaged():
    chance, ran = random.Random(2), 0
    pairs = [compact(), shrinking(4, 2), strided(), framed(), all_layers()]
    for number in range(600):
        pair = pairs[number % len(pairs)]
        try:
            network = understand(*mutated(pair.text, pair.data, chance))
        except SrkitError:
            continue
        sides = 2 * network.multiple, 3 * network.multiple
        if any(axis.slope * 2 + axis.offset < 1 for axis in network.result.sides):
            continue
        with torch.inference_mode():
            got = rebuild(network)(torch.zeros(1, network.channels, *sides))
        rows, columns = network.result.sides
        assert got.shape[1] == network.result.channels
        assert got.shape[2:] == (rows.slope * 2 + rows.offset, columns.slope * 3 + columns.offset)
        ran += 1
    assert ran > 40


def test_a_network_that_sees_far_has_a_short_halo_for_little_memory(tmp_path):
    far = Pair()
    for number, (given, made) in enumerate(itertools.pairwise(["in", "a", "b", "c", "d"])):
        far.conv(given, made, normal(3, 3, 61, 1, seed=number), None, "4=0 14=30")
    loaded = srkit.load(far.save(tmp_path), device="cpu")
    assert (loaded.radius, loaded.short_halo) == (120, 48)
    assert srkit.load(compact().save(tmp_path, "near"), device="cpu").short_halo is None
