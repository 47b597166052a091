"""Training tricks under the name that scripts know."""

from __future__ import annotations

from vivace.training.callbacks.data import (
    ShortEpochCallback,
)
from vivace.training.callbacks.gradients import (
    GradientAccumulation,
    GradientClip,
)

__all__ = [
    "GradientAccumulation",
    "GradientClip",
    "ShortEpochCallback",
]
