"""`ParamScheduler`: hyper-parameters that follow schedules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vivace.training.callback import Callback

__all__ = ["ParamScheduler"]

Schedule = Callable[[float], Any]


class ParamScheduler(Callback):
    """Set each hyper-parameter, before each training batch, to its schedule's value at `pct_train`.

    Args:
        scheds: name of the hyper-parameter to a function of the position 0..1 (or a list of them, one for each
            parameter group).
    """

    order = 60
    run_valid = False

    def __init__(self, scheds: Mapping[str, Schedule | Sequence[Schedule]]) -> None:
        self.scheds = dict(scheds)

    def before_fit(self) -> None:
        known = self.learn.opt.hypers[-1] if self.learn.opt is not None else {}
        self._active = {name: sched for name, sched in self.scheds.items() if name in known or name != "mom"}

    def before_batch(self) -> None:
        position = self.learn.pct_train
        opt = self.learn.opt
        assert opt is not None
        for name, sched in self._active.items():
            opt.set_hyper(name, sched(position) if callable(sched) else [s(position) for s in sched])
