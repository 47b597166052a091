"""Trackers under the name that scripts know."""

from __future__ import annotations


from vivace.training.callbacks.tracker import (
    EarlyStoppingCallback,
    ReduceLROnPlateau,
    SaveModelCallback,
    TrackerCallback,
)
from vivace.training.callbacks.nan import (
    TerminateOnNaNCallback,
)


__all__ = [
    "EarlyStoppingCallback",
    "ReduceLROnPlateau",
    "SaveModelCallback",
    "TerminateOnNaNCallback",
    "TrackerCallback",
]
