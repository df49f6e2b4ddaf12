"""Imports of srkit point one way: from floor to floor down, in no circle, and few at once."""

import ast
import importlib.util
import subprocess
import sys

import pytest
from checkout import ROOT

import srkit

SPEC = importlib.util.spec_from_file_location("house", ROOT / "tools" / "house.py")
house = importlib.util.module_from_spec(SPEC)
sys.modules["house"] = house  # where its dataclasses look for it
SPEC.loader.exec_module(house)

# What is not as it should be yet, exactly: who mends it takes it out.
CLIMBS: set[tuple[str, str]] = set()
# By imports within functions alone; there is none by those at the top of modules.
LATE_CIRCLES = {
    # One of them runs again in a process of its own, and there imports the other.
    frozenset(f"srkit.adapters.onnx.{name}" for name in ("files", "judging", "trial")),
    # A picture saves itself: `Image.save` is a name that people look for.
    frozenset({"srkit.imaging.files.writing", "srkit.imaging.image"}),
}
ROOM_CIRCLES: set[frozenset[str]] = set()


@pytest.fixture(scope="module")
def imports():
    return house.imports(ROOT)


def test_every_room_has_its_floor():
    rooms = {house.room(name) for name in house.modules(ROOT)}
    assert rooms == {name for floor in house.FLOORS for name in floor.split()}


def test_no_arrow_goes_up(imports):
    assert {(one.source, one.target) for one in imports if house.climbs(one)} == CLIMBS


def test_no_module_imports_itself_by_others(imports):
    assert house.circles((one.source, one.target) for one in imports if not one.late) == set()
    assert house.circles((one.source, one.target) for one in imports) == LATE_CIRCLES


def test_no_room_imports_itself_by_others(imports):
    assert house.circles(house.between_rooms(imports)) == ROOM_CIRCLES


def test_the_house_is_drawn_as_it_is():
    drawn = (ROOT / "docs" / "house.svg").read_text(encoding="utf-8")
    for name in house.modules(ROOT):
        assert f"<title>{house.room(name)}: " in drawn


# --- the rooms ----------------------------------------------------------------------------

FOLDERS = ("srkit", "tests", "tools", "examples", "benchmarks")
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def lines_of(function):
    """Lines of a function without its docstring."""
    first = function.body[0]
    told = ast.get_docstring(function, clean=False) is not None
    docstring = first.end_lineno - first.lineno + 1 if told else 0
    return function.end_lineno - function.lineno + 1 - docstring


def test_files_have_fewer_than_400_lines_and_functions_fewer_than_50():
    texts = {path: path.read_text(encoding="utf-8") for path in SOURCES}
    counts = {str(path): len(text.splitlines()) for path, text in texts.items()}
    functions = {
        f"{path}:{node.lineno} {node.name}": lines_of(node)
        for path, text in texts.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef)
    }
    assert len(counts) > 300
    assert {name: count for name, count in counts.items() if count >= 400} == {}
    assert {name: count for name, count in functions.items() if count >= 50} == {}


# --- the roof -----------------------------------------------------------------------------


def test_to_import_srkit_loads_no_adapter_and_no_framework():
    code = "import sys, srkit; dir(srkit), srkit.__version__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not {name for name in loaded if name.startswith("srkit.adapters")}
    assert not {"numpy", "PIL", "torch", "tensorflow", "theano", "onnx", "av"} & loaded


def test_type_checkers_see_the_names_that_are_handed_on():
    tree = ast.parse((ROOT / "srkit" / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    told = {
        name.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert told == {**srkit._HOMES, **dict.fromkeys(srkit._MODULES, "srkit")}
    assert set(srkit.__all__) <= set(dir(srkit))


@pytest.mark.parametrize("path", ["metrics.psnr", "video.preview_video"])
def test_what_pages_name_is_there_after_import_srkit_alone(path):
    code = f"import srkit; print(callable(srkit.{path}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr


def test_names_are_those_of_their_homes():
    assert srkit.card("bicubic").name == "bicubic"
    assert srkit.load is srkit.models.loading.load
    assert srkit.metrics.psnr.__module__ == "srkit.metrics.fidelity"
    with pytest.raises(AttributeError, match="module 'srkit' has no attribute 'lod'"):
        srkit.lod  # noqa: B018


def test_what_needs_an_extra_has_its_help_without_it():
    """And says what to install when it is called."""
    code = """
import sys
sys.modules.update(dict.fromkeys(("torch", "safetensors", "lightning_fabric", "av", "onnx")))
import inspect, srkit
for call, given in (
    (srkit.train, {"recipe": "espcn", "photos": ".", "out": ".", "scale": 2}),
    (srkit.upscale_video, {"src": "a.mp4", "dst": "b.mp4"}),
    (srkit.export, {"model": "espcn", "target": "a.onnx"}),
):
    assert "Parameters" in call.__doc__ and set(given) <= set(inspect.signature(call).parameters)
    try:
        call(**given)
    except srkit.MissingDependencyError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    training, video, export = done.stdout.splitlines()
    assert training == (
        'training needs lightning_fabric, which is not installed: pip install "srkit[train]"'
    )
    assert video == 'video files need av (PyAV), which is not installed: pip install "srkit[video]"'
    assert export.startswith("to export needs torch and safetensors and ")
    assert export.endswith(': pip install "srkit[torch,onnx]"')
