"""Keras: graphs that it freezes itself, and ESPCN trained in it; run by ``nox -s frameworks``."""

import importlib.util

import numpy as np
import pytest
from checkout import ROOT
from skimage import data

pytest.importorskip("tensorflow", reason="needs pip install 'srkit[tensorflow]'")

import keras
import tensorflow as tf
from PIL import Image

import srkit

EXAMPLE = ROOT / "examples" / "train_espcn_keras.py"
GREY = data.camera()[100:161, 50:93]
TILE = GREY[None, ..., None] / np.float32(255)


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("train_espcn_keras", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def frozen(model, path):
    """Keras' own way: variables become constants, and its own operations stay."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    traced = tf.function(lambda x: model(x)).get_concrete_function(
        tf.TensorSpec((None, None, None, model.input_shape[-1]), tf.float32)
    )
    definition = convert_variables_to_constants_v2(traced).graph.as_graph_def()
    path.write_bytes(definition.SerializeToString())
    return {node.op for node in definition.node}


def with_prelu(shuffle):
    """Layers beyond ESPCN's: shared PReLU slopes, a skip connection, colour."""
    image = keras.Input((None, None, 3))
    first = keras.layers.Conv2D(8, 3, padding="same", bias_initializer="uniform")(image)
    first = keras.layers.PReLU(shared_axes=(1, 2), alpha_initializer="uniform")(first)
    wide = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(first)
    both = keras.layers.Add()([first, wide])
    made = keras.layers.Conv2D(12, 3, padding="same", activation="sigmoid")(both)
    return keras.Model(image, shuffle(made))


@pytest.mark.parametrize("runtime", ["torch", "tensorflow"])
@pytest.mark.parametrize("kind", ["espcn", "prelu"])
def test_graphs_that_keras_froze_compute_what_the_model_does(tmp_path, example, kind, runtime):
    keras.utils.set_random_seed(1)
    model = example.espcn(3) if kind == "espcn" else with_prelu(example.PixelShuffle(2))
    operations = frozen(model, tmp_path / "keras.pb")
    # Operations that the published graphs do not have.
    assert operations >= {"BiasAdd", "Identity"}
    given = TILE if kind == "espcn" else np.concatenate([TILE, TILE**2, 1 - TILE], axis=-1)
    ours = srkit.load(tmp_path / "keras.pb", runtime=runtime)
    assert ours.scale == (3 if kind == "espcn" else 2)
    wanted = model.predict(given, verbose=0)
    assert wanted.std() > 0.01
    np.testing.assert_allclose(ours.run(given), wanted, atol=2e-6)


@pytest.fixture(scope="module")
def trained(example, tmp_path_factory):
    """ESPCN x2 after a short run on pieces of three photos, and its graph."""
    folder = tmp_path_factory.mktemp("keras")
    (folder / "photos").mkdir()
    for name, photo in (("a", data.astronaut()), ("b", data.coffee()), ("c", data.chelsea())):
        Image.fromarray(photo[:272, :272]).save(folder / "photos" / f"{name}.png")
    model = example.train(folder / "photos", folder / "ESPCN_x2.pb", scale=2, epochs=120)
    return model, folder / "ESPCN_x2.pb"


def test_a_short_run_on_three_photos_learns_more_than_to_interpolate(trained):
    _, path = trained
    hr = data.rocket()[100:260, 250:410]
    lr = srkit.imresize(hr, 0.5)

    def psnr(made):
        return srkit.metrics.psnr(hr, made, crop=2)

    ours = psnr(srkit.load(path, runtime="tensorflow", color="float").upscale(lr))
    for simple in ("nearest", "bilinear"):
        assert ours > psnr(srkit.load(simple, scale=2).upscale(lr)) + 0.2


def test_the_graph_written_is_the_model_in_every_program(trained):
    cv2 = pytest.importorskip("cv2", reason="needs opencv-contrib-python-headless")
    model, path = trained
    wanted = model.predict(TILE, verbose=0)
    for runtime in ("torch", "tensorflow"):
        made = srkit.load(path, runtime=runtime).run(TILE)
        np.testing.assert_allclose(made, wanted, atol=2e-6)
    theirs = cv2.dnn_superres.DnnSuperResImpl_create()
    theirs.readModel(str(path))
    theirs.setModel("espcn", 2)
    photo = np.ascontiguousarray(data.coffee()[50:111, 100:167])
    opened = theirs.upsample(photo[..., ::-1].copy())[..., ::-1]
    apart = np.abs(srkit.load(path).upscale(photo).astype(int) - opened)
    assert apart.max() <= 2
    assert np.mean(apart > 0) <= 0.01
