"""`TerminateOnNaNCallback`: stop when the loss is no number any more, and say which batch it was."""

from __future__ import annotations

import warnings

import torch

from vivace.training.callback import Callback, CancelBatchException, CancelFitException

__all__ = ["TerminateOnNaNCallback"]


class TerminateOnNaNCallback(Callback):
    """Stop training once the loss is NaN or infinite.

    On a GPU the loss is looked at every `check_every` batches and at the end of an epoch, so that the host does not
    wait for the device at each step; the message still names the first bad batch. Elsewhere every batch is looked at.

    Args:
        check_every: how many batches pass between two looks, on a device where looking means waiting.
    """

    order = -9

    def __init__(self, check_every: int = 50) -> None:
        self.check_every = check_every

    def before_train(self) -> None:
        self._losses: list[torch.Tensor] = []
        self._first = 0

    def after_loss(self) -> None:
        if not self.learn.training or self.learn.loss is None:
            return
        self._losses.append(self.learn.loss.detach())
        if self.learn.loss.device.type == "cpu" and self._look() is not None:
            raise CancelBatchException  # before the gradients of this batch reach the weights

    def after_batch(self) -> None:
        if self.learn.training and (self._bad is not None or len(self._losses) >= self.check_every):
            self._stop_if_bad()

    def after_train(self) -> None:
        self._stop_if_bad()

    _bad: int | None = None

    def before_fit(self) -> None:
        self._bad = None

    def _look(self) -> int | None:
        """The number of the first bad batch among those kept, or None; the good ones are forgotten."""
        if self._losses and self._bad is None:
            finite = torch.isfinite(torch.stack(self._losses).float())
            if not bool(finite.all()):
                self._bad = self._first + int((~finite).nonzero()[0, 0])
            self._first += len(self._losses)
            self._losses = []
        return self._bad

    def _stop_if_bad(self) -> None:
        bad = self._look()
        if bad is None:
            return
        warnings.warn(
            f"The loss is not a finite number since batch {bad} of epoch {self.learn.epoch}: training was stopped. "
            "Try a lower learning rate, GradientClip, or look at that batch for bad values.",
            stacklevel=2,
        )
        raise CancelFitException
