"""Damage small good files at random and read them, for as long as it takes; not run by pytest.

::

    nice -n 15 python tests/soak/fuzz_parsers.py --found found               # every parser
    python tests/soak/fuzz_parsers.py tiff graphdef --count 1000
    python tests/soak/fuzz_parsers.py --seconds 120                          # as CI does

Whatever is raised and is no `SrkitError`, takes over 10 s of computing or 1 GiB, or ends the
process is a find: the input is kept, under a name that says what came. Inputs are the same each
time by their number, so `--first` goes on where a run ended. With `--seconds` the parsers share
that time, and the first number is drawn; printed as the seed, it brings the same inputs again.

Files in ``corpus/PARSER`` were finds once. Each is read before anything else, and then damaged as
the good files are. A new find belongs there when its fault is mended.
"""

from __future__ import annotations

import argparse
import collections
import logging
import math
import mmap
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

import parsers
import pictures
from damage import damaged

from srkit.errors import SrkitError

GROUPS: tuple[Callable[[], dict[str, parsers.Parser]], ...] = (
    *(parsers.texts, parsers.strangers, pictures.metadata, parsers.ncnn, parsers.enhance),
    *(parsers.checkpoints, parsers.graphs, pictures.png, pictures.tiff, pictures.pillow),
    *(pictures.heif, pictures.jxl, pictures.radiance, pictures.exr, pictures.raw),
    *(pictures.zarrs, pictures.video, parsers.onnx),
)
SECONDS, BYTES = 10, 1 << 30
# Inputs that one process reads, and seconds without a new one until it is ended.
_EACH, _PATIENCE = 500, 120
CORPUS = Path(__file__).with_name("corpus")
# Inputs that quick parsers try, and how much more of the time the others get.
_MANY, _SLOWER = 100_000, 4
# Numbers that a run draws its first from.
_DRAWN = 10**9
_CLEAR_PEAK = b"5"
_COUNTS = struct.Struct("<QQQdQ")  # inputs begun, read, refused; slowest; largest growth


class Slow(BaseException):
    """Ends a reader that computes for too long; no reader catches it."""


def _late(_: int, frame: FrameType | None) -> None:
    place = traceback.extract_stack(frame)[-1]
    raise Slow(f"{Path(place.filename).name}_{place.lineno}")


