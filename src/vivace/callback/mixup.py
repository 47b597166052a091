"""Mixing under the name that scripts know."""

from __future__ import annotations

from vivace.training.callbacks.mixup import (
    CutMix,
    MixHandler,
    MixUp,
    mix_pairs,
    paste_box,
)

__all__ = [
    "CutMix",
    "MixHandler",
    "MixUp",
    "mix_pairs",
    "paste_box",
]
