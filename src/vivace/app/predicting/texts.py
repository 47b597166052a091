"""Texts in tables or files, with the label that a model gives each beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vivace.app.rows import table_of_predictions
from vivace.app.tables import check_column, is_table, read_table
from vivace.core.errors import DataError

from .files import find_files
from .tables import check_table_name, write_table

__all__ = ["predict_texts", "reads_texts"]

_TEXT, _LABEL = "text", "label"


def reads_texts(learn: Any) -> bool:
    """Whether a model takes texts."""
    return _tokenizer(learn) is not None


def _tokenizer(learn: Any) -> Any:
    from vivace.text.tokenizer import TextTransform

    parts = getattr(learn.dls.train_ds, "tls", [])
    return next((t for t in (parts[0].tfms if len(parts) else []) if isinstance(t, TextTransform)), None)


def predict_texts(learn: Any, inputs: Sequence[Path], out: Path | None, *, say: Callable[[str], None]) -> None:
    """Predict texts and write them with the predictions beside, or print that as CSV.

    Args:
        learn: a model of texts.
        inputs: tables with the text column of training (else a column `text`), or .txt files and folders of them.
        out: the table, .csv or .parquet; printed if None.
        say: called with each line for the person.

    Raises:
        ArgumentError: `out` is called like no table.
        DataError: there is no such file, or no text in it; a table lacks the column; tables and files are mixed.
    """
    check_table_name(out)
    are_tables = [is_table(one) for one in inputs]
    if any(are_tables) and not all(are_tables):
        raise DataError("Give tables, or text files and folders of them: not both at once.")
    rows, texts = _from_tables(learn, inputs) if all(are_tables) else _from_files(inputs)
    table = table_of_predictions(learn, learn.dls.test_dl(texts), rows, [_LABEL])
    write_table(table, out, say)


def _from_tables(learn: Any, inputs: Sequence[Path]) -> tuple[Any, list[str]]:
    import pandas as pd

    frame = _tokenizer(learn).frame
    trained_on = frame.text_cols if frame is not None and isinstance(frame.text_cols, str) else _TEXT
    tables = []
    for file in inputs:
        table = read_table(file)
        check_column(table, trained_on, file, "the text")
        tables.append(table)
    rows = pd.concat(tables, ignore_index=True)
    return rows, rows[trained_on].fillna("").astype(str).tolist()


def _from_files(inputs: Sequence[Path]) -> tuple[Any, list[str]]:
    import pandas as pd

    from vivace.data.items import get_text_files
    from vivace.text.sources import read_text

    files = find_files(inputs, get_text_files, ".txt files")
    return pd.DataFrame({"file": [str(file) for file in files]}), [read_text(file) for file in files]
