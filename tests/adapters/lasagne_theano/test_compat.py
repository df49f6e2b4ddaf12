"""Theano and Lasagne beside everything else; most tests have a process of their own."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import pytest

import srkit
from srkit.adapters import lasagne as frameworks
from srkit.adapters.lasagne.compat import TheanoFinder

needed = pytest.mark.skipif(
    find_spec("theano") is None, reason="needs pip install 'srkit[lasagne]'"
)


# Theano does not close the C code that it reads in its compiled mode.
STRICT = ("-W", "error", "-W", "ignore::ResourceWarning")


def run(script, *arguments, **variables):
    """What a script of its own prints; it must print no errors."""
    done = subprocess.run(
        [sys.executable, *STRICT, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


# --- what is left as it was -------------------------------------------------------------------

STATE = """
import builtins, collections, inspect, logging, os, sys, warnings
import numpy as np
# What Theano imports of other packages is there before, so that only changes show.
import numpy.fft, numpy.testing, six.moves.builtins
import scipy.signal, scipy.sparse, scipy.special, scipy.stats, scipy.linalg.blas
GONE = ("distutils", "pkg_resources", "imp", "setuptools", "numpy.distutils")
def state():
    return {
        **{m.__name__: {**vars(m)} for m in (np, np.random, inspect, collections, builtins)},
        "hooks": [sys.excepthook, sys.displayhook, sys.unraisablehook],
        "filters": [[*warnings.filters], warnings.showwarning],
        "numpy errors": np.geterr(),
        "environment": {**os.environ},
        "stand-ins": [n for n in sys.modules if n.partition(".")[0] in GONE or n in GONE],
        "logging": [logging.root.level, [*logging.root.handlers], logging.root.manager.disable],
        "limits": [sys.getrecursionlimit(), [*sys.path], [*sys.path_hooks]],
    }
before = state()
import srkit.adapters.lasagne
first = [*sys.meta_path]
import theano, lasagne, theano.tensor as T
import theano.tensor.nnet.neighbours, theano.sandbox.rng_mrg, theano.scan_module.scan_op
x = T.tensor4()
layer = lasagne.layers.Conv2DLayer((None, 1, None, None), 2, 3, pad="same")
made = T.nnet.softplus(layer.get_output_for(x))
theano.function([x], [made, *T.grad(made.sum(), layer.get_params())])(np.ones((1, 1, 4, 4), "f"))
after = state()
for name in before:
    assert before[name] == after[name], f"{name}: {before[name]} became {after[name]}"
assert sys.meta_path == first
"""


@needed
def test_other_libraries_are_as_before_and_nothing_is_said():
    assert run(STATE) == ""


@needed
def test_modules_compiled_anew_say_nothing(tmp_path):
    # Old code has escapes and comparisons of which Python warns when it compiles them.
    script = "import srkit.adapters.lasagne; import theano, lasagne"
    assert run(script, PYTHONPYCACHEPREFIX=str(tmp_path)) == ""


def test_the_hook_imports_neither():
    script = """
import sys
import srkit.adapters.lasagne
import srkit.adapters.lasagne.compat
names = {name.partition(".")[0] for name in sys.modules}
assert not names & {"theano", "lasagne", "torch", "tensorflow"}, names
import importlib
importlib.reload(srkit.adapters.lasagne)
print(sum("TheanoFinder" in repr(finder) for finder in sys.meta_path))
"""
    assert run(script) == "1\n"


# --- all together -----------------------------------------------------------------------------

TOGETHER = """
import sys
import srkit.adapters.lasagne
def use(name):
    import numpy as np
    if name == "torch":
        import torch
        return torch.nn.functional.softplus(torch.ones(2)).numpy()
    if name == "tensorflow":
        from srkit.adapters.tensorflow.quiet import tensorflow
        return tensorflow().nn.softplus(np.ones(2, np.float32)).numpy()
    if name == "theano":
        import theano.tensor
        return theano.tensor.nnet.softplus(np.ones(2, np.float32)).eval()
    if name == "lasagne":
        import lasagne
        from theano.tensor.nnet import softplus
        layer = lasagne.layers.NonlinearityLayer((2,), softplus)
        return layer.get_output_for(np.ones(2, np.float32)).eval()
    if name == "numpy":
        return np.log1p(np.exp(np.ones(2, np.float32)))
    import skimage.transform
    return skimage.transform.resize(np.full((1, 1), 1.3132617, np.float32), (1, 2))[0]
order = sys.argv[1:]
assert not set(order) & {*sys.modules} - {"numpy"}
for name in order * 2:
    print(*use(name).round(4))
