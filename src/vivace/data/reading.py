"""How a `DataLoader` reads: by which way of fetching, which samples in which batch, with which random keys."""

from __future__ import annotations

import itertools
import multiprocessing
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from vivace.core.basics import ifnone, num_cpus
from vivace.core.errors import DataError, ItemError, ShapeError, VivaceError
from vivace.core.image import decode_at_least
from vivace.core.picture_cache import make_cache
from vivace.core.randomness import mix, seeded_globals, use_keys

from .collate import batch_size_of
from .fetch import Columns, Failure, Fetched, Job, ProcessPool, ThreadPool, fetch_here
from .scaled_decoding import first_of_one_picture
from .side_stream import pinned

if TYPE_CHECKING:
    from .loader import DataLoader

__all__ = [
    "choose_fetch",
    "chunks",
    "fetch",
    "fetch_first",
    "fetch_job",
    "keys_of",
    "load_sample",
    "prepare",
    "prepare_decoding",
    "stream_samples",
]

_SEQUENTIAL, _GLOBAL_DRAWS = 0x5E9, 0x61


def fetch(dl: DataLoader) -> Iterator[Fetched]:
    """The batches of one epoch, before they go to the device."""
    return _fetch(dl, *choose_fetch(dl))


def _fetch(dl: DataLoader, how: str, n_workers: int) -> Iterator[Fetched]:
    prepare(dl, how, n_workers)
    if how == "stream":
        return _stream_batches(dl)
    if how == "columns":
        return _column_batches(dl)
    if how == "processes":
        if dl._pool is None or not dl.persistent_workers:
            weak = _OfLoader(dl, load_sample), _OfLoader(dl, _assemble)
            dl._pool = ProcessPool(*weak, n_workers, dl.prefetch, dl.timeout)
        return dl._pool.fetch(_jobs(dl))
    load, assemble = partial(load_sample, dl), partial(_assemble, dl)
    if how == "threads":
        return _threads(dl, n_workers).fetch(_jobs(dl), load, assemble, dl.prefetch, _collates_as_they_are(dl))
    return fetch_here(_jobs(dl), load, assemble)


class _OfLoader:
    """A function of a loader that does not keep the loader alive.

    The loader owns its pool; were the pool to own the loader too, both would wait for the cyclic garbage collector,
    which tears queues down before workers have been told to stop (they then linger for seconds).
    """

    def __init__(self, dl: DataLoader, function: Callable[..., Any]) -> None:
        self.dl, self.function = weakref.ref(dl), function

    def __call__(self, *args: Any) -> Any:
        return self.function(self.dl(), *args)

    def __reduce__(self) -> Any:  # to a process that starts afresh, the loader itself is sent
        return partial, (self.function, self.dl())


def fetch_first(dl: DataLoader) -> Iterator[Fetched]:
    """Like `fetch`, but made for taking one batch: no processes are started, nothing is prepared ahead."""
    how, n_workers = choose_fetch(dl)
    if how not in ("threads", "processes"):
        return _fetch(dl, how, n_workers)
    prepare(dl, how, n_workers)
    jobs = itertools.islice(_jobs(dl), 1) if dl.on_error == "raise" else _jobs(dl)
    load, assemble = partial(load_sample, dl), partial(_assemble, dl)
    if how == "threads":
        return _threads(dl, n_workers).fetch(jobs, load, assemble, 0, _collates_as_they_are(dl))
    return fetch_here(jobs, load, assemble)


def _collates_as_they_are(dl: DataLoader) -> bool:
    """Whether samples become a batch as `collate` makes it, and nobody sees them before."""
    return not len(dl.before_batch) and not overrides(dl, "create_batch") and not overrides(dl, "do_batch")


def _threads(dl: DataLoader, n_workers: int) -> ThreadPool:
    if dl._threads is None or not dl._threads.has(n_workers):
        dl._threads = ThreadPool(n_workers)
    return dl._threads


def fetch_job(dl: DataLoader, job: Job) -> Fetched:
    """The batch of these samples, made in this thread."""
    prepare(dl, *choose_fetch(dl))
    return next(fetch_here(iter([job]), partial(load_sample, dl), partial(_assemble, dl)))


