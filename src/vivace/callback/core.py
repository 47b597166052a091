"""Callbacks under the name that scripts know."""

from __future__ import annotations


from vivace.training.callback import (
    Callback,
    Cancel,
    CancelBackwardException,
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    CancelStepException,
    CancelTrainException,
    CancelValidException,
    EVENTS,
    Phase,
    event,
)
from vivace.training.predict import (
    FetchPredsCallback,
    GatherPredsCallback,
)
from vivace.training.callbacks.train_eval import (
    TrainEvalCallback,
)


__all__ = [
    "Callback",
    "Cancel",
    "CancelBackwardException",
    "CancelBatchException",
    "CancelEpochException",
    "CancelFitException",
    "CancelStepException",
    "CancelTrainException",
    "CancelValidException",
    "EVENTS",
    "FetchPredsCallback",
    "GatherPredsCallback",
    "Phase",
    "TrainEvalCallback",
    "event",
]