"""
PACKAGES = ("torch", "tensorflow", "theano", "lasagne", "numpy", "skimage")


@needed
@pytest.mark.parametrize(
    "order",
    [PACKAGES, PACKAGES[::-1], ("theano", "torch", "skimage", "lasagne", "tensorflow", "numpy")],
    ids=" ".join,
)
def test_six_packages_work_in_one_process(order):
    for name in order:
        pytest.importorskip(name, reason=f"{name} is not installed")
    done = subprocess.run(
        [sys.executable, "-c", TOGETHER, *order], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    # log(1 + e), worked out by hand.
    assert done.stdout == "1.3133 1.3133\n" * 12


# --- how it comes to be imported --------------------------------------------------------------


@needed
def test_old_names_are_there_for_the_users_own_code():
    script = """
import srkit.adapters.lasagne
from theano.tensor.signal import downsample
import numpy as np
print(downsample.max_pool_2d(np.arange(16.0).reshape(1, 1, 4, 4), (2, 2), True).eval().ravel())
"""
    assert run(script) == "[ 5.  7. 13. 15.]\n"


@needed
def test_an_import_that_failed_before_is_made_good():
    script = """
import sys, types
# As a module is left behind whose package could not be imported.
sys.modules["theano.configparser"] = left = types.ModuleType("theano.configparser")
import srkit.adapters.lasagne
assert sys.modules["theano.configparser"] is left
import theano
assert sys.modules["theano.configparser"] is not left
print(theano.config.floatX)
"""
    assert run(script) == "float32\n"


def test_what_the_user_imported_before_stays_his(monkeypatch):
    own = ModuleType("theano")
    monkeypatch.setitem(sys.modules, "theano", own)
    assert frameworks.theano() is own
    assert vars(own).keys() == vars(ModuleType("theano")).keys()
    # Nor is what he imports of it later replaced by what srkit has in its place.
    name = "theano.tensor.signal.downsample"
    assert TheanoFinder().find_spec(name, None) is None
    monkeypatch.delitem(sys.modules, "theano")
    assert TheanoFinder().find_spec(name, None) is not None


@pytest.mark.parametrize("name", ["theano", "lasagne"])
def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "theano", ModuleType("theano"))
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(srkit.MissingDependencyError, match=rf"{name} is not.*srkit\[lasagne\]"):
        getattr(frameworks, name)()


# --- settings ---------------------------------------------------------------------------------

SETTINGS = """
import srkit.adapters.lasagne as frameworks
config = frameworks.theano().config
print(config.floatX, config.device, config.cxx or "none", config.base_compiledir)
print(config.optimizer_excluding)
"""


@needed
def test_settings_are_ours_and_those_of_the_user_win(tmp_path):
    rc = tmp_path / "theanorc"
    rc.write_text("[global]\nfloatX = float16\noptimizer = fast_compile\n")
    cache = {"SRKIT_CACHE": str(tmp_path), "THEANORC": str(rc)}
    refusals = ":".join(frameworks.compat.REFUSALS)
    ours = f"float32 cpu none {tmp_path / 'theano'}\n{refusals}\n"
    assert run(SETTINGS, THEANO_FLAGS="", **cache) == ours
    flags = f"floatX=float64,base_compiledir={tmp_path / 'mine'},optimizer_excluding=fusion"
    theirs = f"float64 cpu none {tmp_path / 'mine'}\nfusion:{refusals}\n"
    assert run(SETTINGS, THEANO_FLAGS=flags, **cache) == theirs


COMPUTED = """
import sys
import srkit.adapters.lasagne
import numpy as np, theano, theano.tensor as T
from theano.tensor.signal.pool import pool_2d
random = np.random.default_rng(0)
x, w = (random.normal(size=shape).astype("f") for shape in ((2, 3, 8, 7), (4, 3, 3, 3)))
X, W = T.tensor4(), T.tensor4()
made = T.nnet.conv2d(X, W, subsample=(2, 1), border_mode=(1, 2))
made = pool_2d(T.nnet.softplus(T.nnet.relu(made, 0.1)), (2, 2), ignore_border=True)
results = theano.function([X, W], [made, *T.grad(made.sum(), [X, W]), T.cumsum(X)])(x, w)
np.savez(sys.argv[1], *results)
print(theano.config.cxx)
"""


@needed
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs the compiler g++")
def test_the_compiled_mode_computes_the_same(tmp_path):
    made = []
    for compiler in ("", "g++"):
        path = tmp_path / f"made{compiler}.npz"
        flags = f"cxx={compiler},gcc.cxxflags=-O1" if compiler else ""
        told = run(COMPUTED, path, THEANO_FLAGS=flags, SRKIT_CACHE=str(tmp_path))
        assert told == f"{compiler}\n"
        with np.load(path) as arrays:
            made.append([arrays[name] for name in arrays])
    assert list((tmp_path / "theano").rglob("*.so"))
    for plain, compiled in zip(*made, strict=True):
        np.testing.assert_allclose(compiled, plain, atol=1e-5, rtol=1e-5)