def prepare(dl: DataLoader, how: str, n_workers: int) -> None:
    """Decide, once for an epoch, how pictures are decoded and whether they are kept."""
    if dl.cache != dl._cache_setting:
        dl._cache, dl._cache_setting = make_cache(dl.cache, n_workers if how == "processes" else 0), dl.cache
    dl._draws_globally = _draws_globally(dl)
    dl._first = first_of_one_picture(dl)
    prepare_decoding(dl)


def prepare_decoding(dl: DataLoader) -> None:
    """Ask the first transform anew how pictures are decoded: it may have been given other settings."""
    first, split_idx = dl._first, dl.split_idx
    dl._decode_size = None if first is None else first.decode_size(split_idx)
    dl._alike = None if first is None else first.alike_for_all(split_idx)


def choose_fetch(dl: DataLoader) -> tuple[str, int]:
    """Return how the loader reads ("stream", "columns", "threads", "processes", "here") and with how many workers."""
    if not dl.indexed or overrides(dl, "create_batches") or (overrides(dl, "create_item") and dl.n is None):
        return "stream", 0
    if dl.fetch in ("auto", "columns") and _find_columns(dl):
        return "columns", 0
    if dl.fetch == "columns":
        raise DataError(
            'fetch="columns" needs tensors, arrays or a list of equal-shaped samples, without item transforms.'
        )
    default = min(8, num_cpus()) if getattr(dl.dataset, "prefers_threads", False) else 0
    wanted = ifnone(dl.num_workers, default)
    if wanted == 0 or dl.fetch == "here":
        return "here", 0
    if dl.fetch == "auto":
        can_fork = "fork" in multiprocessing.get_all_start_methods()
        return ("processes" if _draws_globally(dl) and can_fork else "threads"), wanted
    return dl.fetch, wanted


def overrides(dl: DataLoader, name: str) -> bool:
    """Whether a hook was given, or overridden in a subclass."""
    from .loader import DataLoader

    return name in dl.__dict__ or getattr(type(dl), name) is not getattr(DataLoader, name)


def _draws_globally(dl: DataLoader) -> bool:
    """Whether samples may depend on Python's, numpy's or torch's global generators."""
    if overrides(dl, "create_item"):
        return True
    return dl.after_item.uses_global_random or not getattr(dl.dataset, "prefers_threads", False)


# ---------------------------------------------------------------------- by columns
def _find_columns(dl: DataLoader) -> bool:
    if len(dl.after_item) or dl.bs is None or overrides(dl, "create_item") or not _collates_as_they_are(dl):
        return False
    if dl._columns_of is not dl.dataset or (dl._columns and dl._columns.length != len(dl.dataset)):
        dl._columns_of, dl._columns = dl.dataset, Columns.of(dl.dataset)
    return dl._columns is not None


def _column_batches(dl: DataLoader) -> Iterator[Fetched]:
    assert dl._columns is not None and dl.bs is not None
    if not dl.shuffle and not overrides(dl, "get_idxs") and not overrides(dl, "sample"):
        for i in range(len(dl)):
            start, stop = i * dl.bs, min((i + 1) * dl.bs, dl.n or 0)
            yield Fetched(dl._columns.slice(start, stop), np.arange(start, stop, dtype=np.uint64), [])
        return
    order = _column_order(dl, dl._columns.length)
    keys = order.numpy().astype(np.uint64)
    for i, index in enumerate(order.split(dl.bs)[: len(dl) if dl.drop_last else None]):
        yield Fetched(dl._columns.take(index), keys[i * dl.bs : (i + 1) * dl.bs], [])


def _column_order(dl: DataLoader, n_rows: int) -> torch.Tensor:
    if not any(overrides(dl, hook) for hook in ("get_idxs", "sample", "shuffle_fn")):
        assert dl.n is not None
        return torch.from_numpy(dl._epoch_order(dl.n))  # the same as below, without a Python number for each row
    order = torch.as_tensor(list(dl.sample()), dtype=torch.int64)
    return torch.where(order < 0, order + n_rows, order)  # -1 is the last sample


# ---------------------------------------------------------------------- item by item
def _jobs(dl: DataLoader) -> Iterator[Job]:
    """The batches of this epoch: which samples, and the random key of each."""
    indices = list(dl.sample())
    keys = keys_of(dl, indices)
    size = dl.bs or 1
    n_batches = len(indices) // size if dl.drop_last and len(indices) >= size else -(-len(indices) // size)
    for i in range(n_batches):
        part = slice(i * size, (i + 1) * size)
        yield Job(indices[part], keys[part])


