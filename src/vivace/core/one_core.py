"""Threads in which torch does not split operations any further: they share the cores by themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

__all__ = ["one_core_each"]


def one_core_each(n_threads: int, name: str, begin: Callable[[], None] | None = None) -> ThreadPoolExecutor:
    """Return a pool of threads, all started, each of which computes on one core.

    By default torch splits an operation of any thread among as many helpers as there are cores. With several such
    threads the parts wait for each other, and helpers that wait keep a core busy.

    Args:
        n_threads: how many.
        name: how the threads' names begin.
        begin: called in each of them first.
    """
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix=name, initializer=begin)
    barrier = threading.Barrier(n_threads)

    def use_one_core(_: int) -> int:
        general = torch.get_num_threads()  # a thread takes over the general setting once, when it first asks
        barrier.wait()  # so that all have asked, and each thread gets one of these calls
        torch.set_num_threads(1)
        return general

    general = max(pool.map(use_one_core, range(n_threads)))
    # That was also the general setting, for threads to come. Whatever puts it back sets it for its own thread as well:
    # a thread that ends.
    putting_back = threading.Thread(target=torch.set_num_threads, args=(general,))
    putting_back.start()
    putting_back.join()
    return pool
