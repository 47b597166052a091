"""Follow a value from epoch to epoch: save the best model, stop early, lower the rate on a plateau."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vivace.core.errors import ArgumentError, suggest
from vivace.training.callback import Callback, CancelFitException

__all__ = ["EarlyStoppingCallback", "ReduceLROnPlateau", "SaveModelCallback", "TrackerCallback"]


class TrackerCallback(Callback):
    """Keep the best value of a column of the epoch table in `best`, and whether this epoch made it in `new_best`.

    Args:
        monitor: the column ("valid_loss", "accuracy", …).
        comp: whether the first value is better than the second; None: less for losses and errors, else greater.
        min_delta: by how much a value must be better to count.
        reset_on_fit: forget the best when a new fit begins.
    """

    order = 60
    run_lr_find = False

    def __init__(
        self,
        monitor: str = "valid_loss",
        comp: Callable[[Any, Any], Any] | None = None,
        min_delta: float = 0.0,
        reset_on_fit: bool = True,
    ) -> None:
        if comp is None:
            comp = np.less if "loss" in monitor or "error" in monitor else np.greater
        self.monitor, self.comp, self.min_delta, self.reset_on_fit = monitor, comp, abs(min_delta), reset_on_fit
        self._sign = -1 if comp(0, 1) else 1
        self.best: Any = None
        self.new_best = False

    def before_fit(self) -> None:
        columns = list(self.learn.recorder.metric_names)[1:]
        columns = [c for c in columns if c != "time"]
        if self.monitor not in columns:
            hint = suggest(self.monitor, columns)
            raise ArgumentError(
                f"{type(self).__name__} monitors {self.monitor!r}, which is not measured; "
                f"columns are {', '.join(columns)}.{hint}"
            )
        self._column = columns.index(self.monitor)
        if self.reset_on_fit or self.best is None:
            self.best = -self._sign * float("inf")
        self.new_best = False

    def after_epoch(self) -> None:
        recorder = self.learn.recorder
        self.new_best = False
        if not recorder.has_row:  # an epoch that was passed over
            return
        value = recorder.values[-1][self._column]
        if value is not None and self.comp(value - self._sign * self.min_delta, self.best):
            self.new_best, self.best = True, value
        self.react()

    def react(self) -> None:
        """Called after each epoch, when `best` and `new_best` are known."""


class EarlyStoppingCallback(TrackerCallback):
    """Stop training when the monitored value has not become better for `patience` epochs."""

    order = 63

    def __init__(
        self,
        monitor: str = "valid_loss",
        comp: Callable[[Any, Any], Any] | None = None,
        min_delta: float = 0.0,
        patience: int = 1,
        reset_on_fit: bool = True,
    ) -> None:
        super().__init__(monitor, comp, min_delta, reset_on_fit)
        self.patience = patience

    def before_fit(self) -> None:
        super().before_fit()
        self.wait = 0

    def react(self) -> None:
        self.wait = 0 if self.new_best else self.wait + 1
        if self.wait >= self.patience:
            self.learn.logger(
                f"No improvement of {self.monitor} for {self.patience} epochs: stopped after epoch {self.learn.epoch}."
            )
            raise CancelFitException


class SaveModelCallback(TrackerCallback):
    """Save the model whenever the monitored value becomes better, and load the best one when training ends.

    Args:
        monitor: the column to follow.
        comp: whether the first value is better than the second.
        min_delta: by how much a value must be better.
        fname: the file, without folder and suffix.
        every_epoch: True: save every epoch as `fname_<epoch>`; a number: every that many epochs.
        at_end: also save when training ends, under `fname`.
        with_opt: save the optimizer's state too.
        reset_on_fit: forget the best when a new fit begins.
    """

    order = 61

    def __init__(
        self,
        monitor: str = "valid_loss",
        comp: Callable[[Any, Any], Any] | None = None,
        min_delta: float = 0.0,
        fname: str = "model",
        every_epoch: bool | int = False,
        at_end: bool = False,
        with_opt: bool = False,
        reset_on_fit: bool = True,
    ) -> None:
        super().__init__(monitor, comp, min_delta, reset_on_fit)
        self.fname, self.every_epoch, self.at_end, self.with_opt = fname, every_epoch, at_end, with_opt
        self.last_saved_path: Path | None = None

    def _save(self, name: str) -> None:
        self.last_saved_path = self.learn.save(name, with_opt=self.with_opt)

    def react(self) -> None:
        if self.every_epoch:
            if self.learn.epoch % int(self.every_epoch) == 0:
                self._save(f"{self.fname}_{self.learn.epoch}")
        elif self.new_best:
            self.learn.logger(f"Better model found at epoch {self.learn.epoch} with {self.monitor} value: {self.best}.")
            self._save(self.fname)

    def after_fit(self) -> None:
        if self.at_end:
            self._save(self.fname)
        elif not self.every_epoch and self.last_saved_path is not None:
            self.learn.load(self.fname, with_opt=self.with_opt)


class ReduceLROnPlateau(TrackerCallback):
    """Divide the rate by `factor` when the monitored value has not become better for `patience` epochs.

    Args:
        monitor: the column to follow.
        comp: whether the first value is better than the second.
        min_delta: by how much a value must be better.
        patience: how many epochs to wait.
        factor: what the rate is divided by.
        min_lr: the rate never goes below.
        reset_on_fit: forget the best when a new fit begins.
    """

    order = 65

    def __init__(
        self,
        monitor: str = "valid_loss",
        comp: Callable[[Any, Any], Any] | None = None,
        min_delta: float = 0.0,
        patience: int = 1,
        factor: float = 10.0,
        min_lr: float = 0.0,
        reset_on_fit: bool = True,
    ) -> None:
        super().__init__(monitor, comp, min_delta, reset_on_fit)
        self.patience, self.factor, self.min_lr = patience, factor, min_lr

    def before_fit(self) -> None:
        super().before_fit()
        self.wait = 0

    def react(self) -> None:
        self.wait = 0 if self.new_best else self.wait + 1
        if self.wait < self.patience:
            return
        self.wait = 0
        opt = self.learn.opt
        assert opt is not None
        rates = [h["lr"] for h in opt.hypers]
        lower = [max(rate / self.factor, self.min_lr) if rate > self.min_lr else rate for rate in rates]
        if lower != rates:
            opt.set_hyper("lr", lower)
            self.learn.logger(f"Epoch {self.learn.epoch}: lowered the learning rate to {lower[-1]:.3g}.")
