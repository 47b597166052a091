"""`DataLoader`: batches over anything, in an order and with random draws that depend on (seed, epoch, index) alone."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch

from vivace.core.device import to_device
from vivace.core.errors import ArgumentError, ArgumentTypeError, DataError, ItemError, VivaceError, suggest
from vivace.core.memory import keep_freed_memory
from vivace.core.picture_cache import CacheSetting, LookOnly, PictureCache
from vivace.core.randomness import fresh_key, mix, permutation, seed_state, use_keys

from . import reading
from .collate import collate
from .fetch import Columns, Failure, Fetched, Job, ProcessPool, ThreadPool
from .side_stream import beside_training, pinned
from .transform import Pipeline, Transform

__all__ = ["DataLoader", "DataWarning", "TfmdDL"]

Fetch = Literal["auto", "columns", "threads", "processes", "here"]
_BATCH_STREAM, _PEEK, _COPY = 0xBA7C, 0x9EEC, 0xC0B1
_NOTHING: AbstractContextManager[Any] = nullcontext()


class DataWarning(UserWarning):
    """Something about the data that a person should know: items that were left out, values that were missing."""


class DataLoader:
    """Serve batches of `dataset`.

    Args:
        dataset: anything with `len` and indexing, an iterable, or None (then `create_item` makes the samples).
        bs: samples in a batch; None: samples come one by one. `batch_size` is another name for it.
        num_workers: threads or processes that prepare batches; 0: this thread does; None: chosen (none for columns
            of tensors and for foreign data sets, one for each core, 8 at most, for pictures).
        pin_memory: copy batches into page-locked memory, from where a GPU fetches them faster.
        timeout: seconds that a worker process may take for a batch; 0: no limit.
        shuffle: a new order in every epoch.
        drop_last: leave out a last batch that is smaller than the others (never the only one).
        indexed: whether the data set is read by index; None: found out.
        n: how many samples an epoch has; None: all.
        device: where batches go; None: they stay where they are.
        before_iter, after_iter: called before and after each epoch.
        after_item: transforms of one sample.
        before_batch: transforms of the list of samples, before they are stacked (padding, for instance).
        after_batch: transforms of the batch, on its device.
        fetch: "columns", "threads", "processes", "here" (no workers) or "auto": columns for tensors, arrays and lists
            of equal-shaped tuples; processes when transforms draw from global generators; threads otherwise.
        seed: fixes order and augmentation; None: follows `set_seed`.
        on_error: "raise": a broken item ends the epoch with an error that names it; "skip": it is left out, kept in
            `skipped`, and reported at the end of the epoch.
        prefetch: how many batches are prepared ahead.
        cache: keep pictures as they are when decoded and resized, before anything random: "memory" (up to a quarter of
            what is free), "disk" (files in vivace's home, for all processes and later runs), None, or "auto": memory,
            unless worker processes read. A file that changes is read anew.
        split_idx: which data set this is for the transforms (0: training, 1: validation); None: any.

    The functions `create_item`, `create_batch`, `get_idxs`, `sample`, `shuffle_fn`, `create_batches`, `do_batch`,
    `retain` can be given, or overridden in a subclass.
    """

    _hooks = (
        "wif before_iter after_item before_batch after_batch after_iter create_batches create_item create_batch "
        "retain get_idxs sample shuffle_fn do_batch"
    ).split()

    own_settings: tuple[str, ...] = ()  # of a subclass: settings besides these, which copies and bundles keep

    def __init__(
        self,
        dataset: Any = None,
        bs: int | None = None,
        num_workers: int | None = None,
        pin_memory: bool = False,
        timeout: float = 0,
        batch_size: int | None = None,
        shuffle: bool = False,
        drop_last: bool = False,
        indexed: bool | None = None,
        n: int | None = None,
        device: torch.device | str | None = None,
        persistent_workers: bool = True,
        *,
        fetch: Fetch = "auto",
        seed: int | None = None,
        on_error: Literal["raise", "skip"] = "raise",
        prefetch: int = 2,
        cache: CacheSetting = "auto",
        split_idx: int | None = None,
        after_item: Any = None,
        before_batch: Any = None,
        after_batch: Any = None,
        **hooks: Callable[..., Any] | None,
    ) -> None:
        bs = batch_size if batch_size is not None else bs
        if bs is not None and bs < 1:
            raise ArgumentError(f"bs must be 1 or more (None: no batches), got {bs}.")
        if on_error not in ("raise", "skip"):
            raise ArgumentError(f'on_error must be "raise" or "skip", got {on_error!r}.')
        if fetch not in ("auto", "columns", "threads", "processes", "here"):
            raise ArgumentError(f'fetch must be "auto", "columns", "threads", "processes" or "here", got {fetch!r}.')
        if num_workers is not None and num_workers < 0:
            raise ArgumentError(f"num_workers must be 0 or more, got {num_workers}.")
        self._set_hooks(hooks)
        self.indexed = (
            indexed if indexed is not None else hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
        )
        if shuffle and not self.indexed:
            raise ArgumentError(
                "shuffle=True needs a data set with a length and indexing, and this one is an iterable."
            )
        self.dataset, self.bs, self.shuffle, self.drop_last = dataset, bs, shuffle, drop_last
        self.num_workers, self.pin_memory, self.timeout, self.fetch = num_workers, pin_memory, timeout, fetch
        self.on_error, self.prefetch, self.split_idx = on_error, prefetch, split_idx
        self.persistent_workers, self.cache = persistent_workers, cache
        self.device = None if device is None else torch.device(device)
        self.n = n if n is not None else len(dataset) if hasattr(dataset, "__len__") else None
        self.after_item = Pipeline(after_item, split_idx=split_idx)
        self.before_batch = Pipeline(before_batch, split_idx=split_idx)
        self.after_batch = Pipeline(after_batch, split_idx=split_idx)
        self.skipped: list[Failure] = []
        self.seed = fresh_key() if seed is None else seed
        self._seed_generation = seed_state()[0] if seed is None else None
        self.epoch, self._n_peeks, self._n_reported = 0, 0, 0
        self._columns: Columns | None = None  # what `reading` keeps between epochs
        self._columns_of: Any = None
        self._pool: ProcessPool | None = None
        self._threads: ThreadPool | None = None
        self._cache: PictureCache | None = None
        self._cache_setting: CacheSetting = None  # what `_cache` was made for
        self._first: Transform | None = None  # what `reading` decides for an epoch, from here on
        self._decode_size: tuple[int, int] | None = None
        self._alike: Callable[[Any], Any] | None = None  # done to every decoded picture, before it is kept
        self._draws_globally = True
        self._n_inp: int | None = None

    def _set_hooks(self, hooks: dict[str, Any]) -> None:
        for name, function in hooks.items():
            if name not in self._hooks:
                known = [
                    *self._hooks,
                    "bs",
                    "batch_size",
                    "shuffle",
                    "num_workers",
                    "drop_last",
                    "seed",
                    "on_error",
                    "cache",
                    "device",
                ]
                raise ArgumentTypeError(f"DataLoader has no argument {name!r}.{suggest(name, known)}")
            if function is not None:
                setattr(self, name, function)

    # ------------------------------------------------------------------ what a subclass may change
    def before_iter(self) -> None:
        """Called when an epoch begins."""

    def after_iter(self) -> None:
        """Called when an epoch has ended."""

    def wif(self) -> None:
        """Called in each worker process when it starts (kept for compatibility; workers are seeded by themselves)."""

    def create_item(self, s: Any) -> Any:
        """Return sample number `s`; raise `StopIteration` (`stop()`) to end the epoch of a data set without length."""
        if self.indexed:
            return self.dataset[0 if s is None else s]
        if s is not None:
            raise ArgumentError("This data set has no indexing; iterate over the loader instead.")
        return next(self._stream)

    def create_batch(self, b: list[Any]) -> Any:
        """Return the batch of these samples."""
        return collate(b)

    def do_batch(self, b: list[Any]) -> Any:
        """Return the batch of these samples, after `before_batch`."""
        return self.create_batch(self.before_batch(b))

    def shuffle_fn(self, idxs: list[int]) -> list[int]:
        """Return the indices in the order of this epoch."""
        return [idxs[i] for i in self._epoch_order(len(idxs)).tolist()]

    def _epoch_order(self, n: int) -> npt.NDArray[np.int64]:
        """Return the positions 0..n-1 in the order of this epoch."""
        return permutation(mix(self.seed, self.epoch), n)

    def get_idxs(self) -> list[int]:
        """Return the indices of one epoch, in order."""
        if self.n is None:
            raise ArgumentError("This data set has no length.")
        idxs = list(range(self.n))
        return self.shuffle_fn(idxs) if self.shuffle else idxs

    def sample(self) -> Iterable[Any]:
        """Return the indices of one epoch (None for each sample of a data set without indexing)."""
        if self.indexed:
            return self.get_idxs()
        return itertools.repeat(None) if self.n is None or self.dataset is not None else itertools.repeat(None, self.n)

    def create_batches(self, samps: Iterable[Any]) -> Iterator[Any]:
        """Return the batches of samples that come one after the other: an iterable, or `create_item` until it stops."""
        self._stream = iter(self.dataset) if self.dataset is not None else itertools.count()
        samples = reading.stream_samples(self, samps)
        return samples if self.bs is None else reading.chunks(self, samples, self.bs)

    # ------------------------------------------------------------------ iteration
    def __len__(self) -> int:
        if self.n is None:
            raise TypeError("This loader has no length: its data set is an iterable.")
        if self.bs is None:
            return self.n
        full, rest = divmod(self.n, self.bs)
        return full if rest == 0 or (self.drop_last and full > 0) else full + 1

    def __iter__(self) -> Iterator[Any]:
        keep_freed_memory()
        self._follow_seed()
        self.before_iter()
        finish = beside_training(self._finish, self.device)
        try:
            for fetched in reading.fetch(self):
                self._check(fetched)
                if fetched.batch is not None:
                    yield finish(fetched)
        except Exception:
            self.close()
            raise
        finally:
            self.epoch += 1
        self._report_skipped()
        self.after_iter()

    def close(self) -> None:
        """Stop worker processes and threads, if there are any; the next epoch starts new ones."""
        self._threads = None
        if self._pool is not None:
            self._pool.close()

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass the epoch of this number: its order and augmentation depend on the number alone."""
        self.epoch = epoch

    def _follow_seed(self) -> None:
        """Start again from the seed that `set_seed` gave, unless the loader has its own."""
        generation, seed = seed_state()
        if self._seed_generation is not None and generation != self._seed_generation:
            self.seed, self._seed_generation, self.epoch, self._n_peeks = mix(seed, self.shuffle), generation, 0, 0

    def describe(self, index: Any) -> str:
        """Return how messages call the sample `index`: its path or value, and its number."""
        items = getattr(self.dataset, "items", None)
        if items is None:
            return f"Item {index}"
        try:
            item = items.iloc[index] if hasattr(items, "iloc") else items[index]
        except (IndexError, KeyError, TypeError):
            return f"Item {index}"
        text = os.fspath(item) if isinstance(item, os.PathLike) else repr(item)
        return f"Item {index} ({text if len(text) < 200 else text[:200] + '…'})"

    def _check(self, fetched: Fetched) -> None:
        if not fetched.failures:
            return
        if self.on_error == "raise":
            index, error = fetched.failures[0]
            if isinstance(error, VivaceError):
                raise error
            raise ItemError(f"{self.describe(index)} could not be made: {type(error).__name__}: {error}") from error
        for failure in fetched.failures:
            _forget_frames(failure.error)
        known = {f.index for f in self.skipped}
        self.skipped += [f for f in fetched.failures if f.index not in known]

    def _report_skipped(self) -> None:
        new = self.skipped[self._n_reported :]
        if not new:
            return
        self._n_reported = len(self.skipped)
        listed = "; ".join(str(f.error) for f in new[:5]) + (f"; and {len(new) - 5} more" if len(new) > 5 else "")
        warnings.warn(
            DataWarning(f"{len(new)} of {self.n} items were left out: {listed} (all are in `dl.skipped`)."),
            stacklevel=3,
        )

    def _finish(self, fetched: Fetched) -> Any:
        return self._finished(fetched.batch, batch_keys(fetched.keys) if len(self.after_batch) else None)

    def _finished(self, batch: Any, keys: Any) -> Any:
        if self.pin_memory and torch.cuda.is_available():
            batch = pinned(batch)  # workers in threads have done so
        if self.device is not None and not _is_on(batch, self.device):
            batch = to_device(batch, self.device, non_blocking=self.pin_memory)
        if len(self.after_batch):
            with use_keys(keys), _NOTHING if torch.is_inference_mode_enabled() else torch.no_grad():
                batch = self.after_batch(batch)
        return batch

    # ------------------------------------------------------------------ looking
    def one_batch(self) -> Any:
        """Return a batch of what training would see. Looking does not change the order of later epochs."""
        self._follow_seed()
        if self.n is not None and len(self) == 0:
            raise DataError("This loader has no batches: its data set is empty.")
        with self._peeking():
            for fetched in reading.fetch_first(self):
                self._check(fetched)
                if fetched.batch is not None:
                    return self._finish(fetched)
        raise DataError("This loader gave no batch: every item failed, or there is none.")

    def _peeking(self) -> _Peek:
        self._n_peeks += 1
        return _Peek(self)

    def unique_batch(self, n: int) -> Any:
        """Return a batch that shows the first sample `n` times, each time with new random draws."""
        with self._peeking():
            index = next(iter(self.sample()))
            keys = np.asarray(mix(mix(self.seed, self.epoch), np.arange(n, dtype=np.uint64)))
            fetched = reading.fetch_job(self, Job([index] * n, keys))
            self._check(fetched)
            return self._finish(fetched)

    # ------------------------------------------------------------------ copies
    _copied = (
        "dataset bs num_workers pin_memory timeout shuffle drop_last indexed device persistent_workers fetch "
        "on_error prefetch cache split_idx after_item before_batch after_batch"
    ).split()

    def new(self, dataset: Any = None, **changes: Any) -> Self:
        """Return a loader like this one over another data set, or with other settings.

        It uses the pictures that this one keeps; with `cache="auto"` it keeps no more, unless `cache` is given here.
        """
        settings = {name: getattr(self, name) for name in (*self._copied, *self.own_settings)}
        settings |= {h: self.__dict__[h] for h in self._hooks if h in self.__dict__ and h not in settings}
        if dataset is not None:
            settings["dataset"] = dataset
            settings["indexed"] = None
        new = type(self)(**{"seed": 0, **settings, **changes})
        if "seed" not in changes:  # of its own, but drawn from nobody: making a loader must not change training
            new.seed, new._seed_generation = mix(self.seed, _COPY), self._seed_generation
        new._n_inp = self._n_inp if dataset is None else None
        if "cache" not in changes:
            new._cache_setting = self.cache
            new._cache = LookOnly(self._cache) if self.cache == "auto" and self._cache is not None else self._cache
        return new

    def to(self, device: torch.device | str | None) -> Self:
        """Send batches to `device` from now on."""
        self.device = None if device is None else torch.device(device)
        return self

    @property
    def n_inp(self) -> int:
        """How many parts of a batch go into the model; the rest are targets."""
        if self._n_inp is not None:
            return self._n_inp
        own = getattr(self.dataset, "n_inp", None)
        if own is not None:
            return int(own)
        first = self.dataset[0] if self.indexed and len(self.dataset) else None
        return max(len(first) - 1, 1) if isinstance(first, (tuple, list)) else 1

    @n_inp.setter
    def n_inp(self, value: int) -> None:
        self._n_inp = value

    def __getattr__(self, name: str) -> Any:
        """What is not here is the data set's: `dl.tls`, `dl.splits`, `dl.y` of a table."""
        if name.startswith("_") or self.__dict__.get("dataset") is None:
            raise AttributeError(name)
        if hasattr(type(self), name):  # a property that has nothing to give
            raise AttributeError(f"The data set ({type(self.dataset).__name__}) has no `{name}`.")
        try:
            return getattr(self.dataset, name)
        except AttributeError:
            raise AttributeError(f"Neither {type(self).__name__} nor its data set has `{name}`.") from None

    @property
    def items(self) -> Any:
        """The items of the data set, if it has them."""
        return getattr(self.dataset, "items", None)

    @property
    def vocab(self) -> Any:
        """The vocabulary of the data set's target."""
        return _of_dataset(self.dataset, "vocab")

    @property
    def c(self) -> int:
        """How many outputs the target needs."""
        return int(_of_dataset(self.dataset, "c"))

    def decode(self, b: Any) -> Any:
        """Undo the batch transforms as far as they can be undone."""
        return self.after_batch.decode(b)

    def decode_sample(self, sample: Any) -> Any:
        """Undo what the data set does to a sample: indices become names, texts, …"""
        decode = getattr(self.dataset, "decode", None)
        return sample if decode is None else decode(sample)

    def decode_batch(self, b: Any, max_n: int = 9, full: bool = True) -> Any:
        """Return up to `max_n` samples of a batch as people read them (pictures, names of classes)."""
        from .showing import decode_batch

        return decode_batch(self, b, max_n=max_n, full=full)

    def show_batch(
        self,
        b: Any = None,
        max_n: int = 9,
        ctxs: Any = None,
        show: bool = True,
        unique: bool = False,
        nrows: int | None = None,
        ncols: int | None = None,
        figsize: tuple[float, float] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Draw up to `max_n` samples of a batch (`unique`: one sample, many times, to see its augmentation)."""
        from .showing import show_batch

        return show_batch(
            self,
            b,
            max_n=max_n,
            ctxs=ctxs,
            show=show,
            unique=unique,
            nrows=nrows,
            ncols=ncols,
            figsize=figsize,
            **kwargs,
        )

    def show_results(self, b: Any, out: Any, max_n: int = 9, ctxs: Any = None, show: bool = True, **kwargs: Any) -> Any:
        """Draw up to `max_n` samples of a batch with targets and predictions (`out`: decoded by the loss)."""
        from .showing import show_results

        return show_results(self, b, out, max_n=max_n, ctxs=ctxs, show=show, **kwargs)

    def __repr__(self) -> str:
        what = f"{type(self.dataset).__name__} of {self.n} samples"
        return f"{type(self).__name__}({what}, bs={self.bs}, shuffle={self.shuffle})"

    def __getstate__(self) -> dict[str, Any]:
        there = {k: v for k, v in self.__dict__.items() if k not in ("_pool", "_stream", "_threads")}
        return there | {"_pool": None, "_threads": None}


class _Peek:
    """Give a loader an epoch that no training epoch has, for one look."""

    def __init__(self, dl: DataLoader) -> None:
        self.dl, self.before = dl, dl.epoch

    def __enter__(self) -> None:
        self.dl.epoch = mix(_PEEK, self.dl._n_peeks)

    def __exit__(self, *error: Any) -> None:
        self.dl.epoch = self.before


class TfmdDL(DataLoader):
    """A `DataLoader` whose batches have 64 samples unless told otherwise."""

    def __init__(
        self,
        dataset: Any = None,
        bs: int | None = 64,
        shuffle: bool = False,
        num_workers: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dataset, bs=bs, shuffle=shuffle, num_workers=num_workers, **kwargs)


def batch_keys(keys: npt.NDArray[np.uint64]) -> Any:
    """Return the keys of samples for the transforms of the batch that they are in."""
    return mix(keys, _BATCH_STREAM)


def _of_dataset(dataset: Any, name: str) -> Any:
    value = getattr(dataset, name, None)
    if value is None:
        raise AttributeError(f"The data set ({type(dataset).__name__}) has no `{name}`.")
    return value


def _forget_frames(error: BaseException | None) -> None:
    """Drop the tracebacks of an error that is only kept to be read: their frames hold half-made pictures."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.__traceback__ = None
            waiting += [one.__cause__, one.__context__]


def _is_on(batch: Any, device: torch.device) -> bool:
    """Whether nothing must be moved; quick for the usual batch, a tuple of tensors."""
    return type(batch) is tuple and all(isinstance(part, torch.Tensor) and part.device == device for part in batch)
