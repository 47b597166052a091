"""Targets: names of classes to indices and back, several labels at once, numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vivace.core.collection import L
from vivace.core.errors import DataError, suggest
from vivace.core.types import Category, MultiCategory, TensorCategory, TensorMultiCategory, TitledFloat, TitledTuple

from .transform import Transform

__all__ = [
    "Categorize",
    "CategoryMap",
    "EncodedMultiCategorize",
    "MultiCategorize",
    "OneHotEncode",
    "RegressionSetup",
    "is_missing",
]

MISSING = "#na#"
MAX_CLASSES_IN_MESSAGE = 10


class _Indices(dict[Any, int]):
    """Class to index; with a class for missing labels, unknown ones are that class."""

    def __init__(self, classes: Sequence[Any], *, unknown_is_missing: bool) -> None:
        super().__init__({label: index for index, label in enumerate(classes)})
        self.unknown_is_missing = unknown_is_missing

    def __missing__(self, label: Any) -> int:
        if self.unknown_is_missing:
            return 0
        raise KeyError(label)


class CategoryMap(L[Any]):
    """The classes, in order: index to class as a list, class to index as `o2i`.

    Args:
        col: the labels (repeats and missing ones do no harm), or a categorical column of pandas, whose categories
            are taken in their order.
        sort: sort the classes; otherwise they stand in the order of their first use.
        add_na: put the class "#na#" first, for missing labels; labels that are not known have its index, 0.
        strict: of a categorical column keep only the categories that occur.

    Attributes:
        o2i: class to index.
    """

    def __init__(self, col: Any, sort: bool = True, add_na: bool = False, strict: bool = False) -> None:
        if str(getattr(col, "dtype", "")) == "category":
            categories = list(col.cat.categories if hasattr(col, "cat") else col.categories)
            used = set(col.unique()) if strict else set(categories)
            classes = [c for c in categories if c in used]
        else:
            seen = dict.fromkeys(label for label in map(_plain, col) if not is_missing(label))
            classes = _sorted(list(seen)) if sort else list(seen)
        super().__init__([MISSING, *classes] if add_na else classes, use_list=True)
        self.o2i: dict[Any, int] = _Indices(list(self), unknown_is_missing=add_na)

    def map_objs(self, objs: Iterable[Any]) -> L[int]:
        """Return the indices of these classes.

        Raises:
            DataError: one of them is no class.
        """
        return L([_index_of(self, o) for o in objs], use_list=True)

    def map_ids(self, ids: Iterable[Any]) -> L[Any]:
        """Return the classes with these indices."""
        return L([self[int(i)] for i in ids], use_list=True)


def _plain(label: Any) -> Any:
    """A number of numpy or torch as Python's own, which dictionaries find."""
    is_number = isinstance(label, np.generic) or (isinstance(label, Tensor) and label.ndim == 0)
    return label.item() if is_number else label


def is_missing(label: Any) -> bool:
    """Whether a value is one that tables put where there is none: None, NaN, pandas' NA."""
    return label is None or (isinstance(label, float) and label != label) or type(label).__name__ == "NAType"


def _sorted(labels: list[Any]) -> list[Any]:
    try:
        return sorted(labels)
    except TypeError:  # labels of several types have no order of their own
        return sorted(labels, key=lambda label: (type(label).__name__, str(label)))


def _index_of(vocab: CategoryMap, label: Any) -> int:
    try:
        return vocab.o2i[_plain(label)]
    except (KeyError, TypeError):
        pass
    known = [str(v) for v in vocab]
    listed = ", ".join(repr(v) for v in vocab[:MAX_CLASSES_IN_MESSAGE])
    more = f" and {len(known) - MAX_CLASSES_IN_MESSAGE} more" if len(known) > MAX_CLASSES_IN_MESSAGE else ""
    if isinstance(label, (list, tuple, set)):
        advice = "Several labels of one item need MultiCategoryBlock."
    elif is_missing(_plain(label)):
        advice = "It is missing: leave the item out, or give missing labels a class, CategoryBlock(add_na=True)."
    elif isinstance(label, float):
        advice = (
            "Numbers that are to be predicted as numbers need another block, y_block=RegressionBlock; numbers that are "
            "classes come from the training items, or are listed, CategoryBlock(vocab=[...])."
        )
    else:
        advice = (
            "The classes come from the training items: is this label in the validation set alone? Split "
            "differently, or list all classes, CategoryBlock(vocab=[...])."
        )
    raise DataError(
        f"The label {label!r} is none of the known classes {listed}{more}.{suggest(str(label), known)} {advice}"
    )


