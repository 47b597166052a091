"""`DataBlock`: how to get from a source to batches, written down once."""

from __future__ import annotations

import copy
import functools
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NoReturn, Self, Unpack

import torch

from vivace.core.basics import noop
from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError

from .blocks import CategoryBlock, MultiCategoryBlock, RegressionBlock, TransformBlock, as_block, listed, merge_tfms
from .datasets import Datasets
from .getters import Columns, Entry, Getter, make_getters
from .loader import DataLoader
from .loaders import DataLoaders
from .options import LoaderOptions, check_names, known_options
from .sources import as_items
from .splits import RandomSplitter
from .transform import Transform
from .weighted import PartialDL, WeightedDL

__all__ = ["CategoryBlock", "DataBlock", "MultiCategoryBlock", "RegressionBlock", "TransformBlock"]


class DataBlock:
    """How to get from a source (a folder, a table) to batches. It does not change: `new` makes a copy with changes.

    A subclass may define `get_items`, `splitter`, `get_x` and `get_y` as methods instead of giving them.

    Args:
        blocks: what each part of a sample is, such as `(ImageBlock, CategoryBlock)`; None: the item, twice.
        dl_type: the class of loaders.
        getters: for each block a function of the item (None: the item itself), instead of `get_x` and `get_y`.
        n_inp: how many blocks are inputs; None: all but the last.
        item_tfms: transforms of single samples, on the CPU, such as `Resize(224)`.
        batch_tfms: transforms of batches, on the device, such as `aug_transforms()`.
        get_items: source to items, such as `get_image_files`; None: the source is the items.
        splitter: items to the indices of training and validation; None: a fifth at random validates.
        get_y: item to target; a list of functions when there are several targets.
        get_x: item to input; a list of functions when there are several inputs.
        on_error: "raise": a broken item ends the run with an error that names it; "skip": it is left out and reported.

    Raises:
        ArgumentError: the numbers of blocks and functions do not agree.
        ArgumentTypeError: something that is no block, or an unknown keyword.
    """

    get_items: Callable[[Any], Any] | None
    splitter: Callable[[Any], Any] | None
    get_x: Any
    get_y: Any
    blocks: L[TransformBlock]
    getters: list[Callable[[Any], Any]]
    n_inp: int
    dl_type: type[DataLoader] | None
    dls_kwargs: dict[str, Any]
    item_tfms: list[Transform]
    batch_tfms: list[Transform]
    on_error: Literal["raise", "skip"]

    def __init__(
        self,
        blocks: Any = None,
        dl_type: type[DataLoader] | None = None,
        getters: Any = None,
        n_inp: int | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        *,
        get_items: Callable[[Any], Any] | None = None,
        splitter: Callable[[Any], Any] | None = None,
        get_y: Any = None,
        get_x: Any = None,
        on_error: Literal["raise", "skip"] = "raise",
        **unknown: Any,
    ) -> None:
        check_names(type(self).__name__, unknown, _ARGUMENTS)
        if on_error not in ("raise", "skip"):
            raise ArgumentError(f'on_error must be "raise" or "skip", got {on_error!r}.')
        given = {"get_items": get_items, "splitter": splitter, "get_x": get_x, "get_y": get_y}
        for name in given:
            if given[name] is None and hasattr(type(self), name):
                given[name] = getattr(self, name)
        made = [as_block(b) for b in ((TransformBlock, TransformBlock) if blocks is None else listed(blocks))]
        n_inputs = max(1, len(made) - 1) if n_inp is None else n_inp
        if not 1 <= n_inputs <= len(made):
            raise ArgumentError(f"n_inp is {n_inputs}, and there are {len(made)} blocks.")
        self.__dict__.update(
            given,
            blocks=L(made, use_list=True),
            n_inp=n_inputs,
            getters=make_getters(getters, given["get_x"], given["get_y"], len(made), n_inputs),
            dl_type=dl_type or next((b.dl_type for b in made if b.dl_type is not None), None),
            dls_kwargs={k: v for b in made for k, v in b.dls_kwargs.items()},
            item_tfms=merge_tfms(*(b.item_tfms for b in made), item_tfms),
            batch_tfms=merge_tfms(*(b.batch_tfms for b in made), batch_tfms),
            on_error=on_error,
        )

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise ArgumentError(f"A DataBlock does not change: set `{name}` when you make it, or block.new(item_tfms=…).")

    @classmethod
    def from_columns(
        cls, blocks: Any = None, getters: Any = None, get_items: Callable[[Any], Any] | None = None, **kwargs: Any
    ) -> Self:
        """Return a block whose source is columns: a tuple of lists, one for each block.

        Args:
            blocks: as for `DataBlock`.
            getters: for each block a function of the tuple with one entry of each column; None: its own entry.
            get_items: source to columns; None: the source is the columns.
            kwargs: what else `DataBlock` takes.
        """
        n = 2 if blocks is None else len(listed(blocks))
        return cls(
            blocks=blocks,
            getters=[Entry(i) for i in range(n)] if getters is None else getters,
            get_items=Columns(get_items),
            **kwargs,
        )

    def new(self, item_tfms: Any = None, batch_tfms: Any = None) -> Self:
        """Return a copy with these item and batch transforms instead (None: those that the blocks need, no others)."""
        changed = copy.copy(self)
        changed.__dict__.update(
            item_tfms=merge_tfms(*(b.item_tfms for b in self.blocks), item_tfms),
            batch_tfms=merge_tfms(*(b.batch_tfms for b in self.blocks), batch_tfms),
        )
        return changed

    # ------------------------------------------------------------------ from source to batches
    def items_of(self, source: Any) -> Any:
        """Return the items of a source.

        Raises:
            DataError: there are none.
        """
        get_items = self.get_items
        if get_items is None and isinstance(source, (str, os.PathLike)):
            raise DataError(
                f"The source {os.fspath(source)!r} is a path, and this DataBlock has no function that finds the items "
                "there: give one, DataBlock(get_items=get_image_files, …)."
            )
        found = source if get_items is None else get_items(source)
        if found is None:
            raise DataError(f"{name_of(get_items)} returned None for {source}: it must return the items.")
        items = as_items(found)
        if not len(items):
            if get_items is None:
                raise DataError("The source has no items.")
            raise DataError(f"{name_of(get_items)} found no items in {source}.{_what_is_there(source)}")
        return items

    def splits_of(self, items: Any) -> Any:
        """Return the indices of the training and the validation items.

        Raises:
            DataError: one side is empty, or the splitter does not return two lists.
        """
        splitter = self.splitter or RandomSplitter()
        splits = splitter(items)
        if not isinstance(splits, (tuple, list)) or len(splits) < 2 or not all(hasattr(s, "__len__") for s in splits):
            raise DataError(
                f"The splitter {name_of(splitter)} must return the indices of training and of validation, two lists; "
                f"it returned {splits!r:.80}."
            )
        for side, indices in zip(("training", "validation"), splits, strict=False):
            if not len(indices):
                raise DataError(
                    f"The splitter {name_of(splitter)} leaves none of the {len(items)} items for {side}: choose "
                    "another fraction, folder or column, or get more items."
                )
        return splits

    def type_tfms_of(self, position: int) -> list[Any]:
        """Return the transforms that make one part of a sample: its getter, then its block's."""
        getter = self.getters[position]
        first = [] if getter is noop else [getter if isinstance(getter, Transform) else Getter(getter)]
        return [*first, *self.blocks[position].type_tfms]

    def datasets(self, source: Any, verbose: bool = False) -> Datasets:
        """Return the data set of a source, with its subsets `train` and `valid`.

        Args:
            source: what `get_items` takes, or the items.
            verbose: say what is found and done.

        Raises:
            DataError: no items, an empty side, labels that cannot be used.
            ItemError: an item failed while the classes were collected.
        """
        if verbose:
            print(f"Collecting items from {'a table' if hasattr(source, 'iloc') else f'{source!s:.200}'}")
        items = self.items_of(source)
        if verbose:
            print(f"Found {len(items)} items")
        splits = self.splits_of(items)
        if verbose:
            print(f"{len(splits)} datasets of sizes {','.join(str(len(s)) for s in splits)}")
        tfms = [[fresh(t) for t in self.type_tfms_of(i)] for i in range(len(self.blocks))]
        dsets = Datasets(
            items,
            tfms=tfms,
            splits=splits,
            dl_type=self.dl_type,
            n_inp=self.n_inp,
            verbose=verbose,
            on_error=self.on_error,
        )
        for getter, tl in list(zip(self.getters, dsets.tls, strict=True))[self.n_inp :]:
            if tl.kind == "category" and tl.c == 1:
                warnings.warn(
                    f"All training items have one label, {tl.vocab[0]!r}: there is nothing to tell apart. Is "
                    f"{name_of(getter)} the right labelling function, and the source the right folder?",
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
        shuffle: bool = True,
        device: torch.device | str | None = None,
        seed: int | None = None,
        **options: Unpack[LoaderOptions],
    ) -> DataLoaders:
        """Return the loaders of a source.

        Args:
            source: what `get_items` takes (a folder, a table), or the items.
            path: where a `Learner` on these loaders writes.
            verbose: say what is found and done.
            bs: samples in a batch.
            val_bs: samples in a batch of the validation loader; None: `bs`.
            shuffle: bring the training items into a new order in every epoch.
            device: where batches go; None: the default device.
            seed: fixes order and augmentation; None: `set_seed` does.
            options: less common settings, see `LoaderOptions`; `on_error` overrides the block's.

        Raises:
            ArgumentTypeError: an unknown keyword.
            DataError, ItemError: as for `datasets`.
        """
        named = ("path", "verbose", "bs", "val_bs", "shuffle", "device", "seed")
        known = {*named, "shuffle_train", *known_options(options.get("dl_type") or self.dl_type or DataLoader)}
        advice = " Say it when you make the DataBlock." if _ARGUMENTS & set(options) else ""
        check_names("DataBlock.dataloaders", options, known - {"after_item", "after_batch"}, advice)
        on_error = options.get("on_error") or self.on_error
        block = self
        if on_error != self.on_error:
            block = copy.copy(self)
            block.__dict__["on_error"] = on_error
        wanted: Any = {**self.dls_kwargs, **options, "on_error": on_error}
        wanted["before_batch"] = [*listed(self.dls_kwargs.get("before_batch")), *listed(options.get("before_batch"))]
        return block.datasets(source, verbose=verbose).dataloaders(
            bs=bs,
            val_bs=val_bs,
            shuffle=shuffle,
            path=path,
            device=device,
            seed=seed,
            after_item=[fresh(t) for t in self.item_tfms],
            after_batch=[fresh(t) for t in self.batch_tfms],
            **wanted,
        )

    def weighted_dataloaders(
        self, source: Any, wgts: Sequence[float], bs: int = 64, **options: Unpack[LoaderOptions]
    ) -> DataLoaders:
        """Return loaders whose training batches are drawn with replacement, each item as often as its weight says.

        Args:
            source: what `get_items` takes, or the items.
            wgts: one for each training item.
            bs: samples in a batch.
            options: as for `dataloaders`.
        """
        wanted: Any = {**options, "dl_type": WeightedDL, "dl_kwargs": [{"wgts": wgts}, {}]}
        return self.dataloaders(source, bs=bs, **wanted)

    def partial_dataloaders(
        self, source: Any, partial_n: int, bs: int = 64, **options: Unpack[LoaderOptions]
    ) -> DataLoaders:
        """Return loaders that train on `partial_n` items in each epoch, others every time.

        Args:
            source: what `get_items` takes, or the items.
            partial_n: how many.
            bs: samples in a batch.
            options: as for `dataloaders`.
        """
        wanted: Any = {**options, "dl_type": PartialDL, "dl_kwargs": [{"partial_n": partial_n}, {}]}
        return self.dataloaders(source, bs=bs, **wanted)

    def summary(self, source: Any, bs: int = 4, show_batch: bool = False, **options: Unpack[LoaderOptions]) -> None:
        """Print what happens to one sample, step by step, then to a batch of `bs`; say which step fails on which item.

        Args:
            source: what `get_items` takes, or the items.
            bs: samples in the batch.
            show_batch: also draw a batch.
            options: settings of the loaders that draw it.

        Raises:
            ItemError, ShapeError, DataError: what training would have met.
        """
        from .summary import summarize

        check_names("DataBlock.summary", options, known_options(self.dl_type or DataLoader))
        summarize(self, source, bs)
        if show_batch:
            self.dataloaders(source, bs=bs, **options).show_batch()

    def __repr__(self) -> str:
        names = ("get_items", "splitter", "get_x", "get_y")
        functions = [f"{name}={name_of(self.__dict__[name])}" for name in names if self.__dict__[name] is not None]
        tfms = " ".join(f"item_tfms={self.item_tfms}, batch_tfms={self.batch_tfms}".split())
        return f"DataBlock(blocks={list(self.blocks)}, {''.join(f + ', ' for f in functions)}{tfms})"


