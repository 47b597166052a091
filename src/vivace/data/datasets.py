"""`TfmdLists` and `Datasets`: items with the transforms that make their parts, set up on the training items."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from PIL import Image
from torch import Tensor

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError, ItemError, VivaceError
from vivace.core.types import TensorCategory, TensorMask, TensorMultiCategory, TensorPoint

from .loader import DataLoader
from .loaders import DataLoaders
from .transform import Pipeline, Transform
from .transforms import ToTensor

__all__ = ["Datasets", "TfmdLists"]

_TARGET_TYPES: dict[str, type] = {
    "category": TensorCategory,
    "multi_category": TensorMultiCategory,
    "mask": TensorMask,
    "points": TensorPoint,
}


def _take(items: Any, indices: Any) -> Any:
    """Some of the items, as the same kind of collection."""
    if hasattr(items, "iloc"):
        return items.iloc[list(indices)]
    return L([items[int(i)] for i in indices], use_list=True)


def _item(items: Any, index: int) -> Any:
    return items.iloc[index] if hasattr(items, "iloc") else items[index]


def describe_item(items: Any, index: int) -> str:
    """Return how messages call an item: its number, and its path or value."""
    item = _item(items, index)
    text = os.fspath(item) if isinstance(item, (str, os.PathLike)) else f"row {item.name}" if hasattr(item, "iloc") else repr(item)
    return f"Item {index} ({text if len(text) < 200 else text[:200] + '…'})"


class _SetUp:
    """What a transform sees of the training items when it is set up: the results of the transforms before it."""

    def __init__(self, items: Any, before: Sequence[Transform]) -> None:
        self.items, self.before = items, before

    @property
    def vocab(self) -> Any:
        return next((t.vocab for t in reversed(self.before) if getattr(t, "vocab", None) is not None), None)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        value = _item(self.items, index)
        for transform in self.before:
            try:
                value = transform.on_item(value)
            except Exception as error:
                raise _named(describe_item(self.items, index), transform, error) from error
        return value

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))


def _named(item: str, transform: Transform, error: Exception) -> ItemError:
    cause = str(error) if isinstance(error, VivaceError) else f"{type(error).__name__}: {error}"
    return ItemError(f"{item} failed in {transform.name}: {cause}")


class TfmdLists:
    """Items, each passed through the same transforms.

    Args:
        items: a list, an `L`, an array, or a DataFrame (its rows).
        tfms: the transforms, in their order.
        use_list: turn `items` into an `L` of its elements.
        do_setup: set the transforms up on the training items.
        split_idx: which data set this is (0: training, 1: validation, None: all).
        splits: the indices of the training items, the validation items, ….
    """

    prefers_threads = True

    def __init__(
        self,
        items: Any,
        tfms: Any = None,
        use_list: bool | None = None,
        do_setup: bool = True,
        split_idx: int | None = None,
        splits: Sequence[Sequence[int]] | None = None,
    ) -> None:
        keep = hasattr(items, "iloc") or (isinstance(items, L) and not use_list)
        self.items: Any = items if keep else L(items, use_list=True) if isinstance(items, (list, tuple)) else L(items)
        listed = [] if tfms is None else tfms if isinstance(tfms, (list, tuple, L, Pipeline)) else [tfms]
        self.tfms = listed if isinstance(listed, Pipeline) else Pipeline(list(listed))
        self.tfms = self.tfms.copy(split_idx)
        self.split_idx = split_idx
        self.splits = None if splits is None else L([L([int(i) for i in s], use_list=True) for s in splits], use_list=True)
        self.for_prediction = False
        if do_setup:
            self.setup()

    def setup(self) -> None:
        """Let each transform see the training items, after the transforms before it."""
        train = self.items if self.splits is None else _take(self.items, self.splits[0])
        for position, transform in enumerate(self.tfms.fs):
            transform.setup(_SetUp(train, self.tfms.fs[:position]))

    def _new(self, items: Any, split_idx: int | None) -> Self:
        return type(self)(items, self.tfms, do_setup=False, split_idx=split_idx)

    def subset(self, i: int) -> Self:
        """Return the items of split `i`, with the same transforms."""
        if self.splits is None:
            raise DataError("These items are not split.")
        return self._new(_take(self.items, self.splits[i]), split_idx=i)

    @property
    def n_subsets(self) -> int:
        """How many splits there are."""
        return 1 if self.splits is None else len(self.splits)

    @property
    def train(self) -> Self:
        """The training items."""
        return self.subset(0)

    @property
    def valid(self) -> Self:
        """The validation items."""
        return self.subset(1)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, (int, np.integer)) or (isinstance(index, Tensor) and index.ndim == 0):
            i = int(index)
            if not -len(self) <= i < len(self):
                raise IndexError(f"There is no item {i}: there are {len(self)}.")
            return self._make(i % len(self))
        positions = range(len(self))[index] if isinstance(index, slice) else L(range(len(self)), use_list=True)[index]
        return L([self._make(i) for i in positions], use_list=True)

    def _make(self, index: int) -> Any:
        value = _item(self.items, index)
        for transform in self.tfms.fs[self._first_tfm(value) :]:
            try:
                value = transform.on_item(value, split_idx=self.split_idx)
            except Exception as error:
                raise _named(describe_item(self.items, index), transform, error) from error
        return value

    def _first_tfm(self, value: Any) -> int:
        """Where to begin: a picture given for prediction needs no getter that finds its file."""
        if not self.for_prediction:
            return 0
        for position, transform in enumerate(self.tfms.fs):
            getter = getattr(transform, "enc", None)
            opens = getattr(getattr(getter, "__self__", None), "tensor_type", None) is not None
            if opens and isinstance(value, (Image.Image, np.ndarray, bytes, bytearray, Tensor, str, os.PathLike)):
                reads_rows = any(getattr(getattr(t, "enc", None), "reads_rows", False) for t in self.tfms.fs[:position])
                return position if reads_rows or not isinstance(value, (str, os.PathLike)) else 0
        return 0

    def decode(self, value: Any) -> Any:
        """Undo the transforms as far as they can be undone."""
        return self.tfms.decode(value)

    def show(self, value: Any, ctx: Any = None, **kwargs: Any) -> Any:
        """Show a decoded value."""
        decoded = self.decode(value)
        return decoded.show(ctx=ctx, **kwargs) if hasattr(decoded, "show") else ctx

    @property
    def vocab(self) -> Any:
        """The vocabulary of the last transform that has one, or None."""
        return next((t.vocab for t in reversed(self.tfms.fs) if getattr(t, "vocab", None) is not None), None)

    @property
    def c(self) -> int | None:
        """How many outputs the target needs, if a transform says so."""
        return next((t.c for t in reversed(self.tfms.fs) if getattr(t, "c", None)), None)

    @property
    def kind(self) -> str | None:
        """What the value is as a target ("category", …), if a transform says so."""
        return self.tfms.kind

    def dataloaders(self, bs: int = 64, **kwargs: Any) -> DataLoaders:
        """Return loaders over the splits; see `Datasets.dataloaders`."""
        return make_loaders(self, bs=bs, **kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} items, {self.tfms})"


class Datasets:
    """Items, each made into several parts (inputs, then targets) by a list of transforms each.

    Args:
        items: a list, or a DataFrame (its rows).
        tfms: for each part the transforms that make it from an item.
        tls: the parts as `TfmdLists`, instead of `items` and `tfms`.
        n_inp: how many parts are inputs (None: all but the last).
        dl_type: the class of loaders that `dataloaders` makes.
        splits: the indices of the training items, the validation items, ….
        do_setup: set the transforms up on the training items.
    """

    prefers_threads = True

    def __init__(
        self,
        items: Any = None,
        tfms: Sequence[Any] | None = None,
        tls: Sequence[TfmdLists] | None = None,
        n_inp: int | None = None,
        dl_type: type[DataLoader] | None = None,
        splits: Sequence[Sequence[int]] | None = None,
        use_list: bool | None = None,
        do_setup: bool = True,
    ) -> None:
        if tls is None:
            if items is None:
                raise ArgumentError("Datasets needs items.")
            first = TfmdLists(items, (tfms or [None])[0], use_list, do_setup, splits=splits)
            rest = [TfmdLists(first.items, t, do_setup=do_setup, splits=splits) for t in (tfms or [None])[1:]]
            tls = [first, *rest]
        self.tls: L = L(list(tls), use_list=True)
        self.n_inp = n_inp if n_inp is not None else max(1, len(self.tls) - 1)
        self.dl_type = dl_type

    @property
    def items(self) -> Any:
        """The items."""
        return self.tls[0].items

    @property
    def splits(self) -> Any:
        """The indices of the training items, the validation items, …."""
        return self.tls[0].splits

    @property
    def split_idx(self) -> int | None:
        """Which data set this is."""
        return self.tls[0].split_idx  # type: ignore[no-any-return]

    @property
    def tfms(self) -> list[Pipeline]:
        """The transforms of each part."""
        return [tl.tfms for tl in self.tls]

    def _with(self, tls: Sequence[TfmdLists], n_inp: int | None = None) -> Self:
        return type(self)(tls=tls, n_inp=self.n_inp if n_inp is None else n_inp, dl_type=self.dl_type)

    def subset(self, i: int) -> Self:
        """Return split `i`."""
        return self._with([tl.subset(i) for tl in self.tls])

    @property
    def n_subsets(self) -> int:
        """How many splits there are."""
        return self.tls[0].n_subsets  # type: ignore[no-any-return]

    @property
    def train(self) -> Self:
        """The training items."""
        return self.subset(0)

    @property
    def valid(self) -> Self:
        """The validation items."""
        return self.subset(1)

    def __len__(self) -> int:
        return len(self.tls[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, (int, np.integer)) or (isinstance(index, Tensor) and index.ndim == 0):
            return tuple(tl[index] for tl in self.tls)
        return L(list(zip(*[tl[index] for tl in self.tls], strict=True)), use_list=True)

    def decode(self, sample: Any) -> tuple[Any, ...]:
        """Undo the transforms of each part as far as they can be undone."""
        return tuple(tl.decode(part) for tl, part in zip(self.tls, sample, strict=False))

    def decode_target(self, prediction: Any, batch: Any = None) -> Any:
        """Return a decoded prediction (a class index, a mask of labels, numbers) as people read it."""
        targets = self.tls[self.n_inp :]
        if len(targets) == 1:
            return self._decode_one(targets[0], prediction)
        parts = prediction if isinstance(prediction, tuple) else (prediction,)
        return tuple(self._decode_one(tl, p) for tl, p in zip(targets, parts, strict=False))

    @staticmethod
    def _decode_one(tl: TfmdLists, prediction: Any) -> Any:
        kind = tl.kind
        if kind == "category" and isinstance(prediction, Tensor) and prediction.ndim == 1:
            prediction = prediction.argmax()  # a loss of the user's left the scores as they were
        target_type = _TARGET_TYPES.get(kind or "")
        value = prediction.as_subclass(target_type) if target_type is not None and isinstance(prediction, Tensor) else prediction
        return tl.decode(value)

    def show(self, sample: Any, ctx: Any = None, **kwargs: Any) -> Any:
        """Show a sample."""
        for part in self.decode(sample):
            if hasattr(part, "show"):
                ctx = part.show(ctx=ctx, **kwargs)
        return ctx

    @property
    def vocab(self) -> Any:
        """The vocabulary of the data; an `L` of them when several parts have different ones."""
        found: list[Any] = []
        for tl in self.tls:
            if tl.vocab is not None and not any(v is tl.vocab for v in found):
                found.append(tl.vocab)
        return None if not found else found[0] if len(found) == 1 else L(found, use_list=True)

    @property
    def c(self) -> int | None:
        """How many outputs the target needs."""
        return next((tl.c for tl in reversed(self.tls) if tl.c), None)

    @property
    def kind(self) -> str | None:
        """What the target is: "category", "mask", …."""
        return next((tl.kind for tl in self.tls[self.n_inp :] if tl.kind is not None), None)

    @property
    def loss_func(self) -> Any:
        """A loss that a transform of the target brings along (users' transforms may; the data layer knows none)."""
        targets = [t for tl in self.tls[self.n_inp :] for t in reversed(tl.tfms.fs)]
        return next((t.loss_func for t in targets if getattr(t, "loss_func", None) is not None), None)

    def new_items(self, items: Any, with_labels: bool = False, rm_tfms: int = 0) -> Self:
        """Return a data set of new items with these transforms: the inputs alone, or everything if `with_labels`."""
        chosen = self.tls if with_labels else self.tls[: self.n_inp]
        made = []
        for tl in chosen:
            new = tl._new(items if hasattr(items, "iloc") else L(items, use_list=isinstance(items, (list, tuple))), split_idx=1)
            if rm_tfms:
                new.tfms = Pipeline(new.tfms.fs[rm_tfms:], split_idx=1)
            new.for_prediction = True
            made.append(new)
        return self._with(made)

    def new_empty(self) -> Self:
        """Return a data set with these transforms and no items."""
        return self._with([tl._new(L(), split_idx=tl.split_idx) for tl in self.tls])

    def overlapping_splits(self) -> bool:
        """Whether an item is in more than one split."""
        everything = [i for split in self.splits or [] for i in split]
        return len(everything) != len(set(everything))

    def dataloaders(self, bs: int = 64, **kwargs: Any) -> DataLoaders:
        """Return loaders over the splits.

        Args:
            bs: samples in a batch.
            kwargs: `val_bs`, `shuffle`, `drop_last`, `num_workers`, `device`, `path`, `after_item` (default: `ToTensor`),
                `before_batch`, `after_batch`, `seed`, `on_error`, `dl_kwargs`, …: see `DataLoaders.from_dsets`.
        """
        return make_loaders(self, bs=bs, **kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} items, parts: {[str(t) for t in self.tfms]})"


def make_loaders(dsets: Any, bs: int = 64, after_item: Any = None, dl_type: Any = None, loaders: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """Return loaders over the splits of a data set (over all of it, when it is not split)."""
    if "shuffle_train" in kwargs:
        kwargs["shuffle"] = kwargs.pop("shuffle_train")
    parts = [dsets] if dsets.splits is None else [dsets.subset(i) for i in range(dsets.n_subsets)]
    item_tfms = [ToTensor()] if after_item is None else after_item
    dl_type = dl_type or getattr(dsets, "dl_type", None) or DataLoader
    return (loaders or DataLoaders.from_dsets)(*parts, bs=bs, after_item=item_tfms, dl_type=dl_type, **kwargs)
