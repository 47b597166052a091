"""Three ways to get batches: by columns (one indexed read), by threads, by processes. The order is the sampler's."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from vivace.core.own_cores import threads_with_cores
from vivace.core.types import TensorBase, is_sample, plain_tensor

from .rows import PictureRows

__all__ = ["Columns", "Failure", "Fetched", "Job", "ProcessPool", "ThreadPool", "fetch_here"]


class Job(NamedTuple):
    """The samples of one batch: which they are, and the random key of each."""

    indices: Sequence[Any]
    keys: npt.NDArray[np.uint64]


class Failure(NamedTuple):
    """A sample that could not be made."""

    index: Any
    error: Exception


@dataclass
class Fetched:
    """A batch (None when every sample failed), the keys of its samples, and what failed."""

    batch: Any
    keys: npt.NDArray[np.uint64]
    failures: list[Failure]


_NICE = 5  # how far loader threads stand back, on a scale to 19

Load = Callable[[Any, int], Any]
Assemble = Callable[[Job, list[Any]], Fetched]


class Columns:
    """A data set held as one tensor for each part of a sample, so that a batch is one indexed read."""

    max_bytes = 2 << 30  # larger lists are read item by item rather than copied

    def __init__(self, parts: tuple[Tensor, ...], is_tuple: bool) -> None:
        self.parts, self.is_tuple, self.length = parts, is_tuple, len(parts[0])

    @classmethod
    def of(cls, dataset: Any) -> Columns | None:
        """Return the columns of tensors, arrays, ranges, `TensorDataset`s and lists of alike samples, else None.

        A data set of a class of its own offers its columns by a method `as_columns() -> tuple[Tensor, ...]`.
        """
        if isinstance(dataset, TensorDataset):
            return cls(dataset.tensors, True)
        as_columns = getattr(type(dataset), "as_columns", None)
        if as_columns is not None:
            return cls(as_columns(dataset), True) if len(dataset) else None
        if isinstance(dataset, range):
            return cls((torch.arange(dataset.start, dataset.stop, dataset.step),), False) if len(dataset) else None
        if isinstance(dataset, (Tensor, np.ndarray)):
            return cls((torch.as_tensor(dataset),), False) if len(dataset) and dataset.dtype != object else None
        if not isinstance(dataset, (list, tuple)) or not len(dataset):
            return None
        if type(dataset[0]) is tuple:
            width = len(dataset[0])
            if not all(type(row) is tuple and len(row) == width for row in dataset):
                return None
            parts = [_column(part) for part in zip(*dataset, strict=True)]
        else:
            parts = [_column(dataset)]
        complete = tuple(p for p in parts if p is not None)
        return cls(complete, type(dataset[0]) is tuple) if len(complete) == len(parts) and parts else None

    def take(self, indices: Any) -> Any:
        """Return the batch of these samples."""
        index = torch.as_tensor(indices)
        # `index_select` is faster, but gives plain tensors
        found = tuple([p[index] if isinstance(p, TensorBase) else p.index_select(0, index) for p in self.parts])
        return found if self.is_tuple else found[0]

    def slice(self, start: int, stop: int) -> Any:
        """Return the batch of neighbouring samples; nothing is copied."""
        found = tuple(p[start:stop] for p in self.parts)
        return found if self.is_tuple else found[0]


def _column(values: Sequence[Any]) -> Tensor | None:
    """Stack the values of one part when they are alike, else None."""
    first = values[0]
    if isinstance(first, Tensor):
        kind, shape, dtype = type(first), first.shape, first.dtype
        if first.requires_grad or first.numel() * first.element_size() * len(values) > Columns.max_bytes:
            return None
        if not all(type(v) is kind and v.shape == shape and v.dtype == dtype for v in values):
            return None
        stacked = torch.stack([v.as_subclass(Tensor) for v in values] if issubclass(kind, TensorBase) else list(values))
        return stacked.as_subclass(kind) if issubclass(kind, TensorBase) else stacked
    if type(first) in (int, float, bool) and all(type(v) is type(first) for v in values):
        return torch.tensor(values, dtype=torch.get_default_dtype() if type(first) is float else None)
    if not isinstance(first, np.ndarray) or first.dtype == object:
        return None
    if not all(isinstance(v, np.ndarray) and v.shape == first.shape and v.dtype == first.dtype for v in values):
        return None
    return torch.as_tensor(np.stack(list(values)))


def _attempt(load: Load, index: Any, key: int) -> Any:
    try:
        return load(index, key)
    except Exception as error:
        return Failure(index, error)


def fetch_here(jobs: Iterator[Job], load: Load, assemble: Assemble) -> Iterator[Fetched]:
    """Make each batch in this thread, when it is asked for."""
    for job in jobs:
        yield assemble(job, [_attempt(load, i, int(k)) for i, k in zip(job.indices, job.keys, strict=True)])


class _SharedJob:
    """One batch that several threads fill; the last one to finish assembles it."""

    def __init__(self, job: Job, load: Load, assemble: Assemble, n_shares: int, in_rows: bool) -> None:
        self.job, self.load, self.assemble = job, load, assemble
        self.samples: list[Any] = [None] * len(job.indices)
        self.rows = PictureRows(len(job.indices)) if in_rows else None
        self.n_left, self.n_shares, self.lock = n_shares, n_shares, threading.Lock()
        self.positions = iter(range(len(self.samples)))  # each thread takes the next, so that they end together
        self.done: Future[Fetched] = Future()

    def _load_to(self, position: int, index: Any, key: int) -> Any:
        sample = self.load(index, key)
        return sample if self.rows is None else self.rows.put(position, sample)

    def work(self) -> None:
        for position in self.positions:
            if not self.done.cancelled():  # nobody wants the batch any more: leave the rest
                load = partial(self._load_to, position)
                self.samples[position] = _attempt(load, self.job.indices[position], int(self.job.keys[position]))
        with self.lock:
            self.n_left -= 1
            if self.n_left:
                return
        if not self.done.set_running_or_notify_cancel():
            return
        try:
            self.done.set_result(self.assemble(self.job, self.samples))
        except BaseException as error:
            self.done.set_exception(error)


def _give_way() -> None:
    """Let the thread that trains go first where cores are short: its operations wait for their slowest part."""
    if sys.platform.startswith("linux"):  # elsewhere this would be the whole process
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


class ThreadPool:
    """Threads that are kept alive between epochs (starting them is a tenth of a first batch); they end with it.

    Args:
        n_workers: how many.
    """

    def __init__(self, n_workers: int) -> None:
        self.n_workers, self._process = n_workers, os.getpid()
        self._executor = threads_with_cores(n_workers, "vivace-loader", _give_way)

    def has(self, n_workers: int) -> bool:
        """Whether there are so many threads, in this process: they do not survive a fork."""
        return self.n_workers == n_workers and self._process == os.getpid()

    def fetch(
        self, jobs: Iterator[Job], load: Load, assemble: Assemble, n_ahead: int, in_rows: bool = False
    ) -> Iterator[Fetched]:
        """Make the batches of these jobs, `n_ahead` before they are needed; order as given.

        With `in_rows` pictures go to where the batch will be; `assemble` must then collate the samples as they are.
        """
        waiting: deque[tuple[_SharedJob, list[Future[None]]]] = deque()

        def submit(job: Job) -> None:
            n_shares = min(self.n_workers, max(len(job.indices), 1))
            shared = _SharedJob(job, load, assemble, n_shares, in_rows)
            waiting.append((shared, [self._executor.submit(shared.work) for _ in range(shared.n_shares)]))

        try:
            for job in itertools.islice(jobs, n_ahead + 1):
                submit(job)
            while waiting:
                fetched = waiting.popleft()[0].done.result()
                for job in itertools.islice(jobs, 1):
                    submit(job)
                yield fetched
        finally:  # who leaves early leaves nothing running: what is being made is finished, the rest is not begun
            for shared, _ in waiting:
                shared.done.cancel()
            wait([part for _, parts in waiting for part in parts if not part.cancel()])


class _JobQueue:
    """What torch's loader takes the jobs of the current epoch from."""

    def __init__(self) -> None:
        self.jobs: Iterator[Job] = iter(())

    def __iter__(self) -> Iterator[Job]:
        return self.jobs


