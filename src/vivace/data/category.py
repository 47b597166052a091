"""Targets: class names to indices and back, several labels, numbers."""

from __future__ import annotations

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
]


class CategoryMap(L):
    """The classes, in order; `o2i` maps a class to its index.

    Args:
        col: the labels, or a pandas categorical column.
        sort: sort the classes (otherwise they stand in the order of their first use).
        add_na: make class 0 "#na#", for missing ones.
        strict: keep the classes of a categorical column that do not occur.
    """

    def __init__(self, col: Any, sort: bool = True, add_na: bool = False, strict: bool = False) -> None:
        if hasattr(col, "dtype") and str(col.dtype) == "category":
            classes = list(col.cat.categories if hasattr(col, "cat") else col.categories)
            if strict:
                used = set(col.unique())
                classes = [c for c in classes if c in used]
        else:
            seen = list(dict.fromkeys(v for v in _plain_values(col) if not (isinstance(v, float) and v != v)))
            classes = _sorted(seen) if sort else seen
        super().__init__(["#na#", *classes] if add_na else classes, use_list=True)
        self.o2i: dict[Any, int] = {v: i for i, v in enumerate(self)}

    @property
    def items(self) -> list[Any]:
        """The classes, as a list."""
        return list(self)

    def map_objs(self, objs: Iterable[Any]) -> L:
        """Return the indices of these classes."""
        return L([self.o2i[o] for o in objs], use_list=True)

    def map_ids(self, ids: Iterable[int]) -> L:
        """Return the classes with these indices."""
        return L([self[int(i)] for i in ids], use_list=True)


def _plain_values(values: Iterable[Any]) -> list[Any]:
    return [v.item() if isinstance(v, np.generic) or (isinstance(v, Tensor) and v.ndim == 0) else v for v in values]


