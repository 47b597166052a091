"""Tokens of many texts, held compactly: one list of the different tokens, one array of their numbers."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

__all__ = ["TokenizedTexts", "Tokens", "count_tokens"]


class Tokens(Sequence[str]):
    """The tokens of one text: a list of strings to look at, numbers into a shared table inside.

    Args:
        table: the different tokens.
        ids: `(n_tokens,)` int32 positions in it.
    """

    __slots__ = ("ids", "table")

    def __init__(self, table: list[str], ids: npt.NDArray[np.int32]) -> None:
        self.table, self.ids = table, ids

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Tokens: ...
    def __getitem__(self, index: int | slice) -> str | Tokens:
        if isinstance(index, slice):
            return Tokens(self.table, self.ids[index])
        return self.table[int(self.ids[index])]

    def __iter__(self) -> Iterator[str]:
        return map(self.table.__getitem__, self.ids.tolist())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Tokens) and other.table is self.table:
            return bool(np.array_equal(self.ids, other.ids))
        return isinstance(other, Sequence) and not isinstance(other, str) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as that of a list

    def __repr__(self) -> str:
        return repr(list(self))


class TokenizedTexts(Sequence[Tokens]):
    """The tokens of many texts.

    Args:
        table: the different tokens.
        ids: `(n_tokens of all texts,)` int32 positions in `table`, text after text.
        ends: `(n_texts,)` int64, where in `ids` each text ends.
    """

    def __init__(self, table: list[str], ids: npt.NDArray[np.int32], ends: npt.NDArray[np.int64]) -> None:
        self.table, self.ids, self.ends = table, ids, ends

    @classmethod
    def from_ids(cls, table: list[str], ids: Sequence[Sequence[int]]) -> Self:
        """Return the texts whose tokens have these numbers."""
        ends = np.cumsum([len(one) for one in ids], dtype=np.int64)
        count = int(ends[-1]) if len(ends) else 0
        return cls(table, np.fromiter(itertools.chain.from_iterable(ids), np.int32, count), ends)

    @classmethod
    def from_tokens(cls, texts: Iterable[Iterable[str]]) -> Self:
        """Return the texts with these tokens."""
        number_of: dict[str, int] = {}
        ids = [[number_of.setdefault(str(token), len(number_of)) for token in text] for text in texts]
        return cls.from_ids(list(number_of), ids)

    def with_tokens(self, change: Callable[[str], str]) -> Self:
        """Return the texts with each token changed."""
        number_of: dict[str, int] = {}
        numbers = [number_of.setdefault(change(token), len(number_of)) for token in self.table]
        return type(self)(list(number_of), np.asarray(numbers, np.int32)[self.ids], self.ends)

    def in_parts(self, parts: TokenizedTexts) -> TokenizedTexts:
        """Return the texts with each token split further: that of number `i` into text `i` of `parts`."""
        n_parts, begins = parts.lengths, parts.ends - parts.lengths
        counts = n_parts[self.ids]
        last = np.cumsum(counts)
        # each part's place in `parts.ids`: where its token begins there, and how far this part is from the first
        places = np.repeat(begins[self.ids] - (last - counts), counts) + np.arange(counts.sum())
        ends = np.concatenate([[0], last])[self.ends]
        return TokenizedTexts(parts.table, parts.ids[places], ends)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """`(n_texts,)` how many tokens each text has."""
        return np.diff(self.ends, prepend=0)

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> Tokens: ...
    @overload
    def __getitem__(self, index: slice) -> list[Tokens]: ...
    def __getitem__(self, index: int | slice) -> Tokens | list[Tokens]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = range(len(self))[index]
        return Tokens(self.table, self.ids[self.ends[i - 1] if i else 0 : self.ends[i]])


def count_tokens(texts: Iterable[Any]) -> Counter[str]:
    """Return how often each token comes, in the order of first use (so that ties are broken by it)."""
    counts: Counter[str] = Counter()
    run: list[Tokens] = []
    for text in texts:
        if isinstance(text, Tokens) and (not run or run[0].table is text.table):
            run.append(text)
            continue
        _add(counts, run)
        run = [text] if isinstance(text, Tokens) else []
        if not run:
            counts.update(map(str, text))
    _add(counts, run)
    return counts


def _add(counts: Counter[str], run: list[Tokens]) -> None:
    """Count texts that share a table."""
    if not run:
        return
    numbers, first, times = np.unique(np.concatenate([t.ids for t in run]), return_index=True, return_counts=True)
    for i in np.argsort(first):
        counts[run[0].table[numbers[i]]] += int(times[i])
