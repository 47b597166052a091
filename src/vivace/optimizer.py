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
from vivace.training.steppers import (
    adam_step,
    average_grad,
    average_sqr_grad,
    debias,
    l2_reg,
    lamb_step,
    larc_layer_lr,
    larc_step,
    momentum_step,
    qhadam_step,
    radam_step,
    rms_prop_step,
    sgd_step,
    step_stat,
    weight_decay,
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
    "adam_step",
    "as_optimizer",
    "average_grad",
    "average_sqr_grad",
    "debias",
    "l2_reg",
    "lamb_step",
    "larc_layer_lr",
    "larc_step",
    "momentum_step",
    "qhadam_step",
    "radam_step",
    "ranger",
    "rms_prop_step",
    "sgd_step",
    "step_stat",
    "weight_decay",
]
