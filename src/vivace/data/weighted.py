"""Loaders that draw some samples more often than others, or only part of them in each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from vivace.core.errors import ArgumentError
from vivace.core.randomness import mix, uniform

from .loader import TfmdDL

__all__ = ["PartialDL", "WeightedDL"]


class WeightedDL(TfmdDL):
    """A loader that, when it shuffles, draws each sample as often as its weight says, with replacement.

    An epoch has as many samples as the data set, or `n`.

    Args:
        dataset, bs, shuffle, num_workers, …: as for `DataLoader`.
        wgts: one for each sample, 0 or more; they need not sum to 1. None: all alike.

    Raises:
        ArgumentError: there is not one weight for each sample, or one is below 0, or all are 0.
    """

    def __init__(
        self,
        dataset: Any = None,
        bs: int | None = 64,
        wgts: Sequence[float] | None = None,
        shuffle: bool = False,
        num_workers: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dataset, bs=bs, shuffle=shuffle, num_workers=num_workers, **kwargs)
        self.wgts = None if wgts is None else _shares(wgts, len(dataset))

    def get_idxs(self) -> list[int]:
        """Return the indices of one epoch, in order."""
        if self.wgts is None or not self.shuffle or not self.n:
            return super().get_idxs()
        drawn = uniform(mix(self.seed, self.epoch), 0, self.n)
        ends = np.cumsum(self.wgts)
        idxs: list[int] = np.searchsorted(ends, drawn * ends[-1], side="right").tolist()
        return idxs

    def new(self, dataset: Any = None, **changes: Any) -> Self:
        """Return a loader with other settings; weights are kept for the same data set."""
        own = {"wgts": self.wgts} if dataset is None else {}
        return super().new(dataset, **{**own, **changes})


class PartialDL(TfmdDL):
    """A loader that gives `partial_n` samples in each epoch: others every time when it shuffles, else the first ones.

    Args:
        dataset, bs, shuffle, num_workers, …: as for `DataLoader`.
        partial_n: how many; None: all.
    """

    own_settings = ("partial_n",)

    def __init__(
        self,
        dataset: Any = None,
        bs: int | None = 64,
        partial_n: int | None = None,
        shuffle: bool = False,
        num_workers: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dataset, bs=bs, shuffle=shuffle, num_workers=num_workers, **kwargs)
        self.partial_n = partial_n
        if partial_n is not None:
            self.n = min(partial_n, len(dataset))

    def get_idxs(self) -> list[int]:
        """Return the indices of one epoch, in order."""
        idxs = list(range(len(self.dataset)))
        return (self.shuffle_fn(idxs) if self.shuffle else idxs)[: self.n]


def _shares(wgts: Sequence[float], n: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    weights = np.asarray(wgts, np.float64)
    if weights.shape != (n,):
        raise ArgumentError(
            f"wgts holds {weights.size} weights for {n} samples: one for each training sample is needed."
        )
    if not (weights >= 0).all() or not weights.any():
        raise ArgumentError("wgts must be numbers of 0 or more, and not all of them 0.")
    return weights