_ARGUMENTS = {
    "blocks",
    "dl_type",
    "getters",
    "n_inp",
    "item_tfms",
    "batch_tfms",
    "get_items",
    "splitter",
    "get_x",
    "get_y",
    "on_error",
}


def fresh(transform: Any) -> Any:
    """Return a copy of a transform that learns from data, so that one block can serve several sources."""
    if not isinstance(transform, Transform):
        return transform
    learns = hasattr(transform, "setups") or type(transform).prepare_items is not Transform.prepare_items
    return copy.copy(transform) if learns else transform


def name_of(function: Any) -> str:
    """Return how messages call a function."""
    inner = function.func if isinstance(function, functools.partial) else function
    return str(getattr(inner, "__name__", None) or repr(inner))


def _what_is_there(source: Any) -> str:
    if not isinstance(source, (str, os.PathLike)) or not os.path.isdir(source):
        return ""
    endings: dict[str, int] = {}
    for _, _, files in os.walk(os.fspath(source)):
        for file in files:
            ending = os.path.splitext(file)[1].lower() or "no ending"
            endings[ending] = endings.get(ending, 0) + 1
    if not endings:
        return " The folder has no files at all."
    most: Iterable[tuple[str, int]] = sorted(endings.items(), key=lambda pair: (-pair[1], pair[0]))[:5]
    return f" The folder has {sum(endings.values())} files: {', '.join(f'{n} with {e}' for e, n in most)}."
