"""neural-enhance on Lasagne and Theano: as the original program, and as torch."""

import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from adapters.enhance.originals import GOLD, INPUTS, OPTIONS, SHAPES
from skimage import data

if not all(map(find_spec, ("theano", "lasagne"))):
    pytest.skip("needs pip install 'srkit[lasagne]'", allow_module_level=True)
pytest.importorskip("torch", reason="is compared with torch")

import srkit
from srkit import OptionError, testing
from srkit.adapters.readers.enhance.config import Config
from srkit.adapters.readers.enhance.files import EnhanceWeights, packed_weights

SHAPES = {**SHAPES, "residual, which the original ignores": Config(1, 0, 4, (8,), 2)}


def saved(config, path):
    """A file of random weights under which values neither vanish nor explode."""
    rng = np.random.default_rng(0)
    layers = {
        name: tuple(
            rng.standard_normal(shape).astype(np.float32) / np.sqrt(np.prod(shape[1:]) or 1)
            for shape in shapes
        )
        for name, shapes in config.shapes().items()
    }
    path.write_bytes(packed_weights(EnhanceWeights(config, layers)))
    return path


@pytest.mark.parametrize(("name", "kind"), GOLD, ids=lambda value: value or "plain")
def test_pictures_are_those_of_the_original_program(data_folder, name, kind):
    folder = data_folder("enhance_gold")
    model = srkit.load(
        folder / f"{name}-0.3.pkl.bz2",
        tiling="original",
        runtime="theano",
        **OPTIONS.get(kind, {}),
    )
    made = model.upscale(srkit.read_image(folder / INPUTS.get(kind, "input.png")).pixels)
    wanted = srkit.read_image(folder / f"{name}{kind}.png").pixels
    apart = np.abs(made.astype(int) - wanted)
    assert apart.max() <= 1
    assert np.mean(apart > 0) <= 0.0005


@pytest.mark.parametrize("shape", SHAPES)
def test_lasagne_computes_what_torch_does(tmp_path, shape):
    path = saved(SHAPES[shape], tmp_path / "ne.pkl.bz2")
    theirs, ours = (srkit.load(path, runtime=name) for name in ("theano", "torch"))
    tiles = np.random.default_rng(1).random((2, 16, 24, 3), np.float32)
    wanted = ours.run(tiles)
    assert wanted.std() > 0.05
    np.testing.assert_allclose(theirs.run(tiles), wanted, atol=1e-5)
    assert (theirs.scale, theirs.radius, theirs.parameters, theirs.card.multiple) == (
        ours.scale,
        ours.radius,
        ours.parameters,
        ours.card.multiple,
    )
    photo = data.astronaut()[100:131, 150:187]
    apart = np.abs(theirs.upscale(photo).astype(int) - ours.upscale(photo))
    assert apart.max() <= 1


def test_tiles_make_the_whole_picture(tmp_path):
    model = srkit.load(saved(SHAPES["repair"], tmp_path / "ne.pkl.bz2"), runtime="theano")
    photo = data.astronaut()[100:191, 150:233]
    memory = int(model.bytes_per_pixel * (2 * model.radius + 48) ** 2)
    # Theano sums in another order where tiles are of other sizes.
    apart = model.upscale(photo, memory=memory).astype(int) - model.upscale(photo)
    assert np.abs(apart).max() <= 1
    assert np.mean(apart != 0) < 0.001


def test_options(tmp_path):
    path = saved(SHAPES["x2"], tmp_path / "ne.pkl.bz2")
    with pytest.raises(OptionError, match="'auto', 'torch', 'theano'"):
        srkit.load(path, runtime="tensorflow")
    with pytest.raises(OptionError, match=r"runs on cpu alone: .* not 'cuda'"):
        srkit.load(path, runtime="theano", device="cuda")
    with pytest.raises(OptionError, match="for x2, not x4"):
        srkit.load(path, runtime="theano", scale=4)


def test_safetensors_of_this_network_run_too(tmp_path):
    path = saved(SHAPES["x2"], tmp_path / "ne.pkl.bz2")
    tensors = srkit.convert(path, tmp_path / "ne.safetensors")
    tiles = np.random.default_rng(1).random((1, 12, 16, 3), np.float32)
    made = [srkit.load(p, runtime="theano").run(tiles) for p in (path, tensors)]
    np.testing.assert_array_equal(*made)
    packaged = srkit.models.weights.PACKAGED / "espcn_x2.safetensors"
    with pytest.raises(srkit.WeightsError, match="on Theano: these are no weights of neural-enh"):
        srkit.load(packaged, runtime="theano")


@pytest.mark.parametrize("name", ["neural-enhance", "neural-enhance-repair"])
def test_a_shipped_model_conforms_on_theano_and_leaves_random_numbers_alone(name):
    before = np.random.get_state()
    model = srkit.load(name, runtime="theano")
    after = np.random.get_state()
    assert before[2] == after[2]
    np.testing.assert_array_equal(before[1], after[1])
    for check in (testing.check_tiles, testing.check_threads, testing.check_constant):
        check(lambda: model)


def test_threads_share_a_model():
    model = srkit.load("neural-enhance", runtime="theano")
    tiles = np.random.default_rng(0).random((4, 1, 24, 24, 3), np.float32)
    wanted = [model.run(tile) for tile in tiles]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(model.run, [tile for _ in range(10) for tile in tiles]))
    finally:
        sys.setswitchinterval(interval)
    for number, result in enumerate(found):
        np.testing.assert_array_equal(result, wanted[number % 4])
