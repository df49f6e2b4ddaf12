"""Processes that are forked after torch has worked: they compute on one thread."""

from __future__ import annotations

import functools
import os

import torch


@functools.cache
def one_thread_in_forks() -> None:
    """Have processes that are forked from here on compute on one thread.

    OpenMP's threads are not forked, and OpenMP does not know: with more than one it waits for
    them for ever, as the workers of a pool would by default on Linux before Python 3.14. So do
    torch's own workers, which load data. A process that wants more threads says so after it was
    forked; it is safe in one that was spawned.
    """
    if hasattr(os, "register_at_fork"):  # not on Windows, where nothing is forked
        os.register_at_fork(after_in_child=functools.partial(torch.set_num_threads, 1))
