"""`Recorder`: what every epoch measured. Losses stay on the device until somebody looks at them."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from vivace.core.collection import L
from vivace.core.report import format_time
from vivace.training.callback import Callback
from vivace.training.metrics import AvgLoss, Metric

__all__ = ["Recorder"]


class Recorder(Callback):
    """Keep losses, rates and metrics.

    `values` has one row an epoch: training loss (a running mean, bias-corrected), validation loss, metrics; None stands
    for what was not measured.
    `losses`, `lrs` and `hps` have one value for each training batch; `metric_names` names the columns of the table;
    `iters` says how many training batches had been done at the end of each epoch, `waits` which share of its time
    (0..1) the loop has waited for data: reading, decoding, item transforms, and batch transforms where they run here.

    Args:
        add_time: whether the table has a column for the time of an epoch.
        train_metrics: whether metrics are also measured in training.
        valid_metrics: whether they are measured in validation.
        beta: how much of the running mean is kept at each batch.
    """

    order = 50

    def __init__(
        self, add_time: bool = True, train_metrics: bool = False, valid_metrics: bool = True, beta: float = 0.98
    ) -> None:
        self.add_time, self.train_metrics, self.valid_metrics, self.beta = add_time, train_metrics, valid_metrics, beta
        self.metric_names: L[Any] = L()
        self.values: L[Any] = L()
        self.hps: dict[str, list[Any]] = {}
        self.iters: list[int] = []
        self.waits: list[float] = []
        self.log: list[Any] = []  # the row of this epoch, with its number and time
        self.has_row = False  # whether this epoch has a row in `values` (not one that was passed over)
        self._valid_loss = AvgLoss()
        self._train_record: list[Any] | None = None
        self._valid_record: list[Any] | None = None
        self._is_begun, self._started, self._waited = False, 0.0, 0.0
        self._forget()

    def _forget(self) -> None:
        self._pending: list[Tensor] = []  # losses of batches, on the device
        self._smooth: list[float] = []  # their running means, as numbers
        self._mean, self._n_smoothed = 0.0, 0
        self._first_bad: int | None = None  # the first batch of this fit whose loss was no number
        self._is_told = False

    # ------------------------------------------------------------------ what was measured
    @property
    def losses(self) -> list[float]:
        """The running mean of the training loss after each batch. Reading it waits for the device."""
        if self._pending:
            raw = torch.stack(self._pending).float().tolist()
            self._pending = []
            for value in raw:
                self._n_smoothed += 1
                if not math.isfinite(value) and self._first_bad is None:
                    self._first_bad = self._n_smoothed - 1
                self._mean = self.beta * self._mean + (1 - self.beta) * value
                self._smooth.append(self._mean / (1 - self.beta**self._n_smoothed))
        return self._smooth

    @losses.setter
    def losses(self, values: Sequence[float]) -> None:
        self._forget()
        self._smooth = list(values)

    @property
    def lrs(self) -> list[Any]:
        """The learning rate (of the last parameter group) of each training batch."""
        return self.hps.get("lr", [])

    @lrs.setter
    def lrs(self, values: list[Any]) -> None:
        self.hps["lr"] = values

    @property
    def smooth_loss(self) -> float:
        """The running mean of the training loss now (NaN before the first batch)."""
        losses = self.losses
        return losses[-1] if losses else math.nan

    # ------------------------------------------------------------------ events
    def before_fit(self) -> None:
        self.values, self.hps, self.iters, self.log, self.waits = L(), {"lr": []}, [], [], []
        self._forget()
        self.metric_names = L(["epoch", *self._columns()], use_list=True)
        if self.add_time:
            self.metric_names.append("time")

    def _columns(self) -> list[str]:
        names = ["loss", *(m.name for m in self.learn.metrics)]
        if self.train_metrics and self.valid_metrics:
            return [f"train_{n}" for n in names] + [f"valid_{n}" for n in names]
        if self.train_metrics:
            return ["train_loss", *(f"train_{n}" for n in names[1:]), "valid_loss"]
        return ["train_loss", "valid_loss", *names[1:]] if self.valid_metrics else ["train_loss", "valid_loss"]

    def _validated(self) -> list[Metric]:
        return [self._valid_loss, *(self.learn.metrics if self.valid_metrics else [])]

    def before_epoch(self) -> None:
        self._started, self._is_begun, self.has_row = time.perf_counter(), False, False
        self._waited = self.learn.data_wait
        self._train_record = self._valid_record = None
        self.log = [self.learn.epoch]

    def before_train(self) -> None:
        self._is_begun = True
        self._reset(self.learn.metrics if self.train_metrics else [])

    def after_batch(self) -> None:
        learn = self.learn
        if learn.loss is None:  # a cancelled batch, or data without targets
            return
        if learn.training:
            assert learn.opt is not None
            self._pending.append(learn.loss.detach())
            self.hps["lr"].append(learn.opt.hyper("lr"))
            if self.train_metrics:
                self._accumulate(learn.metrics)
        else:
            self._accumulate(self._validated())

    def after_train(self) -> None:
        if self.train_metrics:
            self._train_record = self._record(self.learn.metrics)

    def before_validate(self) -> None:
        self._reset(self._validated())

    def after_validate(self) -> None:
        self._valid_record = self._record(self._validated())
        self.learn.final_record = L(self._valid_record, use_list=True)

    def after_epoch(self) -> None:
        if not self._is_begun:
            return
        nothing = [None] * len(self._validated())
        row = [self.smooth_loss, *(self._train_record or []), *(self._valid_record or nothing)]
        self.has_row = True
        self.values.append(L(row, use_list=True))
        self.learn.final_record = L(row, use_list=True)
        self.log += row
        self._warn_of_nan()
        self.iters.append(len(self.losses))
        seconds = time.perf_counter() - self._started
        self.waits.append((self.learn.data_wait - self._waited) / max(seconds, 1e-9))
        if self.add_time:
            self.log.append(format_time(seconds))
        self.learn.logger(self.log)

    def _warn_of_nan(self) -> None:
        if self._first_bad is None or self._is_told:
            return
        self._is_told = True
        batch = self._first_bad - (self.iters[-1] if self.iters else 0)
        warnings.warn(
            f"The training loss is not a finite number from batch {batch} of epoch {self.learn.epoch} on: the model is "
            "lost. Try a lower learning rate (learn.lr_find()), GradientClip, or look at that batch for bad values; "
            "TerminateOnNaNCallback stops before they reach the weights.",
            stacklevel=2,
        )

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Measure something else for the duration of a block, perhaps within an epoch, whose row is kept."""
        kept = self._train_record, self._valid_record
        try:
            yield
        finally:
            self._train_record, self._valid_record = kept

    @staticmethod
    def _reset(metrics: Sequence[Metric]) -> None:
        for metric in metrics:
            metric.reset()

    def _accumulate(self, metrics: Sequence[Metric]) -> None:
        for metric in metrics:
            metric.accumulate(self.learn)

    @staticmethod
    def _record(metrics: Sequence[Metric]) -> list[Any]:
        return [_as_number(m.value) for m in metrics]

    # ------------------------------------------------------------------ pictures
    def plot_loss(
        self, skip_start: int = 5, with_valid: bool = True, log: bool = False, show_epochs: bool = False, ax: Any = None
    ) -> Any:
        """Draw the training loss by batch (without the first `skip_start`) and the validation loss by epoch."""
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1] if ax is None else ax
        losses = self.losses
        draw = ax.semilogy if log else ax.plot
        draw(range(skip_start, len(losses)), losses[skip_start:], label="train")
        ax.set_xlabel("batch")
        ax.set_ylabel("loss")
        if with_valid and self.iters:
            column = list(self.metric_names).index("valid_loss") - 1
            measured = [(n, row[column]) for n, row in zip(self.iters, self.values) if row[column] is not None]
            points = [(n, value) for n, value in measured if n > skip_start]
            marker = "o" if len(points) < 30 else None
            draw([n for n, _ in points], [value for _, value in points], label="valid", marker=marker)
            ax.legend()
        if show_epochs:
            for n in self.iters:
                ax.axvline(n, color="0.85", lw=0.5, zorder=0)
        return ax

    def plot_sched(self, keys: Sequence[str] | None = None, figsize: tuple[float, float] | None = None) -> None:
        """Draw each scheduled hyper-parameter by batch."""
        import matplotlib.pyplot as plt

        names = list(self.hps if keys is None else keys)
        rows = -(-len(names) // 2)
        _, axes = plt.subplots(
            rows, min(2, len(names)), figsize=figsize or (6 * min(2, len(names)), 4 * rows), squeeze=False
        )
        for ax, name in zip(axes.flatten(), names, strict=False):
            ax.plot(self.hps[name])
            ax.set_ylabel(name)
        for ax in axes.flatten()[len(names) :]:
            ax.remove()

    def plot_lr_find(self, skip_end: int = 5, return_fig: bool = True, suggestions: Any = None, nms: Any = None) -> Any:
        """Draw the loss of `lr_find` by learning rate, with the suggestions marked."""
        import matplotlib.pyplot as plt

        losses, lrs = self.losses, self.lrs
        end = -skip_end if skip_end and len(losses) > skip_end else None
        fig, ax = plt.subplots(1, 1)
        ax.plot(lrs[:end], losses[:end])
        ax.set(xlabel="Learning rate", ylabel="Loss", xscale="log")
        colours = plt.rcParams["axes.prop_cycle"].by_key()["color"][1:]
        for (rate, loss), name, colour in zip(suggestions or [], nms or [], colours, strict=False):
            ax.plot(rate, loss, "o", label=name, c=colour)
        if suggestions:
            ax.legend(loc="best")
        return fig if return_fig else None


def _as_number(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
