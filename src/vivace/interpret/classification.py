"""`ClassificationInterpretation`: confusion between classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vivace.core.errors import DataError
from vivace.data.sources import item_at

from .confusion import confusion_counts, confusions_of_labels, draw_confusion, most_confused_pairs
from .gradcam import class_activation, find_last_map
from .interpretation import Interpretation
from .label_issues import LabelIssue, expected_calibration_error, find_label_issues, reliability

__all__ = ["ClassificationInterpretation"]


class ClassificationInterpretation(Interpretation):
    """Interpretation of a classifier.

    Raises:
        DataError: targets are no classes, or the model predicted one that there is no label for.
    """

    _title_parts = ("prediction", "actual", "loss", "probability")

    def __init__(self, learn: Any, dl: Any, preds: Any, targs: Any, decoded: Any, losses: Tensor) -> None:
        super().__init__(learn, dl, preds, targs, decoded, losses)
        kind = getattr(learn.dls, "kind", None)
        if kind not in (None, "category", "multi_category"):
            other = "SegmentationInterpretation" if kind == "mask" else "Interpretation"
            raise DataError(
                f"{type(self).__name__} is for classes, and these targets are of the kind {kind}: use {other}."
            )
        if self.vocab is None:
            self.vocab = list(range(self.preds.shape[1]))
        if self.decoded.shape != self.targs.shape and self.preds.ndim == self.targs.ndim + 1:
            self.decoded = self.preds.argmax(1)  # a plain function as loss does not know how to decode

        if self.targs.ndim == self.decoded.ndim + 1 and self.targs.shape[-1] == 1:
            self.targs = self.targs.squeeze(-1)  # a table has a column for its target
        highest = int(self.decoded.max()) if self.decoded.ndim == 1 and len(self.decoded) else 0
        if highest >= len(self.vocab):
            raise DataError(
                f"The model predicted class {highest}, and there are only {len(self.vocab)} labels: give it one output "
                "for each, or a block with all classes, CategoryBlock(vocab=[...])."
            )

    def _describe(self, index: int) -> list[str]:
        target, prediction = self.targs[index], self.decoded[index]
        loss = f"{self.losses[index].item():.2f}"
        if target.ndim:  # several labels: the names of those that are on
            names = [
                [str(v) for v, on in zip(self.vocab, t.tolist(), strict=False) if on] for t in (prediction, target)
            ]
            return [";".join(names[0]), ";".join(names[1]), loss, f"{self.preds[index].max().item():.2f}"]
        return [
            str(self.vocab[int(prediction)]),
            str(self.vocab[int(target)]),
            loss,
            f"{self.preds[index].max().item():.2f}",
        ]

    @property
    def has_several_labels(self) -> bool:
        """Whether a sample can have several labels: targets are a 0 or 1 for each class."""
        return bool(self.targs.ndim > 1 and self.targs.shape == self.preds.shape)

    def confusion_matrix(self) -> npt.NDArray[np.int64]:
        """Return counts, `(n_classes, n_classes)`: rows are actual classes, columns predicted ones.

        With several labels for a sample: one matrix for each label, `(n_classes, 2, 2)`, as scikit-learn's
        `multilabel_confusion_matrix`: rows are actually absent and present, columns predicted so.
        """
        if not self.has_several_labels:
            return confusion_counts(self.targs, self.decoded, len(self.vocab))
        columns = zip(self.targs.T, self.decoded.T, strict=True)
        return np.stack([confusion_counts(target, predicted, 2) for target, predicted in columns])

    def _confusions(self) -> npt.NDArray[np.int64]:
        if self.has_several_labels:
            return confusions_of_labels(self.targs, self.decoded)
        return self.confusion_matrix()

    def plot_confusion_matrix(
        self,
        normalize: bool = False,
        title: str = "Confusion matrix",
        cmap: str = "Blues",
        norm_dec: int = 2,
        plot_txt: bool = True,
        figsize: tuple[float, float] | None = None,
        dpi: float | None = None,
    ) -> Any:
        """Draw the confusion matrix and return its axes.

        With several labels for a sample it counts which missing label (row) comes with which wrong one (column).

        Args:
            normalize: show the fraction of each actual class instead of counts.
            title: above the picture.
            cmap: matplotlib's colour map.
            norm_dec: decimals of the fractions.
            plot_txt: write the numbers into the cells.
            figsize: in inches.
            dpi: dots per inch.
        """
        return draw_confusion(
            self._confusions(),
            self.vocab,
            normalize=normalize,
            title=title,
            cmap=cmap,
            norm_dec=norm_dec,
            plot_txt=plot_txt,
            figsize=figsize,
            dpi=dpi,
            axis_names=("Missing", "Wrongly given") if self.has_several_labels else ("Actual", "Predicted"),
        )

    def most_confused(self, min_val: int = 1) -> list[tuple[Any, Any, int]]:
        """Return (actual, predicted, how often) of the pairs confused at least `min_val` times, most often first.

        With several labels for a sample: (missing label, label wrongly given with it, how often).
        """
        return most_confused_pairs(self._confusions(), self.vocab, min_val)

    def print_classification_report(self) -> None:
        """Print precision, recall and F1 of each class (scikit-learn's report)."""
        from sklearn.metrics import classification_report

        names = [str(v) for v in self.vocab]
        print(
            classification_report(
                self.targs.numpy(),
                self.decoded.numpy(),
                labels=list(range(len(names))),
                target_names=names,
                zero_division=0,
            )
        )

    def label_issues(self, max_n: int | None = None) -> list[dict[str, Any]]:
        """Return the samples whose label is probably wrong, the most certain first.

        The model must not have been trained on them: interpret the validation set, or each fold of a cross-validation.

        Returns:
            For each one a dict with `index`, `item` (None without items), `label`, `suggested` and `score` (0..1).
        """
        if self.targs.ndim != 1:
            raise DataError("label_issues needs one label for each sample.")
        found = find_label_issues(self.preds.numpy(), self.targs.numpy())[:max_n]
        return [self._issue(issue) for issue in found]

    def _issue(self, issue: LabelIssue) -> dict[str, Any]:
        source = self.dl.items
        item = None if source is None else item_at(source, issue.index)
        names = {"label": self.vocab[issue.label], "suggested": self.vocab[issue.suggested]}
        return {"index": issue.index, "item": item, **names, "score": issue.score}

    def _confidences(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        if self.has_several_labels:  # for each label: how sure the model is of its answer, present or absent
            sure = torch.maximum(self.preds, 1 - self.preds)
            return sure.flatten().numpy(), ((self.preds > 0.5) == self.targs.bool()).flatten().numpy()
        best = self.preds.max(1)
        return best.values.numpy(), (best.indices == self.targs).numpy()

    def calibration_error(self, n_bins: int = 10) -> float:
        """Return the expected calibration error: the mean gap between confidence and accuracy, in 0..1."""
        return expected_calibration_error(*self._confidences(), n_bins)

    def plot_calibration(self, n_bins: int = 10, figsize: tuple[float, float] = (5, 5)) -> Any:
        """Draw accuracy by confidence (the diagonal is perfect) and return the axes; the title has the error."""
        import matplotlib.pyplot as plt

        confidences, correct = self._confidences()
        mean, accuracy, counts = reliability(confidences, correct, n_bins)
        _, ax = plt.subplots(figsize=figsize)
        edges = np.arange(n_bins) / n_bins
        ax.bar(
            edges,
            np.nan_to_num(accuracy),
            width=1 / n_bins,
            align="edge",
            edgecolor="white",
            alpha=0.8,
            label="accuracy",
        )
        ax.plot([0, 1], [0, 1], "--", color="0.4", label="perfect")
        filled = counts > 0
        ax.plot(mean[filled], accuracy[filled], "o", color="black", ms=3)
        error = expected_calibration_error(confidences, correct, n_bins)
        ax.set(
            xlabel="Confidence",
            ylabel="Accuracy",
            xlim=(0, 1),
            ylim=(0, 1),
            title=f"Expected calibration error {error:.3f}",
        )
        ax.legend(loc="upper left")
        return ax

    def plot_gradcam(
        self,
        k: int | Any = 9,
        largest: bool = True,
        nrows: int | None = None,
        figsize: Any = None,
        layer: Any = None,
        ncols: int | None = None,
    ) -> None:
        """Draw the samples with the largest losses, with a heat map of what spoke for the predicted class.

        With several labels for a sample it is for the one that the model is surest of.

        Args:
            k: how many, or the indices themselves.
            largest: the worst ones rather than the best.
            nrows: rows of pictures.
            figsize: of the whole figure, in inches.
            layer: the module whose maps are used (None: the last one that gives maps).
            ncols: columns of pictures.
        """
        from vivace.core.show import get_grid

        indices = [int(i) for i in (self.top_losses(k, largest)[1] if isinstance(k, int) else k)]
        subset = self._subset(indices)
        batch = subset.one_batch()
        inputs = self.learn.runtime.prepare_batch(batch)[: self.dl.n_inp]
        layer = find_last_map(self.learn.model, inputs) if layer is None else layer
        classes = self.preds[indices].argmax(1) if self.has_several_labels else self.decoded[indices]
        heat = class_activation(self.learn.model, inputs, layer, classes)
        axes = get_grid(
            len(indices), nrows=nrows, ncols=ncols, figsize=figsize, title="prediction/actual/loss/probability"
        )
        for ax, sample, one, index in zip(axes, subset.decode_batch(batch, len(indices)), heat, indices, strict=False):
            sample[0].show(ctx=ax)
            height, width = sample[0].shape[-2:]
            ax.imshow(
                one, alpha=0.45, extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="bilinear", cmap="magma"
            )
            ax.set_title("/".join(self._describe(index)))
