"""`SortedDL`: batches of samples that are about equally long, so that little is padded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vivace.core.errors import ArgumentError, ItemError
from vivace.core.randomness import mix, permutation
from vivace.data.loader import TfmdDL
from vivace.data.transform import Pipeline

from .padding import Pad_Chunk

__all__ = ["SortedDL"]

_POOL = 50  # batches among whose samples those of one length are looked for
_BATCHES = 0x50B7


class SortedDL(TfmdDL):
    """A loader whose batches hold samples of about one length.

    Without `shuffle` the longest come first, and `get_preds` gives its results in the order of the data set. With it
    the samples are shuffled by (seed, epoch), sorted within pools of 50 batches, and the batches shuffled; the batch
    with the longest sample comes first, so that a GPU whose memory does not suffice says so at once.

    Args:
        dataset: samples with indexing.
        sort_func: the length of a sample; None: of its first part.
        res: the lengths, if they are known.
        seq_len: the length of chunks that `Pad_Chunk` pads by; None: its own.
        bs, shuffle, num_workers, drop_last, …: as for `DataLoader`. With `drop_last` and `shuffle` the samples that
            are left out change from epoch to epoch.

    Raises:
        ArgumentError: `res` does not hold one length for each sample.
    """

    def __init__(
        self,
        dataset: Any = None,
        sort_func: Callable[[Any], int] | None = None,
        res: Sequence[int] | None = None,
        bs: int | None = 64,
        shuffle: bool = False,
        num_workers: int | None = None,
        seq_len: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dataset, bs=bs, shuffle=shuffle, num_workers=num_workers, **kwargs)
        if seq_len is not None:
            fs = [f.with_seq_len(seq_len) if isinstance(f, Pad_Chunk) else f for f in self.before_batch.fs]
            self.before_batch = Pipeline(fs, split_idx=self.split_idx)
        if res is not None and len(res) != len(dataset):
            raise ArgumentError(f"`res` holds {len(res)} lengths for {len(dataset)} samples: one for each is needed.")
        self.sort_func, self._lengths = sort_func, None if res is None else np.asarray(res, np.int64)
        self._order: list[int] = []  # of the last epoch that was begun

    own_settings = ("sort_func",)

    @property
    def res(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """`(n_samples,)` their lengths."""
        if self._lengths is None:
            self._lengths = np.array([self._length_of(i) for i in range(len(self.dataset))], np.int64)
        return self._lengths

    def _length_of(self, index: int) -> int:
        parts = getattr(self.dataset, "tls", None)
        try:
            if self.sort_func is not None:
                return int(self.sort_func(self.dataset[index]))
            if parts is not None:  # the first part alone: targets need not be made
                return len(parts[0][index])
            sample = self.dataset[index]
            return len(sample[0] if isinstance(sample, tuple) else sample)
        except ItemError:
            if self.on_error == "raise":
                raise
            return 0  # it fails again when it is read, and is reported then

    def get_idxs(self) -> list[int]:
        """Return the indices of one epoch, in order."""
        self._order = self._shuffled() if self.shuffle else np.argsort(-self.res[: self.n], kind="stable").tolist()
        return self._order

    def _shuffled(self) -> list[int]:
        n, size, key = self.n or 0, self.bs or 1, mix(self.seed, self.epoch)
        order = np.asarray(permutation(key, n))
        if self.drop_last and n >= size:  # whom it leaves out is left to chance, not to length
            order = order[: n // size * size]
        pools = [order[i : i + _POOL * size] for i in range(0, len(order), _POOL * size)]
        order = np.concatenate([pool[np.argsort(-self.res[pool], kind="stable")] for pool in pools] or [order])
        batches = [order[i : i + size] for i in range(0, len(order), size)]
        if len(batches) > 1:
            batches = self._with_longest_first(batches, size, key)
        return [int(i) for batch in batches for i in batch]

    def _with_longest_first(self, batches: list[Any], size: int, key: int) -> list[Any]:
        longest = max(range(len(batches)), key=lambda i: self.res[batches[i][0]] if len(batches[i]) == size else -1)
        first = batches.pop(longest)
        smaller = [batches.pop()] if batches and len(batches[-1]) < size else []
        shuffled = [batches[i] for i in permutation(mix(key, _BATCHES), len(batches)).tolist()]
        return [first, *shuffled, *smaller]

    def get_idxs_back(self) -> list[int]:
        """Return for each sample of the data set its place among those that the last epoch gave."""
        left_out = {failure.index for failure in self.skipped}
        given = [i for i in self._order or self.get_idxs() if i not in left_out]
        back: list[int] = np.argsort(np.asarray(given, np.int64), kind="stable").tolist()
        return back

    def new(self, dataset: Any = None, **changes: Any) -> SortedDL:
        """Return a loader like this one over another data set, or with other settings."""
        if dataset is None and "sort_func" not in changes:
            changes.setdefault("res", self._lengths)
        return super().new(dataset, **changes)
