"""Call everything in turn, for as long as it takes, and tell what memory grows; not run by pytest.

::

    nice -n 15 python tests/soak/mixed_calls.py --minutes 60
    python tests/soak/mixed_calls.py --minutes 10 --only upscale --trace

A line now and then: resident memory; what glibc has handed out, keeps for what comes and has
mapped; objects that Python counts; entries in srkit's caches; threads and open files. With
``--trace``, at the end the lines of Python that hold more than at the first measure.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import ctypes
import functools
import gc
import logging
import os
import random
import tempfile
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

import srkit
from srkit.memory import Kept

MODELS = (
    *("bicubic", "lanczos", "espcn", "fsrcnn", "photo", "unet", "srresnet", "neural-enhance"),
    *("realesr-animevideo", "vsr-small"),
)
SLOW = {"srresnet": 40, "unet": 64, "neural-enhance": 48, "realesr-animevideo": 40, "vsr-small": 40}
SUFFIXES = ".png", ".jpg", ".tif", ".webp", ".bmp", ".avif", ".zarr"
Call = Callable[[random.Random, Path], object]


def picture(
    rng: random.Random, most: int = 160, channels: tuple[int, ...] = (0, 1, 3, 4)
) -> object:
    """Random pixels of a random size, depth and kind."""
    sides = rng.randint(9, most), rng.randint(9, most)
    count = rng.choice(channels)
    shape = (*sides, count) if count else sides
    made = np.frombuffer(rng.randbytes(int(np.prod(shape))), np.uint8).reshape(shape)
    kind = rng.choice(("uint8", "uint8", "uint16", "float32"))
    if kind == "float32":
        return made.astype(np.float32) / 255
    return made.astype(kind) * (257 if kind == "uint16" else 1)


@functools.lru_cache(maxsize=len(MODELS))
def _kept(name: str) -> srkit.Upscaler:
    return srkit.load(name)


def upscale(rng: random.Random, _: Path) -> None:
    """An array: whole, in tiles, to a size, as a batch, eight times."""
    name = rng.choice(MODELS)
    model = srkit.load(name) if rng.random() < 0.3 else _kept(name)
    image = np.asarray(picture(rng, SLOW.get(name, 160)))
    way = rng.choice(("whole", "tiles", "size", "batch", "ensemble", "consistent"))
    if way == "tiles":
        with contextlib.suppress(srkit.OptionError):
            model.upscale(image, memory=rng.randint(2 << 20, 40 << 20))
    elif way == "size":
        model.upscale(image, size=(rng.randint(20, 300), rng.randint(20, 300)))
    elif way == "batch":
        model.upscale(np.stack([np.atleast_3d(image)] * rng.randint(1, 3)))
    elif way == "whole" or max(image.shape) > 60:
        model.upscale(image)
    else:
        options = {"self_ensemble": True} if way == "ensemble" else {"consistent": True}
        model.upscale(image, **options)


def files(rng: random.Random, folder: Path) -> None:
    """A file of some format, read, upscaled and written; some damaged."""
    shape = rng.randint(9, 160), rng.randint(9, 160), 3
    made = np.frombuffer(rng.randbytes(int(np.prod(shape))), np.uint8).reshape(shape)
    path = folder / f"a{rng.choice(SUFFIXES)}"
    srkit.Image(made).save(path)
    image = srkit.read_image(path)
    srkit.upscale(image, rng.choice(("bicubic", "espcn", "photo")), scale=2).save(
        folder / f"b{rng.choice(SUFFIXES)}"
    )
    if path.is_file():
        path.write_bytes(path.read_bytes()[: rng.randint(1, path.stat().st_size)])
        with contextlib.suppress(srkit.SrkitError):
            srkit.read_image(path)


def rows(rng: random.Random, folder: Path) -> None:
    """From file to file by rows."""
    made = np.asarray(picture(rng, 400, channels=(0, 3)))
    made = (made * 255).astype(np.uint8) if made.dtype == np.float32 else made
    source, target = (folder / f"{name}{rng.choice(('.tif', '.zarr'))}" for name in "cd")
    srkit.Image(made).save(source)
    _kept(rng.choice(("bicubic", "espcn", "fsrcnn"))).upscale_file(source, target)


def metrics(rng: random.Random, _: Path) -> None:
    """PSNR and SSIM; SSIM's window is 11 pixels wide."""
    first = np.frombuffer(rng.randbytes(3 * (size := rng.randint(16, 200)) * 40), np.uint8).reshape(
        size, 40, 3
    )
    srkit.metrics.psnr(first, first[::-1])
    srkit.metrics.ssim(first, first[::-1], window=rng.choice(("gaussian", "uniform")))
    srkit.imresize(first, size=(rng.randint(5, 300), rng.randint(5, 300)))


