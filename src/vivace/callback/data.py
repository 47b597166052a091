"""Callbacks on data under the name that scripts know."""

from __future__ import annotations

from vivace.data.weighted import (
    PartialDL,
    WeightedDL,
)
from vivace.training.callbacks.data import (
    CollectDataCallback,
    ShortEpochCallback,
)

__all__ = [
    "CollectDataCallback",
    "PartialDL",
    "ShortEpochCallback",
    "WeightedDL",
]
