"""Losses under the name that scripts know."""

from __future__ import annotations

from vivace.training.losses import (
    BaseLoss,
    BCELossFlat,
    BCEWithLogitsLossFlat,
    CrossEntropyLossFlat,
    DiceLoss,
    FocalLoss,
    FocalLossFlat,
    L1LossFlat,
    LabelSmoothingCrossEntropy,
    LabelSmoothingCrossEntropyFlat,
    MSELossFlat,
    loss_for_kind,
)

__all__ = [
    "BCELossFlat",
    "BCEWithLogitsLossFlat",
    "BaseLoss",
    "CrossEntropyLossFlat",
    "DiceLoss",
    "FocalLoss",
    "FocalLossFlat",
    "L1LossFlat",
    "LabelSmoothingCrossEntropy",
    "LabelSmoothingCrossEntropyFlat",
    "MSELossFlat",
    "loss_for_kind",
]
