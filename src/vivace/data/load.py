"""`DataLoader` under the name that scripts know."""

from __future__ import annotations

from vivace.data.loader import (
    DataLoader,
)

__all__ = [
    "DataLoader",
]
