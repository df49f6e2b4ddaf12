"""A cluster of the user's, or one of this machine's cores; and tasks on it, few at a time."""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import uuid4

from distributed import Client, Future, KilledWorker, LocalCluster, as_completed

from srkit.errors import ClusterError, OptionError

T = TypeVar("T")

# Tasks that a worker holds: one that it works on, and the next.
HELD = 2
# Seconds for a scheduler to answer, for a first worker to come, and between counts of workers.
PATIENCE, COUNTING = 60.0, 5.0


@contextmanager
def cluster(address: str | Client) -> Iterator[Client]:
    """A client of a cluster.

    Parameters
    ----------
    address
        ``"local"`` for worker processes on this machine, one a core, which end with the
        block; a scheduler's address, such as ``"tcp://scheduler:8786"``; or a client, which
        stays open.

    Yields
    ------
    distributed.Client

    Raises
    ------
    ClusterError
        If no scheduler answers, or it has no workers.

    Examples
    --------
    With a process for each core, which end with the block::

        with srkit.dask.cluster("local") as client:
            srkit.dask.upscale_files(["photos/"], "out/", "srresnet", client=client)

    Where no scheduler answers:

    >>> with cluster("nowhere") as client:  # doctest: +ELLIPSIS
    ...     pass
    Traceback (most recent call last):
    srkit.errors.ClusterError: no Dask scheduler answers at nowhere: ...

    With workers in this process, as for a test:

    >>> with Client(processes=False, dashboard_address=":0") as mine, cluster(mine) as client:
    ...     client.submit(sum, [1, 2]).result()
    3
    """
    if isinstance(address, Client):
        yield _manned(address)
    elif address == "local":
        # One thread each: a model works on one picture at a time.
        with (
            LocalCluster(threads_per_worker=1, dashboard_address=":0") as workers,
            Client(workers) as client,
        ):
            yield _manned(client)
    else:
        try:
            client = Client(address, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            raise ClusterError(f"no Dask scheduler answers at {address}: {error}") from error
        with client:
            yield _manned(client)


def _manned(client: Client) -> Client:
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise ClusterError(
            "the scheduler has no workers; start some: dask worker tcp://SCHEDULER:PORT"
        ) from error
    return client


def resources_for(
    client: Client, given: Mapping[str, float] | None, options: Mapping[str, Any]
) -> dict[str, float]:
    """What each task asks of its worker: what is given, or a GPU where the device is one.

    Raises
    ------
    OptionError
        If no worker has it: tasks would wait for ever.
    """
    on_gpu = str(options.get("device", "")).startswith("cuda")
    needs = dict(given) if given is not None else {"GPU": 1.0} if on_gpu else {}
    if not needs:
        return needs
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if not any(all(w["resources"].get(k, 0) >= n for k, n in needs.items()) for w in workers):
        listed = " ".join(f"{name}={number:g}" for name, number in needs.items())
        raise OptionError(
            f"no worker has {listed}; start workers with: dask worker --resources {listed!r} ..."
        )
    return needs


@dataclass(frozen=True)
class Done(Generic[T]):
    """What became of a task.

    Attributes
    ----------
    item
        What the function was called with.
    value
        What it returned; None if it failed.
    error
        Why it failed, the last time.
    attempts
        How often it was tried.
    """

    item: T
    value: Any
    error: BaseException | None
    attempts: int


def bounded(
    client: Client,
    function: Callable[[T], Any],
    items: Iterable[T],
    *,
    retries: int,
    resources: Mapping[str, float],
) -> Iterator[Done[T]]:
    """Call a function for each item on the workers, of which each holds few at a time.

    A task that fails is tried again; one whose worker dies goes to another by itself.

    Parameters
    ----------
    function
        A function of a module that workers have.
    items
        Read as workers come free, so there may be any number.
    retries
        How often a task is tried again.
    resources
        Of the worker, as Dask counts them.

    Yields
    ------
    Done
        In the order in which tasks end.

    Raises
    ------
    ClusterError
        If the scheduler is lost; what was yielded stays done.
    """
    run, numbers, coming = uuid4().hex[:8], itertools.count(), iter(items)
    running: dict[str, tuple[Future[Any], T, int]] = {}
    pool = as_completed([], loop=client.loop, with_results=True, raise_errors=False)
    room, call = _Room(client), functools.partial(_guarded, function)

    def submit(tasks: list[tuple[T, int]]) -> None:
        if not tasks:
            return
        keys = [f"srkit-{run}-{next(numbers)}" for _ in tasks]
        batch = [item for item, _ in tasks]
        # At once, since a scheduler has about as much to do for one as for twenty.
        futures = client.map(call, batch, key=keys, pure=False, resources=dict(resources))
        for key, future, (item, attempt) in zip(keys, futures, tasks, strict=True):
            running[key] = (future, item, attempt)
        pool.update(futures)

    def fresh() -> list[tuple[T, int]]:
        return [(item, 1) for item in itertools.islice(coming, max(0, room.size() - len(running)))]

    try:
        submit(fresh())
        for batch in pool.batches():
            ended, again = [], []
            for future, value in batch:
                _, item, attempt = running.pop(future.key)
                done = _outcome(future, value, item, attempt)
                if done.error is not None and attempt <= retries:
                    again.append((item, attempt + 1))
                else:
                    ended.append(done)
            submit(again)
            submit(fresh())
            yield from ended
    finally:
        _cancel(client, [future for future, _, _ in running.values()])


def all_done(
    client: Client,
    function: Callable[[T], Any],
    items: Iterable[T],
    *,
    retries: int,
    resources: Mapping[str, float],
) -> Iterator[T]:
    """As `bounded`, where all items are parts of one result: the first that fails ends the work.

    Yields
    ------
    T
        Each item that is done.
    """
    for done in bounded(client, function, items, retries=retries, resources=resources):
        if done.error is not None:
            raise done.error
        yield done.item


@dataclass(frozen=True)
class _Caught:
    """What a function raised; Dask would write it to the log of each worker."""

    error: Exception


def _guarded(function: Callable[[T], Any], item: T) -> Any:
    try:
        return function(item)
    except Exception as error:  # noqa: BLE001  it is told, and the task tried again
        return _Caught(error)


def _outcome(future: Future[Any], value: Any, item: T, attempt: int) -> Done[T]:
    if future.status == "finished":
        if isinstance(value, _Caught):
            return Done(item, None, value.error, attempt)
        return Done(item, value, None, attempt)
    error = future.exception() if future.status == "error" else None
    if isinstance(error, KilledWorker):
        error = ClusterError(
            "each worker that tried it died, perhaps for lack of memory: give workers more, or "
            "fewer of them to a machine"
        )
    if error is None:
        raise ClusterError(
            "the scheduler was lost in mid-work; give the same command again, which does what "
            "is missing"
        )
    return Done(item, None, error, attempt)


def _cancel(client: Client, futures: list[Future[Any]]) -> None:
    """Take back what nobody waits for."""
    if futures and client.status == "running":
        with suppress(OSError):  # the scheduler went this moment, and its tasks with it
            client.cancel(futures, force=True)


class _Room:
    """How many tasks the cluster is given at a time; workers may come and go."""

    def __init__(self, client: Client) -> None:
        self._client, self._size, self._asked = client, HELD, -math.inf

    def size(self) -> int:
        now = time.monotonic()
        if now - self._asked > COUNTING and self._client.status == "running":
            self._asked = now
            with suppress(OSError):  # a lost scheduler is told by what becomes of its tasks
                self._size = HELD * max(1, len(self._client.nthreads()))
        return self._size
