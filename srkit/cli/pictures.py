"""What ``srkit upscale`` asks for, and what it tells of it, on this machine or a cluster."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from srkit.batch.plan import Failure
from srkit.batch.work import Request
from srkit.cli.console import notes_of, write
from srkit.cli.escaping import one_line
from srkit.upscaling import decisions, forecast
from srkit.upscaling.upscaler import Upscaler

# Source, target, what could not be kept, and what was decided for the picture.
Written = tuple[Path | str, Path | str, Sequence[str], Mapping[str, float]]


def facts(
    args: argparse.Namespace,
    written: Iterable[Written],
    skipped: Iterable[tuple[Path | str, Path | str]],
    failures: Sequence[Failure],
) -> str:
    """What a program reads, here or of a cluster.

    Parameters
    ----------
    args
        What was asked: the model, and its options where given.
    written
        Each result.
    skipped
        Source and target of what was there already.
    failures
        The rest.
    """
    told = {
        "model": str(args.model),
        "options": {
            **({"scale": args.scale} if args.scale is not None else {}),
            **options_of(args),
        },
        "written": [
            {
                "source": str(source),
                "target": str(target),
                "left_out": list(left_out),
                "decided": dict(decided),
            }
            for source, target, left_out, decided in written
        ],
        "skipped": [{"source": str(source), "target": str(target)} for source, target in skipped],
        "failed": [{"source": str(f.path), "reason": f.reason, "kind": f.kind} for f in failures],
    }
    return json.dumps(told, indent=2)


def interrupted(source: Path | str) -> Failure:
    """What programs are told of a picture that was not made, since the command was ended."""
    return Failure(source, "interrupted", KeyboardInterrupt.__name__)


def options_of(args: argparse.Namespace) -> dict[str, Any]:
    """Options of the model that were given."""
    names = ("device", "precision", "perception", "denoise", "weights", "border", "halo")
    given = {name: getattr(args, name) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def request_of(args: argparse.Namespace) -> Request:
    """What the arguments ask of each file."""
    return Request(
        width=args.width,
        height=args.height,
        memory=args.memory,
        self_ensemble=args.self_ensemble,
        consistent=args.consistent,
        quality=args.quality,
        max_pixels=args.max_pixels,
        exposure=args.exposure,
        existing="replace" if args.overwrite else "skip" if args.skip_existing else "refuse",
    )


def progress_bar(upscaler: Upscaler, count: int) -> Any:
    """A bar of so many pictures, or of the pixels of one; none where stderr is no terminal."""
    alone = count == 1
    return tqdm(
        total=None if alone else count,
        desc=one_line(f"{upscaler.card.name} x{upscaler.scale}"),
        unit="px" if alone else "image",
        unit_scale=alone,
        disable=None,
    )


def reporting(bar: Any) -> Callable[[int, int], None]:
    """What tells a bar of the pixels that are done."""

    def report(ready: int, pixels: int) -> None:
        bar.total = pixels
        bar.update(ready - bar.n)

    return report


@contextmanager
def telling(upscaler: Upscaler, others: str) -> Iterator[None]:
    """Write what is decided, and how long it will take, to stderr as notes.

    Parameters
    ----------
    others
        For who named no model, since none is for all pictures; once, with what is decided.
    """
    if others and not upscaler.decides:
        write(f"srkit: note: {upscaler.card.name} x{upscaler.scale}{others}", sys.stderr)
    with notes_of_work(others):
        yield


@contextmanager
def notes_of_work(first: str = "") -> Iterator[None]:
    """Within this, what models decide, and how long they will take, is written to stderr.

    Parameters
    ----------
    first
        What the first note of a decision ends with.
    """
    with notes_of(forecast.log), notes_of(decisions.log, first=first):
        yield


def summary(written: int, skipped: int, failures: Sequence[Failure]) -> int:
    """Tell what was done, if there is more to tell than names; returns the exit code."""
    if skipped or failures:
        counts = {"written": written, "skipped": skipped, "failed": len(failures)}
        told = ", ".join(f"{n} {what}" for what, n in counts.items() if n or what == "written")
        write(f"srkit: {told}{':' if failures else ''}", sys.stderr)
        for failure in failures:
            write(f"  {one_line(failure.path)}: {one_line(failure.reason)}", sys.stderr)
    return 1 if failures else 0
