"""`Recorder`: what every epoch measured. Losses stay on the device until somebody looks at them."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vivace.core.collection import L
from vivace.training.callback import Callback
from vivace.training.metrics import AvgLoss, Metric

__all__ = ["Recorder"]


class Recorder(Callback):
    """Keep losses, rates and metrics.

    `values` has one row an epoch: training loss (a running mean, bias-corrected), validation loss, metrics.
    `losses`, `lrs` and `hps` have one value for each training batch; `metric_names` names the columns of the table.

    Args:
        add_time: whether the table has a column for the time of an epoch.
        train_metrics: whether metrics are also measured in training.
        valid_metrics: whether they are measured in validation.
        beta: how much of the running mean is kept at each batch.
    """

    order = 50

    def __init__(self, add_time: bool = True, train_metrics: bool = False, valid_metrics: bool = True, beta: float = 0.98) -> None:
        self.add_time, self.train_metrics, self.valid_metrics, self.beta = add_time, train_metrics, valid_metrics, beta
        self.values: L = L()
        self.metric_names: L = L()
        self.hps: dict[str, list[Any]] = {}
        self.iters: list[int] = []  # how many training batches had been done at the end of each epoch
        self.log: list[Any] = []
        self._valid_loss = AvgLoss()
        self._forget()

    def _forget(self) -> None:
        self._pending: list[Tensor] = []  # losses of batches, on the device
        self._smooth: list[float] = []  # their running means, as numbers
        self._mean, self._n_smoothed, self._first_bad = 0.0, 0, None

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
        self.values, self.hps, self.iters = L(), {"lr": []}, []
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

    def before_epoch(self) -> None:
        self._started = time.monotonic()
        self.log = [self.learn.epoch]

    def before_train(self) -> None:
        self._reset(self.learn.metrics if self.train_metrics else [])

    def after_batch(self) -> None:
        learn = self.learn
        if learn.loss is None or not learn.yb:  # a cancelled batch, or data without targets
            return
        if learn.training:
            self._pending.append(learn.loss.detach())
            for name, value in learn.opt.hypers[-1].items() if learn.opt is not None else ():
                if name in ("lr", "mom"):
                    self.hps.setdefault(name, []).append(value)
            if self.train_metrics:
                self._accumulate(learn.metrics)
        else:
            self._accumulate([self._valid_loss, *(learn.metrics if self.valid_metrics else [])])

    def before_validate(self) -> None:
        self._train_record = self._record(self.learn.metrics) if self.train_metrics and self.log else []
        self._reset([self._valid_loss, *(self.learn.metrics if self.valid_metrics else [])])

    def after_validate(self) -> None:
        metrics = [self._valid_loss, *(self.learn.metrics if self.valid_metrics else [])]
        self._valid_record = self._record(metrics)
        self.learn.final_record = L(self._valid_record, use_list=True)

    def after_epoch(self) -> None:
        if len(self.log) != 1:
            return
        train_loss = self.smooth_loss
        if self.train_metrics and not hasattr(self, "_train_record"):
            self._train_record = self._record(self.learn.metrics)
        n_valid = 1 + (len(self.learn.metrics) if self.valid_metrics else 0)
        row = [train_loss, *self.__dict__.pop("_train_record", []), *self.__dict__.pop("_valid_record", [math.nan] * n_valid)]
        self.values.append(L(row, use_list=True))
        self.learn.final_record = L(row, use_list=True)
        self.log += row
        self.iters.append(len(self.losses))
        self._warn_of_nan()
        if self.add_time:
            self.log.append(format_time(time.monotonic() - self._started))
        self.learn.logger(self.log)

    def _warn_of_nan(self) -> None:
        if self._first_bad is None:
            return
        n_iter = max(self.learn.n_iter, 1)
        where = f"training batch {self._first_bad} of this fit"
        self._first_bad = None
        warnings.warn(
            f"The training loss is not finite since {where}: the model is lost. Try a lower learning rate "
            f"(learn.lr_find()), GradientClip, or check the inputs for NaN; TerminateOnNaNCallback stops at once.",
            stacklevel=2 + (n_iter < 0),
        )

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
    def plot_loss(self, skip_start: int = 5, with_valid: bool = True, log: bool = False, show_epochs: bool = False, ax: Any = None) -> Any:
        """Draw the training loss by batch (without the first `skip_start`) and the validation loss by epoch."""
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1] if ax is None else ax
        losses = self.losses
        draw = ax.semilogy if log else ax.plot
        draw(range(skip_start, len(losses)), losses[skip_start:], label="train")
        ax.set_xlabel("batch")
        ax.set_ylabel("loss")
        if with_valid and self.iters:
            column = 1 + (len(self.learn.metrics) if self.train_metrics else 0)
            points = [(n, row[column]) for n, row in zip(self.iters, self.values, strict=False) if n > skip_start]
            draw([n for n, _ in points], [v for _, v in points], label="valid", marker="o" if len(points) < 30 else None)
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
        _, axes = plt.subplots(rows, min(2, len(names)), figsize=figsize or (6 * min(2, len(names)), 4 * rows), squeeze=False)
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


def format_time(seconds: float) -> str:
    """Return `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def _as_number(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
