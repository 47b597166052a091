"""Where the label of an item comes from: its folder, its name, a column."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError

from .columns import missing_column
from .sources import Table

__all__ = ["ColReader", "RegexLabeller", "parent_label"]


def parent_label(o: str | os.PathLike[str]) -> str:
    """Return the name of the folder that the file `o` is in."""
    return Path(o).parent.name


class RegexLabeller:
    """Label an item with what the first group of a pattern matches in it.

    Args:
        pat: a regular expression with a group, such as `r"^(.*)_\\d+.jpg$"`.
        match: the pattern must begin where the text begins; otherwise it may stand anywhere.

    Raises:
        ArgumentError: the pattern has no group, or is no regular expression.
        DataError: (when called) the pattern is not found in the item.
    """

    def __init__(self, pat: str | re.Pattern[str], match: bool = False) -> None:
        try:
            self.pat = re.compile(pat)
        except re.error as error:
            raise ArgumentError(f"{pat!r} is no regular expression: {error}.") from error
        if not self.pat.groups:
            raise ArgumentError(f"The pattern {self.pat.pattern!r} has no group: put the label's part in parentheses.")
        self.match = match

    def __call__(self, o: Any) -> str:
        text = str(o).replace(os.sep, "/")
        found = self.pat.match(text) if self.match else self.pat.search(text)
        if found is None:
            raise DataError(f"The pattern {self.pat.pattern!r} is not in {text!r}, so this item has no label.")
        return found.group(1)

    def __repr__(self) -> str:
        return f"RegexLabeller({self.pat.pattern!r}{', match=True' if self.match else ''})"


class ColReader:
    """Read one column of a row, or several.

    Rows may be rows of a DataFrame, dicts, named tuples or plain sequences.

    Args:
        cols: name or number of the column, or a list of them (the result is then an `L`).
        pref: put before each value; a `Path` is joined with it, a text is put before it as it is.
        suff: put after each value.
        label_delim: split the value here, into a list of labels (an empty or missing value: no labels).

    Raises:
        DataError: (when called) a row has no such column.
    """

    reads_rows = True  # an item that is a picture or its path, given for prediction, does not go through it

    def __init__(
        self, cols: Any, pref: str | os.PathLike[str] = "", suff: str = "", label_delim: str | None = None
    ) -> None:
        self.cols: L[Any] = L(cols)
        self.pref = str(pref) + os.path.sep if isinstance(pref, os.PathLike) else pref
        self.suff, self.label_delim = suff, label_delim

    def __call__(self, o: Any) -> Any:
        if len(self.cols) == 1:
            return self._made(_value_of(o, self.cols[0]))
        return L([self._made(_value_of(o, c)) for c in self.cols], use_list=True)

    def read_table(self, table: Table, index: int) -> Any:
        """Return what row `index` of a table gives, without making the row; None where that takes the row."""
        is_plain = len(self.cols) == 1 and type(self).__call__ is ColReader.__call__
        column = table.column(self.cols[0]) if is_plain else None
        return None if column is None else self._made(column[index])

    def _made(self, value: Any) -> Any:
        if self.label_delim is not None:
            return value.split(self.label_delim) if isinstance(value, str) and value else []
        return f"{self.pref}{value}{self.suff}" if self.pref or self.suff else value

    def __repr__(self) -> str:
        cols = self.cols[0] if len(self.cols) == 1 else list(self.cols)
        given = {"pref": self.pref, "suff": self.suff, "label_delim": self.label_delim}
        return f"ColReader({', '.join([repr(cols), *(f'{k}={v!r}' for k, v in given.items() if v)])})"


def _value_of(row: Any, column: Any) -> Any:
    is_series = hasattr(row, "iloc")
    try:
        if is_series and isinstance(column, int) and column not in row.index:
            return row.iloc[column]
        if isinstance(column, str) and isinstance(row, tuple):
            return getattr(row, column)
        return row[column]
    except (KeyError, AttributeError, IndexError, TypeError) as error:
        names = _names_of(row, is_series)
        if not names:
            raise DataError(f"A row of a table is needed for the column {column!r}, got {row!r:.60}.") from error
        raise missing_column(column, names, where="The row") from error


def _names_of(row: Any, is_series: bool) -> list[str]:
    if is_series or isinstance(row, Mapping):
        return [str(name) for name in (row.index if is_series else row)]
    positions = range(len(row)) if isinstance(row, Sequence) and not isinstance(row, str) else ()
    return [str(name) for name in getattr(row, "_fields", positions)]
