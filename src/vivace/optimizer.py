"""Optimizers under the name that scripts know."""

from __future__ import annotations

from vivace.training.optimizer import (
    Optimizer,
    OptimWrapper,
    as_optimizer,
)
from vivace.training.optimizers import (
    SGD,
    Adam,
    Lamb,
    Larc,
    Lookahead,
    QHAdam,
    RAdam,
    RMSProp,
    ranger,
)

__all__ = [
    "Adam",
    "Lamb",
    "Larc",
    "Lookahead",
    "OptimWrapper",
    "Optimizer",
    "QHAdam",
    "RAdam",
    "RMSProp",
    "SGD",
    "as_optimizer",
    "ranger",
]
