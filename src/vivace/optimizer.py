"""Optimizers under the name that scripts know."""

from __future__ import annotations





__all__ = [
]
