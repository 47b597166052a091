"""Threads that compute on a few cores each, instead of all of them on all cores."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

__all__ = ["shared_threads", "threads_with_cores"]

_lock, _sharing = threading.Lock(), threading.Lock()
_shared: dict[tuple[int, int, str, int], ThreadPoolExecutor] = {}  # by process: threads do not survive a fork


def threads_with_cores(
    n_threads: int, name: str, begin: Callable[[], None] | None = None, n_cores: int = 1
) -> ThreadPoolExecutor:
    """Return a pool of threads, all started, in each of which torch splits an operation among `n_cores` cores.

    By default torch splits an operation of any thread among as many helpers as there are cores. With several such
    threads the parts wait for each other, and helpers that wait keep a core busy.

    Args:
        n_threads: how many.
        name: how the threads' names begin.
        begin: called in each of them first.
        n_cores: 1: nothing is split.

    Raises:
        RuntimeError: a thread cannot be started.
    """
    with _lock:  # the general setting is changed for a moment
        pool = ThreadPoolExecutor(n_threads, thread_name_prefix=name, initializer=begin)
        barrier = threading.Barrier(n_threads)

        def set_cores() -> int:
            general = torch.get_num_threads()  # a thread takes over the general setting once, when it first asks
            barrier.wait()  # so that all have asked, and each thread gets one of these calls
            torch.set_num_threads(n_cores)
            return general

        try:
            general = max([done.result() for done in [pool.submit(set_cores) for _ in range(n_threads)]])
        except BaseException:  # one cannot be started: the others need not wait for it
            barrier.abort()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        # Now it is the general setting, for threads to come. Whatever puts that back sets it for its own thread as
        # well: a thread that ends.
        putting_back = threading.Thread(target=torch.set_num_threads, args=(general,))
        putting_back.start()
        putting_back.join()
        return pool


def shared_threads(n_threads: int, name: str, n_cores: int = 1) -> ThreadPoolExecutor:
    """Return the pool that everybody in this process shares who asks for such threads; see `threads_with_cores`."""
    key = (os.getpid(), n_threads, name, n_cores)
    with _sharing:
        if key not in _shared:
            _shared[key] = threads_with_cores(n_threads, name, n_cores=n_cores)
        return _shared[key]
