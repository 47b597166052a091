"""What prepares a table, learnt from its training rows: categories to codes, missing numbers filled, numbers scaled."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import Any

import numpy as np

from vivace.core.basics import listify
from vivace.core.errors import ArgumentError, DataError
from vivace.data.category import CategoryMap
from vivace.data.loader import DataWarning
from vivace.data.transform import InplaceTransform, Transform, as_transform
from vivace.data.transforms import Normalize

from .columns import classes_of, codes_of, floats_of, labels_of, rows_where

__all__ = ["Categorify", "FillMissing", "FillStrategy", "NormalizeColumns", "TabularProc", "as_procs"]

Pairs = Sequence[tuple[Any, Any]]  # a mapping from names of columns, which JSON could not hold as keys


class TabularProc(InplaceTransform):
    """A step that prepares a `TabularPandas`; write a subclass for one of your own.

    `setups(to)` sees the training rows once; `encodes(to)` changes `to.items`, and `decodes(to)` undoes it where it can
    be undone. `order` says where it stands: missing values are filled at 0, categories encoded at 1, numbers normalised
    at 2. What a loaded model needs must be arguments of its constructor, kept as attributes of the same names.
    """

    uses_global_random = False

    def prepare(self, to: Any) -> None:
        """Learn from the training rows of a table, and change all of its rows."""
        self.setup(to, True)
        self(to)

    def decode(self, x: Any, split_idx: int | None = None) -> Any:
        """Undo `encodes` in place, where the class defines `decodes`; return the table."""
        super().decode(x, split_idx=split_idx)
        return x


class Categorify(TabularProc):
    """Turn the values of the categorical columns into whole numbers; 0 ("#na#") are missing ones and those not known.

    Args:
        classes: pairs of column and categories; None: found in the training rows at set-up: sorted, or of a categorical
            column all its categories in their order.
    """

    order = 1

    def __init__(self, classes: Pairs | None = None) -> None:
        super().__init__()
        pairs = classes or ()
        self.classes: dict[Any, CategoryMap] = {
            name: CategoryMap(list(vocab), sort=False, add_na=True) for name, vocab in pairs
        }

    def prepare(self, to: Any) -> None:
        """Do what `setup` and calling it do, but look at the values of each column once."""
        if (type(self).setups, type(self).encodes) != _OWN_STEPS:
            super().prepare(to)
            return
        self.classes = {}
        for name in to.cat_names:
            column = to.items[name]
            positions, labels = labels_of(column)
            occurs = np.zeros(len(labels) + 1, dtype=bool)
            occurs[positions[: to.split]] = True  # a missing one, -1, marks the last
            self.classes[name] = classes_of(column, compress(labels, occurs))
            to.items[name] = codes_of(self.classes[name], positions, labels, unknown=0)

    def setups(self, to: Any) -> None:
        self.classes = {name: classes_of(to.items[name]) for name in to.cat_names}

    def encodes(self, to: Any) -> None:
        for name in to.cat_names:
            positions, labels = labels_of(to.items[name])
            self._warn_of_another_type(name, labels)
            to.items[name] = codes_of(self.classes[name], positions, labels, unknown=0)

    def _warn_of_another_type(self, name: Any, labels: Sequence[Any]) -> None:
        """Texts where there were numbers, or the other way round, are all unknown: a column was read differently."""
        classes = self.classes[name]
        if not labels or any(label in classes.o2i for label in labels):
            return
        before, now = (Counter(map(_kind, values)).most_common(1) for values in (classes[1:], labels))
        if not before or before[0][0] == now[0][0]:
            return
        was = next(label for label in classes[1:] if _kind(label) == before[0][0])
        how = {int: "int", float: "float", str: "str"}.get(type(was))
        advice = f", for instance df[{name!r}] = df[{name!r}].astype({how})" if how else ""
        warnings.warn(
            DataWarning(
                f"The column {name!r} holds {now[0][0]} like {labels[0]!r}, and was trained with {before[0][0]} like "
                f"{was!r}: none of them is known, all become '#na#'. Read it as in training{advice}."
            ),
            stacklevel=2,
        )

    def decodes(self, to: Any) -> None:
        import pandas as pd

        for name in to.cat_names:
            to.items[name] = pd.Index(list(self.classes[name])).take(to.items[name].astype(int))

    def __getitem__(self, name: Any) -> CategoryMap:
        return self.classes[name]

    def config(self) -> dict[str, Any]:
        return {"classes": [(name, list(vocab)[1:]) for name, vocab in self.classes.items()]}

    def __repr__(self) -> str:
        return f"Categorify({', '.join(f'{name}: {len(vocab)}' for name, vocab in self.classes.items())})"


_OWN_STEPS = Categorify.setups, Categorify.encodes


class FillStrategy:
    """What a missing number becomes: a function of the column and of the constant that was given for it."""

    @staticmethod
    def median(column: Any, fill: Any) -> Any:
        """The median of the training rows."""
        return column.median()

    @staticmethod
    def constant(column: Any, fill: Any) -> Any:
        """The number in `fill_vals`."""
        return fill

    @staticmethod
    def mode(column: Any, fill: Any) -> Any:
        """The most frequent number of the training rows."""
        return column.dropna().value_counts().idxmax()


_STRATEGIES = {"median": FillStrategy.median, "constant": FillStrategy.constant, "mode": FillStrategy.mode}


class FillMissing(TabularProc):
    """Fill missing numbers, and add a column `<name>_na` that says where they were.

    A column in which no training row lacks a number gets no such column; where new rows lack one, it is filled all the
    same, with a warning, since the model has seen nothing like it.

    Args:
        fill_strategy: one of `FillStrategy`, its name, or a function of (column, constant).
        add_col: add the columns that say where numbers were missing.
        fill_vals: the constants, by column, for `FillStrategy.constant` (0 where none is given).
        filled: pairs of column and number, and `missing` the columns that lacked some in training; None: found at
            set-up.
    """

    order = 0

    def __init__(
        self,
        fill_strategy: str | Callable[[Any, Any], Any] = FillStrategy.median,
        add_col: bool = True,
        fill_vals: Mapping[Any, Any] | None = None,
        *,
        filled: Pairs | None = None,
        missing: Sequence[Any] = (),
    ) -> None:
        super().__init__()
        if isinstance(fill_strategy, str) and fill_strategy not in _STRATEGIES:
            raise ArgumentError(f"fill_strategy is one of {', '.join(_STRATEGIES)}, got {fill_strategy!r}.")
        self.fill_strategy = _STRATEGIES[fill_strategy] if isinstance(fill_strategy, str) else fill_strategy
        self.add_col, self.fill_vals = add_col, dict(fill_vals or {})
        self.filled: dict[Any, float] = dict(filled or ())
        self.missing = list(missing)

    @property
    def na_dict(self) -> dict[Any, float]:
        """What fills each of the columns in which training rows lacked a number."""
        return {name: self.filled[name] for name in self.missing}

    def setups(self, to: Any) -> None:
        self.missing, self.filled = [], {}
        for name in to.cont_names:
            column = to.items[name]
            is_missing = column.isna().to_numpy()
            if is_missing.any():
                self.missing.append(name)
            self.filled[name] = self._fill_of(column, is_missing.all())

    def _fill_of(self, column: Any, is_empty: bool) -> float:
        if is_empty:
            if column.name not in self.fill_vals:
                raise DataError(
                    f"The column {column.name!r} holds no number in any training row: leave it out of cont_names."
                )
            return float(self.fill_vals[column.name])
        return float(self.fill_strategy(column, self.fill_vals.get(column.name, 0)))

    def encodes(self, to: Any) -> None:
        unexpected = []
        for name in to.cont_names:
            column = to.items[name]
            mask = column.isna().to_numpy()
            is_expected = name in self.missing
            if is_expected and self.add_col:
                flag = f"{name}_na"
                to.items[flag] = mask
                if flag not in to.cat_names:
                    to.cat_names.append(flag)
            if mask.any():
                to.items[name] = column.fillna(self.filled[name])
                if not is_expected:
                    unexpected.append(f"{name!r} in {rows_where(column, mask)}")
        if unexpected:
            warnings.warn(
                DataWarning(
                    f"Numbers are missing where no training row lacked one: {'; '.join(unexpected)}. They were filled "
                    "as in training, but the model has not learnt what their absence means."
                ),
                stacklevel=2,
            )

    def config(self) -> dict[str, Any]:
        """The strategy itself is not needed again: what it found is here."""
        return {"add_col": self.add_col, "filled": list(self.filled.items()), "missing": list(self.missing)}

    def __repr__(self) -> str:
        name = getattr(self.fill_strategy, "__name__", repr(self.fill_strategy))
        return f"FillMissing({name}, add_col={self.add_col})"


class NormalizeColumns(TabularProc):
    """Subtract the mean of each continuous column and divide by its deviation; in `procs` it is called `Normalize`.

    Args:
        means: pairs of column and mean; None: those of the training rows.
        stds: likewise, population standard deviations.
    """

    order = 2
    name = "Normalize"  # what people call it

    def __init__(self, means: Pairs | None = None, stds: Pairs | None = None) -> None:
        super().__init__()
        self.means: dict[Any, float] = dict(means or ())
        self.stds: dict[Any, float] = dict(stds or ())

    def setups(self, to: Any) -> None:
        self.means, self.stds = {}, {}
        for name in to.cont_names:
            numbers = floats_of(to.items[name])
            numbers = numbers[~np.isnan(numbers)]
            self.means[name] = float(numbers.mean()) if len(numbers) else math.nan
            self.stds[name] = (float(numbers.std()) if len(numbers) else math.nan) + 1e-7

    def encodes(self, to: Any) -> None:
        for name in to.cont_names:
            to.items[name] = (floats_of(to.items[name]) - self.means[name]) / self.stds[name]

    def decodes(self, to: Any) -> None:
        for name in to.cont_names:
            column = np.asarray(to.items[name])
            values = column.astype(np.float64) * self.stds[name] + self.means[name]
            if column.dtype == np.float32:  # the digits that it has no room for are noise: 57, not 56.9999981
                values = np.round(values, 5 - math.floor(math.log10(self.stds[name]))) + 0.0
            to.items[name] = values

    def config(self) -> dict[str, Any]:
        return {"means": list(self.means.items()), "stds": list(self.stds.items())}


def _kind(label: Any) -> str:
    if isinstance(label, (bool, np.bool_)):
        return "true or false"
    is_number = isinstance(label, (int, float, np.number))
    return "numbers" if is_number else "texts" if isinstance(label, str) else f"values of type {type(label).__name__}"


def as_procs(procs: Any) -> list[Transform]:
    """Return the steps in their order: classes, instances, or functions of the table; none for None.

    `Normalize`, which users know from pictures too, stands for `NormalizeColumns`.
    """
    made: list[Transform] = []
    for proc in listify(procs):
        is_normalize = isinstance(proc, Normalize) or (isinstance(proc, type) and issubclass(proc, Normalize))
        made.append(NormalizeColumns() if is_normalize else as_transform(proc))
    return sorted(made, key=lambda proc: proc.order)
