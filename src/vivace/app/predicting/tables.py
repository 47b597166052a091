"""Rows of tables, with what a model says of each beside them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vivace.app.rows import table_of_predictions
from vivace.app.tables import read_table
from vivace.core.errors import ArgumentError

__all__ = ["check_table_name", "predict_rows", "write_table"]

_WRITTEN = (".csv", ".parquet")


def predict_rows(learn: Any, inputs: Sequence[Path], out: Path | None, *, say: Callable[[str], None]) -> None:
    """Predict the rows of tables and write them with the predictions beside, or print them as CSV.

    Args:
        learn: a model of tables or of ratings.
        inputs: .csv, .tsv or .parquet files with the columns of the training table; the target may be missing.
        out: the table, .csv or .parquet; printed if None.
        say: called with each line for the person.

    Raises:
        ArgumentError: `out` is called like no table.
        DataError: a table cannot be read, or lacks a column.
    """
    import pandas as pd

    from vivace.data.loader import DataWarning

    check_table_name(out)
    rows = pd.concat([read_table(file) for file in inputs], ignore_index=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        table = table_of_predictions(learn, learn.dls.test_dl(rows), rows)
    for text in dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, DataWarning)):
        print(f"note: {text}", file=sys.stderr)
    write_table(table, out, say)


def check_table_name(out: Path | None) -> None:
    """Refuse an output that is called like no table."""
    if out is not None and out.suffix.lower() not in _WRITTEN:
        raise ArgumentError(f"A table ends in .csv or .parquet; got {out.name!r}.")


def write_table(table: Any, out: Path | None, say: Callable[[str], None]) -> None:
    """Write a pandas frame whole or not at all, CSV or Parquet by the ending of `out`; print it as CSV if None."""
    from vivace.core.files import atomic_write
    from vivace.core.lazy import require

    if out is None:
        say(table.to_csv(index=False).rstrip("\n"))
        return
    if out.suffix.lower() == ".parquet":
        require("pyarrow", "parquet", "writing Parquet")
    with atomic_write(out) as handle:
        if out.suffix.lower() == ".parquet":
            table.to_parquet(handle, index=False)
        else:
            table.to_csv(handle, index=False)
    say(f"{len(table):,} rows predicted: {out}")
