"""What a model needs and is not installed is named with the command that installs it."""

import subprocess
import sys

import pytest
from dummies import card

import srkit
from srkit import extras
from srkit.errors import BrokenPluginError, MissingDependencyError, WeightsError
from srkit.extras import import_adapter, missing_packages
from srkit.models.registry import Registry


def registry(*cards):
    """A registry of these models alone."""
    made = Registry(discover=lambda group: [])
    for each in cards:
        made.register(each)
    return made


def test_a_missing_framework_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr("srkit.extras.find_spec", lambda name: None)
    torchy = card("torchy", framework="torch")
    models = registry(torchy)
    with pytest.raises(MissingDependencyError) as caught:
        models.load("torchy")
    assert str(caught.value).endswith('run: pip install "srkit[torch]"')
    assert isinstance(caught.value, ImportError)
    assert models.card("torchy") is torchy


def test_to_look_for_a_framework_imports_none_of_it(monkeypatch, tmp_path):
    (tmp_path / "far.py").write_text("raise RuntimeError('it was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(extras.PACKAGES, "distant", ("far", "farther"))
    assert missing_packages("distant") == ["farther"]
    assert missing_packages("numpy") == missing_packages("of a plugin") == []


@pytest.mark.parametrize(
    ("code", "error", "cause"),
    [
        ("import no_such_module", MissingDependencyError, "No module named 'no_such_module'"),
        ("raise ValueError('of no use')", BrokenPluginError, "ValueError: of no use"),
        ("", BrokenPluginError, "AttributeError: .*Model"),
    ],
)
def test_an_adapter_that_cannot_be_imported_says_why(monkeypatch, tmp_path, code, error, cause):
    (tmp_path / "adapter_of_theirs.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "adapter_of_theirs", raising=False)
    with pytest.raises(error, match=f"adapter_of_theirs:Model cannot be imported: {cause}"):
        import_adapter("adapter_of_theirs:Model", "numpy", None)


def test_a_framework_that_srkit_does_not_know_is_named_with_the_line_of_the_card(
    monkeypatch, tmp_path
):
    (tmp_path / "on_jaxx.py").write_text("import jaxx")
    monkeypatch.syspath_prepend(tmp_path)
    theirs = card("theirs", adapter="on_jaxx:Model", framework="jaxx", install="pip install jx")
    with pytest.raises(MissingDependencyError, match=r"'jaxx'; run: pip install jx$"):
        registry(theirs).load("theirs")


@pytest.mark.parametrize(
    ("line", "told"),
    [(None, "pip install not-there"), ("pip install mine", "pip install mine")],
)
def test_missing_weights_of_another_distribution_are_named_with_the_install_line(line, told):
    carried = srkit.WeightsFile("net.bin", "0", "distribution:not-there")
    weights = {2: carried, 4: srkit.WeightsFile("net.bin", "0")}
    models = registry(card("theirs", scales=(2, 4), weights=weights, install=line))
    with pytest.raises(MissingDependencyError, match=f"^not-there is not installed; run: {told}$"):
        models.load("theirs", scale=2)
    # Of the scale that is asked for alone.
    with pytest.raises(WeightsError, match="are missing; install srkit again"):
        models.load("theirs", scale=4)


def test_without_torch_models_are_listed_and_the_classical_ones_run():
    code = """
import sys
sys.modules.update(torch=None, safetensors=None)
import numpy, srkit
assert "srgan" in srkit.list_models() and srkit.card("srgan").framework == "torch"
assert srkit.load("bicubic").upscale(numpy.zeros((4, 4))).shape == (16, 16)
for model in ("srresnet", "srgan"):
    try:
        srkit.load(model)
    except srkit.MissingDependencyError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    line = 'torch and safetensors are not installed; run: pip install "srkit[torch]"'
    assert done.stdout.splitlines() == [line, line]
