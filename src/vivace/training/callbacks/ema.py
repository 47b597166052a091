"""`EMA`: a running average of the weights, which often predicts better than the weights themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from vivace.core.errors import ArgumentError
from vivace.training.callback import Callback

__all__ = ["EMA", "average_into"]


@torch.no_grad()
def average_into(average: dict[str, Tensor], state: dict[str, Tensor], decay: float) -> None:
    """Move each tensor of `average` towards `state`: `decay` of the average stays. What is not a float is copied."""
    floats = [name for name, value in state.items() if value.is_floating_point()]
    torch._foreach_lerp_([average[name] for name in floats], [state[name] for name in floats], 1 - decay)
    for name, value in state.items():
        if not value.is_floating_point():
            average[name].copy_(value)


class EMA(Callback):
    """Average the weights exponentially after each step; validate with, save, and end with, the average.

    The model holds the average from the beginning of a validation until training goes on, so that what
    `SaveModelCallback` saves is what was measured. A fit that ends in an error leaves the weights themselves.

    Args:
        decay: how much of the average is kept at each step (less in the first steps, so that the start is forgotten).
        start_epoch: average from this epoch on.
        validate: validate with the average rather than the weights.
    """

    order = 55  # before `SaveModelCallback`, which loads the best model when training ends
    run_lr_find = False

    def __init__(self, decay: float = 0.9998, start_epoch: int = 0, validate: bool = True) -> None:
        if not 0 <= decay < 1:
            raise ArgumentError(f"EMA needs a decay in 0..1 (below 1), got {decay}.")
        self.decay, self.start_epoch, self.validate_with_average = decay, start_epoch, validate
        self.n_steps = 0
        self._average: dict[str, Tensor] = {}
        self._own: dict[str, Tensor] | None = None  # the weights themselves, while the model holds the average

    def before_fit(self) -> None:
        self._average, self._own, self.n_steps = {}, None, 0

    def before_train(self) -> None:
        self._put_back()

    def after_step(self) -> None:
        if self.learn.epoch < self.start_epoch:
            return
        state = self.learn.model.state_dict()
        if not self._average:
            self._average = _copy(state)
        self.n_steps += 1
        average_into(self._average, state, min(self.decay, (1 + self.n_steps) / (10 + self.n_steps)))

    def before_validate(self) -> None:
        if self.validate_with_average and self._average and self._own is None:
            self._own = _copy(self.learn.model.state_dict())
            self.learn.model.load_state_dict(self._average)

    def after_fit(self) -> None:
        if self._average:
            self.learn.model.load_state_dict(self._average)
        self._own = None

    def close(self) -> None:
        self._put_back()
        self._average = {}

    def _put_back(self) -> None:
        if self._own is not None:
            self.learn.model.load_state_dict(self._own)
            self._own = None


def _copy(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}