class _JobSource(torch.utils.data.Dataset[Any]):
    """Runs in a worker process: a job goes in, the finished batch (plain tensors and their types) comes out."""

    def __init__(self, load: Load, assemble: Assemble) -> None:
        self.load, self.assemble = load, assemble

    def __getitem__(self, job: Any) -> Any:
        fetched = next(fetch_here(iter([job]), self.load, self.assemble))
        return plain_tensor(fetched.batch), _types_of(fetched.batch), fetched.keys, fetched.failures


def _types_of(batch: Any) -> Any:
    if isinstance(batch, TensorBase):
        return type(batch), dict(batch.__dict__)
    if is_sample(batch):
        return tuple(_types_of(b) for b in batch)
    return None


def _with_types(batch: Any, types: Any) -> Any:
    if isinstance(batch, Tensor) and types is not None:
        out = batch.as_subclass(types[0])
        out.__dict__.update(types[1])
        return out
    if is_sample(batch) and types is not None:
        return type(batch)(_with_types(b, t) for b, t in zip(batch, types, strict=True))
    return batch


def _identity(x: Any) -> Any:
    return x


class ProcessPool:
    """Worker processes that are kept alive between epochs (torch's own pool)."""

    def __init__(self, load: Load, assemble: Assemble, n_workers: int, n_ahead: int, timeout_seconds: float) -> None:
        self.queue = _JobQueue()
        self.loader: Any = torch.utils.data.DataLoader(
            _JobSource(load, assemble),
            batch_size=None,
            sampler=self.queue,
            num_workers=n_workers,
            collate_fn=_identity,
            persistent_workers=True,
            prefetch_factor=max(1, n_ahead),
            timeout=timeout_seconds,
        )

    def fetch(self, jobs: Iterator[Job]) -> Iterator[Fetched]:
        """Make the batches of these jobs, in their order."""
        self.queue.jobs = jobs
        for batch, types, keys, failures in self.loader:
            yield Fetched(_with_types(batch, types), keys, failures)

    def close(self) -> None:
        """Stop the workers now; the next `fetch` starts new ones."""
        iterator, self.loader._iterator = self.loader._iterator, None
        if iterator is not None:
            iterator._shutdown_workers()
