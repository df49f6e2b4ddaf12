import subprocess
import sys

import dask.array as da
import numpy as np
import pytest
from exactness import EXACT
from skimage import data

import srkit
import srkit.dask
from srkit.errors import ImageError, OptionError, UnknownModelError
from srkit.models.weights import are_here

CAT = data.cat()[:150, :130]


def as_kind(pixels, kind):
    if kind == "uint8":
        return pixels
    return pixels.astype(np.uint16) * 257 if kind == "uint16" else pixels.astype(kind) / 255


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(
    ("model", "scale", "options", "chunks"),
    [
        ("bicubic", 3, {}, (13, 29, 3)),
        ("espcn", 2, EXACT, (40, 37, 1)),
        ("fsrcnn", 4, EXACT, (31, 130, 3)),
        ("srresnet", 4, EXACT, (64, 50, 3)),
    ],
)
def test_a_lazy_result_is_that_of_the_whole_picture(model, scale, options, chunks, kind):
    pixels = as_kind(CAT if model != "srresnet" else CAT[:110, :120], kind)
    lazy = srkit.dask.upscale(da.from_array(pixels, chunks=chunks), model, scale=scale, **options)
    whole = srkit.load(model, scale=scale, **options).upscale(pixels)
    made = lazy.compute()
    assert (lazy.shape, lazy.dtype) == (whole.shape, whole.dtype) == (made.shape, made.dtype)
    difference = np.abs(made.astype(np.float64) - whole.astype(np.float64))
    if kind == "float32":
        assert difference.max() <= 1e-5
    else:
        assert difference.max() <= 1
        # Sums of floats differ by 1e-7 or so: of 16 bits that tips more values to the next level.
        assert (difference > 0).mean() <= (1e-5 if kind == "uint8" else 1e-3)


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 1), (3, 20, 30, 3)])
def test_grey_and_batches(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    lazy = srkit.dask.upscale(da.from_array(pixels, chunks=17), "bicubic", scale=2)
    assert np.array_equal(lazy.compute(), srkit.load("bicubic", scale=2).upscale(pixels))


def test_chunks_become_larger_by_the_scale_and_those_narrower_than_the_halo_are_joined():
    wide = srkit.dask.upscale(da.zeros((100, 90), chunks=(25, 30)), "bicubic", scale=2)
    assert wide.chunks == ((50,) * 4, (60,) * 3)
    # srresnet sees 40 pixels around each.
    joined = srkit.dask.upscale(da.zeros((100, 90), chunks=(25, 30)), "srresnet", scale=4)
    assert all(min(sizes) >= 40 * 4 for sizes in joined.chunks)
    assert joined.shape == (400, 360)


def test_a_block_is_computed_of_no_more_than_it_needs():
    read = []

    def load(block_id):
        read.append(block_id)
        return np.zeros((50, 50), np.uint8)

    source = da.map_blocks(load_of(load), chunks=((50,) * 8, (50,) * 8), dtype=np.uint8)
    srkit.dask.upscale(source, "bicubic", scale=2)[:100, :100].compute(scheduler="sync")
    assert sorted(read) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def load_of(function):
    def load(block_info=None):
        return function(tuple(block_info[None]["chunk-location"]))

    return load


def test_nothing_is_loaded_to_find_the_shape():
    code = (
        "import sys, dask.array as da, srkit.dask\n"
        "slide = da.zeros((40000, 60000, 3), dtype='uint8', chunks=(2000, 2000, 3))\n"
        "large = srkit.dask.upscale(slide, 'srresnet', scale=4)\n"
        "print(large.shape, large.chunksize, large.dtype, type(large._meta).__name__)\n"
        "print('torch' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shape = "(160000, 240000, 3) (8000, 8000, 3) uint8 ndarray"
    assert told.stdout.splitlines() == [shape, "False"]


def test_cards_state_what_the_loaded_networks_see():
    for name in srkit.list_models():
        card = srkit.card(name)
        for scale in card.scales if card.weights else card.scales[:2]:
            if scale in card.weights and not are_here(card.weights[scale]):
                continue
            if (stated := card.radius_at(scale)) is not None:
                assert stated == srkit.load(name, scale=scale).radius, (name, scale)


def test_workers_compute_it_too(client):
    pixels = np.ascontiguousarray(CAT[:90, :100])
    lazy = srkit.dask.upscale(da.from_array(pixels, chunks=(45, 50, 3)), "espcn", scale=2, **EXACT)
    whole = srkit.load("espcn", scale=2, **EXACT).upscale(pixels)
    assert np.array_equal(client.compute(lazy).result(), whole)


@pytest.mark.parametrize(
    ("image", "model", "options", "error", "told"),
    [
        (da.zeros((9, 9)), "bicubic", {"size": (5, 5)}, OptionError, "size=.*whole picture"),
        (da.zeros((9, 9)), "bicubic", {"consistent": True}, OptionError, "consistent="),
        (da.zeros((9, 9, 4)), "bicubic", {}, ImageError, r"apart, or compute\(\)"),
        (da.zeros((9, 9, 2)), "bicubic", {}, ImageError, "not an image"),
        (da.zeros((9, 9), dtype=int), "bicubic", {}, ImageError, "must be uint8"),
        (np.zeros((9, 9)), "bicubic", {}, ImageError, "dask.array was expected, not ndarray"),
        (da.zeros((9, 9)), "unet", {}, OptionError, "sees 1?[0-9]+ pixels in every direction"),
        (da.zeros((9, 9)), "vsr-small", {}, OptionError, "whole planes"),
        (da.zeros((9, 9)), "bicubik", {}, UnknownModelError, "did you mean bicubic"),
        (da.zeros((9, 9)), "bicubic", {"scale": 77}, OptionError, "x77"),
        (da.zeros((9, 9)), "srresnet", {"device": object()}, OptionError, "plain|numbers"),
    ],
)
def test_what_cannot_be_done_in_parts_is_refused_at_once(image, model, options, error, told):
    with pytest.raises(error, match=told):
        srkit.dask.upscale(image, model, **options)


def test_chunks_of_unknown_size_are_refused():
    ramp = da.arange(90, chunks=30)
    unknown = da.ones((90, 5), chunks=(30, 5))[ramp > 3]
    with pytest.raises(ImageError, match="compute_chunk_sizes"):
        srkit.dask.upscale(unknown, "bicubic")


def test_floats_out_of_range_are_told_of_when_computed():
    with pytest.raises(ImageError, match="divide by 255"):
        srkit.dask.upscale(da.full((9, 9), 255.0), "bicubic").compute()


def test_a_lazy_array_takes_a_version_of_the_weights():
    """What the default was sees 40 pixels, and what it is 48."""
    lazy = da.from_array(
        np.zeros((64, 64, 3), np.uint8) + np.uint8([0, 255, 0]), chunks=(64, 64, 3)
    )
    made = {
        version: srkit.dask.upscale(lazy, "photo", scale=4, weights=version)[:8, :8].compute(
            scheduler="synchronous"
        )
        for version in ("2025", "2026")
    }
    # Even colours shifted then, and do not now.
    assert np.abs(made["2025"].astype(int) - [0, 255, 0]).max() > 4
    assert np.abs(made["2026"].astype(int) - [0, 255, 0]).max() <= 1
