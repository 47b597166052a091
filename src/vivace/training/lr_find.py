"""`lr_find`: try rising learning rates for a few batches, look at the loss, put everything back."""

from __future__ import annotations

import copy
import math
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from vivace.core.errors import ArgumentError, DataError
from vivace.core.randomness import no_random

from .callback import CancelFitException, CancelValidException
from .callbacks.schedule import ParamScheduler
from .schedule import SchedExp, minimum, slide, steep, valley

if TYPE_CHECKING:
    from .learner import Learner

__all__ = ["LRFinder", "SuggestedLRs", "lr_find", "minimum", "slide", "steep", "valley"]

SuggestedLRs = Any  # a named tuple with one field for each function that suggests
N_SKIPPED_AT_END = 5  # the last losses are those of the explosion


class LRFinder(ParamScheduler):
    """Raise the rate from `start_lr` to `end_lr` over `num_it` batches, then end the fit.

    Args:
        start_lr: the first rate; a list: one for each parameter group.
        end_lr: the last rate; a list: one for each parameter group.
        num_it: how many batches.
        stop_div: stop as soon as the running mean of the loss is above four times its lowest.
    """

    def __init__(
        self,
        start_lr: float | Sequence[float] = 1e-7,
        end_lr: float | Sequence[float] = 10.0,
        num_it: int = 100,
        stop_div: bool = True,
    ) -> None:
        super().__init__({"lr": SchedExp(start_lr, end_lr)})
        self.num_it, self.stop_div = num_it, stop_div
        self.best_loss = math.inf

    def before_fit(self) -> None:
        super().before_fit()
        self.best_loss = math.inf

    def before_batch(self) -> None:
        self.learn.pct_train = self.learn.train_iter / self.num_it
        super().before_batch()

    def after_batch(self) -> None:
        super().after_batch()
        loss = self.learn.recorder.smooth_loss  # waits for the device; a hundred batches bear it
        self.best_loss = min(self.best_loss, loss)
        is_lost = not math.isfinite(loss) or (self.stop_div and loss > 4 * self.best_loss)
        if is_lost or self.learn.train_iter >= self.num_it:
            raise CancelFitException

    def before_validate(self) -> None:
        raise CancelValidException


@contextmanager
def _everything_kept(learn: Learner) -> Iterator[None]:
    """Put back, on leaving: model, optimizer, loss scale, the loaders' epochs, and all global random states."""
    model = learn.model
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    # what has no place in the state dict: buffers that are not persistent
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    modes = [(module, module.training) for module in model.modules()]
    parameters = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    epochs = [(dl, dl.epoch) for dl in getattr(learn.dls, "loaders", []) if hasattr(dl, "epoch")]
    scale = copy.deepcopy(learn.runtime.scaler.state_dict())
    opt, learn.opt = learn.opt, None
    try:
        with no_random(torch.initial_seed(), reproducible=False):
            yield
    finally:
        learn.opt = opt
        model.load_state_dict(state)
        _copy_back(buffers)
        for module, was_training in modes:
            module.training = was_training
        for parameter, was_trained, gradient in parameters:
            parameter.requires_grad_(was_trained)
            parameter.grad = gradient
        for dl, epoch in epochs:
            dl.epoch = epoch
        if scale:
            learn.runtime.scaler.load_state_dict(scale)


@torch.no_grad()
def _copy_back(kept: list[tuple[Tensor, Tensor]]) -> None:
    for buffer, value in kept:
        buffer.copy_(value)


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
    rates stay in `learn.recorder`. Callbacks with `run_lr_find = False` (they save, log or stop) take no part.

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

    Raises:
        ArgumentError: `num_it` or the rates cannot work.
        DataError: there are no training batches, or too few came before the loss exploded.
    """
    if num_it < 2 or not 0 < start_lr < end_lr:
        raise ArgumentError(
            f"lr_find needs num_it of 2 or more and 0 < start_lr < end_lr, got num_it={num_it}, {start_lr}, {end_lr}."
        )
    try:
        n_batches = len(learn.dls.train)
    except TypeError:  # an iterable, which nobody knows the length of
        n_batches = 1
    if n_batches == 0:
        raise DataError("lr_find needs training batches, and the training loader has none: lower bs.")
    silent = [cb for cb in learn.cbs if not cb.run_lr_find]
    with _everything_kept(learn), learn.no_logging(), learn.no_bar(), learn.removed_cbs(silent):
        learn.fit(num_it // n_batches + 1, cbs=LRFinder(start_lr, end_lr, num_it, stop_div))
    return _suggest(learn, num_it, suggest_funcs, show_plot)


def _suggest(learn: Learner, num_it: int, suggest_funcs: Any, show_plot: bool) -> Any:
    functions = [suggest_funcs or valley] if suggest_funcs is None or callable(suggest_funcs) else list(suggest_funcs)
    losses, rates = learn.recorder.losses, learn.recorder.lrs
    n_skipped = num_it // 10
    if len(losses) - n_skipped - N_SKIPPED_AT_END < 5:
        raise DataError(
            f"lr_find saw only {len(losses)} batches, which is too few to suggest a rate: the loss exploded at once "
            "(begin lower: start_lr), or there should be more (num_it)."
        )
    used = slice(n_skipped, -N_SKIPPED_AT_END)
    found = [function(np.asarray(rates[used]), np.asarray(losses[used]), num_it) for function in functions]
    names = [getattr(function, "func", function).__name__ for function in functions]
    if show_plot:
        learn.recorder.plot_lr_find(suggestions=[point for _, point in found], nms=names)
    as_tuple: Any = namedtuple("SuggestedLRs", names)  # type: ignore[misc]  # the names are the user's choice
    return as_tuple(*(float(rate) for rate, _ in found))
