"""ONNX networks whose numbers lie in a file beside them, and what such a name must not open."""

import os

import numpy as np
import pytest

ort = pytest.importorskip("onnxruntime", reason="needs pip install 'srkit[onnx]'")
onnx = pytest.importorskip("onnx", reason="needs pip install 'srkit[onnx]'")

from networks import constant, doubling, saved
from onnx import TensorProto, helper

import srkit
from srkit import CorruptFileError, UnsafeFileError, WeightsError
from srkit.models.formats import files_of

RGB = np.random.default_rng(0).random((37, 41, 3), np.float32)


def by_onnx(path, **how):
    """Save as the onnx package does, with every number in another file."""
    made = doubling()
    onnx.save(made, path, save_as_external_data=True, size_threshold=0, **how)
    return path


def wanted(path):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"x": RGB.transpose(2, 0, 1)[None]})
    return made[0].transpose(1, 2, 0).clip(0, 1)


def external(tensor, **entries):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)


@pytest.mark.parametrize("how", [{"location": "net.onnx.data"}, {"all_tensors_to_one_file": False}])
def test_numbers_beside_the_network_are_read(tmp_path, how):
    path = by_onnx(tmp_path / "net.onnx", **how)
    assert len(list(tmp_path.iterdir())) > 1
    np.testing.assert_allclose(srkit.load(path).upscale(RGB), wanted(path), atol=1e-5)
    report = srkit.inspect(path)
    assert (report.safe, report.model.scale) == (True, 2)
    assert report.contents.tensors["w"].shape == (12, 3, 5, 5)


def test_wherever_the_program_is_started(tmp_path, monkeypatch):
    path = by_onnx(tmp_path / "net.onnx", location="net.onnx.data")
    (tmp_path / "elsewhere").mkdir()
    for folder in (tmp_path, tmp_path / "elsewhere"):
        monkeypatch.chdir(folder)
        assert srkit.load(os.path.relpath(path)).scale == 2


def test_both_files_are_the_model_where_it_is_told_by_a_digest(tmp_path):
    path = by_onnx(tmp_path / "net.onnx", location="net.onnx.data")
    assert [file.name for file in files_of(path)] == ["net.onnx", "net.onnx.data"]


def test_a_missing_or_short_file_is_named(tmp_path):
    path = by_onnx(tmp_path / "net.onnx", location="net.onnx.data")
    data = tmp_path / "net.onnx.data"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(CorruptFileError, match=r"net\.onnx\.data.* shorter"):
        srkit.load(path)
    data.unlink()
    with pytest.raises(WeightsError, match=r"lie in net\.onnx\.data, which is not beside it"):
        srkit.load(path)


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../secret", "folder/secret", "..\\secret", "C:secret", "..", ".", "", "a\0b"],
)
def test_names_with_a_path_are_refused_wherever_they_hide(tmp_path, name):
    (tmp_path / "net").mkdir()
    (tmp_path / "secret").write_bytes(bytes(10_000))
    made = doubling()
    external(made.graph.initializer[0], location=name)
    hidden = doubling()
    tensor = constant("t", np.zeros((2, 2), np.float32))
    external(tensor, location=name)
    hidden.graph.node.insert(0, helper.make_node("Constant", [], ["unused"], value=tensor))
    # Named without the flag that says so.
    unsaid = doubling()
    unsaid.graph.initializer[0].external_data.add(key="location", value=name)
    for file in (made, hidden, unsaid):
        with pytest.raises(UnsafeFileError, match=r"lies in another file.*without a path"):
            srkit.load(saved(file, tmp_path / "net" / "net.onnx"))


def test_links_out_of_the_folder_are_refused(tmp_path):
    for folder in ("net", "secrets", "cache", "snapshot"):
        (tmp_path / folder).mkdir()
    path = by_onnx(tmp_path / "net" / "net.onnx", location="net.onnx.data")
    data = tmp_path / "net" / "net.onnx.data"
    data.rename(tmp_path / "secrets" / "data")
    data.symlink_to(tmp_path / "secrets" / "data")
    with pytest.raises(UnsafeFileError, match="link to a file in another folder"):
        srkit.load(path)
    # In caches both are links into one folder.
    (tmp_path / "secrets" / "data").rename(tmp_path / "cache" / "1f")
    path.rename(tmp_path / "cache" / "2e")
    for name, blob in (("net.onnx", "2e"), ("net.onnx.data", "1f")):
        (tmp_path / "snapshot" / name).symlink_to(tmp_path / "cache" / blob)
    assert srkit.load(tmp_path / "snapshot" / "net.onnx").scale == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_what_is_no_regular_file_is_refused(tmp_path):
    path = by_onnx(tmp_path / "net.onnx", location="net.onnx.data")
    (tmp_path / "net.onnx.data").unlink()
    os.mkfifo(tmp_path / "net.onnx.data")
    with pytest.raises(UnsafeFileError, match="no regular file"):
        srkit.load(path)


@pytest.mark.parametrize(
    "entries",
    [
        {"offset": "-1"}, {"offset": "x"}, {"offset": "9" * 30}, {"length": "4"},
        {"basepath": ".."}, {"offset": "3600"}, {"length": "99999999999"},
    ],
)  # fmt: skip
def test_places_that_make_no_sense(tmp_path, entries):
    made = doubling()
    external(made.graph.initializer[0], location="data", **entries)
    (tmp_path / "data").write_bytes(bytes(12 * 3 * 25 * 4))
    with pytest.raises(CorruptFileError, match=r"net\.onnx"):
        srkit.load(saved(made, tmp_path / "net.onnx"))


def test_bytes_are_bounded_also_where_they_are_told_again_and_again(tmp_path, monkeypatch):
    made = doubling()
    (tmp_path / "data").write_bytes(bytes(4000))
    for number in range(40):
        tensor = constant(f"t{number}", np.zeros(1000, np.float32))
        external(tensor, location="data")
        made.graph.initializer.append(tensor)
    path = saved(made, tmp_path / "net.onnx")
    srkit.load(path)
    monkeypatch.setattr("srkit.adapters.onnx.judging.MOST_BYTES", 100_000)
    with pytest.raises(UnsafeFileError, match="too many bytes"):
        srkit.load(path)