def _sorted(values: list[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:  # labels of several types have no order of their own
        return sorted(values, key=lambda v: (type(v).__name__, str(v)))


def _index_of(vocab: CategoryMap, label: Any) -> int:
    label = label.item() if isinstance(label, np.generic) or (isinstance(label, Tensor) and label.ndim == 0) else label
    try:
        return vocab.o2i[label]
    except (KeyError, TypeError):
        known = [str(v) for v in vocab]
        listed = ", ".join(repr(v) for v in list(vocab)[:10]) + (f" and {len(known) - 10} more" if len(known) > 10 else "")
        raise DataError(
            f"The label {label!r} is not among the classes that training saw: {listed}.{suggest(str(label), known)} "
            "Is it only in the validation set? Give all classes with CategoryBlock(vocab=[...]), or split differently."
        ) from None


class Categorize(Transform):
    """Turn labels into class indices.

    Args:
        vocab: the classes; None: those of the training set.
        sort: sort them.
        add_na: make class 0 "#na#".
    """

    order = 1
    kind = "category"
    uses_global_random = False

    def __init__(self, vocab: Any = None, sort: bool = True, add_na: bool = False) -> None:
        super().__init__()
        self.sort, self.add_na = sort, add_na
        self.vocab: CategoryMap | None = None if vocab is None else CategoryMap(vocab, sort=sort, add_na=add_na)
        self._given = vocab is not None

    @property
    def c(self) -> int:
        """How many classes there are."""
        return len(self.vocab) if self.vocab is not None else 0

    def setups(self, dsets: Any) -> None:
        if not self._given and dsets is not None and len(dsets):
            self.vocab = CategoryMap(dsets, sort=self.sort, add_na=self.add_na)

    def encodes(self, o: Any) -> TensorCategory:
        if self.vocab is None:
            raise DataError("Categorize has no classes yet: give `vocab`, or set it up on training items.")
        return TensorCategory(torch.tensor(_index_of(self.vocab, o)))

    def decodes(self, o: TensorCategory) -> Any:
        assert self.vocab is not None
        return Category(str(self.vocab[int(o)]))

    def config(self) -> dict[str, Any]:
        vocab = None if self.vocab is None else list(self.vocab)[1 if self.add_na else 0 :]
        return {"vocab": vocab, "sort": False if vocab is not None else self.sort, "add_na": self.add_na}


class MultiCategorize(Transform):
    """Turn lists of labels into lists of class indices (`OneHotEncode` follows).

    Args:
        vocab: the classes; None: those of the training set.
        add_na: make class 0 "#na#".
    """

    order = 1
    kind = "multi_category"
    uses_global_random = False

    def __init__(self, vocab: Any = None, add_na: bool = False) -> None:
        super().__init__()
        self.add_na = add_na
        self.vocab: CategoryMap | None = None if vocab is None else CategoryMap(vocab, sort=False, add_na=add_na)
        self._given = vocab is not None

    @property
    def c(self) -> int:
        """How many classes there are."""
        return len(self.vocab) if self.vocab is not None else 0

    def setups(self, dsets: Any) -> None:
        if self._given or dsets is None or not len(dsets):
            return
        values: dict[Any, None] = {}
        for labels in dsets:
            if isinstance(labels, str):
                raise DataError(f"Several labels come as a list, and {labels!r} is a text: split it (label_delim=' ').")
            values |= dict.fromkeys(_plain_values(labels))
        self.vocab = CategoryMap(list(values), add_na=self.add_na)

    def encodes(self, o: Any) -> TensorMultiCategory:
        if self.vocab is None:
            raise DataError("MultiCategorize has no classes yet: give `vocab`, or set it up on training items.")
        return TensorMultiCategory(torch.tensor([_index_of(self.vocab, label) for label in o], dtype=torch.int64))

    def decodes(self, o: TensorMultiCategory) -> Any:
        assert self.vocab is not None
        return MultiCategory([self.vocab[int(i)] for i in o.tolist()], use_list=True)

    def config(self) -> dict[str, Any]:
        vocab = None if self.vocab is None else list(self.vocab)[1 if self.add_na else 0 :]
        return {"vocab": vocab, "add_na": self.add_na}


class OneHotEncode(Transform):
    """Turn class indices into a float vector with 1 for each.

    Args:
        c: how many classes; None: told by the vocabulary before it.
    """

    order = 2
    kind = None
    uses_global_random = False

    def __init__(self, c: int | None = None) -> None:
        super().__init__()
        self.c = c

    def setups(self, dsets: Any) -> None:
        if self.c is None:
            vocab = getattr(dsets, "vocab", None)
            self.c = len(vocab) if vocab is not None else None

    def encodes(self, o: TensorMultiCategory) -> Any:
        if self.c is None:
            raise DataError("OneHotEncode does not know the number of classes: give `c`.")
        out = torch.zeros(self.c)
        out[o.as_subclass(Tensor)] = 1.0
        return TensorMultiCategory(out)

    def decodes(self, o: TensorMultiCategory) -> Any:
        return TensorMultiCategory(o.as_subclass(Tensor).nonzero().flatten())


class EncodedMultiCategorize(Transform):
    """Take one-hot targets that the data already holds.

    Args:
        vocab: the names of the columns.
    """

    order = 1
    kind = "multi_category"
    uses_global_random = False

    def __init__(self, vocab: Sequence[Any]) -> None:
        super().__init__()
        self.vocab = CategoryMap(vocab, sort=False)

    @property
    def c(self) -> int:
        """How many classes there are."""
        return len(self.vocab)

    def encodes(self, o: Any) -> TensorMultiCategory:
        values = torch.as_tensor(np.asarray(list(o), dtype=np.float32))
        if len(values) != len(self.vocab):
            raise DataError(f"The encoded target has {len(values)} entries for {len(self.vocab)} classes.")
        return TensorMultiCategory(values)

    def decodes(self, o: TensorMultiCategory) -> Any:
        on = o.as_subclass(Tensor).nonzero().flatten().tolist()
        return MultiCategory([self.vocab[i] for i in on], use_list=True)

    def config(self) -> dict[str, Any]:
        return {"vocab": list(self.vocab)}


class RegressionSetup(Transform):
    """Turn numbers into float tensors.

    Args:
        c: how many numbers a target has; None: found out.
    """

    order = 1
    kind = "regression"
    uses_global_random = False

    def __init__(self, c: int | None = None) -> None:
        super().__init__()
        self.c = c

    def encodes(self, o: Any) -> Tensor:
        value = torch.as_tensor(o if isinstance(o, Tensor) or np.isscalar(o) else np.asarray(list(o) if isinstance(o, (list, tuple, L)) else o))
        return value.float()

    def decodes(self, o: Any) -> Any:
        values = o.tolist() if isinstance(o, Tensor) else o
        return TitledFloat(values) if isinstance(values, (int, float)) else TitledTuple(values)

    def setups(self, dsets: Any) -> None:
        if self.c is None and dsets is not None and len(dsets):
            first = dsets[0]
            self.c = 1 if np.isscalar(first) or (isinstance(first, Tensor) and first.ndim == 0) else len(first)
