"""Metrics that scikit-learn or scipy compute over all predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from vivace.core.lazy import require

from .metrics import AccumMetric, AvgLoss

__all__ = [
    "APScoreBinary",
    "APScoreMulti",
    "BalancedAccuracy",
    "BrierScore",
    "BrierScoreMulti",
    "CohenKappa",
    "ExplainedVariance",
    "F1Score",
    "F1ScoreMulti",
    "FBeta",
    "FBetaMulti",
    "HammingLoss",
    "HammingLossMulti",
    "Jaccard",
    "JaccardMulti",
    "MatthewsCorrCoef",
    "MatthewsCorrCoefMulti",
    "PearsonCorrCoef",
    "Perplexity",
    "Precision",
    "PrecisionMulti",
    "R2Score",
    "Recall",
    "RecallMulti",
    "RocAuc",
    "RocAucBinary",
    "RocAucMulti",
    "SpearmanCorrCoef",
    "perplexity",
    "skm_to_fastai",
]


def skm_to_fastai(
    func: Callable[..., Any],
    is_class: bool = True,
    thresh: float | None = None,
    axis: int = -1,
    activation: str | None = None,
    name: str | None = None,
    **kwargs: Any,
) -> AccumMetric:
    """Return a function of scikit-learn, `func(targets, predictions, **kwargs)`, as a metric.

    Args:
        func: the function.
        is_class: it compares classes (predictions are decided first), not scores.
        thresh: decide each label by itself at this probability (several labels); None: take the highest class.
        axis: the dimension of the classes.
        activation: "softmax", "sigmoid" or "no"; None: what fits the other arguments.
        name: the column's name.
        kwargs: more arguments of the function.
    """
    dim_argmax = axis if is_class and thresh is None else None
    if activation is None:
        activation = "sigmoid" if is_class and thresh is not None else "no"
    return AccumMetric(
        func,
        dim_argmax=dim_argmax,
        activation=activation,
        thresh=thresh,
        to_np=True,
        invert_arg=True,
        name=name,
        **kwargs,
    )


class _Sklearn:
    """A function of sklearn.metrics that is imported when it is first called."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(require("sklearn.metrics", None, "this metric"), self.__name__)(*args, **kwargs)


def _of_classes(name: str, column: str, axis: int, **kwargs: Any) -> AccumMetric:
    return skm_to_fastai(_Sklearn(name), axis=axis, name=column, **kwargs)


def _of_labels(name: str, column: str, thresh: float, sigmoid: bool, **kwargs: Any) -> AccumMetric:
    metric = skm_to_fastai(
        _Sklearn(name), thresh=thresh, activation="sigmoid" if sigmoid else "no", name=column, **kwargs
    )
    metric.flatten = False
    return metric


Labels = Sequence[Any] | None
Weights = Any


def APScoreBinary(
    axis: int = -1, average: str = "macro", pos_label: Any = 1, sample_weight: Weights = None
) -> AccumMetric:
    """Average precision of the second of two classes."""
    return skm_to_fastai(
        _Sklearn("average_precision_score"),
        is_class=False,
        activation="binary_softmax",
        name="average_precision_score",
        average=average,
        pos_label=pos_label,
        sample_weight=sample_weight,
    )


def BalancedAccuracy(axis: int = -1, sample_weight: Weights = None, adjusted: bool = False) -> AccumMetric:
    """The mean of each class's recall."""
    return _of_classes(
        "balanced_accuracy_score", "balanced_accuracy_score", axis, sample_weight=sample_weight, adjusted=adjusted
    )


def BrierScore(sample_weight: Weights = None, pos_label: Any = None) -> AccumMetric:
    """The mean squared difference of the second class's probability and the outcome."""
    return skm_to_fastai(
        _Sklearn("brier_score_loss"),
        is_class=False,
        activation="binary_softmax",
        name="brier_score_loss",
        sample_weight=sample_weight,
        pos_label=pos_label,
    )


def CohenKappa(
    axis: int = -1, labels: Labels = None, weights: str | None = None, sample_weight: Weights = None
) -> AccumMetric:
    """Agreement beyond chance."""
    return _of_classes(
        "cohen_kappa_score", "cohen_kappa_score", axis, labels=labels, weights=weights, sample_weight=sample_weight
    )


def F1Score(
    axis: int = -1, labels: Labels = None, pos_label: Any = 1, average: str = "binary", sample_weight: Weights = None
) -> AccumMetric:
    """The harmonic mean of precision and recall."""
    return _of_classes(
        "f1_score", "f1_score", axis, labels=labels, pos_label=pos_label, average=average, sample_weight=sample_weight
    )


def FBeta(
    beta: float,
    axis: int = -1,
    labels: Labels = None,
    pos_label: Any = 1,
    average: str = "binary",
    sample_weight: Weights = None,
) -> AccumMetric:
    """Precision and recall together, recall counting `beta` times as much."""
    return _of_classes(
        "fbeta_score",
        "fbeta_score",
        axis,
        beta=beta,
        labels=labels,
        pos_label=pos_label,
        average=average,
        sample_weight=sample_weight,
    )


