"""`lr_find`: try rising learning rates for a few batches, look at the loss, put everything back."""

from __future__ import annotations

import copy
import math
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vivace.core.errors import ArgumentError, DataError
from vivace.core.randomness import no_random

from .callback import CancelFitException, CancelValidException
from .callbacks.schedule import ParamScheduler
from .schedule import SchedExp, minimum, slide, steep, valley

if TYPE_CHECKING:
    from .learner import Learner

__all__ = ["LRFinder", "SuggestedLRs", "lr_find", "minimum", "slide", "steep", "valley"]

SuggestedLRs = Any  # a named tuple with one field for each function that suggests


class LRFinder(ParamScheduler):
    """Raise the rate from `start_lr` to `end_lr` over `num_it` batches; stop early when the loss explodes."""

    def __init__(self, start_lr: float | Sequence[float] = 1e-7, end_lr: float | Sequence[float] = 10.0, num_it: int = 100, stop_div: bool = True) -> None:
        one = SchedExp(start_lr, end_lr)
        super().__init__({"lr": [SchedExp(s, e) for s, e in zip(start_lr, end_lr, strict=True)] if isinstance(start_lr, (list, tuple)) and isinstance(end_lr, (list, tuple)) else one})
        self.num_it, self.stop_div = num_it, stop_div

    def before_fit(self) -> None:
        super().before_fit()
        self.best_loss = math.inf

    def before_batch(self) -> None:
        self.learn.pct_train = self.learn.train_iter / self.num_it
        super().before_batch()

    def after_batch(self) -> None:
        losses = self.learn.recorder.losses  # waits for the device; a hundred batches bear it
        if losses:
            self.best_loss = min(self.best_loss, losses[-1])
            if self.stop_div and (losses[-1] > 4 * self.best_loss or not math.isfinite(losses[-1])):
                raise CancelFitException
        if self.learn.train_iter >= self.num_it - 1:
            raise CancelFitException

    def before_validate(self) -> None:
        raise CancelValidException


class _KeepState:
    """Remember the model, the optimizer, the loaders' epochs and the Learner's history; put them back on leaving."""

    def __init__(self, learn: Learner) -> None:
        self.learn = learn

    def __enter__(self) -> None:
        learn = self.learn
        self.model = {k: v.detach().clone() for k, v in learn.model.state_dict().items()}
        self.was_training = learn.model.training
        self.opt, learn.opt = learn.opt, None
        self.requires_grad = [p.requires_grad for p in learn.model.parameters()]
        self.epochs = [(dl, dl.epoch) for dl in getattr(learn.dls, "loaders", []) if hasattr(dl, "epoch")]
        self.scaler = copy.deepcopy(learn.runtime.scaler.state_dict())

    def __exit__(self, *error: Any) -> None:
        learn = self.learn
        learn.model.load_state_dict(self.model)
        learn.model.train(self.was_training)
        for parameter, wanted in zip(learn.model.parameters(), self.requires_grad, strict=True):
            parameter.requires_grad_(wanted)
            parameter.grad = None
        learn.opt = self.opt
        for dl, epoch in self.epochs:
            dl.epoch = epoch
        if self.scaler:
            learn.runtime.scaler.load_state_dict(self.scaler)


def lr_find(
    learn: Learner,
    start_lr: float = 1e-7,
    end_lr: float = 10.0,
    num_it: int = 100,
    stop_div: bool = True,
    show_plot: bool = True,
    suggest_funcs: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
) -> Any:
    """Train for `num_it` batches while the rate rises, and suggest a rate. See Smith (arXiv:1506.01186).

    Model, optimizer, global randomness, the order of later epochs, and the disk are left as they were; the losses and
    rates stay in `learn.recorder`.

    Args:
        learn: what to try.
        start_lr: the first rate.
        end_lr: the last rate.
        num_it: how many batches.
        stop_div: stop as soon as the loss is four times its lowest.
        show_plot: draw the loss by rate, with the suggestions.
        suggest_funcs: one of `valley` (default), `minimum`, `steep`, `slide`, or several of them.

    Returns:
        A named tuple with one rate for each function.
    """
    if num_it < 2:
        raise ArgumentError(f"lr_find needs num_it of 2 or more, got {num_it}.")
    functions = [valley] if suggest_funcs is None else [suggest_funcs] if callable(suggest_funcs) else list(suggest_funcs)
    n_batches = len(learn.dls.train)
    if n_batches == 0:
        raise DataError("lr_find needs training batches, and the training loader has none: lower bs.")
    n_epoch = num_it // n_batches + 1
    with no_random_change(), _KeepState(learn), learn.no_logging(), learn.no_bar():
        learn.create_opt()
        assert learn.opt is not None
        learn.fit(n_epoch, cbs=LRFinder(start_lr, end_lr, num_it, stop_div))
    losses, rates = learn.recorder.losses, learn.recorder.lrs[: len(learn.recorder.losses)]
    skip = num_it // 10
    enough = len(losses) - skip - 5
    if enough < 5:
        raise DataError(f"lr_find saw only {len(losses)} batches before the loss exploded; begin lower (start_lr) or take more (num_it).")
    lrs, values = np.asarray(rates[skip:-5]), np.asarray(losses[skip:-5])
    suggestions = [f(lrs, values, num_it) for f in functions]
    names = [getattr(f, "func", f).__name__ for f in functions]
    if show_plot:
        learn.recorder.plot_lr_find(suggestions=[point for _, point in suggestions], nms=names)
    return namedtuple("SuggestedLRs", names)(*[float(rate) for rate, _ in suggestions])  # type: ignore[misc]


def no_random_change() -> Any:
    """Leave the global random states as they are now, whatever happens inside."""
    return no_random(torch.initial_seed() % 2**32, reproducible=False)

