"""Single columns of a table as arrays: as numbers, as codes of categories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vivace.core.errors import DataError
from vivace.data.category import CategoryMap

__all__ = ["classes_of", "codes_of", "floats_of", "labels_of"]

MAX_ROWS_IN_MESSAGE = 3


def rows_where(column: Any, mask: npt.NDArray[np.bool_]) -> str:
    """Return how messages call the rows of a mask: how many they are, and the labels of the first ones."""
    labels = [repr(label) for label in column.index[mask][:MAX_ROWS_IN_MESSAGE].tolist()]
    n = int(mask.sum())
    return f"{n} row{'s' if n > 1 else ''} ({', '.join(labels)}{', …' if n > len(labels) else ''})"


def floats_of(column: Any, advice: str = "list it in cat_names, or convert it") -> npt.NDArray[np.float64]:
    """Return a column of numbers as float64; missing ones are NaN.

    Args:
        column: a column of a frame.
        advice: what to do about a column of something else.

    Raises:
        DataError: it holds something else, or infinite numbers; the message names the column, and the first such rows.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        raise DataError(f"The column {column.name!r} holds dates: make numbers of them with add_datepart(df, ...).")
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        return _finite(column, column.to_numpy(dtype=np.float64, na_value=np.nan))
    numbers = pd.to_numeric(column.astype(object), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.isnan(numbers) & column.notna().to_numpy()
    if wrong.any():
        value = column[wrong].iloc[0]
        raise DataError(
            f"The column {column.name!r} must hold numbers, and in {rows_where(column, wrong)} it does not "
            f"({value!r}): {advice}."
        )
    return _finite(column, numbers)


def _finite(column: Any, numbers: Any) -> npt.NDArray[np.float64]:
    """The numbers; one that is infinite would make all of its column NaN when that is normalised."""
    infinite = np.isinf(numbers)
    if infinite.any():
        raise DataError(
            f"The column {column.name!r} holds infinite numbers in {rows_where(column, infinite)}: repair these rows, "
            "or let them be filled, df.replace([np.inf, -np.inf], np.nan)."
        )
    return np.asarray(numbers)


def labels_of(column: Any) -> tuple[npt.NDArray[np.integer[Any]], list[Any]]:
    """Return the position of each value in the list of the column's values, -1 where one is missing; and that list.

    Raises:
        DataError: it holds lists or other values that cannot be categories.
    """
    import pandas as pd

    try:
        positions, found = pd.factorize(column)
    except TypeError as error:
        raise DataError(
            f"The column {column.name!r} holds values that cannot be categories ({error}): turn them into texts."
        ) from error
    return positions, found.astype(object).tolist() if hasattr(found, "astype") else list(found)


def classes_of(column: Any, labels: Iterable[Any] | None = None, *, add_na: bool = True) -> CategoryMap:
    """Return the categories of a column, sorted; those of a categorical column in their own order.

    Args:
        column: a column of a frame.
        labels: the values that it holds, or those of its training rows; None: looked for.
        add_na: put "#na#" first.

    Raises:
        DataError: it holds lists or other values that cannot be categories.
    """
    if str(column.dtype) == "category":
        return CategoryMap(column, add_na=add_na)
    return CategoryMap(labels_of(column)[1] if labels is None else labels, add_na=add_na)


def codes_of(
    classes: CategoryMap, positions: npt.NDArray[np.integer[Any]], labels: Sequence[Any], unknown: int = -1
) -> npt.NDArray[np.integer[Any]]:
    """Return the index of each value's class, in the smallest type that holds them.

    Args:
        classes: what is known.
        positions, labels: the column, as `labels_of` gives it.
        unknown: what missing and unknown values get.
    """
    codes = [classes.o2i.get(label, unknown) for label in labels]
    dtype = np.min_scalar_type(-max(len(classes), 1))
    return np.asarray([*codes, unknown], dtype=dtype)[positions]  # the last one is that of the position -1