def HammingLoss(axis: int = -1, sample_weight: Weights = None) -> AccumMetric:
    """The fraction of wrong answers."""
    return _of_classes("hamming_loss", "hamming_loss", axis, sample_weight=sample_weight)


def Jaccard(
    axis: int = -1, labels: Labels = None, pos_label: Any = 1, average: str = "binary", sample_weight: Weights = None
) -> AccumMetric:
    """Intersection over union of predicted and actual positives."""
    return _of_classes(
        "jaccard_score",
        "jaccard_score",
        axis,
        labels=labels,
        pos_label=pos_label,
        average=average,
        sample_weight=sample_weight,
    )


def Precision(
    axis: int = -1, labels: Labels = None, pos_label: Any = 1, average: str = "binary", sample_weight: Weights = None
) -> AccumMetric:
    """Which fraction of the predicted positives are right."""
    return _of_classes(
        "precision_score",
        "precision_score",
        axis,
        labels=labels,
        pos_label=pos_label,
        average=average,
        sample_weight=sample_weight,
        zero_division=0,
    )


def Recall(
    axis: int = -1, labels: Labels = None, pos_label: Any = 1, average: str = "binary", sample_weight: Weights = None
) -> AccumMetric:
    """Which fraction of the actual positives are found."""
    return _of_classes(
        "recall_score",
        "recall_score",
        axis,
        labels=labels,
        pos_label=pos_label,
        average=average,
        sample_weight=sample_weight,
        zero_division=0,
    )


def MatthewsCorrCoef(sample_weight: Weights = None, axis: int = -1) -> AccumMetric:
    """Correlation of predicted and actual classes."""
    return _of_classes("matthews_corrcoef", "matthews_corrcoef", axis, sample_weight=sample_weight)


def RocAuc(
    axis: int = -1,
    average: str = "macro",
    sample_weight: Weights = None,
    max_fpr: float | None = None,
    multi_class: str = "ovr",
) -> AccumMetric:
    """Area under the ROC curve, for more than two classes."""
    metric = skm_to_fastai(
        _Sklearn("roc_auc_score"),
        is_class=False,
        activation="softmax",
        name="roc_auc_score",
        average=average,
        sample_weight=sample_weight,
        max_fpr=max_fpr,
        multi_class=multi_class,
    )
    metric.flatten = False
    return metric


def RocAucBinary(
    axis: int = -1,
    average: str = "macro",
    sample_weight: Weights = None,
    max_fpr: float | None = None,
    multi_class: str = "raise",
) -> AccumMetric:
    """Area under the ROC curve of the second of two classes."""
    return skm_to_fastai(
        _Sklearn("roc_auc_score"),
        is_class=False,
        activation="binary_softmax",
        name="roc_auc_score",
        average=average,
        sample_weight=sample_weight,
        max_fpr=max_fpr,
        multi_class=multi_class,
    )


# ---------------------------------------------------------------------- several labels
def APScoreMulti(
    sigmoid: bool = True, average: str = "macro", pos_label: Any = 1, sample_weight: Weights = None
) -> AccumMetric:
    """Average precision over labels."""
    metric = skm_to_fastai(
        _Sklearn("average_precision_score"),
        is_class=False,
        activation="sigmoid" if sigmoid else "no",
        name="average_precision_score",
        average=average,
        pos_label=pos_label,
        sample_weight=sample_weight,
    )
    metric.flatten = False
    return metric


def BrierScoreMulti(
    thresh: float = 0.5, sigmoid: bool = True, sample_weight: Weights = None, pos_label: Any = None
) -> AccumMetric:
    """The mean squared difference of probabilities and outcomes, over all labels."""
    return skm_to_fastai(
        _Sklearn("brier_score_loss"),
        is_class=False,
        activation="sigmoid" if sigmoid else "no",
        name="brier_score_loss",
        sample_weight=sample_weight,
        pos_label=pos_label,
    )


def F1ScoreMulti(
    thresh: float = 0.5,
    sigmoid: bool = True,
    labels: Labels = None,
    pos_label: Any = 1,
    average: str = "macro",
    sample_weight: Weights = None,
) -> AccumMetric:
    """F1 over labels."""
    return _of_labels(
        "f1_score",
        "f1_score",
        thresh,
        sigmoid,
        labels=labels,
        pos_label=pos_label,
        average=average,
        sample_weight=sample_weight,
        zero_division=0,
    )


def FBetaMulti(
    beta: float,
    thresh: float = 0.5,
    sigmoid: bool = True,
    labels: Labels = None,
    pos_label: Any = 1,
    average: str = "macro",
    sample_weight: Weights = None,
) -> AccumMetric:
    """F-beta over labels."""
    return _of_labels(
        "fbeta_score",
        "fbeta_score",
        thresh,
        sigmoid,
        beta=beta,
        labels=labels,
        pos_label=pos_label,
        average=average,
        sample_weight=sample_weight,
        zero_division=0,
    )


