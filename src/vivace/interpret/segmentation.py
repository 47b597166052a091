"""`SegmentationInterpretation`: where masks are predicted wrong, picture by picture and class by class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vivace.core.basics import noop
from vivace.core.device import to_detach
from vivace.core.show import show_table
from vivace.training.callback import Callback
from vivace.training.collected import Collected
from vivace.training.learner import Learner
from vivace.training.predict import decode_preds

from .confusion import confusion_counts, draw_confusion, most_confused_pairs
from .interpretation import Interpretation

__all__ = ["SegmentationInterpretation"]


class _KeepMasks(Callback):
    """Keep predicted and actual masks as bytes: probabilities take 4 bytes for each class and pixel."""

    def __init__(self, act: Any) -> None:
        self.act, self.targets, self.decoded = act, Collected(), Collected()
        self.n_classes = 0

    def after_pred(self) -> None:
        learn = self.learn
        if not learn.yb:
            return
        act = self.act if self.act is not None else getattr(learn.loss_func, "activation", noop)
        classes = decode_preds(learn, act(learn.pred.detach()))
        self.n_classes = learn.pred.shape[1]
        small = torch.uint8 if self.n_classes <= 256 else torch.int64
        self.decoded.add(to_detach(classes.to(small)))
        self.targets.add(to_detach(learn.yb[0].reshape(classes.shape).to(small)))


class SegmentationInterpretation(Interpretation):
    """Interpretation of masks: the loss of a picture is the mean over its pixels.

    Masks are kept as bytes, probabilities are not (`preds` is None): they would fill the memory.
    """

    def __init__(self, learn: Learner, dl: Any, preds: Any, targs: Any, decoded: Any, losses: Tensor) -> None:
        super().__init__(learn, dl, preds, targs, decoded, losses)
        if self.vocab is None:
            self.vocab = list(range(int(max(self.decoded.max(), self.targs.max())) + 1))

    @classmethod
    def _predicted(cls, learn: Learner, dl: Any, act: Any) -> tuple[Any, Any, Any, Any]:
        keep = _KeepMasks(act)
        *_, losses = learn.get_preds(dl=dl, with_preds=False, with_targs=False, with_loss=True, cbs=keep)
        return None, keep.targets.joined(), keep.decoded.joined(), losses

    def confusion_matrix(self) -> npt.NDArray[np.int64]:
        """Return how many pixels of each actual class (row) are predicted as each class (column).

        Pixels that are of no class (such as 255) are left out.
        """
        counts = np.zeros((len(self.vocab), len(self.vocab)), dtype=np.int64)
        for target, found in zip(self.targs, self.decoded, strict=True):  # as int64 all would take 8 times as much
            counts += confusion_counts(target, found, len(self.vocab))
        return counts

    def plot_confusion_matrix(
        self,
        normalize: bool = True,
        title: str = "Confusion matrix of pixels",
        cmap: str = "Blues",
        norm_dec: int = 2,
        plot_txt: bool = True,
        figsize: tuple[float, float] | None = None,
        dpi: float | None = None,
    ) -> Any:
        """Draw the confusion matrix, by default in fractions of each actual class, and return its axes.

        The arguments are those of `ClassificationInterpretation.plot_confusion_matrix`.
        """
        return draw_confusion(
            self.confusion_matrix(),
            self.vocab,
            normalize=normalize,
            title=title,
            cmap=cmap,
            norm_dec=norm_dec,
            plot_txt=plot_txt,
            figsize=figsize,
            dpi=dpi,
        )

    def most_confused(self, min_val: int = 1) -> list[tuple[Any, Any, int]]:
        """Return (actual, predicted, pixels) of the classes confused in at least `min_val` pixels, most first."""
        return most_confused_pairs(self.confusion_matrix(), self.vocab, min_val)

    def class_scores(self) -> list[dict[str, Any]]:
        """Return for each class its name, `dice`, `jaccard` (nan where it occurs nowhere) and actual `pixels`."""
        counts = self.confusion_matrix()
        right, actual, found = np.diag(counts), counts.sum(1), counts.sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            dice, jaccard = 2 * right / (actual + found), right / (actual + found - right)
        return [
            {"class": str(name), "dice": float(dice[i]), "jaccard": float(jaccard[i]), "pixels": int(actual[i])}
            for i, name in enumerate(self.vocab)
        ]

    def print_class_scores(self) -> None:
        """Print `class_scores` as a table."""
        rows = [
            {**row, "dice": f"{row['dice']:.4f}", "jaccard": f"{row['jaccard']:.4f}"} for row in self.class_scores()
        ]
        show_table(rows, ["class", "dice", "jaccard", "pixels"])
