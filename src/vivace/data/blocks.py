"""Blocks: what one part of a sample is, and the transforms that make it."""

from __future__ import annotations

from typing import Any

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, ArgumentTypeError

from .category import Categorize, EncodedMultiCategorize, MultiCategorize, OneHotEncode, RegressionSetup
from .loader import DataLoader
from .transform import Transform, as_transform
from .transforms import ToTensor

__all__ = [
    "CategoryBlock",
    "MultiCategoryBlock",
    "RegressionBlock",
    "TransformBlock",
    "as_block",
    "listed",
    "merge_tfms",
]


class TransformBlock:
    """One part of a sample: the transforms that make it.

    Args:
        type_tfms: from what the getter returns to the value (open a picture, look a class up).
        item_tfms: transforms of the sample that this part needs, besides `ToTensor`.
        batch_tfms: transforms of the batch that this part needs.
        dl_type: the class of loaders that this part needs.
        dls_kwargs: settings of the loaders that this part needs.
    """

    def __init__(
        self,
        type_tfms: Any = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        dl_type: type[DataLoader] | None = None,
        dls_kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.type_tfms: L[Any] = listed(type_tfms)
        self.item_tfms: L[Any] = L([ToTensor, *listed(item_tfms)], use_list=True)
        self.batch_tfms: L[Any] = listed(batch_tfms)
        self.dl_type, self.dls_kwargs = dl_type, dls_kwargs or {}

    def __repr__(self) -> str:
        return f"TransformBlock({', '.join(as_transform(t).name for t in self.type_tfms)})"


def CategoryBlock(vocab: Any = None, sort: bool = True, add_na: bool = False) -> TransformBlock:
    """Return the block of a single label.

    Args:
        vocab: the classes; None: those of the training items.
        sort: sort them.
        add_na: put the class "#na#" first, for missing and unknown labels.
    """
    return TransformBlock(type_tfms=Categorize(vocab=vocab, sort=sort, add_na=add_na))


def MultiCategoryBlock(encoded: bool = False, vocab: Any = None, add_na: bool = False) -> TransformBlock:
    """Return the block of several labels, as a list for each item.

    Args:
        encoded: the data holds a 0 or 1 for each class of `vocab`, instead of labels.
        vocab: the classes, in this order; None: those of the training items, sorted.
        add_na: put the class "#na#" first, for unknown labels.

    Raises:
        ArgumentError: `encoded` without `vocab`.
    """
    if encoded and vocab is None:
        raise ArgumentError("MultiCategoryBlock(encoded=True) needs `vocab`: the names of the columns, in their order.")
    return TransformBlock(
        type_tfms=EncodedMultiCategorize(vocab) if encoded else [MultiCategorize(vocab, add_na), OneHotEncode()]
    )


def RegressionBlock(n_out: int | None = None) -> TransformBlock:
    """Return the block of a number to predict, or of several.

    Args:
        n_out: how many; None: as many as the first training item has.
    """
    return TransformBlock(type_tfms=RegressionSetup(c=n_out))


def listed(value: Any) -> L[Any]:
    """Return one transform, or several (also lists in lists), as a flat `L`."""
    if value is None:
        return L()
    if not isinstance(value, (list, tuple)):
        return L([value], use_list=True)
    return L([transform for part in value for transform in listed(part)], use_list=True)


def merge_tfms(*groups: Any) -> list[Transform]:
    """Return the transforms of all groups, as objects, in the order in which they will run.

    The last group is the user's: it stays whole, and a transform in it takes the place of defaults of its class. Of
    defaults that come twice one stays.
    """
    chosen = [as_transform(t) for t in listed(groups[-1])]
    taken = {type(t) for t in chosen if type(t) is not Transform}
    defaults: dict[Any, Transform] = {}
    for default in (as_transform(t) for group in groups[:-1] for t in listed(group)):
        key: Any = id(default) if type(default) is Transform else type(default)
        if key not in taken:
            defaults.setdefault(key, default)
    return sorted([*defaults.values(), *chosen], key=lambda transform: transform.order)


def as_block(block: Any) -> TransformBlock:
    """Return a block, made if a class or function was given.

    Raises:
        ArgumentTypeError: it is none.
    """
    made = block() if callable(block) and not isinstance(block, TransformBlock) else block
    if not isinstance(made, TransformBlock):
        raise ArgumentTypeError(f"`blocks` holds {block!r:.60}, which is no block: give ImageBlock, CategoryBlock, ….")
    return made
