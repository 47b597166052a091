"""Confident learning: which labels are probably wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["LabelIssue", "expected_calibration_error", "find_label_issues", "reliability"]


@dataclass(frozen=True)
class LabelIssue:
    """One label that is probably wrong."""

    index: int
    """Which sample of the data set."""
    label: int
    """The class that it has."""
    suggested: int
    """The class that the model is confident of."""
    score: float
    """How much more probable the suggested class is than the given one, in 0..1."""


def find_label_issues(probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> list[LabelIssue]:
    """Return the samples whose label is probably wrong, the most certain first.

    A sample counts for another class when its probability there reaches that class's threshold: the mean probability
    that samples labelled so get for it. Northcutt, Jiang and Chuang, *Confident Learning*, 2021 (arXiv:1911.00068).

    Args:
        probabilities: `(n, n_classes)`, from a model that has not seen these samples (or it will defend their labels).
        labels: `(n,)` class indices.
    """
    n, n_classes = probabilities.shape
    own = probabilities[np.arange(n), labels]
    thresholds = np.array([own[labels == c].mean() if (labels == c).any() else 1.0 for c in range(n_classes)])
    confident = np.where(probabilities >= thresholds - 1e-9, probabilities, -1.0)  # a mean of equals may round up
    suggested = confident.argmax(1)
    wrong = (confident.max(1) >= 0) & (suggested != labels)
    gaps = probabilities[np.arange(n), suggested] - own
    found = [
        LabelIssue(int(i), int(labels[i]), int(suggested[i]), float(gaps[i]))
        for i in np.flatnonzero(wrong & (gaps > 0))
    ]
    return sorted(found, key=lambda issue: -issue.score)


def reliability(
    confidences: npt.NDArray[np.floating], correct: npt.NDArray[np.bool_], n_bins: int = 10
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return mean confidence, accuracy and count of each of `n_bins` equal bins of confidence (NaN where empty)."""
    bins = np.minimum((confidences * n_bins).astype(int), n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(bins, confidences, n_bins) / counts
        accuracy = np.bincount(bins, correct.astype(float), n_bins) / counts
    return mean, accuracy, counts


def expected_calibration_error(
    confidences: npt.NDArray[np.floating], correct: npt.NDArray[np.bool_], n_bins: int = 10
) -> float:
    """Return the mean gap between confidence and accuracy over the bins, weighted by count (Naeini et al., 2015)."""
    mean, accuracy, counts = reliability(confidences, correct, n_bins)
    return float(np.nansum(np.abs(mean - accuracy) * counts) / max(counts.sum(), 1))
