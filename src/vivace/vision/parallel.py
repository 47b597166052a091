"""One function over many files, by threads, with a bar."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from vivace.core.basics import defaults
from vivace.core.report import progress_bar

__all__ = ["for_each"]

T = TypeVar("T")
R = TypeVar("R")


def for_each(work: Callable[[T], R], items: Sequence[T], n_workers: int | None) -> list[R]:
    """Return the results of `work` in the order of `items`, done by threads. Warnings are not shown meanwhile.

    Decoding an image and waiting for a server release the interpreter lock.

    Args:
        work: Called once for each item; if it raises, so does this.
        items: What to work on.
        n_workers: Threads; one for each core, at most 16, for None, and none for 0.
    """
    n_threads = defaults.cpus if n_workers is None else n_workers
    # Set here, for all threads: the warning filters of Python are one for the whole process.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if n_threads <= 1 or len(items) <= 1:
            return [work(item) for item in progress_bar(items, leave=False)]
        with ThreadPoolExecutor(n_threads) as pool:
            return list(progress_bar(pool.map(work, items), total=len(items), leave=False))
