"""Files and folders that hold no weights srkit reads: what they are, and the way on."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage

import srkit
from srkit.cli import main
from srkit.errors import SrkitError, UnknownModelError, WeightsError


def zipped(*names):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, b"some bytes")
    return made.getvalue()


def picture(kind):
    made = io.BytesIO()
    PILImage.new("RGB", (9, 7)).save(made, kind)
    return made.getvalue()


def array(save):
    made = io.BytesIO()
    save(made, np.ones(3))
    return made.getvalue()


# As Git LFS has them (github.com/git-lfs/git-lfs, docs/spec.md).
POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 12345\n"
)
TFJS = {
    "format": "layers-model",
    "generatedBy": "keras",
    "modelTopology": {},
    "weightsManifest": [],
}
INDEX = {"metadata": {"total_size": 9}, "weight_map": {"conv.weight": "model-00001.safetensors"}}
S3 = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'
# apple/coremltools, mlmodel/format/Model.proto: version, and a description of 12 bytes.
CORE_ML = b"\x08\x04\x12\x0c\xa2\x06\x09\n\x07Network\xea\x1a\x02\x08\x01"
FILES = {
    "pointer of LFS": ("4x.pth", POINTER, r"pointer of Git LFS.*12,345 bytes.*git lfs pull"),
    "LFS, as safetensors": ("4x.safetensors", POINTER, "pointer of Git LFS"),
    "page": ("4x.pth", b"\n<!DOCTYPE html><html>sign in", "a web page, not the file itself; open"),
    "page of XHTML": ("4x.onnx", b'<?xml version="1.0"?><html xmlns="', "a web page"),
    "answer of a server": ("4x.onnx", S3, "an error that a server sent"),
    "empty": ("4x.pth", b"", "it is empty; download it again"),
    "empty, as a graph": ("4x.pb", b"", "it is empty; download it again"),
    "unfinished": ("4x.pth.part", b"abc", "a download that has not ended"),
    "HDF5": ("4x.h5", b"\x89HDF\r\n\x1a\n\0\0\0\0", "Keras.*model.export.*tf2onnx"),
    "HDF5 named as torch's": ("4x.pth", b"\x89HDF\r\n\x1a\n\0\0\0\0", "HDF5"),
    "Keras 3": ("4x.keras", zipped("metadata.json", "config.json", "model.weights.h5"), "a Keras"),
    "Keras 3 named as torch's": ("4x.pth", zipped("config.json", "model.weights.h5"), "a Keras"),
    "TF Lite": ("4x.tflite", b"\x1c\0\0\0TFL3\x14\0\x20\0", "TF Lite model.*tf2onnx.*--tflite"),
    "TF.js": ("model.json", json.dumps(TFJS).encode(), "TensorFlow.js model.*tf2onnx.*--tfjs"),
    "checkpoint of TensorFlow": ("m.ckpt.index", b"\0\0\6\x08\1", "part of a checkpoint of Tens"),
    "Core ML": ("4x.mlmodel", CORE_ML, "Core ML"),
    "half of ncnn's, text": ("4x.param", b"7767517\n1 1\nInput in 0 1 in\n", "half of an ncnn"),
    "half of ncnn's, numbers": ("4x.bin", bytes(64), r"half of an ncnn model.*4x\.param there"),
    "OpenVINO": ("4x.xml", b'<?xml version="1.0"?>\n<net name="a" version="11">', "of OpenVINO"),
    "archive": ("4x.zip", zipped("readme.md", "nets/4x.pth"), "holds nets/4x.pth; unpack"),
    "archive named as torch's": ("4x.pth", zipped("nets/4x.pth"), "holds nets/4x.pth; unpack"),
    "archive that is cut off": ("4x.zip", zipped("nets/4x.pth")[:60], "cut off or damaged"),
    "torch.export": ("4x.pt2", zipped("4x/archive_format", "4x/models/m.json"), "torch.export"),
    "gzip": ("4x.pth.gz", b"\x1f\x8b\x08\0", "compressed by gzip; unpack it"),
    "numpy": ("4x.npy", array(np.save), "array of numpy"),
    "numpy's archive": ("4x.npz", array(np.savez), "numpy's arrays"),
    "PNG": ("photo.png", picture("png"), r"a picture \(PNG\); a model is what enlarges"),
    "JPEG named as weights": ("4x.pth", picture("jpeg"), r"a picture \(JPEG\)"),
    "TIFF": ("photo.tif", picture("tiff"), r"a picture \(TIFF\)"),
    "WebP": ("photo.webp", picture("webp"), r"a picture \(WebP\)"),
    "video": (
        "clip.mp4",
        b"\0\0\0\x20ftypisom\0\0\2\0",
        "a video; a model is what enlarges",
    ),
    "list of files": ("model.safetensors.index.json", json.dumps(INDEX).encode(), "list of the"),
    "plain pickle": ("4x.pkl", b"\x80\x04\x95\x05\0\0\0\0\0\0\0}.", "pickle.*torch did not write"),
}


@pytest.mark.parametrize("kind", FILES)
def test_what_it_is_and_the_way_on_are_told(tmp_path, kind):
    if "torch's" in kind or "ncnn's" in kind:
        pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")
    name, content, told = FILES[kind]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SrkitError, match=told) as caught:
        srkit.load(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch itself
def test_torchscript_is_told_as_what_it_is(tmp_path):
    torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")
    made = torch.jit.trace(torch.nn.Conv2d(3, 3, 1), torch.ones(1, 3, 4, 4))
    made.save(str(tmp_path / "net.pt"))
    with pytest.raises(srkit.UnsafeFileError, match=r"TorchScript.*torch\.save"):
        srkit.load(tmp_path / "net.pt")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch itself
def test_torch_export_is_told_as_what_it_is(tmp_path):
    torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")
    made = torch.export.export(torch.nn.Conv2d(3, 3, 1), (torch.ones(1, 3, 4, 4),))
    torch.export.save(made, str(tmp_path / "net.pt2"))
    with pytest.raises(WeightsError, match=r"torch\.export wrote.*torch\.save"):
        srkit.load(tmp_path / "net.pt2")


FOLDERS = {
    "SavedModel": (["saved_model.pb", "fingerprint.pb"], "SavedModel of TensorFlow.*--saved-model"),
    "net.mlpackage": (["Manifest.json"], "Core ML"),
    "tfjs": (["model.json", "group1-shard1of1.bin"], "TensorFlow.js"),
    "weights": (["config.json", "a.pth", "b.onnx"], r"folder; give one of the files in it: a\.pth"),
    "photos": (["a.png"], "it is a folder; give a file"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_of_folders_too(tmp_path, monkeypatch, name):
    names, told = FOLDERS[name]
    (tmp_path / name).mkdir()
    for inside in names:
        (tmp_path / name / inside).touch()
    monkeypatch.chdir(tmp_path)
    for given in (name, f"./{name}", Path(name)):
        with pytest.raises(WeightsError, match=f"cannot be read: .*{told}"):
            srkit.load(given)


def test_what_is_there_is_never_an_unknown_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    PILImage.new("RGB", (8, 8)).save("a.png")
    Path("weights").mkdir()
    Path("4xMine").write_bytes(POINTER)
    for name, told in (("weights", "a folder"), ("4xMine", "Git LFS"), ("a.png", "a picture")):
        assert main(["upscale", "a.png", "-m", name]) == 1
        said = capsys.readouterr().err
        assert told in said
        assert "no model is named" not in said
    with pytest.raises(UnknownModelError, match="no model is named '4xOther'"):
        srkit.load("4xOther")
    with pytest.raises(UnknownModelError):
        srkit.load("a" * 5000)


def test_weights_without_a_suffix_are_opened_by_their_name(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")
    from srkit.adapters.pytorch.nets.compact import Compact, Size

    monkeypatch.chdir(tmp_path)
    torch.save(Compact(2, Size(4, 1)).state_dict(), "mine")
    assert srkit.load("mine").scale == 2


@pytest.fixture(scope="module")
def kept_by_keras(tmp_path_factory):
    """A folder in which Keras and TensorFlow have saved a network in every way they have."""
    keras = pytest.importorskip("keras", reason="needs pip install keras tensorflow")
    tf = pytest.importorskip("tensorflow", reason="needs pip install 'srkit[tensorflow]'")
    folder = tmp_path_factory.mktemp("keras")
    layers = [keras.layers.Input((None, None, 3)), keras.layers.Conv2D(12, 3, padding="same")]
    net = keras.Sequential(layers)
    net.save(folder / "net.keras")
    net.save(folder / "net.h5")
    net.save_weights(folder / "net.weights.h5")
    net.export(folder / "saved", verbose=False)
    (folder / "net.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(net).convert())
    tf.train.Checkpoint(a=tf.Variable(1.0)).write(str(folder / "net.ckpt"))
    return folder


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("net.keras", "a Keras model"),
        ("net.h5", "Keras"),
        ("net.weights.h5", "Keras"),
        ("saved", "SavedModel"),
        ("saved/saved_model.pb", "SavedModel"),
        ("net.tflite", "TF Lite"),
        ("net.ckpt.index", "checkpoint of TensorFlow"),
        ("net.ckpt.data-00000-of-00001", "checkpoint of TensorFlow"),
    ],
)
def test_what_keras_and_tensorflow_write(kept_by_keras, name, told):
    with pytest.raises(WeightsError, match=told):
        srkit.load(kept_by_keras / name)
