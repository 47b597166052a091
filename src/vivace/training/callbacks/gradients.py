"""Gradients: accumulate them over several batches, clip them."""

from __future__ import annotations

from torch import nn

from vivace.core.device import find_bs
from vivace.core.errors import ArgumentError
from vivace.training.callback import Callback, CancelBatchException

__all__ = ["GradientAccumulation", "GradientClip"]


class GradientAccumulation(Callback):
    """Update the weights only once `n_acc` samples have been seen; equal to batches of that size.

    The loss must be a mean over samples. A remainder at the end of an epoch is carried into the next one; one at the
    end of the fit is dropped.

    Args:
        n_acc: how many samples make one step.
    """

    order = -4
    run_valid = False

    def __init__(self, n_acc: int = 32) -> None:
        if n_acc < 1:
            raise ArgumentError(f"GradientAccumulation needs n_acc of 1 or more samples, got {n_acc}.")
        self.n_acc = n_acc

    def before_fit(self) -> None:
        self.count = 0

    def after_loss(self) -> None:
        n_samples = find_bs(self.learn.yb)
        self.learn.loss_grad = self.learn.loss_grad * (n_samples / self.n_acc)
        self.count += n_samples

    def after_backward(self) -> None:
        # before the step, so that in fp16 the gradients that are kept stay scaled, like those still to come
        if self.count < self.n_acc:
            raise CancelBatchException
        self.count = 0


class GradientClip(Callback):
    """Scale the gradients down when their norm exceeds `max_norm`.

    Args:
        max_norm: the highest norm.
        norm_type: 2 for the Euclidean norm.
    """

    order = 1

    def __init__(self, max_norm: float = 1.0, norm_type: float = 2.0) -> None:
        self.max_norm, self.norm_type = max_norm, norm_type

    def before_step(self) -> None:
        nn.utils.clip_grad_norm_(self.learn.model.parameters(), self.max_norm, self.norm_type)
