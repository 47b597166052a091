"""Tables in files: reading one, and finding the columns that a person means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vivace.core.errors import DataError, suggest
from vivace.core.lazy import require
from vivace.data.columns import missing_column

__all__ = [
    "TABLE_SUFFIXES",
    "check_column",
    "filled_column",
    "is_table",
    "number_columns",
    "read_table",
]

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")


def is_table(source: Path) -> bool:
    """Whether a path is called like a table."""
    return source.suffix.lower() in TABLE_SUFFIXES


def read_table(source: Path, as_text: bool = False) -> Any:
    """Return the pandas data frame in a .csv, .tsv or .parquet file.

    Args:
        source: the file.
        as_text: keep what a text file says as it is, such as the name 007; cells that are empty are still missing.

    Raises:
        DataError: there is no such file, it is no table, or it has no rows.
        MissingPackageError: Parquet needs pyarrow.
    """
    import pandas as pd

    if not source.exists():
        near = sorted(p.name for p in source.parent.glob("*") if is_table(p)) if source.parent.is_dir() else []
        raise DataError(f"There is no file {source}.{suggest(source.name, near)}")
    if not is_table(source) or source.is_dir():
        raise DataError(f"{source} is no table: give a file that ends in {', '.join(TABLE_SUFFIXES)}.")
    try:
        if source.suffix.lower() == ".parquet":
            require("pyarrow", "parquet", "reading Parquet")
            table = pd.read_parquet(source)
        else:
            separator = "\t" if source.suffix.lower() == ".tsv" else ","
            table = pd.read_csv(source, sep=separator, dtype=str if as_text else None)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{source} cannot be read as a table: {reason}") from error
    table.columns = [str(name) for name in table.columns]
    if not len(table):
        raise DataError(f"The table {source} has no rows.")
    return table


def check_column(table: Any, name: str, source: Path, option: str) -> str:
    """Return `name` if the table has such a column.

    Raises:
        DataError: it does not; the message names `option`, the columns, and the nearest one.
    """
    if name not in table.columns:
        raise missing_column(name, table.columns, where=str(source), role=option)
    return name


def filled_column(table: Any, name: str, source: Path) -> Any:
    """Return the column `name`, which must have a value in each row.

    Raises:
        DataError: a value is missing; the message names the first such row, counted from 1 below the heading.
    """
    missing = table[name].isna().to_numpy()
    if missing.any():
        raise DataError(
            f"{source}: the column {name!r} is empty in {int(missing.sum())} of {len(table)} rows, first in row "
            f"{int(missing.argmax()) + 1}. Fill them in, or leave these rows out."
        )
    return table[name]


def number_columns(table: Any, names: Sequence[str], source: Path) -> Any:
    """Return the columns `names` as floats, `(rows, columns)`.

    Raises:
        DataError: a value is missing or no number; the message names column, row and value.
    """
    import numpy as np
    import pandas as pd

    columns = []
    for name in names:
        numbers = pd.to_numeric(filled_column(table, name, source), errors="coerce")
        wrong = numbers.isna().to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            raise DataError(
                f"{source}: the column {name!r} must hold numbers, and row {row + 1} has {table[name].iloc[row]!r}."
            )
        columns.append(numbers.to_numpy(float))
    return np.stack(columns, axis=1)
