"""Many files on the workers of a cluster."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from distributed import Client, get_worker

from srkit.batch.plan import Failure, is_picture
from srkit.batch.work import Request, attempt
from srkit.dask.manifest import check_manifest, write_manifest
from srkit.dask.models import Recipe, budget, digest_of, model_of, recipe_for
from srkit.dask.record import BEGUN, DONE, FAILED, FOLDER, Entry, Record
from srkit.dask.stores import Pair, absolute, local, plan
from srkit.dask.tasks import Done, bounded, cluster, resources_for
from srkit.errors import OptionError, SrkitError
from srkit.imaging import notes
from srkit.imaging.files.formats import SUFFIXES
from srkit.imaging.files.remote import filesystem, is_url
from srkit.progress import Meter
from srkit.upscaling import decisions
from srkit.upscaling.upscaler import Progress


@dataclass(frozen=True)
class Result:
    """A file that was made, or had been before.

    Attributes
    ----------
    source, target
        What was read, and what was written: paths or URLs.
    left_out
        What the source says and the target cannot keep; empty for what had been made before.
    decided
        Options that the model chose for the picture, by name; empty likewise.
    """

    source: str
    target: str
    left_out: tuple[str, ...] = ()
    decided: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FilesReport:
    """What `upscale_files` did.

    Attributes
    ----------
    written, skipped
        How many files were made, and had been made before by the same settings.
    failures
        What could not be made, and why.
    results, earlier
        The files that were written, and those that were skipped.

    Examples
    --------
    >>> FilesReport(written=2, skipped=1, failures=[], results=[], earlier=[])
    FilesReport(written=2, skipped=1, failures=[])
    """

    written: int
    skipped: int
    failures: list[Failure]
    results: list[Result] = field(repr=False)
    earlier: list[Result] = field(repr=False)


@dataclass(frozen=True)
class _Made:
    """What a worker tells of a file."""

    written: int
    seconds: float
    worker: str
    left_out: tuple[str, ...]
    decided: dict[str, float]


def upscale_files(
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    model: str | Path = "photo",
    *,
    client: Client | str,
    scale: int | None = None,
    request: Request | None = None,
    format: str | None = None,  # noqa: A002  the command's name for it
    overwrite: bool = False,
    retries: int = 1,
    resources: Mapping[str, float] | None = None,
    manifest: str | os.PathLike[str] | None = None,
    progress: Progress = False,
    **options: Any,
) -> FilesReport:
    """Upscale image files on a cluster.

    Each worker process loads the model once and makes one file at a time. What was done is
    written down in the folder ``.srkit`` of `output`: called again, this makes what is missing,
    of sources that changed, or by other settings. Workers read and write the files themselves,
    so paths lie where all of them reach.

    Parameters
    ----------
    inputs
        Files, and folders that are searched to any depth: paths, or URLs that fsspec knows, such
        as ``"s3://bucket/photos"``.
    output
        Folder of the results, a path or URL. ``photo.jpg`` becomes ``photo_MODEL_x4.jpg``.
    model, scale, options
        As for `srkit.load`; of `options` plain values.
    client
        Where to work; see `cluster`.
    request
        Size, quality and the like; memory is by default within the limit of the worker.
    format
        Ending of all results, such as ``"png"``; that of each source if left out.
    overwrite
        Replace files in `output` that were not made by this function.
    retries
        How often a file that fails is tried again.
    resources
        That a worker must have, such as ``{"GPU": 1}``, which is meant by ``device="cuda"``.
    manifest
        A .csv or .parquet file to write, with a line for each file.
    progress
        True for a bar, or a function called with files done and in all.

    Returns
    -------
    FilesReport

    Raises
    ------
    OptionError
        If options make no sense, or two results would have one name.
    ClusterError
        If the cluster cannot be reached, or is lost; what is done stays done.
    SrkitError
        As `srkit.load`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from srkit import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("a.png", "b.png"):
    ...     Image(np.zeros((4, 6, 3), np.uint8)).save(folder / name)
    >>> with Client(processes=False, dashboard_address=":0") as client:
    ...     report = upscale_files([folder], folder / "large", "bicubic", scale=2, client=client)
    >>> report.written, report.failures
    (2, [])
    >>> sorted(path.name for path in (folder / "large").glob("*.png"))
    ['a_bicubic_x2.png', 'b_bicubic_x2.png']

    On a cluster of many machines::

        from distributed import Client
        with Client("tcp://scheduler:8786") as client:
            report = srkit.dask.upscale_files(["photos/"], "out/", "srresnet", client=client)
        report.written, report.failures
    """
    request = request or Request()
    place, sources = absolute(output), [absolute(one) for one in inputs]
    _check(place, format, manifest)
    recipe, upscaler = recipe_for(model, scale, options)
    tag = request.tag(upscaler.card.name, upscaler.scale)
    pairs, failures = plan(sources, place, tag, f".{format}" if format else None)
    work = _Work(recipe, request, place, overwrite=overwrite)
    todo, earlier = work.sort(pairs, failures)
    finished: dict[str, Result] = {}
    if todo:
        with cluster(client) as workers, Meter(progress, len(pairs), tag, "image") as advance:
            advance(len(pairs) - len(todo))
            needs = resources_for(workers, resources, options)
            work.record.begin(todo)
            for entry, result in work.run(workers, todo, retries, needs):
                if isinstance(result, Failure):
                    failures.append(result)
                else:
                    finished[entry.target] = Result(
                        entry.source, entry.target, result.left_out, result.decided
                    )
                advance(1)
    if manifest is not None:
        targets = {pair.target for pair in pairs}
        write_manifest(manifest, (e for t, e in work.record.entries.items() if t in targets))
    # In the order of the sources, whichever was finished first.
    results = [finished[pair.target] for pair in pairs if pair.target in finished]
    return FilesReport(len(results), len(earlier), failures, results, earlier)


def _check(output: str, form: str | None, manifest: str | os.PathLike[str] | None) -> None:
    if form is not None and f".{form}" not in SUFFIXES:
        raise OptionError(f"no format is named {form!r}; there are {', '.join(SUFFIXES)}")
    if not is_url(output) and is_picture(Path(output)):
        raise OptionError(f"{output} names a picture; for files on a cluster name a folder")
    if manifest is not None:
        check_manifest(manifest)


class _Work:
    """One call: what its results depend on, and the record of its output."""

    def __init__(self, recipe: Recipe, request: Request, output: str, *, overwrite: bool) -> None:
        self._recipe, self._request, self._overwrite = recipe, request, overwrite
        self._output = output
        # Memory changes how a file is made, and not what comes of it.
        lasting = replace(request, memory=None)
        self._settings = digest_of(recipe.settings(request=repr(lasting)))
        self.record = Record(output)

    def sort(self, pairs: list[Pair], failures: list[Failure]) -> tuple[list[Entry], list[Result]]:
        """Files to make, and those that are done; adds those that must not be made."""
        todo, done = [], []
        there = self._there()
        for pair in pairs:
            entry = Entry(pair.source, pair.target, BEGUN, self._settings, pair.size, pair.stamp)
            have = there.get(filesystem(pair.target)[1])
            known = self.record.entries.get(pair.target)
            if have is not None and known is not None and _same(known, entry, have):
                done.append(Result(pair.source, pair.target))
            elif have is not None and known is None and not self._overwrite:
                reason = f"{pair.target} exists, and was not made by this; use --overwrite"
                failures.append(Failure(pair.source, reason, FileExistsError.__name__))
            else:
                todo.append(entry)
        return todo, done

    def _there(self) -> dict[str, int]:
        """Files in the output folder, and their sizes."""
        system, root = filesystem(self._output)
        if not system.exists(root):
            system.makedirs(root, exist_ok=True)
            return {}
        system.invalidate_cache(root)
        files: dict[str, dict[str, Any]] = system.find(root, withdirs=True, detail=True)
        return {path: _size(info) for path, info in files.items() if f"/{FOLDER}/" not in path}

    def run(
        self, client: Client, todo: list[Entry], retries: int, resources: Mapping[str, float]
    ) -> Iterator[tuple[Entry, _Made | Failure]]:
        """Make the files; yields what became of each, which is recorded, and what was made."""
        function = functools.partial(_make, self._recipe, self._request)
        try:
            done: Done[tuple[str, str]]
            by_pair = {(entry.source, entry.target): entry for entry in todo}
            for done in bounded(client, function, by_pair, retries=retries, resources=resources):
                entry = _entry(by_pair[done.item], done)
                self.record.add(entry)
                if done.error is None:
                    yield entry, done.value
                else:
                    kind = getattr(done.error, "kind", type(done.error).__name__)
                    yield entry, Failure(entry.source, entry.reason, kind)
        finally:
            self.record.flush()


class _AttemptError(SrkitError):
    """A file could not be made on a worker; with the kind of error that it was there."""

    def __init__(self, reason: str, kind: str) -> None:
        super().__init__(reason, kind)
        self.reason, self.kind = reason, kind

    def __str__(self) -> str:
        return self.reason


def _entry(begun: Entry, done: Done[tuple[str, str]]) -> Entry:
    """What became of a file, for the record."""
    if done.error is not None:
        kind = "" if isinstance(done.error, SrkitError) else f"{type(done.error).__name__}: "
        reason = f"{kind}{done.error}"
        return replace(begun, status=FAILED, reason=reason, attempts=done.attempts)
    result: _Made = done.value
    return replace(
        begun,
        status=DONE,
        written=result.written,
        seconds=round(result.seconds, 3),
        attempts=done.attempts,
        worker=result.worker,
    )


def _make(recipe: Recipe, request: Request, pair: tuple[str, str]) -> _Made:
    """Make one file, on a worker."""
    begun = time.monotonic()
    with model_of(recipe) as upscaler, local(*pair) as task:
        if request.memory is None:
            request = replace(request, memory=budget(upscaler))
        with notes.collecting() as lost, decisions.collecting() as decided:
            outcome = attempt(task, upscaler, request)
        if isinstance(outcome, Failure):
            raise _AttemptError(outcome.reason, outcome.kind)
        written = task.target.stat().st_size if task.target.is_file() else 0
    seconds, chosen = time.monotonic() - begun, dict(decided[-1] if decided else ())
    return _Made(written, seconds, get_worker().address, tuple(lost), chosen)


def _same(known: Entry, entry: Entry, size: int) -> bool:
    """Whether a result is there that was made of the same source by the same settings."""
    return known.status == DONE and (
        (known.source, known.settings, known.size, known.stamp, known.written)
        == (entry.source, entry.settings, entry.size, entry.stamp, size)
    )


def _size(info: dict[str, Any]) -> int:
    return 0 if info.get("type") == "directory" else int(info.get("size") or 0)
