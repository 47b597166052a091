"""Results of a model of numbers: errors in their own unit, and predicted against actual."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .task import Results

__all__ = ["number_results", "padded_range"]

_ROOM = 0.1  # as a share of the range of the numbers that occur


Numbers = npt.NDArray[np.float64]


def padded_range(low: float, high: float) -> tuple[float, float]:
    """Return a range for predictions, a little wider than that of the numbers: a sigmoid never reaches its ends."""
    room = _ROOM * (high - low)
    return low - room, high + room


def number_results(learn: Any, columns: Sequence[str]) -> Results:
    """Return the mean absolute and root mean squared error on the validation set, with a drawing of both.

    Args:
        learn: predicts `len(columns)` numbers a sample.
        columns: their names.
    """
    predicted, actual = (
        x.double().numpy().reshape(-1, len(columns)) for x in (plain.cpu() for plain in learn.get_preds()[:2])
    )
    error = predicted - actual
    measures = {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}
    return Results(measures, len(actual), {"predicted.png": lambda: _draw(predicted, actual, columns)})


def _draw(predicted: Numbers, actual: Numbers, columns: Sequence[str]) -> None:
    from vivace.core.show import get_grid

    for ax, name, x, y in zip(get_grid(len(columns), imsize=4), columns, actual.T, predicted.T, strict=True):
        ax.scatter(x, y, s=9, alpha=0.5)
        ax.axline((float(x.mean()), float(x.mean())), slope=1, color="grey", linewidth=1)
        ax.set(title=name, xlabel="actual", ylabel="predicted")
