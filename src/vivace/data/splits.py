"""Divide items into training and validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError
from vivace.core.randomness import fresh_key, permutation

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

Splits = tuple[L, L]


class _Splitter:
    """A function of the items that says so when printed."""

    def __init__(self, name: str, split: Callable[[Any], Splits]) -> None:
        self.name, self.split = name, split

    def __call__(self, o: Any) -> Splits:
        return self.split(o)

    def __repr__(self) -> str:
        return self.name


def _pair(train: Iterable[int], valid: Iterable[int]) -> Splits:
    return L([int(i) for i in train], use_list=True), L([int(i) for i in valid], use_list=True)


def _by_mask(mask: Iterable[Any]) -> Splits:
    flags = np.asarray(list(mask), dtype=bool)
    return _pair(np.flatnonzero(~flags), np.flatnonzero(flags))


def _fraction(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ArgumentError(f"{name} is a fraction in 0..1, got {value}.")
    return value


def RandomSplitter(valid_pct: float = 0.2, seed: int | None = None) -> Callable[[Any], Splits]:  # noqa: N802
    """Validate on a random fraction of the items.

    Args:
        valid_pct: which fraction.
        seed: the same seed gives the same split everywhere; None: drawn from torch's global generator.
    """
    _fraction("valid_pct", valid_pct)

    def split(o: Any) -> Splits:
        order = permutation(fresh_key() if seed is None else seed, len(o))
        cut = int(valid_pct * len(o))
        return _pair(order[cut:], order[:cut])

    return _Splitter(f"RandomSplitter(valid_pct={valid_pct}, seed={seed})", split)


def TrainTestSplitter(  # noqa: N802
    test_size: float | int = 0.2, random_state: int | None = None, stratify: Any = None, train_size: float | int | None = None, shuffle: bool = True
) -> Callable[[Any], Splits]:  # fmt: skip
    """Split with scikit-learn's `train_test_split`; `stratify` holds a class for each item."""

    def split(o: Any) -> Splits:
        from sklearn.model_selection import train_test_split

        return _pair(*train_test_split(range(len(o)), test_size=test_size, random_state=random_state, stratify=stratify, train_size=train_size, shuffle=shuffle))  # fmt: skip

    return _Splitter(f"TrainTestSplitter(test_size={test_size}, random_state={random_state})", split)


def IndexSplitter(valid_idx: Iterable[int]) -> Callable[[Any], Splits]:  # noqa: N802
    """Validate on the items with these indices."""
    wanted = [int(i) for i in valid_idx]

    def split(o: Any) -> Splits:
        outside = [i for i in wanted if not -len(o) <= i < len(o)]
        if outside:
            raise DataError(f"IndexSplitter got index {outside[0]}, but there are only {len(o)} items.")
        valid = {i % len(o) for i in wanted}
        return _pair((i for i in range(len(o)) if i not in valid), wanted)

    return _Splitter(f"IndexSplitter({len(wanted)} indices)", split)


def EndSplitter(valid_pct: float = 0.2, valid_last: bool = True) -> Callable[[Any], Splits]:  # noqa: N802
    """Validate on the last (or first) fraction of the items, for data with an order, such as time."""
    _fraction("valid_pct", valid_pct)

    def split(o: Any) -> Splits:
        cut = int(len(o) * valid_pct)
        n = len(o)
        return _pair(range(n - cut), range(n - cut, n)) if valid_last else _pair(range(cut, n), range(cut))

    return _Splitter(f"EndSplitter(valid_pct={valid_pct})", split)


def GrandparentSplitter(train_name: str | Sequence[str] = "train", valid_name: str | Sequence[str] = "valid") -> Callable[[Any], Splits]:  # noqa: N802
    """Split by the name of the folder two levels up: `train/cat/1.jpg`, `valid/cat/2.jpg`."""
    train = {train_name} if isinstance(train_name, str) else set(train_name)
    valid = {valid_name} if isinstance(valid_name, str) else set(valid_name)

    def split(o: Any) -> Splits:
        names = [Path(i).parent.parent.name for i in o]
        for side, wanted in (("training", train), ("validation", valid)):
            if len(names) and not wanted & set(names):
                raise DataError(
                    f"GrandparentSplitter finds nothing for {side}: no folder two levels above an item is called "
                    f"{' or '.join(sorted(wanted))}; those are called {', '.join(sorted(set(names))[:5])}."
                )
        return _pair((i for i, n in enumerate(names) if n in train), (i for i, n in enumerate(names) if n in valid))

    return _Splitter(f"GrandparentSplitter(train_name={train_name!r}, valid_name={valid_name!r})", split)


def FuncSplitter(func: Callable[[Any], bool]) -> Callable[[Any], Splits]:  # noqa: N802
    """Validate on the items for which `func` is true."""
    return _Splitter(f"FuncSplitter({getattr(func, '__name__', func)})", lambda o: _by_mask(bool(func(i)) for i in o))


def MaskSplitter(mask: Iterable[Any]) -> Callable[[Any], Splits]:  # noqa: N802
    """Validate on the items where `mask` is true."""
    flags = list(mask)

    def split(o: Any) -> Splits:
        if len(flags) != len(o):
            raise DataError(f"MaskSplitter got {len(flags)} flags for {len(o)} items.")
        return _by_mask(flags)

    return _Splitter(f"MaskSplitter({len(flags)} flags)", split)


def FileSplitter(fname: Any) -> Callable[[Any], Splits]:  # noqa: N802
    """Validate on the files whose names stand, one a line, in the file `fname`."""
    wanted = set(Path(fname).read_text().split("\n")) - {""}
    return _Splitter(f"FileSplitter({fname})", lambda o: _by_mask(Path(i).name in wanted for i in o))


def ColSplitter(col: Any = "is_valid", on: Any = None) -> Callable[[Any], Splits]:  # noqa: N802
    """Validate on the rows whose column `col` is true, or is (one of) `on`."""

    def split(o: Any) -> Splits:
        if not hasattr(o, "iloc"):
            raise DataError(f"ColSplitter needs a DataFrame, got {type(o).__name__}.")
        if not isinstance(col, int) and col not in o.columns:
            raise DataError(f"ColSplitter finds no column {col!r}; there are {', '.join(map(str, o.columns))}.")
        values = o.iloc[:, col] if isinstance(col, int) else o[col]
        if on is None:
            return _by_mask(values.values.astype(bool))
        wanted = set(on) if isinstance(on, (list, tuple, set)) else {on}
        return _by_mask(v in wanted for v in values)

    return _Splitter(f"ColSplitter({col!r})", split)


def RandomSubsetSplitter(train_sz: float, valid_sz: float, seed: int | None = None) -> Callable[[Any], Splits]:  # noqa: N802
    """Train and validate on random fractions of the items, leaving the rest out."""
    if not 0 < train_sz < 1 or not 0 < valid_sz < 1 or train_sz + valid_sz > 1:
        raise ArgumentError(f"train_sz and valid_sz are fractions that sum to 1 at most, got {train_sz} and {valid_sz}.")

    def split(o: Any) -> Splits:
        order = permutation(fresh_key() if seed is None else seed, len(o))
        n_train, n_valid = int(len(o) * train_sz), int(len(o) * valid_sz)
        return _pair(order[:n_train], order[n_train : n_train + n_valid])

    return _Splitter(f"RandomSubsetSplitter({train_sz}, {valid_sz}, seed={seed})", split)
