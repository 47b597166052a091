"""Optimizers under the name that scripts know."""

from __future__ import annotations


from vivace.training.optimizer import (
    OptimWrapper,
    Optimizer,
    as_optimizer,
)
from vivace.training.optimizers import (
    Adam,
    Lamb,
    Larc,
    Lookahead,
    QHAdam,
    RAdam,
    RMSProp,
    SGD,
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
