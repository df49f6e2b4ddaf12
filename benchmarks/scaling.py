"""How work on a cluster grows with its workers: the figures of docs/scaling.md.

    python benchmarks/scaling.py files photos/ --model srresnet --copies 2
    python benchmarks/scaling.py blocks --side 10000 --limit 1.5GB
    python benchmarks/scaling.py stub --files 100000 --workers 2
    python benchmarks/scaling.py stub --files 20000 --workers 100 --seconds 1

`files` upscales a folder with one worker process and with two, in turn. `blocks` upscales a grey
Zarr store of noise and waves. `stub` gives a real scheduler tasks that do nothing, or sleep: its
workers are processes, or beyond eight threads of one, since they need no cores.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import psutil
from distributed import Client, LocalCluster

import srkit.dask
from srkit.cli.console import byte_count
from srkit.dask.tasks import bounded
from srkit.imaging.files.formats import SUFFIXES

PROCESSES = 8  # workers beyond are threads


class Peak:
    """Most memory that each process of a kind held, watched from outside."""

    def __init__(self, pids: list[int]) -> None:
        self.bytes = dict.fromkeys(pids, 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            for pid in self.bytes:
                try:
                    held = psutil.Process(pid).memory_info().rss
                except psutil.NoSuchProcess:
                    continue
                self.bytes[pid] = max(self.bytes[pid], held)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@contextmanager
def workers(count: int, limit: int | str = "auto") -> Iterator[Client]:
    """A cluster of so many workers with a core each."""
    with (
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=count <= PROCESSES,
            memory_limit=limit,
            dashboard_address=":0",
        ) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(count, timeout=120)
        yield client


def process_ids(client: Client) -> list[int]:
    """Of the workers."""
    import os

    return list(client.run(os.getpid).values())


def files(args: argparse.Namespace) -> None:
    """Time one worker and two, in turn, and print what two are worth."""
    with tempfile.TemporaryDirectory() as name:
        photos, megapixels = copies(args.folder, Path(name) / "in", args.copies)
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for turn in range(args.turns):
            for count in seconds:
                out = Path(name) / f"out{turn}-{count}"
                with workers(count) as client:
                    # The first file of each worker waits for its model: that is not measured.
                    warm = {"scale": args.scale, "client": client}
                    upscale = partial(srkit.dask.upscale_files, model=args.model, **warm)
                    few = [str(p) for p in sorted(photos.iterdir())[: 2 * count]]
                    upscale(few, str(Path(name) / f"warm{turn}-{count}"))
                    begun = time.perf_counter()
                    report = upscale([str(photos)], str(out))
                    seconds[count].append(time.perf_counter() - begun)
                print(f"{count} workers: {report.written} files, {seconds[count][-1]:.1f} s")
                shutil.rmtree(out)
    one, two = (statistics.median(found) for found in seconds.values())
    print(f"median {one:.1f} s and {two:.1f} s; {one / megapixels:.3f} s a megapixel of input")
    print(f"speed of two workers {one / two:.2f}, efficiency {one / two / 2:.2f}")


def copies(folder: Path, into: Path, count: int) -> tuple[Path, float]:
    """Each picture of a folder several times, and their megapixels."""
    into.mkdir()
    pixels = 0
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES):
        image = srkit.read_image(path)
        pixels += count * image.height * image.width
        for number in range(count):
            shutil.copy(path, into / f"{path.stem}-{number}{path.suffix}")
    return into, pixels / 1e6


def blocks(args: argparse.Namespace) -> None:
    """Upscale a large grey store with two workers, watching their memory."""
    with tempfile.TemporaryDirectory(dir=args.scratch) as name:
        source, target = Path(name) / "large.zarr", Path(name) / "large_x2.zarr"
        make_store(source, args.side)
        for count in args.workers:
            with workers(count, args.limit) as client, Peak(process_ids(client)) as peak:
                report = srkit.dask.upscale_blocks(
                    source, target, "espcn", scale=2, client=client, overwrite=True
                )
            held = ", ".join(f"{n / 1e6:.0f}" for n in peak.bytes.values())
            megapixels = args.side**2 / 1e6
            print(
                f"{count} workers of {args.limit / 1e6:.0f} MB: {report.blocks} blocks of "
                f"{args.side}x{args.side} in {report.seconds:.1f} s, "
                f"{megapixels / report.seconds:.2f} MP/s; peaks {held} MB"
            )


def make_store(path: Path, side: int) -> None:
    """Waves under noise: grey, of 8 bits, in chunks of a thousand."""
    import zarr

    array = zarr.create_array(
        store=str(path), shape=(side, side), chunks=(1000, 1000), dtype="uint8"
    )
    rng, x = np.random.default_rng(0), np.arange(side)
    for top in range(0, side, 1000):
        y = np.arange(top, min(top + 1000, side))[:, None]
        waves = 127 + 60 * np.sin(x / 37) * np.cos(y / 23) + rng.normal(0, 12, (len(y), side))
        array[top : top + len(y)] = np.clip(waves, 0, 255).astype(np.uint8)


def pretend(seconds: float, item: tuple[str, str]) -> None:
    """Work that takes its time and does nothing."""
    if seconds:
        time.sleep(seconds)


def stub(args: argparse.Namespace) -> None:
    """Count tasks a second, as pairs of paths that nobody reads."""
    items = ((f"photos/{n:07d}.jpg", f"out/{n:07d}_x4.jpg") for n in range(args.files))
    with workers(args.workers) as client, Peak([psutil.Process().pid]) as peak:
        begun, cpu = time.perf_counter(), time.process_time()
        function = partial(pretend, args.seconds)
        done = sum(1 for _ in bounded(client, function, items, retries=0, resources={}))
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    ideal = args.files * args.seconds / args.workers
    print(
        f"{args.workers} workers, {done} tasks of {args.seconds} s: {seconds:.1f} s, "
        f"{done / seconds:.0f} tasks/s, {1e3 * cpu / done:.2f} ms of scheduler's and client's CPU "
        f"each, efficiency {ideal / seconds:.2f}, peak {max(peak.bytes.values()) / 1e6:.0f} MB"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure how work grows with workers.")
    kinds = parser.add_subparsers(required=True)
    one = kinds.add_parser("files")
    one.add_argument("folder", type=Path)
    one.add_argument("--model", default="srresnet")
    one.add_argument("--scale", type=int, default=4)
    one.add_argument("--copies", type=int, default=1)
    one.add_argument("--turns", type=int, default=3)
    one.set_defaults(run=files)
    two = kinds.add_parser("blocks")
    two.add_argument("--side", type=int, default=10000)
    two.add_argument("--limit", type=byte_count, default=1_500_000_000)
    two.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    two.add_argument("--scratch", type=Path)
    two.set_defaults(run=blocks)
    three = kinds.add_parser("stub")
    three.add_argument("--files", type=int, default=100_000)
    three.add_argument("--workers", type=int, default=2)
    three.add_argument("--seconds", type=float, default=0.0)
    three.set_defaults(run=stub)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
