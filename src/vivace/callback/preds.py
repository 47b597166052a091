"""Predictions that vary, under the name that scripts know."""

from __future__ import annotations

from vivace.training.callbacks.modes import (
    MCDropoutCallback,
)

__all__ = [
    "MCDropoutCallback",
]
