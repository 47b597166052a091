"""`EMA`: a running average of the weights, which often predicts better than the weights themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from vivace.training.callback import Callback

__all__ = ["EMA"]


class EMA(Callback):
    """Average the weights exponentially after each step; validate with, and end with, the average.

    Args:
        decay: how much of the average is kept at each step (lower in the first steps, so that it starts unbiased).
        start_epoch: average from this epoch on.
        validate: validate with the average rather than the weights.
    """

    order = 70

    def __init__(self, decay: float = 0.9998, start_epoch: int = 0, validate: bool = True) -> None:
        self.decay, self.start_epoch, self.validate_with_average = decay, start_epoch, validate

    def before_fit(self) -> None:
        self._average: dict[str, Tensor] = {}
        self._kept: dict[str, Tensor] | None = None
        self.n_steps = 0

    @torch.no_grad()
    def after_step(self) -> None:
        if self.learn.epoch < self.start_epoch:
            return
        state = self.learn.model.state_dict()
        if not self._average:
            self._average = {k: v.detach().clone() for k, v in state.items()}
        self.n_steps += 1
        decay = min(self.decay, (1 + self.n_steps) / (10 + self.n_steps))
        floats = [k for k, v in state.items() if v.is_floating_point()]
        torch._foreach_lerp_([self._average[k] for k in floats], [state[k] for k in floats], 1 - decay)
        for k, v in state.items():
            if not v.is_floating_point():
                self._average[k].copy_(v)

    def before_validate(self) -> None:
        if self.validate_with_average and self._average and self._kept is None:
            self._kept = {k: v.detach().clone() for k, v in self.learn.model.state_dict().items()}
            self.learn.model.load_state_dict(self._average)

    def after_validate(self) -> None:
        self._put_back()

    def _put_back(self) -> None:
        if self._kept is not None:
            self.learn.model.load_state_dict(self._kept)
            self._kept = None

    def after_fit(self) -> None:
        self._put_back()
        if self._average:
            self.learn.model.load_state_dict(self._average)

    def close(self) -> None:
        self._put_back()
        self._average = {}


