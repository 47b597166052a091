"""Mixed precision under the name that scripts know."""

from __future__ import annotations

from vivace.training.callback import (
    Callback,
)
from vivace.training.callbacks.mixed_precision import (
    MixedPrecision,
)
from vivace.training.runtime import (
    Runtime,
)

__all__ = [
    "Callback",
    "MixedPrecision",
    "Runtime",
]