def _peak() -> int:
    """Most bytes that this process has held since the mark was cleared."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
    return 0


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/srkit/" in frame.filename]
    last = (ours or frames)[-1]
    return f"{type(error).__name__}_{Path(last.filename).name}_{last.lineno}"


def _one(parser: parsers.Parser, folder: Path, data: bytes) -> tuple[str, bool]:
    """What is wrong with how an input is read, and whether it is read."""
    try:
        parser.read(folder, data)
    except SrkitError:
        return "", False
    except Slow as error:
        return f"slow_{error}", False
    except Exception as error:  # noqa: BLE001  # the finds
        return _place(error), False
    return "", True


def _child(
    parser: parsers.Parser,
    name: str,
    numbers: range,
    shared: mmap.mmap,
    out: Path,
    until: float,
) -> None:
    signal.signal(signal.SIGPROF, _late)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    begun, read, refused, slowest, largest = _COUNTS.unpack(shared[: _COUNTS.size])
    for number in numbers:
        if time.monotonic() > until:
            break
        data = parser.pack(damaged(random.Random(f"{name} {number}"), parser.seeds))
        begun += 1
        shared[: _COUNTS.size] = _COUNTS.pack(begun, read, refused, slowest, largest)
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            Path("/proc/self/clear_refs").write_bytes(_CLEAR_PEAK)
            before, since = _peak(), time.process_time()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            wrong, whole = _one(parser, Path(folder), data)
            signal.setitimer(signal.ITIMER_PROF, 0)
        grown = max(0, _peak() - before)
        slowest, largest = max(slowest, time.process_time() - since), max(largest, grown)
        read, refused = read + whole, refused + (not whole)
        if grown > BYTES:
            wrong = wrong or f"memory_{grown >> 20}_MB"
        if wrong:
            _keep(out, name, wrong, number, data)
    shared[: _COUNTS.size] = _COUNTS.pack(begun, read, refused, slowest, largest)


def _keep(out: Path, name: str, wrong: str, number: int, data: bytes) -> None:
    """Keep the first few inputs of each kind of find."""
    kept = list(out.glob(f"{name}-{wrong}-*"))
    with (out / "finds.txt").open("a") as file:
        file.write(f"{name} {wrong} {number}\n")
    if len(kept) < 3:
        (out / f"{name}-{wrong}-{number}.bin").write_bytes(data)


def check_seeds(parser: parsers.Parser) -> None:
    """Read the good files: what is refused before it is damaged tries nothing."""
    for seed in parser.seeds:
        with tempfile.TemporaryDirectory() as folder:
            parser.read(Path(folder), parser.pack(seed))


def with_corpus(name: str, parser: parsers.Parser) -> parsers.Parser:
    """A parser whose inputs are made of what was found before, too; half of them of good files."""
    found = [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]
    times = -(-len(found) // len(parser.seeds)) or 1
    return replace(parser, seeds=[*list(parser.seeds) * times, *found])


def check_corpus(name: str, parser: parsers.Parser) -> list[str]:
    """Read what was found before; what is wrong with how it is read now."""
    wrong = []
    for path in sorted((CORPUS / name).glob("*")):
        with tempfile.TemporaryDirectory() as folder:
            found, _ = _one(parser, Path(folder), parser.pack(path.read_bytes()))
        wrong += [f"{path.name}: {found}"] if found else []
    return wrong


def _waited(child: int, shared: mmap.mmap) -> int:
    """How a process ended; one that stands still is ended."""
    begun, since = -1, time.monotonic()
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        (now,) = struct.unpack_from("<Q", shared)
        if now != begun:
            begun, since = now, time.monotonic()
        elif time.monotonic() - since > _PATIENCE:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.05)


def fuzz(
    name: str, parser: parsers.Parser, numbers: range, out: Path, seconds: float = math.inf
) -> str:
    """Try inputs of some numbers, for so long at most; gives a line about them."""
    shared = mmap.mmap(-1, _COUNTS.size)
    shared[:] = _COUNTS.pack(numbers.start, 0, 0, 0.0, 0)
    since, at = time.monotonic(), numbers.start
    until = since + seconds
    while at < numbers.stop and time.monotonic() < until:
        child = os.fork()
        if not child:
            code = 1
            try:
                _child(parser, name, range(at, min(at + _EACH, numbers.stop)), shared, out, until)
                code = 0
            except BaseException:  # noqa: BLE001  # a fault of this script
                traceback.print_exc()
            finally:
                os._exit(code)
        code = _waited(child, shared)
        (at,) = struct.unpack_from("<Q", shared)
        if code:
            data = parser.pack(damaged(random.Random(f"{name} {at - 1}"), parser.seeds))
            _keep(out, name, f"ended_{code}", at - 1, data)
    begun, read, refused, slowest, largest = _COUNTS.unpack(shared[:])
    finds = _finds(out, name)
    return (
        f"{name}: {begun - numbers.start} tried, {read} read, {refused} refused, "
        f"slowest {slowest:.2f} s, most {largest >> 20} MB, {time.monotonic() - since:.0f} s in "
        f"all; finds: {dict(finds) or 'none'}"
    )


def _finds(out: Path, name: str) -> collections.Counter[str]:
    path = out / "finds.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return collections.Counter(line.split()[1] for line in lines if line.split()[0] == name)


def main() -> None:
    """Try the parsers that are named, or all; ends with 1 where there are finds."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("parsers", nargs="*", help="names; by default all")
    options.add_argument("--count", type=int, help="inputs each, instead of 10^5 or 10^4")
    options.add_argument("--first", type=int, help="number of the first input")
    options.add_argument("--seconds", type=float, help="time for all of them together")
    options.add_argument("--found", type=Path, default=Path("found"), help="folder of finds")
    args = options.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    args.found.mkdir(parents=True, exist_ok=True)
    known = _known()
    if unknown := [name for name in args.parsers if name not in known]:
        sys.exit(f"there is no parser {unknown[0]!r}; there are {', '.join(known)}")
    names = args.parsers or list(known)
    drawn = random.SystemRandom().randrange(_DRAWN) if args.seconds else 0
    first = drawn if args.first is None else args.first
    print(f"seed: --first {first}", flush=True)
    # Those that take long for an input get more of the time.
    shares = {name: _SLOWER if known[name].count < _MANY else 1 for name in names}
    unit = (args.seconds or math.inf) / sum(shares.values())
    tried = [_try(name, known[name], args, first, shares[name] * unit) for name in names]
    if any(tried):
        sys.exit(f"finds are kept in {args.found}; the same inputs: --first {first}")


def _known() -> dict[str, parsers.Parser]:
    """All parsers whose packages are installed; of others it is said that they are left out."""
    known: dict[str, parsers.Parser] = {}
    for group in GROUPS:
        try:
            known |= group()
        except ImportError as error:
            print(f"left out: {group.__name__}: {error}", flush=True)
    return known


def _try(
    name: str, parser: parsers.Parser, args: argparse.Namespace, first: int, seconds: float
) -> bool:
    """Try a parser; whether there are finds."""
    since = time.monotonic()
    check_seeds(parser)
    old = check_corpus(name, parser)
    for line in old:
        print(f"{name}: found again: {line}", flush=True)
    numbers = range(first, first + (args.count or parser.count))
    left = max(1.0, seconds - (time.monotonic() - since))
    print(fuzz(name, with_corpus(name, parser), numbers, args.found, left), flush=True)
    return bool(old or _finds(args.found, name))


if __name__ == "__main__":
    main()
