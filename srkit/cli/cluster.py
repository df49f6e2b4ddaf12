"""``srkit upscale --dask``: the same work on a cluster."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import srkit.dask
from srkit.batch.plan import is_picture
from srkit.cli.console import write
from srkit.cli.upscale import options_of, request_of, summary
from srkit.errors import OptionError
from srkit.imaging import zarrs


def run(args: argparse.Namespace) -> int:
    """Upscale files, or one huge picture in blocks where the output is a Zarr store."""
    if args.output is None:
        raise OptionError("--dask writes into a folder: name it by -o")
    if args.skip_existing:
        raise OptionError("--dask leaves out by itself what it made before; drop --skip-existing")
    if args.json:
        raise OptionError("--json is not for --dask: --manifest names a file for programs")
    common: dict[str, Any] = {
        "client": args.dask,
        "scale": args.scale,
        "overwrite": args.overwrite,
        "progress": sys.stderr.isatty(),
        **options_of(args),
    }
    with srkit.dask.cluster(args.dask) as client:
        common["client"] = client
        if isinstance(args.output, Path) and is_picture(args.output):
            return _blocks(args, common)
        return _files(args, common)


def _files(args: argparse.Namespace, common: dict[str, Any]) -> int:
    report = srkit.dask.upscale_files(
        args.inputs,
        args.output,
        args.model,
        request=request_of(args),
        format=args.format,
        manifest=args.manifest,
        **common,
    )
    write(os.fspath(args.output))
    return summary(report.written, report.skipped, report.failures)


def _blocks(args: argparse.Namespace, common: dict[str, Any]) -> int:
    if args.output.suffix.lower() != zarrs.SUFFIX or len(args.inputs) > 1:
        raise OptionError(
            f"-o {args.output}: with --dask name a folder for files, or a .zarr for one huge "
            "picture"
        )
    for name in ("width", "height", "consistent", "format", "quality", "manifest"):
        if getattr(args, name):
            raise OptionError(f"--{name} is not for pictures in blocks")
    report = srkit.dask.upscale_blocks(
        args.inputs[0],
        args.output,
        args.model,
        memory=args.memory,
        self_ensemble=args.self_ensemble,
        **common,
    )
    write(str(report.path))
    told = f"srkit: {report.blocks} blocks in {report.seconds:.1f} s"
    if report.resumed:
        told += f"; {report.resumed} were done before"
    write(told, sys.stderr)
    return 0
