"""One item at a time, as predictions are asked for: what all items share is prepared once, not for each."""

from __future__ import annotations

import operator
from typing import Any, TypeVar

from vivace.core.collection import L
from vivace.core.randomness import seed_state

from . import reading
from .datasets import Datasets
from .loader import DataLoader, TfmdDL, batch_keys
from .loaders import DataLoaders
from .transform import Transform

__all__ = ["SingleItems"]

T = TypeVar("T")
_PIPELINES = ("after_item", "before_batch", "after_batch")


class SingleItems:
    """Batches of one item each, the same as `dls.test_dl([item], bs=1, num_workers=0).one_batch()`, only faster.

    Threads may share it.
    """

    def __init__(self) -> None:
        self._ready: _Pattern | None = None

    def batch(self, dls: DataLoaders, item: Any, rm_type_tfms: int | None) -> tuple[DataLoader, Any]:
        """Return a loader over this item alone, with the validation transforms as they are now, and its batch."""
        pattern = self._ready
        if pattern is None or not pattern.is_of(dls, rm_type_tfms):
            if not _is_simple(dls):
                dl = _test_dl(dls, item, rm_type_tfms)
                return dl, dl.one_batch()
            pattern = self._ready = _Pattern.of(dls, item, rm_type_tfms)
        dl = _copied(pattern.dl)
        dl.dataset = _with_item(dl.dataset, item)
        reading.prepare_decoding(dl)
        return dl, dl._finished(dl.do_batch([reading.load_sample(dl, 0, pattern.key)]), pattern.keys)


class _Pattern:
    """A loader to be copied for one item, and what it was made from."""

    def __init__(self, dl: DataLoader, made_from: list[Any]) -> None:
        self.dl, self.made_from = dl, made_from
        with dl._peeking():
            keys = reading.keys_of(dl, [0])
        self.key, self.keys = int(keys[0]), batch_keys(keys)  # of the sample, and for the transforms of its batch

    @classmethod
    def of(cls, dls: DataLoaders, item: Any, rm_type_tfms: int | None) -> _Pattern:
        """Return the pattern of these loaders as they are now."""
        made_from = _parts(dls, rm_type_tfms)
        dl = _test_dl(dls, item, rm_type_tfms)
        dl._follow_seed()
        reading.prepare(dl, "here", 0)
        dl.dataset = _with_item(dl.dataset, None)  # the item may be large
        return cls(dl, made_from)

    def is_of(self, dls: DataLoaders, rm_type_tfms: int | None) -> bool:
        """Whether nothing has changed since that decides how an item is prepared."""
        if self.made_from[0] is not dls.for_prediction or self.made_from[1] is not dls.train_ds:
            return False
        parts = _parts(dls, rm_type_tfms)
        return len(parts) == len(self.made_from) and all(map(operator.is_, parts, self.made_from))


def _parts(dls: DataLoaders, rm_type_tfms: int | None) -> list[Any]:
    """All that decides how an item is prepared: where one is another object, a new pattern is needed."""
    like, dataset = dls.for_prediction, dls.train_ds
    parts = [like, dataset, rm_type_tfms, seed_state(), like.device, like.pin_memory, like._n_inp]
    parts.append(len(like.__dict__))  # more when a hook was set
    for pipeline in (like.after_item, like.before_batch, like.after_batch):
        parts += pipeline, *pipeline.fs
    for part in dataset.tls:
        parts += part, part.items, part.tfms, *part.tfms.fs
    return parts


def _test_dl(dls: DataLoaders, item: Any, rm_type_tfms: int | None) -> DataLoader:
    return dls.test_dl([item], rm_type_tfms=rm_type_tfms, bs=1, num_workers=0)


def _is_simple(dls: DataLoaders) -> bool:
    """Whether items are prepared one by one, and by nothing that a subclass or a hook may have changed."""
    like = dls.for_prediction
    if type(dls).test_dl is not DataLoaders.test_dl or type(dls.train_ds) is not Datasets:
        return False
    if type(like) not in (DataLoader, TfmdDL) or any(
        name in vars(like) for name in DataLoader._hooks if name not in _PIPELINES
    ):
        return False
    transforms = [transform for part in dls.train_ds.tls for transform in part.tfms.fs]
    return all(type(transform).prepare_items is Transform.prepare_items for transform in transforms)


def _with_item(dataset: Datasets, item: Any) -> Datasets:
    items: L[Any] = L([item], use_list=True)
    new, parts = _copied(dataset), []
    for part in dataset.tls:
        other = _copied(part)
        other.items, other._rows = items, None
        parts.append(other)
    new.tls = L(parts, use_list=True)
    return new


def _copied(of: T) -> T:
    """A shallow copy; what `copy.copy` leaves out for other processes is kept."""
    new = object.__new__(type(of))
    new.__dict__.update(of.__dict__)
    return new
