"""``srkit upscale --dask``: the same work on a cluster."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import srkit.dask
from srkit.batch.plan import Failure, is_picture
from srkit.cli.console import write
from srkit.cli.pictures import facts, options_of, request_of, summary
from srkit.dask.stores import absolute
from srkit.errors import CorruptFileError, ImageError, OptionError, UnsafeFileError
from srkit.imaging.files import formats
from srkit.imaging.files.zarr import ZARR


def run(args: argparse.Namespace) -> int:
    """Upscale files, or one huge picture in blocks where the output is a Zarr store."""
    if args.output is None:
        raise OptionError("--dask writes into a folder: name it by -o")
    if args.skip_existing:
        raise OptionError("--dask leaves out by itself what it made before; drop --skip-existing")
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
        request=replace(request_of(args), existing="replace"),
        format=args.format,
        manifest=args.manifest,
        **common,
    )
    if args.json:
        results = ((one.source, one.target, one.left_out, one.decided) for one in report.results)
        earlier = ((one.source, one.target) for one in report.earlier)
        write(facts(args, results, earlier, report.failures))
    else:
        write(os.fspath(args.output))
    return summary(report.written, report.skipped, report.failures)


def _blocks(args: argparse.Namespace, common: dict[str, Any]) -> int:
    if formats.written_as(args.output) is not ZARR or len(args.inputs) > 1:
        raise OptionError(
            f"-o {args.output}: with --dask name a folder for files, or a .zarr for one huge "
            "picture"
        )
    for name in ("width", "height", "consistent", "format", "quality", "exposure", "manifest"):
        given = getattr(args, name)
        if given is not None and given is not False:  # an exposure of 0 is one, too
            raise OptionError(f"--{name} is not for pictures in blocks")
    source = absolute(args.inputs[0])
    try:
        report = srkit.dask.upscale_blocks(
            source,
            args.output,
            args.model,
            memory=args.memory,
            self_ensemble=args.self_ensemble,
            **common,
        )
    except (ImageError, CorruptFileError, UnsafeFileError, FileNotFoundError) as error:
        elsewhere = isinstance(error, FileNotFoundError) and Path(source).exists()
        if not args.json or elsewhere:
            raise
        told = error.strerror if isinstance(error, OSError) else None
        failure = Failure.of(source, error, told or str(error).removeprefix(f"{source}: "))
        write(facts(args, (), (), [failure]))
        return summary(0, 0, [failure])
    if args.json:
        write(facts(args, [(source, report.path, report.left_out, report.decided)], (), ()))
    else:
        write(str(report.path))
    told = f"srkit: {report.blocks} blocks in {report.seconds:.1f} s"
    if report.resumed:
        told += f"; {report.resumed} were done before"
    write(told, sys.stderr)
    return 0