class _OfVocab(Transform):
    """What the transforms share that look labels up."""

    order = 1
    uses_global_random = False
    _sees_tuple = False

    def __init__(self, vocab: CategoryMap | None) -> None:
        super().__init__()
        self.vocab = vocab
        self._is_given = vocab is not None

    @property
    def c(self) -> int:
        """How many classes there are; 0 before set-up."""
        return 0 if self.vocab is None else len(self.vocab)

    def _known(self) -> CategoryMap:
        if self.vocab is None:
            raise DataError(f"{type(self).__name__} has no classes yet: give `vocab`, or set it up on training items.")
        return self.vocab

    def _classes(self) -> list[Any] | None:
        """The classes without the one that `add_na` put before them."""
        return None if self.vocab is None else list(self.vocab)[1 if getattr(self, "add_na", False) else 0 :]


class Categorize(_OfVocab):
    """Turn a label into the index of its class, `TensorCategory` (0-d int64), and back into a `Category`, a str.

    Args:
        vocab: the classes; None: those of the training items, found at set-up.
        sort: sort the classes.
        add_na: put the class "#na#" first, for missing and unknown labels.

    Raises:
        DataError: (when called) the label is no known class; the message names those.
    """

    kind = "category"

    def __init__(self, vocab: Any = None, sort: bool = True, add_na: bool = False) -> None:
        super().__init__(None if vocab is None else CategoryMap(vocab, sort=sort, add_na=add_na))
        self.sort, self.add_na = sort, add_na

    def setups(self, dsets: Any) -> None:
        if not self._is_given and dsets is not None and len(dsets):
            self.vocab = CategoryMap(dsets, sort=self.sort, add_na=self.add_na)

    def encodes(self, o: Any) -> TensorCategory:
        return TensorCategory(torch.tensor(_index_of(self._known(), o)))

    def decodes(self, o: Any) -> Category:
        known, index = self._known(), int(o)
        if not -len(known) <= index < len(known):
            raise DataError(f"The model predicts class {index}, and there are only {len(known)} labels.")
        return Category(str(known[index]))

    def config(self) -> dict[str, Any]:
        return {"vocab": self._classes(), "sort": self.sort if self.vocab is None else False, "add_na": self.add_na}


class MultiCategorize(_OfVocab):
    """Turn a list of labels into the indices of their classes, `TensorMultiCategory` (n_labels,) int64, and back.

    Args:
        vocab: the classes, in this order; None: those of the training items, sorted, found at set-up.
        add_na: put the class "#na#" first, for unknown labels.

    Raises:
        DataError: (when called) a label is no known class, or a text came instead of a list.
    """

    kind = "multi_category"
    _sees_tuple = True  # a tuple is the labels of one item

    def __init__(self, vocab: Any = None, add_na: bool = False) -> None:
        super().__init__(None if vocab is None else CategoryMap(vocab, sort=False, add_na=add_na))
        self.add_na = add_na

    def setups(self, dsets: Any) -> None:
        if self._is_given or dsets is None or not len(dsets):
            return
        seen: dict[Any, None] = {}
        for labels in dsets:
            seen |= dict.fromkeys(map(_plain, _several(labels)))
        self.vocab = CategoryMap(seen, add_na=self.add_na)

    def encodes(self, o: Any) -> TensorMultiCategory:
        vocab = self._known()
        return TensorMultiCategory(torch.tensor([_index_of(vocab, label) for label in _several(o)], dtype=torch.int64))

    def decodes(self, o: Any) -> MultiCategory:
        vocab = self._known()
        return MultiCategory([vocab[int(i)] for i in o], use_list=True)

    def config(self) -> dict[str, Any]:
        return {"vocab": self._classes(), "add_na": self.add_na}


def _several(labels: Any) -> Any:
    if isinstance(labels, str) or not hasattr(labels, "__iter__"):
        raise DataError(
            f"The labels of one item come as a list, and {labels!r} is a {type(labels).__name__}: split a text, for "
            "instance with ColReader('labels', label_delim=' '), or use CategoryBlock for single labels."
        )
    return labels


