"""`DataBlock`: how to get from a source to batches, written down once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

from vivace.core.basics import noop
from vivace.core.collection import L
from vivace.core.errors import ArgumentError, ArgumentTypeError, DataError, suggest

from .category import Categorize, EncodedMultiCategorize, MultiCategorize, OneHotEncode, RegressionSetup
from .datasets import Datasets
from .loader import DataLoader
from .loaders import DataLoaders
from .splits import RandomSplitter
from .transform import Transform, as_transform
from .transforms import ToTensor

__all__ = ["CategoryBlock", "DataBlock", "MultiCategoryBlock", "RegressionBlock", "TransformBlock"]


class TransformBlock:
    """One part of a sample: the transforms that make it.

    Args:
        type_tfms: from what the getter returns to the value (open a picture, look up a class).
        item_tfms: transforms of the sample that this part needs.
        batch_tfms: transforms of the batch that this part needs.
        dl_type: the class of loaders that this part needs.
        dls_kwargs: arguments of the loaders that this part needs.
    """

    def __init__(
        self,
        type_tfms: Any = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        dl_type: type[DataLoader] | None = None,
        dls_kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.type_tfms = _listed(type_tfms)
        self.item_tfms = [ToTensor, *_listed(item_tfms)]
        self.batch_tfms = _listed(batch_tfms)
        self.dl_type, self.dls_kwargs = dl_type, dls_kwargs or {}


def CategoryBlock(vocab: Any = None, sort: bool = True, add_na: bool = False) -> TransformBlock:  # noqa: N802
    """One label of a sample.

    Args:
        vocab: the classes; None: those of the training set.
        sort: sort them.
        add_na: make class 0 "#na#".
    """
    return TransformBlock(type_tfms=Categorize(vocab=vocab, sort=sort, add_na=add_na))


def MultiCategoryBlock(encoded: bool = False, vocab: Any = None, add_na: bool = False) -> TransformBlock:  # noqa: N802
    """Several labels of a sample.

    Args:
        encoded: the data holds a 0 or 1 for each class of `vocab` already.
        vocab: the classes; None: those of the training set.
        add_na: make class 0 "#na#".
    """
    if encoded and vocab is None:
        raise ArgumentError("MultiCategoryBlock(encoded=True) needs vocab: the names of the columns.")
    tfms: list[Transform] = [EncodedMultiCategorize(vocab)] if encoded else [MultiCategorize(vocab=vocab, add_na=add_na), OneHotEncode()]
    return TransformBlock(type_tfms=tfms)


def RegressionBlock(n_out: int | None = None) -> TransformBlock:  # noqa: N802
    """Numbers to predict.

    Args:
        n_out: how many; None: found out.
    """
    return TransformBlock(type_tfms=RegressionSetup(c=n_out))


def _listed(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple, L)) else [value]


def merge_tfms(*groups: Any) -> list[Transform]:
    """Return the transforms of all groups: the last group is the user's and stays whole, and replaces the blocks'
    defaults of the same class; of defaults that come twice one stays."""
    chosen = [as_transform(t) for t in _listed(groups[-1])]
    taken = {type(t) for t in chosen if type(t) is not Transform}
    defaults: dict[Any, Transform] = {}
    for transform in (as_transform(t) for group in groups[:-1] for t in _listed(group)):
        key: Any = id(transform) if type(transform) is Transform else type(transform)
        if key not in taken:
            defaults[key] = transform
    return [*defaults.values(), *chosen]


class DataBlock:
    """How to get from a source (a folder, a table) to batches.

    Args:
        blocks: what each part of a sample is: `(ImageBlock, CategoryBlock)`.
        dl_type: the class of loaders.
        getters: for each part a function of the item, instead of `get_x` and `get_y`.
        n_inp: how many parts are inputs (None: all but the last).
        item_tfms: transforms of single samples, on the CPU, such as `Resize(224)`.
        batch_tfms: transforms of batches, on the device, such as `aug_transforms()`.
        get_items: source to items.
        splitter: items to the indices for training and validation (default: a fifth at random).
        get_x: item to input (or a list of functions, one for each input).
        get_y: item to target (or a list of functions, one for each target).
        on_error: "raise": a broken item ends the run with an error that names it; "skip": it is left out and reported.
    """

    def __init__(
        self,
        blocks: Any = None,
        dl_type: type[DataLoader] | None = None,
        getters: Any = None,
        n_inp: int | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        get_items: Callable[[Any], Any] | None = None,
        splitter: Callable[[Any], Any] | None = None,
        get_y: Any = None,
        get_x: Any = None,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> None:
        listed = (TransformBlock, TransformBlock) if blocks is None else tuple(_listed(blocks))
        self.blocks = [b() if callable(b) and not isinstance(b, TransformBlock) else b for b in listed]
        for block in self.blocks:
            if not isinstance(block, TransformBlock):
                raise ArgumentTypeError(f"blocks holds {block!r:.60}, which is no block: give ImageBlock, CategoryBlock, ….")
        self.n_inp = n_inp if n_inp is not None else max(1, len(self.blocks) - 1)
        self.get_items, self.splitter, self.get_x, self.get_y = get_items, splitter, get_x, get_y
        self.getters = self._make_getters(getters, get_x, get_y)
        self.dl_type = dl_type or next((b.dl_type for b in self.blocks if b.dl_type is not None), None)
        self.dls_kwargs = {k: v for b in self.blocks for k, v in b.dls_kwargs.items()}
        self.on_error = on_error
        self._item_tfms, self._batch_tfms = item_tfms, batch_tfms
        self.item_tfms = merge_tfms(*(b.item_tfms for b in self.blocks), item_tfms)
        self.batch_tfms = merge_tfms(*(b.batch_tfms for b in self.blocks), batch_tfms)

    def _make_getters(self, getters: Any, get_x: Any, get_y: Any) -> list[Callable[[Any], Any]]:
        n = len(self.blocks)
        if getters is not None:
            made = [noop if g is None else g() if isinstance(g, type) else g for g in _listed(getters)]
            if len(made) != n:
                raise ArgumentError(f"getters has {len(made)} functions for {n} blocks: one for each block is needed.")
            return made
        made = [noop] * n
        for name, given, first, last in (("get_x", get_x, 0, self.n_inp), ("get_y", get_y, self.n_inp, n)):
            if given is None:
                continue
            functions = [g() if isinstance(g, type) else g for g in _listed(given)]
            if len(functions) != last - first:
                what = "inputs" if name == "get_x" else "targets"
                raise ArgumentError(f"{name} has {len(functions)} functions, but the blocks make {last - first} {what} (n_inp={self.n_inp}).")
            made[first:last] = functions
        return made

    @classmethod
    def from_columns(cls, blocks: Any = None, getters: Any = None, get_items: Callable[[Any], Any] | None = None, **kwargs: Any) -> Self:
        """Make one for a source of columns: `get_items` (or the source) gives a tuple of lists, one for each block."""
        if getters is None:
            n = 2 if blocks is None else len(_listed(blocks))
            getters = [_Column(i) for i in range(n)]
        zipped = (lambda source: L(list(zip(*source, strict=True)), use_list=True)) if get_items is None else (lambda source: L(list(zip(*get_items(source), strict=True)), use_list=True))  # fmt: skip
        return cls(blocks=blocks, getters=getters, get_items=zipped, **kwargs)

    def new(self, item_tfms: Any = None, batch_tfms: Any = None) -> DataBlock:
        """Return a copy with other item and batch transforms (None: none but the blocks' own)."""
        return type(self)(
            blocks=self.blocks, dl_type=self.dl_type, getters=self.getters, n_inp=self.n_inp, item_tfms=item_tfms,
            batch_tfms=batch_tfms, get_items=self.get_items, splitter=self.splitter, on_error=self.on_error,
        )  # fmt: skip

    # ------------------------------------------------------------------ from source to batches
    def items_of(self, source: Any) -> Any:
        """Return the items of a source.

        Raises:
            DataError: there are none.
        """
        items = source if self.get_items is None else self.get_items(source)
        if not len(items):
            how = f"{_name(self.get_items)} found no items in {source}" if self.get_items is not None else "The source has no items"
            raise DataError(f"{how}.{_what_is_there(source)}")
        return items

    def splits_of(self, items: Any) -> Any:
        """Return the indices of the training and the validation items.

        Raises:
            DataError: one side is empty.
        """
        splitter = RandomSplitter() if self.splitter is None else self.splitter
        splits = splitter(items)
        for side, indices in zip(("training", "validation"), splits, strict=False):
            if not len(indices):
                raise DataError(f"{_name(splitter)} leaves no items of {len(items)} for {side}: split differently.")
        return splits

    def type_tfms_of(self, position: int) -> list[Any]:
        """Return the transforms that make one part of a sample: its getter, then its block's."""
        getter = self.getters[position]
        return [*([] if getter is noop else [getter]), *self.blocks[position].type_tfms]

    def datasets(self, source: Any, verbose: bool = False) -> Datasets:
        """Return the training and validation data sets of a source."""
        items = self.items_of(source)
        if verbose:
            print(f"Found {len(items)} items")
        splits = self.splits_of(items)
        if verbose:
            print(f"{len(splits)} datasets of sizes {', '.join(str(len(s)) for s in splits)}")
        tfms = [[_fresh(t) for t in self.type_tfms_of(i)] or [noop] for i in range(len(self.blocks))]
        dsets = Datasets(items, tfms=tfms, splits=splits, dl_type=self.dl_type, n_inp=self.n_inp)
        if dsets.kind == "category" and dsets.c == 1:
            warnings.warn(
                f"All training items have the label {dsets.vocab[0]!r}: there is nothing to tell apart. "
                f"Is {_name(self.getters[-1])} the right labelling function, and the source the right folder?",
                stacklevel=2,
            )
        return dsets

    def dataloaders(
        self,
        source: Any,
        path: str | os.PathLike[str] = ".",
        verbose: bool = False,
        bs: int = 64,
        val_bs: int | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        **kwargs: Any,
    ) -> DataLoaders:
        """Return the loaders of a source.

        Args:
            source: what `get_items` takes (a folder, a table).
            path: where a `Learner` on these loaders writes.
            verbose: say what is done.
            bs: samples in a batch.
            val_bs: those of the validation loader (None: the same).
            item_tfms: item transforms for this call, besides the block's.
            batch_tfms: batch transforms for this call, besides the block's.
            kwargs: `num_workers`, `device`, `shuffle`, `drop_last`, `seed`, `on_error`, `before_batch`, `fetch`, … of
                `DataLoaders.from_dsets`.
        """
        known = ["num_workers", "device", "shuffle", "shuffle_train", "drop_last", "seed", "on_error", "before_batch", "fetch", "pin_memory",
                 "dl_type", "dl_kwargs", "prefetch", "timeout", "persistent_workers", "n", "seq_len", "cache"]  # fmt: skip
        if self.dl_type is None:
            for name in kwargs:
                if name not in known:
                    raise ArgumentTypeError(f"dataloaders has no argument {name!r}.{suggest(name, [*known, 'bs', 'val_bs', 'path'])}")
        dsets = self.datasets(source, verbose=verbose)
        options = {"on_error": self.on_error, **self.dls_kwargs, **kwargs}
        return dsets.dataloaders(
            bs=bs, val_bs=val_bs, path=path, after_item=merge_tfms(self.item_tfms, item_tfms),
            after_batch=merge_tfms(self.batch_tfms, batch_tfms), **options,
        )  # fmt: skip

    def summary(self, source: Any, bs: int = 4, show_batch: bool = False, **kwargs: Any) -> None:
        """Print what happens to one sample step by step, then to a batch; name the step that fails and on which item."""
        from .summary import summary

        summary(self, source, bs, show_batch, **kwargs)

    def __repr__(self) -> str:
        return f"DataBlock({len(self.blocks)} blocks, item_tfms={self.item_tfms}, batch_tfms={self.batch_tfms})"


class _Column:
    def __init__(self, i: int) -> None:
        self.i = i

    def __call__(self, row: Any) -> Any:
        return row[self.i]


def _fresh(transform: Any) -> Any:
    """A copy of a transform that is set up on data, so that one block can serve several sources."""
    import copy

    return copy.copy(transform) if isinstance(transform, Transform) and hasattr(transform, "setups") else transform


def _name(function: Any) -> str:
    inner = getattr(function, "func", function)
    return str(getattr(inner, "__name__", None) or repr(function))


def _what_is_there(source: Any) -> str:
    if not isinstance(source, (str, os.PathLike)) or not os.path.isdir(source):
        return ""
    endings: dict[str, int] = {}
    for _, _, files in os.walk(source):
        for file in files:
            ending = os.path.splitext(file)[1].lower() or "no extension"
            endings[ending] = endings.get(ending, 0) + 1
    if not endings:
        return " The folder has no files at all."
    listed = ", ".join(f"{n} with {e}" for e, n in sorted(endings.items(), key=lambda pair: -pair[1])[:5])
    return f" The folder has {sum(endings.values())} files: {listed}."
