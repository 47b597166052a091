"""`ParamScheduler`: hyper-parameters that follow schedules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vivace.core.errors import ArgumentError, suggest
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
        assert self.learn.opt is not None
        known = self.learn.opt.hypers[-1]
        wrong = [name for name in self.scheds if name not in known and name != "mom"]  # an optimizer may do without
        if wrong:
            hint = suggest(wrong[0], known)
            raise ArgumentError(f"ParamScheduler cannot set {wrong[0]!r}: the optimizer has {', '.join(known)}.{hint}")
        self._active = {name: sched for name, sched in self.scheds.items() if name in known}

    def before_batch(self) -> None:
        position = self.learn.pct_train
        opt = self.learn.opt
        assert opt is not None
        for name, sched in self._active.items():
            opt.set_hyper(name, sched(position) if callable(sched) else [s(position) for s in sched])

    def after_batch(self) -> None:
        history = self.learn.recorder.hps
        for name in self._active:
            if name != "lr":  # that the Recorder keeps in any case
                history.setdefault(name, []).append(self.learn.opt.hyper(name))  # type: ignore[union-attr]
