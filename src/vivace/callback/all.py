"""All callbacks under one name."""

from __future__ import annotations

from vivace.data.weighted import (
    PartialDL,
    WeightedDL,
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
from vivace.training.callbacks.data import (
    CollectDataCallback,
    ShortEpochCallback,
)
from vivace.training.callbacks.ema import (
    EMA,
    average_into,
)
from vivace.training.callbacks.gradients import (
    GradientAccumulation,
    GradientClip,
)
from vivace.training.callbacks.graph import (
    ShowGraphCallback,
)
from vivace.training.callbacks.hook import (
    ActivationStats,
    HookCallback,
)
from vivace.training.callbacks.logging import (
    CSVLogger,
)
from vivace.training.callbacks.mixed_precision import (
    MixedPrecision,
)
from vivace.training.callbacks.mixup import (
    CutMix,
    MixHandler,
    MixUp,
    mix_pairs,
    paste_box,
)
from vivace.training.callbacks.modes import (
    BnFreeze,
    MCDropoutCallback,
    bn_types,
    set_bn_eval,
)
from vivace.training.callbacks.nan import (
    TerminateOnNaNCallback,
)
from vivace.training.callbacks.progress import (
    ProgressCallback,
)
from vivace.training.callbacks.recorder import (
    Recorder,
)
from vivace.training.callbacks.rnn import (
    ModelResetter,
    RNNCallback,
    RNNRegularizer,
    rnn_cbs,
)
from vivace.training.callbacks.schedule import (
    ParamScheduler,
)
from vivace.training.callbacks.tracker import (
    EarlyStoppingCallback,
    ReduceLROnPlateau,
    SaveModelCallback,
    TrackerCallback,
)
from vivace.training.callbacks.train_eval import (
    TrainEvalCallback,
)
from vivace.training.schedule import (
    annealer,
)

__all__ = [
    "ActivationStats",
    "BnFreeze",
    "CSVLogger",
    "Callback",
    "Cancel",
    "CancelBackwardException",
    "CancelBatchException",
    "CancelEpochException",
    "CancelFitException",
    "CancelStepException",
    "CancelTrainException",
    "CancelValidException",
    "CollectDataCallback",
    "CutMix",
    "EMA",
    "EarlyStoppingCallback",
    "GradientAccumulation",
    "GradientClip",
    "HookCallback",
    "MCDropoutCallback",
    "MixHandler",
    "MixUp",
    "MixedPrecision",
    "ModelResetter",
    "ParamScheduler",
    "PartialDL",
    "ProgressCallback",
    "RNNCallback",
    "RNNRegularizer",
    "Recorder",
    "ReduceLROnPlateau",
    "SaveModelCallback",
    "ShortEpochCallback",
    "ShowGraphCallback",
    "TerminateOnNaNCallback",
    "TrackerCallback",
    "TrainEvalCallback",
    "WeightedDL",
    "annealer",
    "average_into",
    "bn_types",
    "event",
    "mix_pairs",
    "paste_box",
    "rnn_cbs",
    "set_bn_eval",
]
