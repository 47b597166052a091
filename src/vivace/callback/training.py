"""Training tricks under the name that scripts know."""

from __future__ import annotations


from vivace.training.callbacks.gradients import (
    GradientAccumulation,
    GradientClip,
)
from vivace.training.callbacks.data import (
    ShortEpochCallback,
)


__all__ = [
    "GradientAccumulation",
    "GradientClip",
    "ShortEpochCallback",
]
