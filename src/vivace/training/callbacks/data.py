"""Training on part of the data, and looking at what goes by."""

from __future__ import annotations

from typing import Any

from vivace.core.collection import L
from vivace.core.device import to_detach
from vivace.training.callback import Callback, CancelTrainException, CancelValidException

__all__ = ["CollectDataCallback", "ShortEpochCallback"]


class CollectDataCallback(Callback):
    """Keep inputs, targets, prediction and loss of each batch in `data`, on the CPU."""

    order = 95
    run_lr_find = False

    def __init__(self) -> None:
        self.data: L[Any] = L()

    def before_fit(self) -> None:
        self.data = L()

    def after_batch(self) -> None:
        learn = self.learn
        self.data.append(to_detach((learn.xb, learn.yb, learn.pred, learn.loss)))


class ShortEpochCallback(Callback):
    """Train and validate on the first batches of each epoch only, to try things out.

    Args:
        pct: which fraction of the batches (at least one).
        short_valid: cut validation short too.
    """

    order = 1000  # when all others have seen the last batch
    run_lr_find = False

    def __init__(self, pct: float = 0.01, short_valid: bool = True) -> None:
        self.pct, self.short_valid = pct, short_valid
        self._is_fitting = False  # predictions outside of a fit are complete

    def before_fit(self) -> None:
        self._is_fitting = True

    def close(self) -> None:
        self._is_fitting = False

    def after_batch(self) -> None:
        learn = self.learn
        if not self._is_fitting or learn.iter + 1 < self.pct * learn.n_iter:
            return
        if learn.training:
            raise CancelTrainException
        if self.short_valid:
            raise CancelValidException
