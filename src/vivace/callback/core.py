"""Callbacks under the name that scripts know."""

from __future__ import annotations

from vivace.training.callback import (
    EVENTS,
    Callback,
    Cancel,
    CancelBackwardException,
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    CancelStepException,
    CancelTrainException,
    CancelValidException,
    Phase,
    event,
)
from vivace.training.callbacks.train_eval import (
    TrainEvalCallback,
)
from vivace.training.predict import (
    FetchPredsCallback,
    GatherPredsCallback,
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
