"""Tables as sources: reading them, and which block the columns of labels need."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vivace.core.errors import DataError, suggest

from .blocks import CategoryBlock, MultiCategoryBlock, RegressionBlock, TransformBlock
from .columns import check_columns

__all__ = ["block_of_columns", "read_csv", "read_table"]


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
    return read_csv(Path(path) / csv_fname, header=header, delimiter=delimiter, quoting=quoting)


def read_csv(
    csv: Any, *, header: Any = "infer", delimiter: str | None = None, quoting: int = 0, skipinitialspace: bool = False
) -> Any:
    """Return the table in a CSV file: a path, an address or an open file.

    Args:
        header, delimiter, quoting, skipinitialspace: as for `pandas.read_csv`.

    Raises:
        DataError: there is no such file; the message names those that are there.
    """
    import pandas as pd

    is_path = isinstance(csv, (str, os.PathLike)) and "://" not in os.fspath(csv)
    if is_path and not (file := Path(csv).expanduser()).is_file():
        tables = sorted(p.name for p in file.parent.glob("*.csv"))
        there = f"There are {', '.join(tables)}." if tables else f"No .csv is in {file.parent.absolute()}."
        raise DataError(f"The table {file} does not exist.{suggest(file.name, tables)} {there}")
    return pd.read_csv(  # type: ignore[call-overload]
        csv, header=header, sep=delimiter or ",", quoting=quoting, skipinitialspace=skipinitialspace
    )


def block_of_columns(df: Any, label_col: Any, label_delim: str | None) -> Callable[[], TransformBlock]:
    """Return the block of targets in these columns of a table.

    Numbers for several columns of floats, several labels for several other columns or with a `label_delim`, otherwise
    one label.
    """
    columns = list(label_col) if isinstance(label_col, (list, tuple)) else [label_col]
    if label_delim is None and len(columns) < 2:
        return CategoryBlock
    if label_delim is not None:
        return MultiCategoryBlock
    check_columns(df, [c for c in columns if not isinstance(c, int)], "label_col")
    are_floats = all((df[c] if c in df.columns else df.iloc[:, c]).dtype.kind == "f" for c in columns)
    return RegressionBlock if are_floats else MultiCategoryBlock
