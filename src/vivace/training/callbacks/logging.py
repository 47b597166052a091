"""Keep the epoch table in a CSV file."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from vivace.core.files import atomic_write
from vivace.training.callback import Callback

__all__ = ["CSVLogger"]


class CSVLogger(Callback):
    """Write each row of the epoch table to `fname` in the Learner's path, as soon as it is known.

    Args:
        fname: the file.
        append: go on with an existing file instead of beginning anew.
    """

    order = 62
    run_lr_find = False

    def __init__(self, fname: str | os.PathLike[str] = "history.csv", append: bool = False) -> None:
        self.fname, self.append = Path(fname), append

    @property
    def file_path(self) -> Path:
        """Where the table is."""
        return Path(self.learn.path) / self.fname

    def read_log(self) -> Any:
        """Return the table as a pandas data frame."""
        import pandas as pd

        return pd.read_csv(self.file_path)

    def before_fit(self) -> None:
        kept = self.file_path.read_text() if self.append and self.file_path.exists() else ""
        self._text = kept if kept else _csv_line(self.learn.recorder.metric_names)
        self._write()

    def after_epoch(self) -> None:
        row = self.learn.recorder.log
        if len(row) > 1:
            self._text += _csv_line(row)
            self._write()

    def _write(self) -> None:
        self.file_path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.file_path) as out:
            out.write(self._text.encode())


def _csv_line(values: Any) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()
