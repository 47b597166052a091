"""Tables as sources: reading them, and which block the columns of labels need."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vivace.core.errors import DataError

from .blocks import CategoryBlock, MultiCategoryBlock, RegressionBlock, TransformBlock

__all__ = ["block_of_columns", "read_table"]


def read_table(
    path: str | os.PathLike[str],
    csv_fname: str | os.PathLike[str],
    *,
    header: Any = "infer",
    delimiter: str | None = None,
    quoting: int = 0,
) -> Any:
    """Return the table in the CSV file `csv_fname` in `path`, a DataFrame.

    Args:
        header, delimiter, quoting: as for `pandas.read_csv`.

    Raises:
        DataError: there is no such file; the message names those that are there.
    """
    import pandas as pd

    file = Path(path) / csv_fname
    if not file.is_file():
        tables = sorted(p.name for p in Path(path).glob("*.csv"))
        there = f"There are {', '.join(tables)}: csv_fname={tables[0]!r}?" if tables else f"No .csv is in {path}."
        raise DataError(f"The table {file} does not exist. {there}")
    return pd.read_csv(file, header=header, sep=delimiter or ",", quoting=quoting)  # type: ignore[call-overload]


def block_of_columns(df: Any, label_col: Any, label_delim: str | None) -> Callable[[], TransformBlock]:
    """Return the block of targets in these columns of a table.

    Numbers for several columns of floats, several labels for several other columns or with a `label_delim`, otherwise
    one label.
    """
    columns = list(label_col) if isinstance(label_col, (list, tuple)) else [label_col]
    if label_delim is None and len(columns) < 2:
        return CategoryBlock
    are_floats = label_delim is None and all(
        (df[c] if c in df.columns else df.iloc[:, c]).dtype.kind == "f" for c in columns
    )
    return RegressionBlock if are_floats else MultiCategoryBlock