def weights(rng: random.Random, folder: Path) -> None:
    """Files of weights: told of, loaded, and damaged."""
    from srkit.models.weights import PACKAGED

    path = rng.choice(sorted(PACKAGED.glob("*espcn*")) + sorted(PACKAGED.glob("*fsrcnn*")))
    srkit.inspect(path)
    damaged = folder / "damaged.safetensors"
    data = bytearray(path.read_bytes())
    data[rng.randrange(min(400, len(data)))] ^= 255
    damaged.write_bytes(data)
    with contextlib.suppress(srkit.SrkitError):
        srkit.load(damaged)


def video(rng: random.Random, folder: Path) -> None:
    """A clip of some frames."""
    import av

    path, count = folder / "clip.mp4", rng.randint(2, 6)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height = 2 * rng.randint(12, 40), 2 * rng.randint(12, 40)
        stream.pix_fmt = "yuv420p"
        for n in range(count):
            frame = np.full((stream.height, stream.width, 3), 40 * n, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    srkit.upscale_video(path, folder / "large.mp4", rng.choice(("espcn", "bicubic")),
                        scale=2, overwrite=True)  # fmt: skip


CALLS: dict[str, tuple[Call, int]] = {
    "upscale": (upscale, 12),
    "files": (files, 5),
    "rows": (rows, 2),
    "metrics": (metrics, 4),
    "weights": (weights, 2),
    "video": (video, 1),
}


class _Heap(ctypes.Structure):
    """Of mallinfo2(3): arenas, handed out, kept, mapped."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
                     "uordblks", "fordblks", "keepcost")
    )  # fmt: skip


def heap() -> str:
    """What glibc says of its memory; empty for other allocators."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return ""
    ask.restype = _Heap
    told = ask()
    return (
        f"handed out {told.uordblks >> 20}, kept {told.fordblks >> 20}, "
        f"mapped {told.hblkhd >> 20} MB"
    )


def trimmed() -> str:
    """What is left once glibc has given back all that it can."""
    before = resident()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    return f"glibc gives back {(before - resident()) >> 20} MB when asked; {heap()}"


def caches() -> str:
    """Entries in each cache of srkit that has any."""
    found: collections.Counter[str] = collections.Counter()
    for thing in gc.get_objects():
        if type(thing) is functools._lru_cache_wrapper:
            module = str(thing.__module__)
            if module.startswith("srkit") and (size := thing.cache_info().currsize):
                found[f"{module.removeprefix('srkit.')}.{thing.__name__}"] += size
        elif isinstance(thing, Kept) and len(thing):
            found[f"{thing.__module__.removeprefix('srkit.')}.{thing.__name__}"] += len(thing)
    return " ".join(f"{name}={size}" for name, size in sorted(found.items()))


def resident() -> int:
    """Bytes of memory that the process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(since: float, done: collections.Counter[str]) -> str:
    """A line about memory."""
    gc.collect()
    files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return (
        f"{(time.monotonic() - since) / 60:5.1f} min, {sum(done.values())} calls: "
        f"{resident() >> 20} MB resident; {heap()}; {len(gc.get_objects())} objects, "
        f"{threading.active_count()} threads, {files} files; {caches()}"
    )


def grown(before: tracemalloc.Snapshot) -> str:
    """The lines of Python that hold most more than before."""
    now = tracemalloc.take_snapshot().filter_traces(
        [tracemalloc.Filter(False, tracemalloc.__file__)]
    )
    return "\n".join(str(line) for line in now.compare_to(before, "lineno")[:25])


def main() -> None:
    """Call, and measure."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--minutes", type=float, default=15)
    options.add_argument("--every", type=float, default=60, help="seconds between measures")
    options.add_argument("--only", choices=CALLS, help="one kind of call")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--trace", action="store_true", help="find the lines that hold memory")
    args = options.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    rng = random.Random(args.seed)
    names = (
        [args.only] if args.only else [n for n, (_, often) in CALLS.items() for _ in range(often)]
    )
    since, told, done = time.monotonic(), 0.0, collections.Counter[str]()
    first = None
    while (now := time.monotonic() - since) < 60 * args.minutes:
        name = rng.choice(names)
        with tempfile.TemporaryDirectory() as folder:
            CALLS[name][0](rng, Path(folder))
        done[name] += 1
        if now - told >= args.every:
            told = now
            print(measure(since, done), flush=True)
            if args.trace and first is None:
                tracemalloc.start(8)
                first = tracemalloc.take_snapshot()
    print(measure(since, done), dict(done), trimmed(), flush=True)
    if first:
        print(grown(first))


if __name__ == "__main__":
    main()
