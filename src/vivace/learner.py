"""The Learner under the name that scripts know."""

from __future__ import annotations


from vivace.training.learner import (
    Learner,
)
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
    event,
)
from vivace.training.checkpoint import (
    load_model,
    save_model,
)
from vivace.training.predict import (
    FetchPredsCallback,
    GatherPredsCallback,
)
from vivace.training.callbacks.recorder import (
    Recorder,
)
from vivace.inference.bundle import (
    load_learner,
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
    "FetchPredsCallback",
    "GatherPredsCallback",
    "Learner",
    "Recorder",
    "event",
    "load_learner",
    "load_model",
    "save_model",
]
