"""Divide items into training and validation: each splitter returns the indices of both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError
from vivace.core.randomness import fresh_key, permutation

from .columns import missing_column

__all__ = [
    "ColSplitter",
    "EndSplitter",
    "FileSplitter",
    "FuncSplitter",
    "GrandparentSplitter",
    "IndexSplitter",
    "MaskSplitter",
    "RandomSplitter",
    "RandomSubsetSplitter",
    "TrainTestSplitter",
]

Splits = tuple[L[int], L[int]]
MAX_NAMES_IN_MESSAGE = 6


def _pair(train: Iterable[Any], valid: Iterable[Any]) -> Splits:
    return L(_whole(train), use_list=True), L(_whole(valid), use_list=True)


def _whole(indices: Iterable[Any]) -> list[int]:
    return indices.tolist() if isinstance(indices, np.ndarray) else [int(i) for i in indices]


def _by_mask(mask: Iterable[Any]) -> Splits:
    flags = np.asarray(list(mask), dtype=bool)
    return _pair(np.flatnonzero(~flags), np.flatnonzero(flags))


def _check_fraction(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ArgumentError(f"{name} is a fraction in 0..1 (0.2 is a fifth), got {value}.")


def _order(n: int, seed: int | None) -> Any:
    return permutation(fresh_key() if seed is None else seed, n)


def _few(names: Iterable[Any]) -> str:
    listed = sorted({str(n) for n in names})
    return ", ".join(listed[:MAX_NAMES_IN_MESSAGE]) + (", …" if len(listed) > MAX_NAMES_IN_MESSAGE else "")


@dataclass(frozen=True)
class RandomSplitter:
    """Validate on a random fraction of the items.

    Args:
        valid_pct: which fraction, in 0..1; a part of an item goes to training.
        seed: the same seed splits the same items alike, everywhere, and leaves global generators alone. None: drawn
            from torch's global generator, so that `set_seed` governs it.
    """

    valid_pct: float = 0.2
    seed: int | None = None

    def __post_init__(self) -> None:
        _check_fraction("valid_pct", self.valid_pct)

    def __call__(self, o: Any) -> Splits:
        order = _order(len(o), self.seed)
        cut = int(self.valid_pct * len(o))
        return _pair(order[cut:], order[:cut])


@dataclass(frozen=True)
class TrainTestSplitter:
    """Split with scikit-learn's `train_test_split`.

    Args:
        test_size: fraction of the items to validate on, or their number.
        random_state: the seed.
        stratify: the class of each item; both sides then have the same proportions.
        train_size: fraction or number of items to train on (None: all others).
        shuffle: False: the last items validate.
    """

    test_size: float | int = 0.2
    random_state: int | None = None
    stratify: Any = field(default=None, repr=False)
    train_size: float | int | None = None
    shuffle: bool = True

    def __call__(self, o: Any) -> Splits:
        from sklearn.model_selection import train_test_split

        if self.stratify is not None and len(self.stratify) != len(o):
            raise DataError(f"stratify holds {len(self.stratify)} classes for {len(o)} items: one for each is needed.")
        train, valid = train_test_split(
            range(len(o)),
            test_size=self.test_size,
            random_state=self.random_state,
            stratify=self.stratify,
            train_size=self.train_size,
            shuffle=self.shuffle,
        )
        return _pair(train, valid)


@dataclass(frozen=True)
class IndexSplitter:
    """Validate on the items with these indices.

    Args:
        valid_idx: positions of the items; negative ones count from the end.

    Raises:
        DataError: (when called) there is no item with such an index.
    """

    valid_idx: Iterable[int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "valid_idx", tuple(map(int, self.valid_idx)))

    def __call__(self, o: Any) -> Splits:
        indices = np.asarray(self.valid_idx, dtype=np.int64)
        outside = indices[(indices < -len(o)) | (indices >= len(o))]
        if len(outside):
            raise DataError(f"IndexSplitter got the index {outside[0]}, but there are {len(o)} items.")
        valid = list(dict.fromkeys(np.where(indices < 0, indices + len(o), indices).tolist()))
        is_train = np.ones(len(o), dtype=bool)
        is_train[valid] = False
        return _pair(np.flatnonzero(is_train), valid)

    def __repr__(self) -> str:
        return f"IndexSplitter({len(tuple(self.valid_idx))} indices)"


@dataclass(frozen=True)
class EndSplitter:
    """Validate on the last fraction of the items, for data with an order, such as time.

    Args:
        valid_pct: which fraction, in 0..1.
        valid_last: False: validate on the first items instead.
    """

    valid_pct: float = 0.2
    valid_last: bool = True

    def __post_init__(self) -> None:
        _check_fraction("valid_pct", self.valid_pct)

    def __call__(self, o: Any) -> Splits:
        n, n_valid = len(o), int(len(o) * self.valid_pct)
        if self.valid_last:
            return _pair(range(n - n_valid), range(n - n_valid, n))
        return _pair(range(n_valid, n), range(n_valid))


@dataclass(frozen=True)
class GrandparentSplitter:
    """Split by the name of the folder two levels above a file: `train/cat/1.jpg`, `valid/cat/2.jpg`.

    Args:
        train_name: what that folder is called for training; or a list of names.
        valid_name: what it is called for validation; or a list of names.

    Raises:
        DataError: (when called) one of the two is not found; the message names those that are.
    """

    train_name: str | Sequence[str] = "train"
    valid_name: str | Sequence[str] = "valid"

    def __call__(self, o: Any) -> Splits:
        names = [Path(i).parent.parent.name for i in o]
        sides = []
        for side, given in (("train_name", self.train_name), ("valid_name", self.valid_name)):
            wanted = {given} if isinstance(given, str) else set(given)
            indices = [i for i, name in enumerate(names) if name in wanted]
            if names and not indices:
                raise DataError(
                    f"GrandparentSplitter finds no item two levels below a folder {_few(wanted)}; those folders are "
                    f"called {_few(n or '(none)' for n in names)}. Give {side}=…, or split at random: "
                    "RandomSplitter(valid_pct=0.2, seed=42)."
                )
            sides.append(indices)
        return _pair(*sides)


@dataclass(frozen=True)
class FuncSplitter:
    """Validate on the items for which a function is true.

    Args:
        func: takes an item.
    """

    func: Callable[[Any], Any]

    def __call__(self, o: Any) -> Splits:
        items = (o.iloc[i] for i in range(len(o))) if hasattr(o, "iloc") else o
        return _by_mask(bool(self.func(item)) for item in items)

    def __repr__(self) -> str:
        return f"FuncSplitter({getattr(self.func, '__name__', self.func)})"


@dataclass(frozen=True)
class MaskSplitter:
    """Validate on the items where a mask is true.

    Args:
        mask: True or False for each item.

    Raises:
        DataError: (when called) there are more or fewer of them than items.
    """

    mask: Iterable[Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask", tuple(bool(m) for m in self.mask))

    def __call__(self, o: Any) -> Splits:
        flags = tuple(self.mask)
        if len(flags) != len(o):
            raise DataError(f"MaskSplitter got {len(flags)} values for {len(o)} items: one for each is needed.")
        return _by_mask(flags)

    def __repr__(self) -> str:
        return f"MaskSplitter({sum(self.mask)} of {len(tuple(self.mask))})"


@dataclass(frozen=True)
class FileSplitter:
    """Validate on the files whose names stand in a text file, one a line.

    Args:
        fname: the text file. It is read when the splitter is made.

    Raises:
        DataError: there is no such file, or (when called) none of its names is among the items.
    """

    fname: str | os.PathLike[str]

    def __post_init__(self) -> None:
        if not Path(self.fname).is_file():
            raise DataError(f"FileSplitter finds no file {self.fname}; it holds the names to validate on, one a line.")
        lines = Path(self.fname).read_text(encoding="utf-8").splitlines()
        object.__setattr__(self, "_names", frozenset(Path(line.strip()).name for line in lines if line.strip()))

    def __call__(self, o: Any) -> Splits:
        names: frozenset[str] = self.__dict__["_names"]
        splits = _by_mask(Path(i).name in names for i in o)
        if len(o) and not splits[1]:
            raise DataError(
                f"None of the {len(names)} names in {self.fname} is among the items. It holds {_few(names)}; "
                f"the items are called {_few(Path(i).name for i in o)}."
            )
        return splits


@dataclass(frozen=True)
class ColSplitter:
    """Validate on the rows of a table that a column marks.

    Args:
        col: name or number of the column.
        on: validate where the column has this value, or one of these; None: where it is true.

    Raises:
        DataError: (when called) the items are no table, have no such column, or it does not hold true and false.
    """

    col: str | int = "is_valid"
    on: Any = None

    def __call__(self, o: Any) -> Splits:
        values = self._column(o)
        if self.on is not None:
            wanted = list(self.on) if isinstance(self.on, (list, tuple, set, frozenset)) else [self.on]
            return _by_mask(value in wanted for value in values)
        if values.isna().any():
            raise DataError(f"ColSplitter: the column {self.col!r} is empty in {int(values.isna().sum())} rows.")
        if any(isinstance(value, str) for value in values.unique()):
            raise DataError(
                f"ColSplitter: the column {self.col!r} holds texts ({_few(values.unique())}), not true and false: say "
                f"which mean validation, ColSplitter({self.col!r}, on={sorted(values.unique())[-1]!r})."
            )
        return _by_mask(values.to_numpy().astype(bool))

    def _column(self, o: Any) -> Any:
        if not hasattr(o, "iloc") or not hasattr(o, "columns"):
            raise DataError(f"ColSplitter needs a DataFrame, got {type(o).__name__}.")
        if self.col in o.columns:
            return o[self.col]
        if isinstance(self.col, int) and -len(o.columns) <= self.col < len(o.columns):
            return o.iloc[:, self.col]
        raise missing_column(self.col, o.columns, role="the column that says which rows validate")


@dataclass(frozen=True)
class RandomSubsetSplitter:
    """Train and validate on random fractions of the items; the rest is left out.

    Args:
        train_sz: fraction to train on, between 0 and 1.
        valid_sz: fraction to validate on, between 0 and 1.
        seed: as in `RandomSplitter`.
    """

    train_sz: float
    valid_sz: float
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.train_sz < 1 or not 0 < self.valid_sz < 1 or self.train_sz + self.valid_sz > 1:
            raise ArgumentError(
                "train_sz and valid_sz are fractions between 0 and 1 with a sum of 1 at most, "
                f"got {self.train_sz} and {self.valid_sz}."
            )

    def __call__(self, o: Any) -> Splits:
        order = _order(len(o), self.seed)
        n_train, n_valid = int(len(o) * self.train_sz), int(len(o) * self.valid_sz)
        return _pair(order[:n_train], order[n_train : n_train + n_valid])