def keys_of(dl: DataLoader, indices: Sequence[Any]) -> npt.NDArray[np.uint64]:
    """Return the random keys of these samples in the loader's present epoch."""
    numbers = np.fromiter((int(i) for i in indices), dtype=np.uint64, count=len(indices))
    keys = mix(mix(dl.seed, dl.epoch), numbers)
    in_order = np.sort(numbers)
    if (in_order[1:] == in_order[:-1]).any():  # who comes twice is drawn anew each time
        seen: dict[int, int] = {}
        repeats = np.empty(len(numbers), dtype=np.uint64)
        for position, number in enumerate(numbers.tolist()):
            repeats[position] = seen[number] = seen.get(number, -1) + 1
        keys = mix(keys, repeats)
    return np.asarray(keys, dtype=np.uint64)


def load_sample(dl: DataLoader, index: Any, key: int) -> Any:
    """Make one sample; runs in workers."""
    with use_keys(key):
        if not dl._draws_globally:
            return _make_sample(dl, index)
        with seeded_globals(int(mix(key, _GLOBAL_DRAWS))):
            return _make_sample(dl, index)


def _make_sample(dl: DataLoader, index: Any) -> Any:
    try:
        with decode_at_least(dl._decode_size, dl._cache, dl._alike):
            sample = dl.create_item(index)
    except (StopIteration, ItemError):
        raise
    except VivaceError as error:
        raise ItemError(f"{dl.describe(index)} could not be opened: {error}") from error
    stage = ""
    try:
        for transform in dl.after_item.fs:
            stage = transform.name
            sample = transform(sample, split_idx=dl.split_idx)
    except Exception as error:
        message = f"{dl.describe(index)} failed in the item transform {stage}: {type(error).__name__}: {error}"
        raise ItemError(message) from error
    return sample


def _assemble(dl: DataLoader, job: Job, samples: list[Any]) -> Fetched:
    """Make the batch of these samples; runs in workers."""
    failures = [s for s in samples if isinstance(s, Failure)]
    good = [(s, k) for s, k in zip(samples, job.keys, strict=True) if not isinstance(s, Failure)]
    if failures and (dl.on_error == "raise" or not good):
        return Fetched(None, job.keys[:0], failures)
    kept = [s for s, _ in good]
    if dl.bs is None:
        return Fetched(kept[0], job.keys, failures)
    try:
        batch = dl.do_batch(kept)
    except ShapeError as error:
        names = [dl.describe(i) for i, s in zip(job.indices, samples, strict=True) if not isinstance(s, Failure)]
        error.args = (f"{error} The batch begins with: {'; '.join(names[:3])}.",)
        raise
    if dl.pin_memory and torch.cuda.is_available() and multiprocessing.parent_process() is None:
        batch = pinned(batch)
    return Fetched(batch, np.asarray([k for _, k in good], dtype=np.uint64), failures)


# ---------------------------------------------------------------------- one after the other
def _stream_batches(dl: DataLoader) -> Iterator[Fetched]:
    for number, batch in enumerate(dl.create_batches(dl.sample())):
        n = batch_size_of(batch)
        yield Fetched(batch, np.asarray(mix(mix(dl.seed, dl.epoch, number), np.arange(n, dtype=np.uint64))), [])


def stream_samples(dl: DataLoader, indices: Iterable[Any]) -> Iterator[Any]:
    """The samples of a data set without indexing, until `create_item` raises `StopIteration`."""
    key = mix(dl.seed, dl.epoch, _SEQUENTIAL)
    for number, index in enumerate(indices):
        try:
            with use_keys(mix(key, number)):
                sample = dl.after_item(dl.create_item(index))
        except StopIteration:
            return
        yield sample


def chunks(dl: DataLoader, samples: Iterator[Any], size: int) -> Iterator[Any]:
    """Batches of `size` samples; a smaller last one unless the loader drops it."""
    while part := list(itertools.islice(samples, size)):
        if len(part) < size and dl.drop_last:
            return
        yield dl.do_batch(part)
