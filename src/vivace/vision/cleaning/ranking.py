"""Which pictures to look at first: those whose label a model finds most wrong."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from vivace.core.errors import DataError
from vivace.data.loader import DataWarning

from .session import Picture

__all__ = ["rank_by_loss", "rank_files"]


def rank_by_loss(learn: Any, ds_idx: int) -> list[Picture]:
    """Return the pictures of a data set (0: training, 1: validation), the highest loss first.

    Raises:
        DataError: the items are not files.
    """
    dl = learn.dls[ds_idx]
    dl = dl.new(shuffle=False, drop_last=False, split_idx=1)
    items = dl.items
    if items is None or not all(isinstance(f, (str, os.PathLike)) for f in items):
        raise DataError("The cleaner shows files, and the items of this data set are not paths.")
    preds, targets, losses = learn.get_preds(dl=dl, with_loss=True)
    unread = {failure.index for failure in dl.skipped}
    files = [Path(file) for i, file in enumerate(items) if i not in unread]
    vocab = [str(v) for v in learn.dls.vocab]
    labels = [vocab[int(t)] for t in targets]
    return _sorted(files, labels, preds, losses, vocab)


def rank_files(learn: Any, files: Sequence[Path], labels: Sequence[str]) -> tuple[list[Picture], list[Path]]:
    """Return pictures that the model was not loaded with, the most wrong label first, and the unreadable files.

    The loss of a label that the model does not know is that of a probability of 1e-7.

    Args:
        learn: a classifier.
        files: the pictures.
        labels: the class of each, as its folder says.
    """
    vocab = [str(v) for v in learn.dls.vocab]
    dl = learn.dls.test_dl(list(files), on_error="skip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # what cannot be read is returned
        preds, _ = learn.get_preds(dl=dl)
    unread = {failure.index for failure in dl.skipped}
    kept = [i for i in range(len(files)) if i not in unread]
    index = {name: i for i, name in enumerate(vocab)}
    known = [index.get(labels[i]) for i in kept]
    own = preds.new_tensor([0.0 if k is None else float(preds[row, k]) for row, k in enumerate(known)])
    losses = -own.clamp(min=1e-7).log()
    pictures = _sorted([files[i] for i in kept], [labels[i] for i in kept], preds, losses, vocab)
    return pictures, [files[i] for i in sorted(unread)]


def _sorted(
    files: Sequence[Path], labels: Sequence[str], preds: Tensor, losses: Tensor, vocab: Sequence[str]
) -> list[Picture]:
    best = preds.max(1)
    return [
        Picture(files[i], labels[i], vocab[int(best.indices[i])], float(best.values[i]), float(losses[i]))
        for i in losses.argsort(descending=True, stable=True).tolist()
    ]
