"""From an item to a value: apply transforms, and name item and transform when one fails."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from vivace.core.errors import ItemError, VivaceError

from .sources import Table, describe_item, item_at, rows_of
from .transform import Transform

__all__ = ["ItemsSoFar", "first_for_prediction", "make_value", "named_error", "step_name"]


def step_name(transform: Transform) -> str:
    """Return how messages call a transform: of a class method also its class, `PILImage.create`."""
    owner = getattr(getattr(transform, "enc", None), "__self__", None)
    return f"{owner.__name__}.{transform.name}" if isinstance(owner, type) else transform.name


def named_error(item: str, step: str, error: Exception) -> ItemError:
    """Return an error that says which item failed in which step, and why."""
    cause = str(error) if isinstance(error, VivaceError) else f"{type(error).__name__}: {error}"
    return ItemError(f"{item} failed in {step}: {cause}")


def make_value(items: Any, index: int, transforms: Sequence[Transform], split_idx: int | None) -> Any:
    """Return item `index` after these transforms.

    Raises:
        ItemError: a transform failed; the message names item, transform and cause.
    """
    read = getattr(getattr(transforms[0], "enc", None), "read_table", None) if transforms else None
    found = None if read is None or not isinstance(items, Table) else read(items, index)
    value = item_at(items, index) if found is None else found
    for transform in transforms if found is None else transforms[1:]:
        try:
            value = transform.on_item(value, split_idx=split_idx)
        except Exception as error:
            raise named_error(describe_item(items, index), step_name(transform), error) from error
    return value


class ItemsSoFar:
    """What a transform sees when it is set up: the items as the transforms before it leave them.

    Args:
        items: the items, usually those of training.
        before: the transforms before it.
        skip_failing: leave out items that fail when iterating.
    """

    def __init__(self, items: Any, before: Sequence[Transform], *, skip_failing: bool = False) -> None:
        self.items, self.before, self.skip_failing = items, before, skip_failing
        self._rows = rows_of(items)
        self.last_index: int | None = None  # of the item that was asked for last

    @property
    def vocab(self) -> Any:
        """The vocabulary of the transforms before; None without."""
        vocabs = (getattr(transform, "vocab", None) for transform in reversed(self.before))
        return next((vocab for vocab in vocabs if vocab is not None), None)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        self.last_index = index
        return make_value(self._rows, index, self.before, split_idx=0)

    def describe_last(self) -> str:
        """Return how messages call the item that was asked for last."""
        return "The data" if self.last_index is None else describe_item(self.items, self.last_index)

    def __iter__(self) -> Iterator[Any]:
        for index in range(len(self)):
            try:
                value = self[index]
            except ItemError:
                if not self.skip_failing:
                    raise
                continue  # the loader meets it again, leaves it out and reports it
            yield value


def first_for_prediction(transforms: Sequence[Transform], item: Any, trained_on: type | None = None) -> int:
    """Return the place of the first transform that an item given for prediction needs.

    Training items go through getters that find the picture: in a column of a row, under another name. A picture
    itself needs none of them; the path of one needs those that turn paths into paths, not those that read rows.
    A text, where the training items (`trained_on`) were none, begins at the transform that splits texts.
    """
    if type(item) is not trained_on:
        for position, transform in enumerate(transforms):
            if isinstance(item, transform.begins_with):
                return position
    is_path = isinstance(item, (str, os.PathLike))
    if not is_path and not isinstance(item, (Image.Image, np.ndarray, bytes, bytearray, Tensor)):
        return 0
    for position, transform in enumerate(transforms):
        if _opens_pictures(transform):
            read_rows = any(_reads_rows(t) for t in transforms[:position])
            return position if read_rows or not is_path else 0
    return 0


def _opens_pictures(transform: Transform) -> bool:
    owner = getattr(getattr(transform, "enc", None), "__self__", None)
    return getattr(owner, "tensor_type", None) is not None


def _reads_rows(transform: Transform) -> bool:
    return bool(getattr(getattr(transform, "enc", transform), "reads_rows", False))
