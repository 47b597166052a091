"""`TfmdLists` and `Datasets`: items with the transforms that make their parts, set up on the training items."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import numpy as np
from torch import Tensor

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError, ItemError, VivaceError
from vivace.core.types import TensorBBox, TensorCategory, TensorImage, TensorMask, TensorMultiCategory, TensorPoint

from .loader import DataLoader
from .making import ItemsSoFar, first_for_prediction, make_value, named_error, step_name
from .sources import Table, as_items, item_at, rows_of, take
from .subsets import Subsets
from .transform import Pipeline

__all__ = ["Datasets", "TfmdLists", "show_at"]

# A prediction is a plain tensor; this is what it stands for, given what the target is.
_TYPE_OF_KIND: dict[str, type[Tensor]] = {
    "category": TensorCategory,
    "multi_category": TensorMultiCategory,
    "mask": TensorMask,
    "points": TensorPoint,
    "boxes": TensorBBox,
    "image": TensorImage,
}
_NUMBERS_OF_ONE = {"points": 2, "boxes": 4}
OnError = Literal["raise", "skip"]


class TfmdLists(Subsets):
    """Items, each passed through the same transforms when it is asked for.

    Args:
        items: a list, table (its rows), array or data set.
        tfms: the transforms: one, a list or a `Pipeline`.
        use_list: make an `L` of the items whatever they are.
        do_setup: set the transforms up.
        split_idx: which subset this is for transforms (0: training, 1: validation, None: any).
        train_setup: set up on the training items alone; False: on all.
        splits: the indices of the training items, the validation items, ….
        types: accepted because scripts pass it; types are found when they are needed.
        verbose: print what is set up.
        dl_type: the class of loaders that `dataloaders` makes.
        on_error: "skip": set-up leaves out items that fail; "raise": it ends with an error that names the item.

    Raises:
        DataError: `splits` names an item that is not there.
        ItemError: (when indexed) a transform failed; the message names item, transform and cause.
    """

    def __init__(
        self,
        items: Any,
        tfms: Any = None,
        use_list: bool | None = None,
        do_setup: bool = True,
        split_idx: int | None = None,
        train_setup: bool = True,
        splits: Sequence[Sequence[int]] | None = None,
        types: Any = None,
        verbose: bool = False,
        dl_type: type[DataLoader] | None = None,
        *,
        on_error: OnError = "raise",
    ) -> None:
        self.items = as_items(items, use_list)
        self.tfms = (tfms if isinstance(tfms, Pipeline) else Pipeline(tfms)).copy(split_idx)
        self.split_idx, self.dl_type, self.types, self.on_error = split_idx, dl_type, types, on_error
        self.splits = None if splits is None else _checked(splits, len(self.items))
        self.for_prediction = False
        self._rows: Any = None  # how `items` are read one by one
        self.item_type: type | None = None  # of the items trained on, in a data set for prediction
        if do_setup:
            self.setup(train_setup, verbose)

    def setup(self, train_setup: bool = True, verbose: bool = False) -> None:
        """Let each transform see the items (the training items alone if `train_setup`), after those before it."""
        if verbose:
            print(f"Setting up {self.tfms}")
        in_training = self.splits[0] if self.splits is not None and train_setup else None
        self.items = self.tfms.prepare_items(self.items, in_training)
        seen = take(self.items, self.splits[0]) if self.splits is not None and train_setup else self.items
        for position, transform in enumerate(self.tfms.fs):
            so_far = ItemsSoFar(seen, self.tfms.fs[:position], skip_failing=self.on_error == "skip")
            try:
                transform.setup(so_far)
            except ItemError:
                raise
            except VivaceError as error:
                raise named_error(so_far.describe_last(), step_name(transform), error) from error

    def _new(self, items: Any, split_idx: int | None) -> Self:
        return type(self)(
            items,
            self.tfms,
            do_setup=False,
            split_idx=split_idx,
            types=self.types,
            dl_type=self.dl_type,
            on_error=self.on_error,
        )

    def subset(self, i: int) -> Self:
        """Return the items of subset `i`, with the same transforms; without splits, 0 is all of them and 1 none.

        Raises:
            DataError: there is no such subset.
        """
        if self.splits is None and i in (0, 1):
            return self._new(L() if i else self.items, split_idx=i)
        if self.splits is None or i >= len(self.splits):
            raise DataError(
                f"There is no subset {i}: the items are in {self.n_subsets}. Give `splits`, two lists of indices."
            )
        return self._new(take(self.items, self.splits[i]), split_idx=i)

    def new_empty(self) -> Self:
        """Return the same without items."""
        return self._new(L(), self.split_idx)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        """Return the value of one item; for a slice, list or mask an `L` of values."""
        if _is_single(index):
            i = int(index)
            if not -len(self) <= i < len(self):
                raise IndexError(f"There is no item {i}: there are {len(self)}.")
            return self._make(i % len(self))
        return L([self._make(i) for i in L(range(len(self)), use_list=True)[index]], use_list=True)

    def _make(self, index: int) -> Any:
        self._rows = rows_of(self.items, self._rows)
        transforms = self.tfms.fs
        if self.for_prediction and not isinstance(self._rows, Table):
            transforms = transforms[first_for_prediction(transforms, item_at(self.items, index), self.item_type) :]
        return make_value(self._rows, index, transforms, self.split_idx)

    def decode(self, value: Any) -> Any:
        """Undo the transforms as far as they can be undone."""
        return self.tfms.decode(value)

    def show(self, value: Any, ctx: Any = None, **kwargs: Any) -> Any:
        """Show a value, decoded, on `ctx` (matplotlib axes) and return the axes."""
        return _show(self.decode(value), ctx, **kwargs)

    @property
    def vocab(self) -> Any:
        """The vocabulary of the last transform that has one; None without."""
        return self._of_transforms("vocab")

    @property
    def c(self) -> int | None:
        """How many outputs this part needs as a target; None if no transform says so."""
        return self._of_transforms("c") or None

    @property
    def kind(self) -> str | None:
        """What this part is as a target: "category", "mask", …; None if no transform says so."""
        return self.tfms.kind

    @property
    def loss_func(self) -> Any:
        """The loss that a transform of this part brings along; None without."""
        return self._of_transforms("loss_func")

    def _of_transforms(self, name: str) -> Any:
        values = (getattr(t, name, None) for t in reversed(self.tfms.fs))
        return next((v for v in values if v is not None and v != 0), None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} items, {self.tfms})"


class Datasets(Subsets):
    """Items, each made into a tuple of parts (inputs, then targets) by a list of transforms for each part.

    Args:
        items: a list, table (its rows), array or data set.
        tfms: for each part its transforms.
        tls: the parts themselves, as `TfmdLists`, instead of `items` and `tfms`.
        n_inp: how many parts are inputs; None: all but the last.
        dl_type: the class of loaders that `dataloaders` makes.
        splits: the indices of the training items, the validation items, ….
        use_list, do_setup, split_idx, train_setup, types, verbose, on_error: as for `TfmdLists`.

    Raises:
        ArgumentError: neither items nor parts are given.
    """

    def __init__(
        self,
        items: Any = None,
        tfms: Sequence[Any] | Pipeline | None = None,
        tls: Sequence[TfmdLists] | None = None,
        n_inp: int | None = None,
        dl_type: type[DataLoader] | None = None,
        *,
        use_list: bool | None = None,
        do_setup: bool = True,
        split_idx: int | None = None,
        train_setup: bool = True,
        splits: Sequence[Sequence[int]] | None = None,
        types: Any = None,
        verbose: bool = False,
        on_error: OnError = "raise",
    ) -> None:
        if tls is None and items is None:
            raise ArgumentError("Datasets needs `items` (and `tfms`, a list of transforms for each part), or `tls`.")
        if tls is None:
            items = as_items(items, use_list)
            made = (
                TfmdLists(items, t, None, do_setup, split_idx, train_setup, splits, types, verbose, on_error=on_error)
                for t in tfms or [None]
            )
            tls = list(made)
        self.tls: L[TfmdLists] = L(tls, use_list=True)
        self.n_inp = max(1, len(self.tls) - 1) if n_inp is None else n_inp
        self.dl_type = dl_type

    @property
    def items(self) -> Any:
        """The items."""
        return self.tls[0].items

    @property
    def splits(self) -> L[L[int]] | None:  # type: ignore[override]
        """The indices of the training items, the validation items, …; None if they are not split."""
        return self.tls[0].splits

    @property
    def split_idx(self) -> int | None:
        """Which subset this is."""
        return self.tls[0].split_idx

    @property
    def tfms(self) -> L[Pipeline]:
        """The transforms of each part."""
        return L([tl.tfms for tl in self.tls], use_list=True)

    def _with(self, tls: Sequence[TfmdLists]) -> Self:
        return type(self)(tls=tls, n_inp=self.n_inp, dl_type=self.dl_type)

    def subset(self, i: int) -> Self:
        """Return the items of subset `i`, with the same transforms."""
        return self._with([tl.subset(i) for tl in self.tls])

    def take(self, indices: Sequence[int]) -> Self:
        """Return the items at these positions, with the same transforms."""
        return self._with([tl._new(take(tl.items, indices), tl.split_idx) for tl in self.tls])

    def new_empty(self) -> Self:
        """Return the same without items."""
        return self._with([tl.new_empty() for tl in self.tls])

    def new_items(self, items: Any, with_labels: bool = False, rm_tfms: int = 0) -> Self:
        """Return a data set of other items for prediction: validation transforms, inputs only.

        Args:
            items: what the training items are, or pictures (also arrays, bytes, tensors) themselves.
            with_labels: make the targets, too.
            rm_tfms: leave out so many of each part's first transforms.
        """
        items = as_items([items] if isinstance(items, (str, os.PathLike)) else items)
        made = []
        for tl in self.tls if with_labels else self.tls[: self.n_inp]:
            new = tl._new(tl.tfms.prepare_items(items, train=()), split_idx=1)
            new.tfms = Pipeline(new.tfms.fs[rm_tfms:], split_idx=1)
            new.for_prediction = True
            new.item_type = type(item_at(tl.items, 0)) if len(tl.items) else tl.item_type
            made.append(new)
        return self._with(made)

    def __len__(self) -> int:
        return len(self.tls[0])

    def __getitem__(self, index: Any) -> Any:
        """Return the tuple of one item; for a slice, list or mask an `L` of tuples."""
        parts = [tl[index] for tl in self.tls]
        return tuple(parts) if _is_single(index) else L(zip(*parts, strict=True), use_list=True)

    def decode(self, o: Any) -> tuple[Any, ...]:
        """Undo the transforms of each part as far as they can be undone."""
        return tuple(tl.decode(part) for tl, part in zip(self.tls, o, strict=False))

    def decode_target(self, prediction: Any, undo: Callable[[Any], Any] | None = None) -> Any:
        """Return a prediction (index of a class, one-hot vector, mask, numbers; a tuple of them) as people read it.

        Args:
            prediction: of one sample.
            undo: what brings positions and pictures back to before the transforms of batch and sample.
        """
        if len(self.tls) == self.n_inp + 1:
            return _decode_prediction(self.tls[self.n_inp], prediction, undo)
        targets = self.tls[self.n_inp :]
        parts = prediction if isinstance(prediction, tuple) else (prediction,)
        return tuple(_decode_prediction(tl, p, undo) for tl, p in zip(targets, parts, strict=False))

    def show(self, o: Any, ctx: Any = None, **kwargs: Any) -> Any:
        """Show a sample, decoded, on `ctx` (matplotlib axes) and return the axes."""
        for part in self.decode(o):
            ctx = _show(part, ctx, **kwargs)
        return ctx

    def __getattr__(self, name: str) -> Any:
        """Return a transform by the name of its class: `dsets.categorize`, `dsets.numericalize`."""
        tls = () if name.startswith("_") else self.__dict__.get("tls", ())
        found = [transform for tl in tls for transform in tl.tfms.called(name)]
        if not found:
            raise AttributeError(f"{type(self).__name__} has no `{name}`, nor a transform that is called so.")
        return found[0] if len(found) == 1 else L(found, use_list=True)

    @property
    def vocab(self) -> Any:
        """The vocabulary of the parts; an `L` of them where several parts have one of their own."""
        found: list[Any] = []
        for tl in self.tls:
            if tl.vocab is not None and not any(v is tl.vocab for v in found):
                found.append(tl.vocab)
        return None if not found else found[0] if len(found) == 1 else L(found, use_list=True)

    @property
    def c(self) -> int | None:
        """How many outputs the target needs; None if no transform says so."""
        return next((tl.c for tl in reversed(self.tls) if tl.c), None)

    @property
    def kind(self) -> str | None:
        """What the first target is: "category", "mask", …; None if no transform says so."""
        return next((tl.kind for tl in self.tls[self.n_inp :] if tl.kind is not None), None)

    @property
    def target_kinds(self) -> L[str | None]:
        """What each target is."""
        return L([tl.kind for tl in self.tls[self.n_inp :]], use_list=True)

    @property
    def loss_func(self) -> Any:
        """A loss that a target's transform brings along (users' may; the data layer knows none); None without."""
        return next((tl.loss_func for tl in self.tls[self.n_inp :] if tl.loss_func is not None), None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} items, parts: {'; '.join(str(t) for t in self.tfms)})"


def _is_single(index: Any) -> bool:
    return isinstance(index, (int, np.integer)) or (isinstance(index, (Tensor, np.ndarray)) and index.ndim == 0)


def _checked(splits: Sequence[Sequence[int]], n_items: int) -> L[L[int]]:
    checked: list[L[int]] = [L([int(i) for i in split], use_list=True) for split in splits]
    for split in checked:
        outside = [i for i in (min(split), max(split)) if not -n_items <= i < n_items] if split else []
        if outside:
            raise DataError(
                f"The split names item {outside[0]}, but there are {n_items} items, 0 to {n_items - 1}. Splits hold "
                "positions; of a table whose index has gaps use the row numbers, or call reset_index(drop=True) first."
            )
    return L(checked, use_list=True)


def show_at(o: Any, idx: int, **kwargs: Any) -> Any:
    """Show item `idx` of a data set, decoded; return the axes if it is a picture."""
    return o.show(o[idx], **kwargs)


def _show(value: Any, ctx: Any, **kwargs: Any) -> Any:
    show: Callable[..., Any] | None = getattr(value, "show", None)
    return ctx if show is None else show(ctx=ctx, **kwargs)


def _decode_prediction(tl: TfmdLists, prediction: Any, undo: Callable[[Any], Any] | None) -> Any:
    if not isinstance(prediction, Tensor):
        return tl.decode(prediction)
    kind = tl.kind or ""
    if kind == "category" and prediction.ndim == 1:
        prediction = prediction.argmax()  # a loss of the user's left the scores as they were
    meaning = _TYPE_OF_KIND.get(kind)
    if meaning is None:
        return tl.decode(prediction)
    width = _NUMBERS_OF_ONE.get(kind)
    typed = (prediction if width is None else prediction.reshape(-1, width)).as_subclass(meaning)
    return tl.decode(typed if undo is None or kind == "category" else undo(typed))
