"""Schedules under the name that scripts know."""

from __future__ import annotations

from vivace.training.callbacks.schedule import (
    ParamScheduler,
)
from vivace.training.lr_find import (
    LRFinder,
)
from vivace.training.schedule import (
    SchedCos,
    SchedExp,
    SchedLin,
    SchedNo,
    SchedPoly,
    annealer,
    combine_scheds,
    combined_cos,
    minimum,
    sched_cos,
    sched_exp,
    sched_lin,
    sched_no,
    sched_poly,
    slide,
    steep,
    valley,
)

__all__ = [
    "LRFinder",
    "ParamScheduler",
    "SchedCos",
    "SchedExp",
    "SchedLin",
    "SchedNo",
    "SchedPoly",
    "annealer",
    "combine_scheds",
    "combined_cos",
    "minimum",
    "sched_cos",
    "sched_exp",
    "sched_lin",
    "sched_no",
    "sched_poly",
    "slide",
    "steep",
    "valley",
]
