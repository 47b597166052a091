"""Collections of items, whatever they are: lists, tables, arrays, data sets of other libraries."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from vivace.core.collection import L
from vivace.core.errors import ArgumentTypeError

__all__ = ["Chosen", "Table", "as_items", "describe_item", "item_at", "rows_of", "take"]

MAX_CHARACTERS_OF_ITEM = 200


class Chosen:
    """Some items of a collection that can only be asked for one at a time; nothing is read before it is needed.

    Args:
        items: anything with `len` and indexing.
        indices: which of its items.
    """

    def __init__(self, items: Any, indices: Sequence[int]) -> None:
        self.items, self.indices = items, list(indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.items[self.indices[index]]

    def __iter__(self) -> Iterator[Any]:
        return (self.items[i] for i in self.indices)

    def __repr__(self) -> str:
        return f"{len(self)} of {self.items!r:.80}"


class Table:
    """A DataFrame whose columns are read as lists, once: a row of it takes a hundred times as long to make.

    Args:
        df: the DataFrame.
    """

    def __init__(self, df: Any) -> None:
        self.df, self.iloc = df, df.iloc
        self._columns: dict[Any, list[Any]] = {}

    def column(self, name: Any) -> list[Any] | None:
        """Return the values of a column, by its name or number; None if there is no single one."""
        if name not in self._columns:
            there = list(self.df.columns)
            if isinstance(name, int) and name not in there and -len(there) <= name < len(there):
                self._columns[name] = self.df.iloc[:, name].tolist()
            elif there.count(name) == 1:
                self._columns[name] = self.df[name].tolist()
            else:
                return None
        return self._columns[name]

    def __len__(self) -> int:
        return len(self.df)

    def __repr__(self) -> str:
        return f"Table of {len(self)} rows"


def rows_of(items: Any, before: Any = None) -> Any:
    """Return items to read one by one: of a DataFrame a `Table` (`before` if it is of this one), others as they are."""
    if not hasattr(items, "columns") or not hasattr(items, "iloc"):
        return items
    return before if isinstance(before, Table) and before.df is items else Table(items)


def as_items(source: Any, use_list: bool | None = None) -> Any:
    """Return a collection with `len` and indexing: tables, arrays and data sets as they are, the rest as an `L`.

    Args:
        source: the items.
        use_list: make an `L` of them whatever they are.

    Raises:
        ArgumentTypeError: `source` is no collection.
    """
    if use_list or isinstance(source, (list, tuple)):
        return source if isinstance(source, L) else L(source, use_list=True)
    if source is None or isinstance(source, (str, bytes, os.PathLike)):
        raise ArgumentTypeError(
            f"A list, table or data set of items is needed, got {source!r} ({type(source).__name__})."
        )
    if hasattr(source, "iloc") or (
        hasattr(source, "__len__") and hasattr(source, "__getitem__") and not _is_keyed(source)
    ):
        return source
    if hasattr(source, "__iter__"):
        return L(source, use_list=True)
    raise ArgumentTypeError(f"A list, table or data set of items is needed, got a {type(source).__name__}.")


def _is_keyed(source: Any) -> bool:
    return hasattr(source, "keys")


def item_at(items: Any, index: int) -> Any:
    """Return one item: of a table, a row."""
    return items.iloc[index] if hasattr(items, "iloc") else items[index]


def take(items: Any, indices: Sequence[int]) -> Any:
    """Return some items, as the same kind of collection."""
    if hasattr(items, "iloc"):
        return items.iloc[list(indices)]
    if isinstance(items, L):
        return L([items[i] for i in indices], use_list=True)
    if isinstance(items, (np.ndarray, Tensor)):
        return items[list(indices)]
    return Chosen(items, indices)


def describe_item(items: Any, index: int) -> str:
    """Return how messages call an item: its number, and its path or value."""
    item = item_at(items, index)
    if isinstance(item, (str, os.PathLike)):
        text = os.fspath(item)
    elif hasattr(item, "iloc"):
        text = f"row {item.name}: " + ", ".join(f"{name}={value!r}" for name, value in item.items())
    else:
        text = repr(item)
    if len(text) > MAX_CHARACTERS_OF_ITEM:
        text = text[:MAX_CHARACTERS_OF_ITEM] + "…"
    return f"Item {index} ({text})"
