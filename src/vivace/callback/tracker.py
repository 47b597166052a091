"""Trackers under the name that scripts know."""

from __future__ import annotations

from vivace.training.callbacks.nan import (
    TerminateOnNaNCallback,
)
from vivace.training.callbacks.tracker import (
    EarlyStoppingCallback,
    ReduceLROnPlateau,
    SaveModelCallback,
    TrackerCallback,
)

__all__ = [
    "EarlyStoppingCallback",
    "ReduceLROnPlateau",
    "SaveModelCallback",
    "TerminateOnNaNCallback",
    "TrackerCallback",
]
