"""Frozen graphs against the real TensorFlow and the real OpenCV; run by ``nox -s frameworks``."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from protobuf import DOUBLE, FLOAT, block, node, number, shape
from skimage import data

pytest.importorskip("tensorflow", reason="needs pip install 'srkit[tensorflow]'")

import srkit

PHOTOS = [data.astronaut()[3:78, 200:283], data.coffee()[50:111, 100:167]]
GREY = data.camera()[100:161, 50:93]


def graphs():
    if "SRKIT_DATA" not in os.environ:
        return []
    return sorted((Path(os.environ["SRKIT_DATA"]) / "tf_graphs").glob("*.pb"))


needed = pytest.mark.skipif(
    "SRKIT_DATA" not in os.environ, reason="SRKIT_DATA names the folder of real graphs"
)


def both(path, **options):
    return [srkit.load(path, runtime=name, **options) for name in ("tensorflow", "torch")]


@needed
@pytest.mark.parametrize("path", graphs(), ids=lambda path: path.stem)
def test_torch_computes_what_tensorflow_does(path):
    largest = srkit.load(path, runtime="torch", device="cpu").scale
    for scale in (2, 4, 8) if "LapSRN" in path.stem else (largest,):
        if scale > largest:
            continue
        original, rebuilt = both(path, scale=scale)
        tiles = np.stack([GREY, GREY[::-1]])[..., None] / np.float32(255)
        # LapSRN's depth adds roundings up.
        bound = 5e-6 if "LapSRN" in path.stem else 1e-6
        np.testing.assert_allclose(original.run(tiles), rebuilt.run(tiles), atol=bound, rtol=0)
        assert original.radius == rebuilt.radius


@needed
@pytest.mark.parametrize("runtime", ["tensorflow", "torch"])
@pytest.mark.parametrize("path", graphs(), ids=lambda path: path.stem)
def test_pictures_are_those_of_opencv(path, runtime):
    cv2 = pytest.importorskip("cv2", reason="needs opencv-contrib-python-headless")
    name, scale = path.stem.split("_x")
    theirs = cv2.dnn_superres.DnnSuperResImpl_create()
    theirs.readModel(str(path))
    theirs.setModel(name.lower().removesuffix("-small"), int(scale))
    ours = srkit.load(path, runtime=runtime)
    for photo in PHOTOS:
        wanted = theirs.upsample(np.ascontiguousarray(photo[..., ::-1]))[..., ::-1]
        apart = np.abs(ours.upscale(photo).astype(int) - wanted)
        assert apart.max() <= 2
        assert np.mean(apart > 0) <= 0.01


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["ESPCN", "FSRCNN"])
def test_networks_trained_here_run_in_opencv_and_tensorflow(tmp_path, name, scale):
    cv2 = pytest.importorskip("cv2", reason="needs opencv-contrib-python-headless")
    import torch

    from srkit.adapters.conversion import convert
    from srkit.adapters.pytorch.nets.espcn import ESPCN
    from srkit.adapters.pytorch.nets.fsrcnn import FSRCNN
    from srkit.training.starts.luma import start_espcn, start_fsrcnn

    torch.manual_seed(0)
    net = ESPCN(scale) if name == "ESPCN" else FSRCNN(scale)
    (start_espcn if name == "ESPCN" else start_fsrcnn)(net)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    path = convert(tmp_path / "net.pth", tmp_path / "net.pb", scale=scale)
    theirs = cv2.dnn_superres.DnnSuperResImpl_create()
    theirs.readModel(str(path))
    theirs.setModel(name.lower(), scale)
    photo = PHOTOS[0]
    wanted = theirs.upsample(np.ascontiguousarray(photo[..., ::-1]))[..., ::-1]
    # A network that begins as bicubic interpolation makes a picture of the photo.
    bicubic = srkit.load("bicubic", scale=scale).upscale(photo)
    assert np.abs(wanted.astype(int) - bicubic).mean() < 8
    for model in both(path):
        apart = np.abs(model.upscale(photo).astype(int) - wanted)
        assert apart.max() <= 2
        assert np.mean(apart > 0) <= 0.01


def test_tiles_make_the_whole_picture(tmp_path):
    path = tmp_path / "double.pb"
    path.write_bytes(DOUBLE)
    model = srkit.load(path, runtime="tensorflow")
    whole = model.upscale(PHOTOS[0])
    memory = int(400 * model.bytes_per_pixel)
    np.testing.assert_array_equal(model.upscale(PHOTOS[0], memory=memory), whole)


# --- what srkit refuses is no phantom: without its check TensorFlow writes the file -----------


def hostile_graph(tf, kind, target):
    """A graph that doubles nothing and writes a file; the image goes to ``out``."""
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, [1, None, None, 1], name="image")
        if kind == "control input":
            with tf.control_dependencies([tf.io.write_file(str(target), "payload")]):
                tf.nn.relu(image, name="out")
        elif kind == "dangling":
            tf.io.write_file(str(target), "payload")
            tf.nn.relu(image, name="out")
        else:

            @tf.function(autograph=False)
            def hidden(x):
                tf.io.write_file(str(target), "payload")
                return tf.nn.relu(x)

            tf.identity(hidden(image), name="out")
    return graph.as_graph_def()


def run_unchecked(tf, definition, *, pruned):
    """Pruned to what the output needs, or the graph as a whole."""
    wrapped = tf.compat.v1.wrap_function(
        lambda: tf.compat.v1.import_graph_def(definition, name=""), []
    )
    if pruned:
        wrapped.prune("image:0", "out:0")(tf.zeros([1, 2, 2, 1]))
    else:
        wrapped()


@pytest.mark.parametrize(
    ("kind", "pruned", "told"),
    [
        ("control input", True, "WriteFile"),
        ("library function", True, "function"),
        ("dangling", False, "WriteFile"),
    ],
)
def test_payloads_act_where_nobody_checks(tmp_path, kind, pruned, told):
    import tensorflow as tf

    target = tmp_path / "written.txt"
    definition = hostile_graph(tf, kind, target)
    path = tmp_path / "hostile.pb"
    path.write_bytes(definition.SerializeToString())
    run_unchecked(tf, definition, pruned=pruned)
    assert target.read_text() == "payload"
    target.unlink()
    for runtime in ("tensorflow", "torch"):
        with pytest.raises(srkit.UnsafeFileError, match=told):
            srkit.load(path, runtime=runtime)
    with pytest.raises(srkit.UnsafeFileError, match=told):
        srkit.convert(path, tmp_path / "graph.safetensors")
    assert sorted(tmp_path.iterdir()) == [path]


def test_tensorflow_runs_what_was_judged_and_not_the_file(tmp_path):
    """A field given twice: the last counts for srkit, and TensorFlow joins the two."""
    import tensorflow as tf

    once = number(1, FLOAT) + block(2, shape(1)) + block(5, struct.pack("<f", 1.0))
    twice = number(1, FLOAT) + block(2, shape(64)) + once[2:]
    shift = node("shift", "Const", value=block(8, twice), dtype=number(6, FLOAT))
    path = tmp_path / "twice.pb"
    path.write_bytes(DOUBLE + shift + node("shifted", "Sub", "out", "shift"))
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString(path.read_bytes())
    sides = {n.name: n for n in definition.node}["shift"].attr["value"].tensor.tensor_shape.dim
    assert [side.size for side in sides] == [64, 1]
    tiles = GREY[None, ..., None] / np.float32(255)
    made = [model.run(tiles) for model in both(path)]
    assert made[0].shape == made[1].shape == (1, 122, 86, 1)
    np.testing.assert_array_equal(*made)


# --- srkit's own models on TensorFlow ----------------------------------------------------------


def models():
    """Built-in models that run on both frameworks, at all their scales."""
    for name in srkit.list_models():
        card = srkit.card(name)
        if card.framework == "torch" and "tensorflow" in card.others:
            yield from (pytest.param(name, scale, id=f"{name}-x{scale}") for scale in card.scales)


@pytest.mark.parametrize(("name", "scale"), list(models()))
def test_built_in_models_compute_the_same_on_tensorflow(name, scale):
    theirs, ours = (srkit.load(name, scale=scale, runtime=r) for r in ("tensorflow", "torch"))
    tiles = GREY[None, ..., None] / np.float32(255)
    # Either picks kernels by the CPU: some are 3e-6 apart.
    np.testing.assert_allclose(theirs.run(tiles), ours.run(tiles), atol=1e-5)
    # A transposed convolution at low resolution has a kernel with zeros at its rim.
    assert ours.radius <= theirs.radius <= ours.radius + 1
    # Both take colour by srkit's own rule.
    made = [model.upscale(PHOTOS[0]) for model in (theirs, ours)]
    assert np.abs(made[0].astype(int) - made[1]).max() <= 1


def test_weights_of_users_run_on_tensorflow(tmp_path):
    from safetensors.numpy import load_file, save_file

    own = tmp_path / "mine.safetensors"
    packaged = Path(srkit.__file__).parent / "pretrained"
    own.write_bytes((packaged / "espcn_x2.safetensors").read_bytes())
    model = srkit.load(own, runtime="tensorflow")
    wanted = srkit.load("espcn", scale=2, runtime="torch")
    tiles = GREY[None, ..., None] / np.float32(255)
    np.testing.assert_allclose(model.run(tiles), wanted.run(tiles), atol=2e-6)
    with pytest.raises(srkit.OptionError, match="for x2, not x3"):
        srkit.load(own, scale=3, runtime="tensorflow")
    with pytest.raises(srkit.WeightsError, match="no weights of ESPCN or FSRCNN"):
        srkit.load(packaged / "srresnet_x4.safetensors", runtime="tensorflow")
    tensors = load_file(own)
    save_file(tensors | {"conv1.bias": tensors["conv1.bias"][:5]}, own)
    with pytest.raises(srkit.WeightsError, match=r"conv1\.weight has no bias that fits"):
        srkit.load(own, runtime="tensorflow")
    own.write_bytes(own.read_bytes()[:2000])
    with pytest.raises(srkit.CorruptFileError, match="damaged"):
        srkit.load(own, runtime="tensorflow")


SCRIPT = """
import os
import sys
import numpy as np
import srkit
before = dict(os.environ)
for runtime in sys.argv[2:]:
    srkit.load(sys.argv[1], runtime=runtime).upscale(np.zeros((4, 4), np.uint8))
