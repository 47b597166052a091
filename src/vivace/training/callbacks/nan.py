"""`TerminateOnNaNCallback`: stop when the loss is no number any more, and say which batch it was."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from vivace.training.callback import Callback, CancelFitException

__all__ = ["TerminateOnNaNCallback"]


def can_look_freely(loss: Tensor) -> bool:
    """Whether reading this loss does not make the host wait for a device."""
    return loss.device.type == "cpu"


class TerminateOnNaNCallback(Callback):
    """Stop training once the loss is NaN or infinite.

    On a GPU the loss is looked at every `check_every` batches and at the end of an epoch, so that the host does not
    wait for the device at each step; the message still names the first bad batch. Elsewhere every batch is looked at.

    Args:
        check_every: how many batches pass between two looks, on a device where looking means waiting.
    """

    order = -9
    run_valid = False
    run_lr_find = False

    def __init__(self, check_every: int = 50) -> None:
        self.check_every = check_every
        self._losses: list[Tensor] = []  # of batches that were not looked at yet
        self._n_good = 0  # how many batches of this epoch were looked at and were good

    def before_train(self) -> None:
        self._losses, self._n_good = [], 0

    def before_backward(self) -> None:
        self._losses.append(self.learn.loss_grad.detach())
        # where looking costs nothing, stopping here keeps the gradients of this batch from the weights
        if can_look_freely(self.learn.loss_grad) or len(self._losses) >= self.check_every:
            self._stop_if_bad()

    def after_train(self) -> None:
        self._stop_if_bad()

    def close(self) -> None:
        self._losses = []

    def _stop_if_bad(self) -> None:
        if not self._losses:
            return
        is_finite = torch.isfinite(torch.stack(self._losses))
        if bool(is_finite.all()):
            self._n_good += len(self._losses)
            self._losses = []
            return
        bad = self._n_good + int((~is_finite).nonzero()[0, 0])
        warnings.warn(
            f"The loss is not a finite number in batch {bad} of epoch {self.learn.epoch}: training was stopped. "
            "Try a lower learning rate, GradientClip, or look at that batch for bad values.",
            stacklevel=2,
        )
        raise CancelFitException
