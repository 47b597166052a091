"""Progress and logs under the name that scripts know."""

from __future__ import annotations

from vivace.training.callbacks.graph import (
    ShowGraphCallback,
)
from vivace.training.callbacks.logging import (
    CSVLogger,
)
from vivace.training.callbacks.progress import (
    ProgressCallback,
)

__all__ = [
    "CSVLogger",
    "ProgressCallback",
    "ShowGraphCallback",
]
