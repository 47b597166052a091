"""`Interpretation`: which samples a trained model gets wrong, and how badly.

Inference runs once. Predictions, targets and losses are kept; inputs are read again only to be drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError
from vivace.core.show import show_table
from vivace.core.types import TensorImageBase, TensorPoint, plain_tensor
from vivace.data.showing import (
    Panel,
    decode_batch,
    decode_results,
    decode_table,
    draw_panels,
    is_drawn,
    result_panels,
    sample_panels,
    show_frame,
    show_results,
)
from vivace.data.sources import item_at
from vivace.training.learner import Learner

__all__ = ["Interpretation"]


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
        self.vocab = _vocab_of(learn.dls)

    @classmethod
    def from_learner(cls, learn: Learner, ds_idx: int = 1, dl: Any = None, act: Any = None) -> Self:
        """Predict a data set (0: training, 1: validation) or a loader, and keep what is needed to interpret it."""
        dl = learn.dls[ds_idx] if dl is None else dl
        if hasattr(dl, "new"):  # a copy also keeps no pictures: each is read once, so memory stays flat
            dl = dl.new(shuffle=False, drop_last=False)
        preds, targs, decoded, losses = cls._predicted(learn, dl, act)
        if targs is None or losses is None:
            raise DataError(
                "An interpretation compares predictions with targets, and this data has none: "
                "give one with targets, such as test_dl(..., with_labels=True)."
            )
        dl = _without_unread(dl)
        return cls(learn, dl, plain_tensor(preds), plain_tensor(targs), plain_tensor(decoded), losses)

    @classmethod
    def _predicted(cls, learn: Learner, dl: Any, act: Any) -> tuple[Any, Any, Any, Any]:
        """Predictions, targets, decoded predictions, and the loss of each sample."""
        preds, targs, decoded, losses = learn.get_preds(dl=dl, with_decoded=True, with_loss=True, act=act)
        return preds, targs, decoded, losses

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

        Masks and pictures as targets are drawn side by side with the prediction, points and boxes on the picture.

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
        subset, n_inp = self._subset(indices), self.dl.n_inp
        batch = subset.one_batch()
        if self._is_drawn_on_the_picture(batch[n_inp:]):
            samples, predicted = decode_results(subset, batch, _rows(self.decoded, indices), len(indices))
            rows = [result_panels(s, p, n_inp, with_input=True) for s, p in zip(samples, predicted, strict=True)]
            titles = [f"loss {self.losses[i].item():.4g}" for i in indices]
            rows = [_titled(panels, title) for panels, title in zip(rows, titles, strict=True)]
            draw_panels(
                rows,
                nrows=nrows,
                ncols=ncols,
                figsize=figsize,
                title="Top losses" if largest else "Lowest losses",
            )
            return
        described = [self._describe(i) for i in indices]
        table = decode_table(subset, batch, len(indices))
        if table is not None:
            show_frame(table.assign(**dict(zip(self._title_parts, zip(*described, strict=True), strict=True))))
            return
        samples = decode_batch(subset, batch, len(indices))
        if not any(is_drawn(p) for p in samples[0][:n_inp]):
            rows_of_text = [[str(s[0]), *t] for s, t in zip(samples, described, strict=True)]
            show_table(rows_of_text, ["input", *self._title_parts])
            return
        rows = [_titled(sample_panels(s[:n_inp]), "/".join(t)) for s, t in zip(samples, described, strict=True)]
        draw_panels(rows, nrows=nrows, ncols=ncols, figsize=figsize, title="/".join(self._title_parts))

    @staticmethod
    def _is_drawn_on_the_picture(targets: Sequence[Any]) -> bool:
        return any(isinstance(target, (TensorImageBase, TensorPoint)) for target in targets)

    _title_parts: tuple[str, ...] = ("prediction", "actual", "loss")

    def show_results(self, idxs: Sequence[int] | int, **kwargs: Any) -> None:
        """Draw the samples of these indices with their targets and predictions."""
        indices = [idxs] if isinstance(idxs, int) else [int(i) for i in idxs]
        subset = self._subset(indices)
        show_results(subset, subset.one_batch(), _rows(self.decoded, indices), max_n=len(indices))


def _vocab_of(dls: Any) -> Any:
    try:
        vocab = dls.vocab
    except AttributeError:
        return None
    return vocab[-1] if vocab and isinstance(vocab[0], (list, L)) else vocab


def _rows(values: Any, indices: Sequence[int]) -> Any:
    return tuple(part[indices] for part in values) if isinstance(values, tuple) else values[indices]


def _titled(panels: list[Panel], title: str) -> list[Panel]:
    """The same panels with the title on the last (of several, after what that one is)."""
    last = panels[-1].title
    whole = title if last is None else f"{last}, {title}"
    if last is None:  # pictures of one sample: over the first
        return [panels[0]._replace(title=whole), *panels[1:]]
    return [*panels[:-1], panels[-1]._replace(title=whole)]


def _text(value: Any) -> str:
    if not isinstance(value, Tensor) or value.numel() > 6:
        return str(tuple(getattr(value, "shape", ())))
    numbers = ", ".join(f"{number:.4g}" for number in value.flatten().tolist())
    return numbers if value.numel() == 1 else f"({numbers})"