changed = {k for k in before.keys() | os.environ.keys() if before.get(k) != os.environ.get(k)}
assert "TF_CPP_MIN_LOG_LEVEL" not in changed, changed
# Threads are the user's business: as many as in a process without srkit.
import subprocess
import tensorflow as tf
import torch
ask = "import torch; print(torch.get_num_threads())"
assert torch.get_num_threads() == int(subprocess.check_output([sys.executable, "-c", ask]))
assert tf.config.threading.get_intra_op_parallelism_threads() == 0
assert tf.config.threading.get_inter_op_parallelism_threads() == 0
"""


@pytest.mark.parametrize("order", [("torch", "tensorflow"), ("tensorflow", "torch")])
def test_both_frameworks_run_in_one_process_and_say_nothing(tmp_path, order):
    path = tmp_path / "double.pb"
    path.write_bytes(DOUBLE)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, path, *order], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_tensorflow_is_imported_only_where_it_runs(tmp_path):
    path = tmp_path / "hostile.pb"
    path.write_bytes(DOUBLE + node("evil", "ReadFile"))
    script = (
        "import sys, srkit\n"
        "import srkit.adapters.tensorflow.frozen\n"
        "try: srkit.load(sys.argv[1], runtime='tensorflow')\n"
        "except srkit.UnsafeFileError: pass\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, path], check=True)
