"""Mixed precision under the name that scripts know."""

from __future__ import annotations


from vivace.training.callbacks.mixed_precision import (
    MixedPrecision,
)
from vivace.training.runtime import (
    Runtime,
)
from vivace.training.callback import (
    Callback,
)


__all__ = [
    "Callback",
    "MixedPrecision",
    "Runtime",
]
