"""ONNX files that make native parsers loop, grow or fail: tried in a process that can be ended."""

import contextlib
import logging
import resource
import time

import numpy as np
import pytest

for name in ("onnx", "onnxruntime"):
    pytest.importorskip(name, reason="ONNX files need it: pip install 'srkit[onnx]'")

from networks import constant, doubling, model, node, saved

import srkit
from srkit import CorruptFileError, SrkitError, UnsafeFileError
from srkit.adapters.onnx import trial


def unfolding(count, numbers=1 << 26):
    """Constants that are a number and a size in the file, and 256 MB each where they are used."""
    nodes = [
        node("ConstantOfShape", "size", f"c{n}", value=constant("v", np.array([n], np.float32)))
        for n in range(count)
    ]
    nodes += [
        node("Sum", " ".join(f"c{n}" for n in range(count)), "t"),
        node("ReduceMax", "t", "m", keepdims=0),
        node("Add", "x m", "a"),
    ]
    last = node("Resize", "a s", "y", mode="nearest")
    last.input[:] = ["a", "", "s"]
    scales = constant("s", np.array([1, 1, 2, 2], np.float32))
    return model([*nodes, last], [constant("size", np.array([numbers])), scales])


def einsum(equation):
    made = model([node("Einsum", "x", "y")])
    made.graph.node[0].attribute.add(name="equation", type=3, s=equation)
    return made


@pytest.mark.parametrize("equation", [b"\xff...", b"\xc3...", b"\xff\xff->...\xff", b"..\xfe."])
def test_shape_inference_that_never_ends_is_ended(tmp_path, monkeypatch, equation):
    monkeypatch.setattr(trial, "SECONDS", 1)
    path = saved(einsum(equation), tmp_path / "a.onnx")
    with pytest.raises(SrkitError, match=r"a\.onnx"):
        srkit.load(path)


@pytest.mark.parametrize("count", [6, 40])
def test_constants_that_unfold_are_refused_before_they_fill_the_memory(tmp_path, count):
    path = saved(unfolding(count), tmp_path / "a.onnx")
    assert path.stat().st_size < 3000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnsafeFileError, match="out of all proportion"):
        srkit.load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_constants_in_proportion_are_run(tmp_path):
    assert srkit.load(saved(unfolding(3, 100), tmp_path / "a.onnx"), halo=4).scale == 2


def test_messages_that_are_many_and_empty_are_refused(tmp_path):
    """Two bytes of a file for each node, some hundred in memory."""
    path = tmp_path / "a.onnx"
    nodes = b"\n\0" * (8 << 20)
    size = len(nodes)
    length = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
    path.write_bytes(b"\x08\x08\x3a" + length + nodes)
    with pytest.raises(SrkitError, match=r"a\.onnx"):
        srkit.load(path)


@pytest.mark.parametrize(
    ("key", "value"), [(b"srkit.\xff", b"2"), (b"\xff", b"2"), (b"srkit.scale", b"\xff")]
)
def test_headers_that_are_no_text_are_read_as_far_as_they_are(tmp_path, key, value):
    made = doubling()
    made.metadata_props.add(key="KEY", value="VALUE")
    entry = b"\n\x03KEY\x12\x05VALUE"
    odd = b"\n" + bytes([len(key)]) + key + b"\x12" + bytes([len(value)]) + value
    data = made.SerializeToString().replace(
        b"\x72" + bytes([len(entry)]) + entry, b"\x72" + bytes([len(odd)]) + odd
    )
    path = tmp_path / "a.onnx"
    path.write_bytes(data)
    report = srkit.inspect(path)
    assert ("srkit." in report.problem) == key.startswith(b"srkit.")


def test_a_type_that_is_none_is_told_by_its_number(tmp_path):
    made = doubling()
    made.graph.initializer[0].data_type = 77
    report = srkit.inspect(saved(made, tmp_path / "a.onnx"))
    assert report.problem
    made = doubling()
    made.graph.input[0].type.tensor_type.elem_type = 77
    with pytest.raises(srkit.WeightsError, match="its input is type 77"):
        srkit.load(saved(made, tmp_path / "a.onnx"))


def test_strides_whose_product_grows_without_end_are_not_followed(tmp_path):
    nodes = [node("Relu", "x", "r0")]
    nodes += [
        node("MaxPool", f"r{n}", f"r{n + 1}", kernel_shape=[1, 1], strides=[997 + n, 997 + n])
        for n in range(400)
    ]
    nodes.append(node("Identity", "r400", "y"))
    began = time.process_time()
    with pytest.raises(SrkitError, match=r"a\.onnx"):
        srkit.load(saved(model(nodes), tmp_path / "a.onnx"))
    assert time.process_time() - began < 10


def test_a_trial_that_ends_its_process_leaves_the_next_one_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "SECONDS", 1)
    with pytest.raises(SrkitError):
        srkit.load(saved(einsum(b"\xff..."), tmp_path / "a.onnx"))
    monkeypatch.undo()
    good = saved(doubling(), tmp_path / "b.onnx")
    assert srkit.load(good).scale == 2
    trial._process.end()
    assert srkit.load(good).scale == 2


def test_where_no_process_can_be_started_it_is_said(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(trial, "_process", trial._Process())
    monkeypatch.setattr("sys.executable", "")
    with caplog.at_level(logging.WARNING):
        assert srkit.load(saved(doubling(), tmp_path / "a.onnx")).scale == 2
    assert "no process can be started" in caplog.text


def test_what_a_reader_raises_is_an_error_of_srkit(tmp_path, monkeypatch):
    path = saved(doubling(), tmp_path / "a.onnx")

    def fails(graph):
        raise TypeError("startswith first arg must be bytes")

    monkeypatch.setattr("srkit.adapters.onnx.files._form", fails)
    with pytest.raises(CorruptFileError, match=r"a\.onnx: .*TypeError"):
        srkit.load(path)


def test_nothing_of_a_file_is_printed(tmp_path, capfd):
    """ONNX Runtime prints what it cannot put into words, and tries again."""
    data = doubling().SerializeToString()
    name = data.index(b"\x0a\x01a")
    path = tmp_path / "a.onnx"
    for place in range(name - 40, name + 60):
        if data[place : place + 1].isalpha():
            path.write_bytes(data[:place] + b"\xe4" + data[place + 1 :])
            with contextlib.suppress(SrkitError):
                srkit.load(path, halo=4)
    assert capfd.readouterr().out == ""


def test_a_process_that_was_killed_is_started_anew(tmp_path):
    path = saved(doubling(), tmp_path / "a.onnx")
    assert srkit.load(path).scale == 2
    trial._process._child.kill()
    assert srkit.load(path).scale == 2
    trial._process._child.kill()
    trial._process._child.wait()
    assert srkit.load(path).scale == 2


def test_where_no_process_can_be_started_it_is_told(tmp_path, monkeypatch, caplog):
    trial._process.end()
    monkeypatch.setattr(trial.sys, "executable", "")
    assert srkit.load(saved(doubling(), tmp_path / "a.onnx")).scale == 2
    assert "no process can be started" in caplog.text


def test_a_process_that_never_answers_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "PATIENCE", 0)
    with pytest.raises(UnsafeFileError, match="out of all proportion"):
        srkit.load(saved(doubling(), tmp_path / "a.onnx"))
    assert trial._process._child is None
