"""The Learner under the name that scripts know."""

from __future__ import annotations

from vivace.inference.bundle import (
    load_learner,
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
from vivace.training.callbacks.recorder import (
    Recorder,
)
from vivace.training.checkpoint import (
    load_model,
    save_model,
)
from vivace.training.learner import (
    Learner,
)
from vivace.training.metrics import (
    AccumMetric,
    AvgLoss,
    AvgMetric,
    AvgSmoothLoss,
    LossMetric,
    LossMetrics,
    Metric,
    TorchMetricAdapter,
    ValueMetric,
    accuracy,
    accuracy_multi,
    as_metric,
    error_rate,
    exp_rmspe,
    foreground_acc,
    mae,
    mk_metric,
    mse,
    msle,
    rmse,
    top_k_accuracy,
)
from vivace.training.predict import (
    FetchPredsCallback,
    GatherPredsCallback,
)

__all__ = [
    "AccumMetric",
    "AvgLoss",
    "AvgMetric",
    "AvgSmoothLoss",
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
    "LossMetric",
    "LossMetrics",
    "Metric",
    "Recorder",
    "TorchMetricAdapter",
    "ValueMetric",
    "accuracy",
    "accuracy_multi",
    "as_metric",
    "error_rate",
    "event",
    "exp_rmspe",
    "foreground_acc",
    "load_learner",
    "load_model",
    "mae",
    "mk_metric",
    "mse",
    "msle",
    "rmse",
    "save_model",
    "top_k_accuracy",
]
