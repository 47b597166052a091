"""Training on part of the data, and looking at what goes by."""

from __future__ import annotations


from vivace.core.collection import L
from vivace.core.device import to_detach
from vivace.training.callback import Callback, CancelTrainException, CancelValidException

__all__ = ["CollectDataCallback", "ShortEpochCallback"]


class CollectDataCallback(Callback):
    """Keep all batches, with predictions and losses, in `data`."""

    def before_fit(self) -> None:
        self.data: L = L()

    def after_batch(self) -> None:
        learn = self.learn
        self.data.append(to_detach((learn.xb, learn.yb, learn.pred, learn.loss)))


class ShortEpochCallback(Callback):
    """Train and validate on the first `pct` of the batches of each epoch.

    Args:
        pct: which fraction of the batches.
        short_valid: cut validation short too.
    """

    def __init__(self, pct: float = 0.01, short_valid: bool = True) -> None:
        self.pct, self.short_valid = pct, short_valid

    def after_batch(self) -> None:
        if self.learn.iter / max(self.learn.n_iter, 1) < self.pct:
            return
        if self.learn.training:
            raise CancelTrainException
        if self.short_valid:
            raise CancelValidException


