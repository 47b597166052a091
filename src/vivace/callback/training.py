"""Training tricks under the name that scripts know."""

from __future__ import annotations

from vivace.training.callbacks.data import (
    ShortEpochCallback,
)
from vivace.training.callbacks.gradients import (
    GradientAccumulation,
    GradientClip,
)
from vivace.training.callbacks.modes import (
    BnFreeze,
    bn_types,
    set_bn_eval,
)

__all__ = [
    "BnFreeze",
    "GradientAccumulation",
    "GradientClip",
    "ShortEpochCallback",
    "bn_types",
    "set_bn_eval",
]
