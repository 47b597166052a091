"""Tables of all kinds as frames of pandas, and their columns by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vivace.core.errors import ArgumentTypeError, DataError, suggest

__all__ = ["as_frame", "check_columns", "listed_names", "missing_column", "names_of"]

_MAX_NAMED = 20


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


def listed_names(names: Iterable[Any]) -> str:
    """Return names as a list of bearable length, for a message."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - _MAX_NAMED} more" if len(texts) > _MAX_NAMED else ""
    return f"{', '.join(texts[:_MAX_NAMED])}{more}"


def missing_column(name: Any, known: Iterable[Any], *, where: str = "The table", role: str = "") -> DataError:
    """Return the error for a column that is not there; it names the nearest one, and all.

    Args:
        name: the column that was looked for.
        known: those that there are.
        where: what was looked through.
        role: where the name comes from: an argument, an option.
    """
    names = [str(each) for each in known]
    of_role = f" ({role})" if role else ""
    return DataError(
        f"{where} has no column {name!r}{of_role}.{suggest(str(name), names)} It has {listed_names(names) or 'none'}."
    )


def check_columns(frame: Any, names: Iterable[Any], role: str = "") -> None:
    """Check that a table has columns, one of each name.

    Raises:
        DataError: one is missing, see `missing_column`, or there are several.
    """
    for name in names:
        if name not in frame.columns:
            raise missing_column(name, frame.columns, role=role)
        n_columns = 1 if frame.columns.is_unique else int((frame.columns == name).sum())
        if n_columns > 1:
            raise DataError(f"The table has {n_columns} columns called {name!r}: give each a name of its own.")
