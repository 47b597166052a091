"""`Interpretation`: which samples a trained model gets wrong, and how badly.

Inference runs once. Predictions, targets and losses are kept; inputs are read again only to be drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError
from vivace.core.show import get_grid, show_table
from vivace.core.types import TensorImageBase, plain_tensor
from vivace.data.showing import decode_batch, decode_table, show_frame, show_results
from vivace.data.sources import item_at
from vivace.training.learner import Learner

__all__ = ["Interpretation", "SegmentationInterpretation", "target_vocab"]


def _without_unread(dl: Any) -> Any:
    """A loader of what `dl` has just read: items that it left out have no prediction."""
    unread = {failure.index for failure in getattr(dl, "skipped", ())}
    return dl.new(dl.dataset.take([i for i in range(dl.n) if i not in unread])) if unread else dl


class Interpretation:
    """Predictions of a Learner on a data set, with the loss of each sample.

    Args:
        learn: the Learner.
        dl: the loader that was predicted.
        preds: activated predictions, `(n, ...)`.
        targs: targets.
        decoded: decoded predictions.
        losses: `(n,)`.
    """

    def __init__(self, learn: Learner, dl: Any, preds: Any, targs: Any, decoded: Any, losses: Tensor) -> None:
        self.learn, self.dl, self.preds, self.targs, self.decoded, self.losses = (
            learn,
            dl,
            preds,
            targs,
            decoded,
            losses,
        )
        self.vocab = target_vocab(learn.dls)

    @classmethod
    def from_learner(cls, learn: Learner, ds_idx: int = 1, dl: Any = None, act: Any = None) -> Self:
        """Predict a data set (0: training, 1: validation) or a loader, and keep what is needed to interpret it."""
        dl = learn.dls[ds_idx] if dl is None else dl
        if hasattr(dl, "new"):  # a copy also keeps no pictures: each is read once, so memory stays flat
            dl = dl.new(shuffle=False, drop_last=False)
        preds, targs, decoded, losses = learn.get_preds(dl=dl, with_decoded=True, with_loss=True, act=act)
        if targs is None or losses is None:
            raise DataError(
                "An interpretation compares predictions with targets, and this data has none: "
                "give one with targets, such as test_dl(..., with_labels=True)."
            )
        dl = _without_unread(dl)
        return cls(learn, dl, plain_tensor(preds), plain_tensor(targs), plain_tensor(decoded), losses)

    def top_losses(self, k: int | None = None, largest: bool = True, items: bool = False) -> tuple[Any, ...]:
        """Return the `k` largest (or smallest) losses and their indices (and, if `items`, the items themselves)."""
        k = len(self.losses) if k is None else min(k, len(self.losses))
        values, indices = self.losses.topk(k, largest=largest)
        if not items:
            return values, indices
        source = self.dl.items
        if source is None:
            raise DataError("This data set has no `items` to return.")
        return values, indices, L([item_at(source, int(i)) for i in indices], use_list=True)

    def _subset(self, indices: Sequence[int]) -> Any:
        """A loader of these samples alone, in one batch: only what is drawn is read again."""
        return self.dl.new(
            shuffle=False, drop_last=False, bs=max(len(indices), 1), get_idxs=lambda: list(indices), n=len(indices)
        )

    def _describe(self, index: int) -> list[str]:
        """Prediction, actual, loss and (for classes) probability of one sample, as text."""
        return [_text(self.decoded[index]), _text(self.targs[index]), f"{self.losses[index].item():.2f}"]

    def plot_top_losses(
        self,
        k: int | Sequence[int],
        largest: bool = True,
        nrows: int | None = None,
        figsize: Any = None,
        ncols: int | None = None,
    ) -> None:
        """Draw the samples with the largest (or smallest) losses; titles: prediction/actual/loss/probability.

        Args:
            k: how many, or the indices themselves.
            largest: the worst ones rather than the best.
            nrows: rows of pictures (None: as square as can be).
            figsize: of the whole figure, in inches.
            ncols: columns of pictures.
        """
        indices = [int(i) for i in (self.top_losses(k, largest)[1] if isinstance(k, int) else k)]
        if not indices:
            raise ArgumentError("There is nothing to draw: k is 0 or the data set is empty.")
        titles = [self._describe(i) for i in indices]
        subset = self._subset(indices)
        table = decode_table(subset, subset.one_batch(), len(indices))
        if table is not None:
            show_frame(table.assign(**dict(zip(self._title_parts, zip(*titles, strict=True), strict=True))))
            return
        samples = decode_batch(subset, subset.one_batch(), len(indices))
        n_inp = self.dl.n_inp
        if not any(isinstance(p, TensorImageBase) for p in samples[0][:n_inp]):
            show_table([[str(s[0]), *t] for s, t in zip(samples, titles, strict=True)], ["input", *self._title_parts])
            return
        axes = get_grid(len(indices), nrows=nrows, ncols=ncols, figsize=figsize, title="/".join(self._title_parts))
        for ax, sample, title in zip(axes, samples, titles, strict=False):
            for part in sample[:n_inp]:
                part.show(ctx=ax)
            ax.set_title("/".join(title))

    _title_parts: tuple[str, ...] = ("prediction", "actual", "loss")

    def show_results(self, idxs: Sequence[int] | int, **kwargs: Any) -> None:
        """Draw the samples of these indices with their targets and predictions."""
        indices = [idxs] if isinstance(idxs, int) else [int(i) for i in idxs]
        subset = self._subset(indices)
        show_results(subset, subset.one_batch(), self.decoded[indices], max_n=len(indices), **kwargs)


class SegmentationInterpretation(Interpretation):
    """Interpretation of masks: the loss of a picture is the mean over its pixels."""


def target_vocab(dls: Any) -> Any:
    """Return the classes of the target, the last vocabulary where inputs have one too; None without."""
    try:
        vocab = dls.vocab
    except AttributeError:
        return None
    return vocab[-1] if vocab and isinstance(vocab[0], (list, L)) else vocab


def _text(value: Any) -> str:
    if isinstance(value, Tensor) and value.numel() == 1:
        return f"{value.item():.4g}"
    return str(
        value.tolist() if isinstance(value, Tensor) and value.numel() <= 6 else tuple(getattr(value, "shape", ()))
    )