def HammingLossMulti(
    thresh: float = 0.5, sigmoid: bool = True, labels: Labels = None, sample_weight: Weights = None
) -> AccumMetric:
    """The fraction of labels that are wrong."""
    return _of_labels("hamming_loss", "hamming_loss", thresh, sigmoid, sample_weight=sample_weight)


def JaccardMulti(
    thresh: float = 0.5,
    sigmoid: bool = True,
    labels: Labels = None,
    pos_label: Any = 1,
    average: str = "macro",
    sample_weight: Weights = None,
) -> AccumMetric:
    """Intersection over union, over labels."""
    return _of_labels(
        "jaccard_score",
        "jaccard_score",
        thresh,
        sigmoid,
        labels=labels,
        pos_label=pos_label,
        average=average,
        sample_weight=sample_weight,
        zero_division=0,
    )


def MatthewsCorrCoefMulti(thresh: float = 0.5, sigmoid: bool = True, sample_weight: Weights = None) -> AccumMetric:
    """Correlation of predicted and actual labels."""
    metric = _of_labels("matthews_corrcoef", "matthews_corrcoef", thresh, sigmoid, sample_weight=sample_weight)
    metric.flatten = True
    return metric


def PrecisionMulti(
    thresh: float = 0.5,
    sigmoid: bool = True,
    labels: Labels = None,
    pos_label: Any = 1,
    average: str = "macro",
    sample_weight: Weights = None,
) -> AccumMetric:
    """Precision over labels."""
    return _of_labels(
        "precision_score",
        "precision_score",
        thresh,
        sigmoid,
        labels=labels,
        pos_label=pos_label,
        average=average,
        sample_weight=sample_weight,
        zero_division=0,
    )


def RecallMulti(
    thresh: float = 0.5,
    sigmoid: bool = True,
    labels: Labels = None,
    pos_label: Any = 1,
    average: str = "macro",
    sample_weight: Weights = None,
) -> AccumMetric:
    """Recall over labels."""
    return _of_labels(
        "recall_score",
        "recall_score",
        thresh,
        sigmoid,
        labels=labels,
        pos_label=pos_label,
        average=average,
        sample_weight=sample_weight,
        zero_division=0,
    )


def RocAucMulti(
    sigmoid: bool = True, average: str = "macro", sample_weight: Weights = None, max_fpr: float | None = None
) -> AccumMetric:
    """Area under the ROC curve over labels."""
    metric = skm_to_fastai(
        _Sklearn("roc_auc_score"),
        is_class=False,
        activation="sigmoid" if sigmoid else "no",
        name="roc_auc_score",
        average=average,
        sample_weight=sample_weight,
        max_fpr=max_fpr,
    )
    metric.flatten = False
    return metric


# ---------------------------------------------------------------------- numbers
def ExplainedVariance(sample_weight: Weights = None) -> AccumMetric:
    """Which fraction of the targets' variance is explained."""
    return skm_to_fastai(
        _Sklearn("explained_variance_score"),
        is_class=False,
        name="explained_variance_score",
        sample_weight=sample_weight,
    )


def R2Score(sample_weight: Weights = None) -> AccumMetric:
    """The coefficient of determination."""
    return skm_to_fastai(_Sklearn("r2_score"), is_class=False, name="r2_score", sample_weight=sample_weight)


class _Correlation:
    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, preds: Any, targs: Any) -> float:
        return float(getattr(require("scipy.stats", None, "this metric"), self.__name__)(preds, targs)[0])


def PearsonCorrCoef(
    dim_argmax: int | None = None,
    activation: str = "no",
    thresh: float | None = None,
    to_np: bool = True,
    invert_arg: bool = False,
    flatten: bool = True,
) -> AccumMetric:
    """Linear correlation of predictions and targets."""
    return AccumMetric(
        _Correlation("pearsonr"),
        dim_argmax=dim_argmax,
        activation=activation,
        thresh=thresh,
        to_np=True,
        invert_arg=invert_arg,
        flatten=flatten,
        name="pearsonr",
    )


def SpearmanCorrCoef(
    dim_argmax: int | None = None,
    activation: str = "no",
    thresh: float | None = None,
    to_np: bool = True,
    invert_arg: bool = False,
    flatten: bool = True,
) -> AccumMetric:
    """Correlation of the ranks of predictions and targets."""
    return AccumMetric(
        _Correlation("spearmanr"),
        dim_argmax=dim_argmax,
        activation=activation,
        thresh=thresh,
        to_np=True,
        invert_arg=invert_arg,
        flatten=flatten,
        name="spearmanr",
    )


class Perplexity(AvgLoss):
    """The exponential of the mean loss."""

    @property
    def value(self) -> Any:
        return torch.exp(self.total / self.count) if self.count else None

    @property
    def name(self) -> str:
        return "perplexity"


perplexity = Perplexity  # in a list of metrics, a class is made
