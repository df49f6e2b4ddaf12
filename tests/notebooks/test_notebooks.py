"""The notebooks of examples/: what is stored in them, and that they run from scratch."""

import re

import nbformat
import pytest
from checkout import ROOT
from nbclient import NotebookClient

NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
STEPS = "30"  # of training


def read(path):
    return nbformat.read(path, as_version=4)


def code(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


def test_they_are_all_there():
    assert [path.stem for path in NOTEBOOKS] == [
        "compare-methods", "first-steps", "own-weights", "train-on-your-photos", "video",
    ]  # fmt: skip


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_stored_notebook_is_executed_small_and_of_no_machine(path):
    book = read(path)
    nbformat.validate(book)
    assert path.stat().st_size <= 500_000
    assert [cell.execution_count for cell in code(book)] == list(range(1, len(code(book)) + 1))
    outputs = [output for cell in code(book) for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "execute_result"}
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(tmp|home|root|Users)/", text)
    assert not [output for output in outputs if output.get("name") == "stderr"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_scratch(path, tmp_path, monkeypatch):
    monkeypatch.setenv("SRKIT_NOTEBOOK_STEPS", STEPS)
    for variable in ("http_proxy", "https_proxy"):  # offline
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    book = read(path)
    for cell in code(book):
        cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": str(tmp_path)}}
    # Raises, with the cell and its error, where a cell fails.
    NotebookClient(book, timeout=300, resources=resources, record_timing=False).execute()
    stored = code(read(path))
    for cell, before in zip(code(book), stored, strict=True):
        assert kinds(cell) == kinds(before), cell.source


def shown(*lines):
    """What cells of a new notebook show: by kind of data."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(line) for line in lines])
    NotebookClient(book, timeout=300, record_timing=False).execute()
    return [output["data"] for cell in code(book) for output in cell.outputs]


def test_models_cards_and_pictures_show_themselves():
    outputs = shown(
        "import numpy, srkit",
        "srkit.load('bicubic', scale=3)",
        "srkit.cards('bi*')",
        "srkit.card('bicubic')",
        "srkit.Image(numpy.zeros((4, 6), 'u1')).show()",
    )
    model, table, card, picture = outputs
    assert model["text/plain"] == "<srkit.Upscaler bicubic x3, numpy on cpu>"
    assert table["text/html"].count("<tr>") == 3
    assert ">scales</td>" in card["text/html"]
    assert picture["image/png"].startswith("iVBOR")  # PNG in base64


def kinds(cell):
    """What a cell shows: kinds of outputs, and of their data."""
    shown = [output for output in cell.outputs if output.get("name") != "stderr"]
    return {(output.output_type, *sorted(output.get("data", ()))) for output in shown}
