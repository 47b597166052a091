"""Schedules under the name that scripts know."""

from __future__ import annotations


from vivace.training.callbacks.schedule import (
    ParamScheduler,
)
from vivace.training.lr_find import (
    LRFinder,
    minimum,
    slide,
    steep,
    valley,
)


__all__ = [
    "LRFinder",
    "ParamScheduler",
    "minimum",
    "slide",
    "steep",
    "valley",
]
