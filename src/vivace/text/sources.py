"""Where texts are: in columns of a table, in files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vivace.core.errors import DataError
from vivace.data.category import is_missing
from vivace.data.columns import missing_column

from .rules import FLD

__all__ = ["FrameTexts", "plain_text", "read_text"]


def read_text(file: str | os.PathLike[str], encoding: str = "utf8") -> str:
    """Return the text in a file.

    Raises:
        DataError: it is not written in this encoding.
    """
    try:
        return Path(file).read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"The file {file} is not written in {encoding} ({error}): say which, encoding='latin1'."
        ) from error


def plain_text(value: Any) -> str:
    """Return a cell of a table as text; of a missing one nothing."""
    if isinstance(value, str):
        return value
    return "" if is_missing(value) else str(value)


@dataclass(frozen=True)
class FrameTexts:
    """The columns of a table that make its texts.

    Args:
        text_cols: one column or several, by name or number.
        mark_fields: put `xxfld n` before the text of the n-th column; None: if there are several.
        tok_text_col: the column that tokens go to.
        between: stands between the texts of columns that are not marked.
    """

    text_cols: Any
    mark_fields: bool | None = None
    tok_text_col: str = "text"
    between: str = " "

    def columns_in(self, df: Any) -> list[Any]:
        """Return the names of the text columns.

        Raises:
            DataError: one of them is not there.
        """
        given = list(self.text_cols) if isinstance(self.text_cols, (list, tuple)) else [self.text_cols]
        there = list(df.index if df.ndim == 1 else df.columns)
        names = [
            there[c] if isinstance(c, int) and c not in there and -len(there) <= c < len(there) else c for c in given
        ]
        for name in names:
            if name not in there:
                raise missing_column(name, there, role="text_cols")
        return names

    def _joined(self, cells: Sequence[Any]) -> str:
        texts = [plain_text(cell) for cell in cells]
        if len(texts) > 1 if self.mark_fields is None else self.mark_fields:
            texts = [f"{FLD} {number} {text}" for number, text in enumerate(texts, start=1)]
        return self.between.join(texts)

    def texts_of(self, df: Any) -> list[str]:
        """Return the text of each row."""
        columns = [df[name].tolist() for name in self.columns_in(df)]
        return [self._joined(cells) for cells in zip(*columns, strict=True)]

    def text_of(self, row: Any) -> Any:
        """Return the text of one row, or its tokens if it has them."""
        tokens = row.get(self.tok_text_col)
        if is_tokens(tokens):
            return tokens
        return self._joined([row[name] for name in self.columns_in(row)])

    def has_tokens(self, df: Any) -> bool:
        """Whether the table holds tokens already."""
        return self.tok_text_col in df.columns and len(df) > 0 and is_tokens(df[self.tok_text_col].iloc[0])

    def with_tokens(self, df: Any, tokens: Sequence[Any]) -> Any:
        """Return the table with the tokens, and how many there are, as further columns."""
        cells = np.empty(len(tokens), dtype=object)
        for i, one in enumerate(tokens):
            cells[i] = one
        return df.assign(**{self.tok_text_col: cells, f"{self.tok_text_col}_length": [len(one) for one in tokens]})


def is_tokens(value: Any) -> bool:
    """Whether a value is tokens, and no text."""
    return isinstance(value, Sequence) and not isinstance(value, str)
