"""Single columns of a table as arrays: any frame to pandas, columns as numbers, columns as codes of categories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vivace.core.errors import ArgumentTypeError, DataError, suggest
from vivace.data.category import CategoryMap

__all__ = ["as_frame", "check_columns", "classes_of", "codes_of", "floats_of", "names_of"]

MAX_ROWS_IN_MESSAGE = 3
MAX_COLUMNS_IN_MESSAGE = 20


def as_frame(table: Any) -> Any:
    """Return a table as a pandas frame: one of pandas, polars or Arrow, a row (`Series`, dict), or a list of rows.

    Raises:
        ArgumentTypeError: it is none of these.
    """
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table
    if isinstance(table, (pd.Series, dict)):
        table = [table]
    if isinstance(table, (list, tuple)) and table and all(isinstance(row, (pd.Series, dict)) for row in table):
        return pd.DataFrame([dict(row) for row in table])
    if hasattr(table, "to_pandas"):
        return table.to_pandas()
    raise ArgumentTypeError(
        f"A table is needed (a frame of pandas or polars, an Arrow table, or rows as Series or dicts), got a "
        f"{type(table).__name__}."
    )


def names_of(names: Any) -> list[Any]:
    """Return names of columns as a list of its own: of one name, of several, or none."""
    if names is None:
        return []
    return [names] if isinstance(names, (str, int)) else list(names)


def check_columns(frame: Any, names: Iterable[Any], role: str) -> None:
    """Check that a table has columns.

    Raises:
        DataError: one is missing; the message names it and those that there are.
    """
    known = list(frame.columns)
    for name in names:
        if name not in frame.columns:
            listed = ", ".join(map(str, known[:MAX_COLUMNS_IN_MESSAGE]))
            more = f" and {len(known) - MAX_COLUMNS_IN_MESSAGE} more" if len(known) > MAX_COLUMNS_IN_MESSAGE else ""
            hint = suggest(str(name), map(str, known))
            raise DataError(f"The table has no column {name!r} ({role}); it has {listed}{more}.{hint}")


def rows_where(column: Any, mask: npt.NDArray[np.bool_]) -> str:
    """Return how messages call the rows of a mask: how many they are, and the labels of the first ones."""
    labels = [repr(label) for label in column.index[mask][:MAX_ROWS_IN_MESSAGE].tolist()]
    n = int(mask.sum())
    return f"{n} row{'s' if n > 1 else ''} ({', '.join(labels)}{', …' if n > len(labels) else ''})"


def floats_of(column: Any) -> npt.NDArray[np.float64]:
    """Return a column of numbers as float64; missing ones are NaN.

    Raises:
        DataError: it holds something else; the message names the column, and the first rows that do.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        raise DataError(f"The column {column.name!r} holds dates: make numbers of them with add_datepart(df, ...).")
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    numbers = pd.to_numeric(column.astype(object), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.isnan(numbers) & column.notna().to_numpy()
    if wrong.any():
        value = column[wrong].iloc[0]
        raise DataError(
            f"The column {column.name!r} is continuous, so it must hold numbers, and in {rows_where(column, wrong)} it "
            f"does not ({value!r}): list it in cat_names, or convert it."
        )
    return np.asarray(numbers)


def classes_of(column: Any, *, add_na: bool = True) -> CategoryMap:
    """Return the categories of a column, sorted; those of a categorical column in their own order.

    Raises:
        DataError: it holds lists or other values that cannot be categories.
    """
    if str(column.dtype) == "category":
        return CategoryMap(column, add_na=add_na)
    try:
        return CategoryMap(column.dropna().unique(), add_na=add_na)
    except TypeError as error:
        raise DataError(
            f"The column {column.name!r} holds values that cannot be categories ({error}): turn them into texts."
        ) from error


def codes_of(column: Any, classes: Sequence[Any]) -> npt.NDArray[np.integer[Any]]:
    """Return the position in `classes` of each value, in the smallest type that holds them; -1: missing or unknown."""
    import pandas as pd

    known = {label: position for position, label in enumerate(classes)}
    codes, found = pd.factorize(column)
    labels = found.astype(object).tolist() if hasattr(found, "astype") else list(found)
    positions = [known.get(label, -1) for label in labels]
    dtype = np.min_scalar_type(-max(len(known), 1))
    return np.asarray([*positions, -1], dtype=dtype)[codes]  # the last one: factorize says -1 for what is missing
