"""`ProgressCallback`: the table and the bar, live on a terminal or in a notebook, plain lines in a log."""

from __future__ import annotations

from typing import Any

from vivace.core.report import Reporter, make_reporter
from vivace.training.callback import Callback

__all__ = ["ProgressCallback"]


class ProgressCallback(Callback):
    """Show one row for each epoch, and how far the current one is.

    The last column, "data_wait", says which share of the epoch's time the loop has waited for data: where it is large,
    `vivace bench` finds what takes long. What is not usual about the run (a GPU, mixed precision, a compiled model) is
    said above the table.

    Args:
        kind: "terminal", "notebook", "log" or "none"; "auto": by where this runs, or as `VIVACE_PROGRESS` says.
    """

    order = 61

    def __init__(self, kind: str = "auto") -> None:
        self.kind: Any = kind
        self._reporter: Reporter | None = None

    def before_fit(self) -> None:
        if self.learn.logger is not print:  # somebody else writes, or nobody should
            self._reporter = None
            return
        self._reporter = make_reporter(self.kind)
        learn = self.learn
        if not learn.runtime.is_plain:
            self._reporter.message(learn.runtime.describe(learn.model))
        self._reporter.start([*map(str, learn.recorder.metric_names), *(["data_wait"] if self._says_wait else [])])
        self.learn.logger = self._write_row

    def _write_row(self, values: Any) -> None:
        assert self._reporter is not None
        if isinstance(values, str):
            self._reporter.message(values)
        else:
            waits = self.learn.recorder.waits
            self._reporter.row([*map(_cell, values), *([f"{waits[-1]:.0%}"] if self._says_wait and waits else [])])

    @property
    def _says_wait(self) -> bool:
        return bool(self.learn.recorder.add_time)

    def after_batch(self) -> None:
        if self._reporter is None or not self.learn.create_mbar:
            return
        learn = self.learn
        if not learn.n_iter:  # a loader without a length
            return
        self._reporter.bar(learn.iter + 1, learn.n_iter, self._comment if learn.training else _valid_comment)

    def _comment(self) -> str:
        """What stands beside the bar; computing it waits for the device, so it is asked for only when drawn."""
        return f"epoch {self.learn.epoch + 1}/{self.learn.n_epoch} : {self.learn.smooth_loss:.4f}"

    def close(self) -> None:
        if self._reporter is not None:
            self._reporter.close()
            self._reporter, self.learn.logger = None, print


def _valid_comment() -> str:
    return "validation"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"
    return "" if value is None else str(value)  # None: nothing was measured
