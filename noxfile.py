"""Sessions: lint, tests, frameworks, base, wheel.

`nox` runs them all, `nox -s tests` one.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

HERE = Path(__file__).parent
# Where no GPU build is wanted: a plain torch would bring gigabytes of CUDA along.
# Without a cache, since wheels of gigabytes would lie on the disk twice.
CONSTRAINTS = {"PIP_CONSTRAINT": str(HERE / "constraints.txt"), "PIP_NO_CACHE_DIR": "1"}
# Everything is offline once it is installed; the proxies lead nowhere.
OFFLINE = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")

nox.options.sessions = ["lint", "tests", "frameworks", "base", "wheel"]
nox.options.default_venv_backend = "venv"
nox.options.error_on_external_run = True


def install(session: nox.Session, *packages: str) -> None:
    """Install under the constraints."""
    session.install(*packages, env=CONSTRAINTS)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types."""
    install(session, "-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests and doctests, with every framework."""
    install(session, "-e", ".[all,test]")
    session.run("pytest", *session.posargs)


@nox.session
def frameworks(session: nox.Session) -> None:
    """The other frameworks themselves, OpenCV and OpenVINO too, in one process with torch.

    One environment for all of them: each of its own would be three gigabytes.
    """
    extras = "train,tensorflow,lasagne,onnx,openvino,test"
    install(session, "-e", f".[{extras}]", "opencv-contrib-python-headless")
    tested = ("tests/graphs", "tests/lasagne_theano", "tests/onnx_files")
    doctested = ("srkit/adapters/onnx", "srkit/adapters/openvino")
    session.run("pytest", *tested, *doctested, *session.posargs)


@nox.session
def base(session: nox.Session) -> None:
    """The base install, without any framework."""
    install(session, "-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """The wheel alone, away from the checkout and offline, does the main job."""
    folder = Path(session.create_tmp())
    session.install("build", env=CONSTRAINTS)
    session.run("python", "-m", "build", "--wheel", "--outdir", str(folder), env=CONSTRAINTS)
    built = max(folder.glob("*.whl"), key=os.path.getmtime)
    install(session, f"{built}[all]")
    session.chdir(folder)
    session.run("srkit", "compare", "--sample", "-o", "sheet.png", env=OFFLINE)
    check = "from PIL import Image; s = Image.open('sheet.png'); s.load(); assert s.width > 1000"
    session.run("python", "-c", check)
