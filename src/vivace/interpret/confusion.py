"""Which class is taken for which: counted, listed and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["confusion_counts", "confusions_of_labels", "draw_confusion", "most_confused_pairs"]

Counts = npt.NDArray[np.int64]


def confusion_counts(targets: Tensor, predicted: Tensor, n_classes: int) -> Counts:
    """Count each pair of actual (row) and predicted (column) class: `(n_classes, n_classes)`.

    Targets that are no class (such as 255 in a mask) are left out.
    """
    targets, predicted = targets.long().flatten(), predicted.long().flatten()
    is_known = (targets >= 0) & (targets < n_classes)
    pairs = targets[is_known] * n_classes + predicted[is_known]
    return torch.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes).numpy()


def confusions_of_labels(targets: Tensor, predicted: Tensor) -> Counts:
    """Count which missing label (row) comes with which wrong one (column), of `(n, n_classes)` 0s and 1s each."""
    targets, predicted = targets.bool(), predicted.bool()
    missed, wrong = (targets & ~predicted).double(), (predicted & ~targets).double()
    return (missed.T @ wrong).long().numpy()


def most_confused_pairs(counts: Counts, names: Sequence[Any], min_val: int) -> list[tuple[Any, Any, int]]:
    """Return (actual, predicted, how often) off the diagonal, at least `min_val` times, most often first."""
    off = counts.copy()
    np.fill_diagonal(off, 0)
    found = [(names[a], names[p], int(off[a, p])) for a, p in zip(*np.where(off >= max(min_val, 1)), strict=True)]
    return sorted(found, key=lambda pair: pair[2], reverse=True)


def draw_confusion(
    counts: Counts,
    names: Sequence[Any],
    *,
    normalize: bool = False,
    title: str = "Confusion matrix",
    cmap: str = "Blues",
    norm_dec: int = 2,
    plot_txt: bool = True,
    figsize: tuple[float, float] | None = None,
    dpi: float | None = None,
    axis_names: tuple[str, str] = ("Actual", "Predicted"),
) -> Any:
    """Draw counts and return the axes.

    Args:
        counts: `(n_classes, n_classes)`, rows are actual classes.
        names: of the classes.
        normalize: show the fraction of each actual class instead of counts.
        title: above the picture.
        cmap: matplotlib's colour map.
        norm_dec: decimals of the fractions.
        plot_txt: write the numbers into the cells.
        figsize: in inches.
        dpi: dots per inch.
        axis_names: what rows and columns are.
    """
    import matplotlib.pyplot as plt

    cells: npt.NDArray[Any] = counts
    if normalize:
        with np.errstate(invalid="ignore", divide="ignore"):
            cells = counts.astype(float) / counts.sum(axis=1, keepdims=True)
    side = max(4.0, min(0.6 * len(names) + 2, 20))
    fig, ax = plt.subplots(figsize=figsize or (side, side), dpi=dpi)
    ax.imshow(cells, interpolation="nearest", cmap=cmap)
    ticks, texts = np.arange(len(names)), [str(name) for name in names]
    ax.set_xticks(ticks, texts, rotation=90)
    ax.set_yticks(ticks, texts)
    if plot_txt:
        threshold = np.nanmax(cells) / 2 if np.isfinite(cells).any() else 0
        for row, column in np.ndindex(*cells.shape):
            text = f"{cells[row, column]:.{norm_dec}f}" if normalize else f"{cells[row, column]}"
            colour = "white" if cells[row, column] > threshold else "black"
            ax.text(column, row, text, ha="center", va="center", color=colour)
    ax.set(title=title, xlabel=axis_names[1], ylabel=axis_names[0])
    ax.set_ylim(len(names) - 0.5, -0.5)
    fig.tight_layout()
    return ax
