"""Results of a classifier, of pictures, rows or texts: accuracy and what is confused with what."""

from __future__ import annotations

from typing import Any

from .task import Results

__all__ = ["classification_results"]


def classification_results(learn: Any) -> Results:
    """Return the accuracy on the validation set, with a drawing of the confusion matrix."""
    from vivace.interpret.classification import ClassificationInterpretation

    interpretation = ClassificationInterpretation.from_learner(learn)
    confusion = interpretation.confusion_matrix()
    side = min(max(5, len(confusion) * 0.6), 20)
    return Results(
        {"accuracy": float(confusion.trace() / confusion.sum())},
        int(confusion.sum()),
        {"confusion.png": lambda: interpretation.plot_confusion_matrix(figsize=(side, side))},
    )