class OneHotEncode(Transform):
    """Turn indices of classes into a vector with a 1 for each, `TensorMultiCategory` (n_classes,) float32, and back.

    Args:
        c: how many classes there are; None: as many as the vocabulary of the transforms before it has.
    """

    order = 2
    kind = "multi_category"
    uses_global_random = False

    def __init__(self, c: int | None = None) -> None:
        super().__init__()
        self.c = c

    def setups(self, dsets: Any) -> None:
        vocab = getattr(dsets, "vocab", None)
        if self.c is None and vocab is not None:
            self.c = len(vocab)

    def encodes(self, o: Any) -> TensorMultiCategory:
        if self.c is None:
            raise DataError("OneHotEncode does not know how many classes there are: give `c`.")
        out = torch.zeros(self.c)
        out[torch.as_tensor(o, dtype=torch.int64).as_subclass(Tensor)] = 1.0
        return TensorMultiCategory(out)

    def decodes(self, o: Any) -> TensorMultiCategory:
        return TensorMultiCategory(_positions(o))


def _positions(one_hot: Any) -> Tensor:
    return torch.as_tensor(one_hot).as_subclass(Tensor).nonzero().flatten()


class EncodedMultiCategorize(_OfVocab):
    """Take targets that hold a 0 or 1 for each class already, as `TensorMultiCategory` (n_classes,) float32.

    Args:
        vocab: the names of the classes, in the order of the numbers.

    Raises:
        DataError: (when called) a target has more or fewer numbers than there are classes.
    """

    kind = "multi_category"
    _sees_tuple = True

    def __init__(self, vocab: Sequence[Any]) -> None:
        super().__init__(CategoryMap(vocab, sort=False))

    def encodes(self, o: Any) -> TensorMultiCategory:
        values = _numbers(o)
        if values.shape != (self.c,):
            raise DataError(
                f"This target has {_how_many(values)}, and there are {self.c} classes: one for each is needed."
            )
        return TensorMultiCategory(values)

    def decodes(self, o: Any) -> MultiCategory:
        vocab = self._known()
        return MultiCategory([vocab[int(i)] for i in _positions(o)], use_list=True)

    def config(self) -> dict[str, Any]:
        return {"vocab": self._classes()}


class RegressionSetup(Transform):
    """Turn a number, or several, into a float32 tensor: 0-d for one number, (n,) for several.

    Args:
        c: how many numbers a target has; None: as many as that of the first training item.

    Raises:
        DataError: (when called) the target is no number or a missing one, or has another count of them.
    """

    order = 1
    kind = "regression"
    uses_global_random = False
    _sees_tuple = True  # a tuple is the numbers of one item

    def __init__(self, c: int | None = None) -> None:
        super().__init__()
        self.c = c

    def setups(self, dsets: Any) -> None:
        if self.c is None and dsets is not None:
            for target in dsets:
                values = _numbers(target)
                self.c = len(values) if values.ndim else 1
                break

    def encodes(self, o: Any) -> Tensor:
        values = _numbers(o)
        if self.c is not None and (len(values) if values.ndim else 1) != self.c:
            raise DataError(f"This target has {_how_many(values)}, {self.c} expected: all targets need the same count.")
        if values.numel() == 1 and not math.isfinite(values.item()):  # of several, a loss of the user's may skip some
            raise DataError(f"The target is {values.item()}, from which nothing can be learned: leave the item out.")
        return values

    def decodes(self, o: Any) -> TitledFloat | TitledTuple:
        values = o.tolist() if isinstance(o, Tensor) else o
        return TitledFloat(values) if isinstance(values, (int, float)) else TitledTuple(values)


def _numbers(target: Any) -> Tensor:
    """A target of numbers as a float tensor."""
    if isinstance(target, Tensor):
        return target.as_subclass(Tensor).float()
    try:
        return torch.as_tensor(np.asarray(target, dtype=np.float32))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The target {target!r:.80} is no number, which regression needs; names of classes need CategoryBlock."
        ) from error


def _how_many(values: Tensor) -> str:
    return "1 number" if values.numel() == 1 else f"{values.numel()} numbers"
