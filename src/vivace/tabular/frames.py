"""Prepare data frames: parts of dates, smaller types, which columns are categories, how large their embeddings."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from vivace.core.errors import DataError
from vivace.data.columns import as_frame, check_columns, names_of

__all__ = [
    "add_datepart",
    "add_elapsed_times",
    "cont_cat_split",
    "df_shrink",
    "df_shrink_dtypes",
    "emb_sz_rule",
    "make_date",
]

_EVENT_ROWS = 7  # how many rows `add_elapsed_times` counts events in
_DATE_PARTS = [
    "Year", "Month", "Week", "Day", "Dayofweek", "Dayofyear", "Is_month_end", "Is_month_start", "Is_quarter_end",
    "Is_quarter_start", "Is_year_end", "Is_year_start",
]  # fmt: skip


def make_date(df: Any, date_field: str) -> None:
    """Turn a column of a data frame into dates, in place.

    Raises:
        DataError: there is no such column, or it holds something else.
    """
    import pandas as pd

    check_columns(df, [date_field])
    if not pd.api.types.is_datetime64_any_dtype(df[date_field]):
        try:
            df[date_field] = pd.to_datetime(df[date_field])
        except (ValueError, TypeError) as error:
            raise DataError(f"The column {date_field!r} holds what is no date: {error}") from error


def add_datepart(df: Any, field_name: str, prefix: str | None = None, drop: bool = True, time: bool = False) -> Any:
    """Add a column for each part of a date: year, month, week, day, …, and seconds since 1970 (`Elapsed`); in place.

    Args:
        df: the data frame; a table of polars or Arrow stays as it is.
        field_name: the column of dates (or of texts that are dates).
        prefix: what the new columns' names begin with (None: the column's name without "date").
        drop: remove the column itself.
        time: also add hour, minute and second.

    Returns:
        `df`, as a frame of pandas.

    Raises:
        DataError: there is no such column, or it holds something else than dates.
    """
    df = as_frame(df)
    make_date(df, field_name)
    field = df[field_name]
    prefix = prefix if prefix is not None else re.sub("[Dd]ate$", "", field_name)
    missing = field.isna()
    for part in [*_DATE_PARTS, *(["Hour", "Minute", "Second"] if time else [])]:
        attribute = {"Dayofweek": "day_of_week", "Dayofyear": "day_of_year"}.get(part, part.lower())
        if part == "Week":  # a nullable type of pandas, unlike the others
            df[prefix + part] = field.dt.isocalendar().week.astype("float64").astype(field.dt.day.dtype)
        else:
            df[prefix + part] = getattr(field.dt, attribute)
    seconds = (field - np.datetime64("1970-01-01")) // np.timedelta64(1, "s")
    df[prefix + "Elapsed"] = np.where(missing, np.nan, seconds)
    if drop:
        df.pop(field_name)
    return df


def add_elapsed_times(df: Any, field_names: str | Sequence[str], date_field: str, base_field: str) -> Any:
    """Return the frame with, for each field, how far from its events each row is, counted for each base by itself.

    `After` and `Before` are the days since it was last true, and until (below 0) it will next be; `_bw` and `_fw` how
    often it was true in the seven rows up to this one, and in the seven from it on, in the order of their dates.

    Args:
        df: a frame of pandas or polars, or an Arrow table; it stays as it is.
        field_names: columns of events (true or false).
        date_field: the column of dates.
        base_field: the column whose values (a shop, a user) are counted separately.

    Raises:
        DataError: there is no such column, or that of dates holds something else.
    """
    names, df = names_of(field_names), as_frame(df).copy()
    check_columns(df, [*names, base_field])
    make_date(df, date_field)
    ordered = df.sort_values([base_field, date_field])
    dates, bases = ordered[date_field], ordered[base_field]
    happened = {name: ordered[name].astype(bool) for name in names}
    for name, was in happened.items():
        df["After" + name] = (dates - dates.where(was).groupby(bases).ffill()).dt.days.fillna(0).astype(int)
    for name, was in happened.items():
        df["Before" + name] = (dates - dates.where(was).groupby(bases).bfill()).dt.days.fillna(0).astype(int)
    for suffix, direction in (("_bw", slice(None)), ("_fw", slice(None, None, -1))):
        for name, was in happened.items():
            counted = was[direction].groupby(bases[direction]).rolling(_EVENT_ROWS, min_periods=1).sum()
            df[name + suffix] = counted.droplevel(0)
    return df


def cont_cat_split(
    df: Any, max_card: int = 20, dep_var: str | Sequence[str] | None = None
) -> tuple[list[str], list[str]]:
    """Return the names of continuous and of categorical columns.

    Args:
        df: a frame of pandas or polars, or an Arrow table.
        max_card: a column of whole numbers with more different values than this is continuous.
        dep_var: the target (or targets), which is neither.
    """
    import pandas as pd

    df, targets = as_frame(df), set(names_of(dep_var))
    continuous: list[str] = []
    categorical: list[str] = []
    for name in df.columns:
        if name in targets:
            continue
        whole = pd.api.types.is_integer_dtype(df[name].dtype)
        many = whole and df[name].nunique() > max_card
        (continuous if many or pd.api.types.is_float_dtype(df[name].dtype) else categorical).append(name)
    return continuous, categorical


def df_shrink_dtypes(df: Any, skip: Sequence[str] = (), obj2cat: bool = True, int2uint: bool = False) -> dict[str, Any]:
    """Return the smallest type that holds each column's values, for those that would change.

    Args:
        df: the data frame.
        skip: columns to leave alone.
        obj2cat: turn texts into categories.
        int2uint: allow unsigned types for columns without negative values.
    """
    import pandas as pd

    integers: list[Any] = [np.int8, np.int16, np.int32, np.int64]
    unsigned: list[Any] = [np.uint8, np.uint16, np.uint32, np.uint64]
    found: dict[str, Any] = {}
    for name in df.columns:
        column = df[name]
        if name in skip:
            continue
        wanted: Any = None
        if pd.api.types.is_integer_dtype(column.dtype) and len(column):
            low, high = column.min(), column.max()
            kinds = unsigned if int2uint and low >= 0 else integers
            wanted = next(k for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max)
        elif column.dtype == np.float64:
            wanted = np.float32
        elif obj2cat and (column.dtype == object or pd.api.types.is_string_dtype(column.dtype)):
            wanted = "category"
        if wanted is not None and column.dtype != wanted:
            found[name] = wanted if wanted == "category" else np.dtype(wanted)
    return found


def df_shrink(df: Any, skip: Sequence[str] = (), obj2cat: bool = True, int2uint: bool = False) -> Any:
    """Return a table as a data frame with the smallest types that hold its values; see `df_shrink_dtypes`."""
    df = as_frame(df)
    return df.astype(df_shrink_dtypes(df, skip, obj2cat, int2uint))


def emb_sz_rule(n_cat: int) -> int:
    """Return how long an embedding of `n_cat` categories should be: a rule of thumb, 600 at most."""
    return min(600, round(1.6 * math.pow(n_cat, 0.56)))
