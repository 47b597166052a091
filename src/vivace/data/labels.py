"""Where the label of an item comes from: its folder, its name, a column."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vivace.core.collection import L
from vivace.core.errors import DataError, suggest

__all__ = ["ColReader", "RegexLabeller", "parent_label"]


def parent_label(o: str | os.PathLike[str]) -> str:
    """Return the name of the folder that the file is in."""
    return Path(o).parent.name


class RegexLabeller:
    """Return the first group of a pattern.

    Args:
        pat: a regular expression with a group.
        match: it must begin where the text begins (otherwise anywhere).
    """

    def __init__(self, pat: str | re.Pattern[str], match: bool = False) -> None:
        self.pat, self.match = re.compile(pat), match

    def __call__(self, o: Any, **kwargs: Any) -> str:
        text = str(o).replace(os.sep, "/")
        found = self.pat.match(text) if self.match else self.pat.search(text)
        if found is None:
            raise DataError(f"The pattern {self.pat.pattern!r} finds no label in {text!r}.")
        if not self.pat.groups:
            raise DataError(f"The pattern {self.pat.pattern!r} has no group: put the label's part in parentheses.")
        return found.group(1)

    def __repr__(self) -> str:
        return f"RegexLabeller({self.pat.pattern!r})"


class ColReader:
    """Read one or several columns of a row.

    Args:
        cols: a column's name or number, or a list of them.
        pref: put before each value (a `Path` is joined).
        suff: put after each value.
        label_delim: split the value at this into a list of labels.
    """

    reads_rows = True

    def __init__(self, cols: Any, pref: str | os.PathLike[str] = "", suff: str = "", label_delim: str | None = None) -> None:
        self.cols = L(cols)
        self.pref = str(pref) + os.path.sep if isinstance(pref, Path) else str(pref)
        self.suff, self.label_delim = suff, label_delim

    def _value(self, row: Any, column: Any) -> Any:
        try:
            if isinstance(column, int) and hasattr(row, "iloc"):
                return row.iloc[column]
            if isinstance(row, (Mapping, Sequence)) and not hasattr(row, "_fields") or hasattr(row, "index"):
                return row[column]
            return getattr(row, column)
        except (KeyError, AttributeError, IndexError, TypeError) as error:
            names = [str(n) for n in (getattr(row, "index", None) if hasattr(row, "iloc") else getattr(row, "_fields", None) or list(row) if isinstance(row, Mapping) else [])]  # fmt: skip
            raise DataError(f"The row has no column {column!r}; it has {', '.join(names) or 'no named ones'}.{suggest(str(column), names)}") from error

    def _read(self, row: Any, column: Any) -> Any:
        value = self._value(row, column)
        if not self.pref and not self.suff and self.label_delim is None:
            return value
        if self.label_delim is None:
            return f"{self.pref}{value}{self.suff}"
        return value.split(self.label_delim) if isinstance(value, str) and value else []

    def __call__(self, o: Any, **kwargs: Any) -> Any:
        if len(self.cols) == 1:
            return self._read(o, self.cols[0])
        return L([self._read(o, c) for c in self.cols], use_list=True)

    def __repr__(self) -> str:
        return f"ColReader({list(self.cols)})"
