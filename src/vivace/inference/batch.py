"""Predictions of many files, as a table on disk: in pieces, so that memory is bounded and a stopped run can go on."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError
from vivace.core.files import atomic_write
from vivace.core.lazy import require
from vivace.data.loader import DataWarning
from vivace.training.learner import Learner

__all__ = ["PredictReport", "iter_predictions", "predict_files"]

_PIECE = 512  # files that are predicted, and kept in memory, at a time
_JOURNAL = "journal.json"
_FORMATS = (".csv", ".parquet")
Row = dict[str, Any]


@dataclass(frozen=True)
class PredictReport:
    """What came of predicting files.

    Attributes:
        out: the table.
        n_files: how many files it has a row for.
        n_resumed: how many of them an earlier, unfinished run had predicted.
        failures: (file, reason) of those that could not be read; their rows hold the reason.
    """

    out: Path
    n_files: int
    n_resumed: int
    failures: list[tuple[str, str]]


def iter_predictions(learn: Learner, files: Iterable[Path], piece: int = _PIECE) -> Iterable[list[Row]]:
    """Yield the rows of `piece` files at a time, in their order.

    A row has `file`, `label` (several joined by ";"), `probability` (of the label, where there is one), a column
    `prob_CLASS` for each class (`value_0`, … of a regression) and `error`, the reason why a file could not be read.

    Raises:
        ArgumentError: the model predicts pictures, which are no rows of a table.
    """
    files = list(files)
    for start in range(0, len(files), piece):
        yield _rows(learn, files[start : start + piece])


def _rows(learn: Learner, files: Sequence[Path]) -> list[Row]:
    dl: Any = learn.dls.test_dl(L(files, use_list=True), on_error="skip")
    with warnings.catch_warnings(), learn.no_bar():
        warnings.simplefilter("ignore", DataWarning)  # what cannot be read is in the table
        probabilities, _, decoded = learn.get_preds(dl=dl, with_decoded=True)
    failed = {failure.index: " ".join(str(failure.error).split()) for failure in dl.skipped}
    names = _columns(learn, probabilities)
    rows, position = [], 0
    for number, file in enumerate(files):
        row: Row = {"file": os.fspath(file), "label": "", "probability": None, **dict.fromkeys(names), "error": ""}
        if number in failed:
            row["error"] = failed[number]
        else:
            row |= _values(learn, probabilities[position], decoded[position], names)
            position += 1
        rows.append(row)
    return rows


def _columns(learn: Learner, probabilities: Tensor | None) -> list[str]:
    vocab = getattr(learn.dls, "vocab", None)
    if probabilities is None:  # nothing could be read: other pieces know the columns
        return []
    if probabilities.ndim > 2:
        raise ArgumentError(
            f"This model predicts values of shape {tuple(probabilities.shape[1:])}, which are no row of a table: "
            "use learn.get_preds(dl=learn.dls.test_dl(files))."
        )
    width = probabilities.shape[1] if probabilities.ndim == 2 else 1
    if vocab is not None and len(vocab) == width:
        return [f"prob_{name}" for name in vocab]
    return [f"value_{i}" for i in range(width)]


def _values(learn: Learner, probabilities: Tensor, decoded: Any, names: Sequence[str]) -> Row:
    decode = getattr(learn.dls.train_ds, "decode_target", None)
    label = decode(decoded) if decode is not None else decoded
    numbers = probabilities.reshape(-1).tolist()
    row: Row = dict(zip(names, numbers, strict=True))
    if isinstance(label, str):
        row["probability"] = max(numbers)
    row["label"] = ";".join(str(v) for v in label) if isinstance(label, (list, tuple, L)) else _text(label)
    return row


def _text(label: Any) -> str:
    if isinstance(label, Tensor):
        return ";".join(f"{v:g}" for v in label.reshape(-1).tolist())
    return str(label)


def predict_files(
    learn: Learner,
    files: Sequence[Path],
    out: str | os.PathLike[str],
    *,
    model_id: str = "",
    restart: bool = False,
    piece: int = _PIECE,
    say: Callable[[str], None] | None = None,
) -> PredictReport:
    """Predict files and write a table of them, CSV or Parquet by the ending of `out`.

    What is done is kept in a folder beside `out` until the table is complete, so the same call goes on where an earlier
    one was stopped. Memory holds the rows of `piece` files.

    Args:
        learn: a classifier or a regression.
        files: what to predict; the rows have their order.
        out: the table; replaced when the new one is complete.
        model_id: names the model, so that an unfinished run of another one is noticed.
        restart: throw away what an earlier run did.
        piece: files predicted between two writes.
        say: called with a line of text after each piece.

    Raises:
        ArgumentError: `out` ends in neither .csv nor .parquet, or an unfinished run there was another one.
        DataError: there is nothing to predict.
        MissingPackageError: Parquet needs pyarrow.
    """
    out = Path(out)
    if out.suffix.lower() not in _FORMATS:
        raise ArgumentError(f"A table ends in .csv or .parquet; got {out.name!r}.")
    if out.suffix.lower() == ".parquet":
        require("pyarrow", "parquet", "writing Parquet")
    if not files:
        raise DataError("There are no files to predict.")
    work = _Work(out, _identity(model_id, files, piece), restart)
    done = work.n_pieces
    failures: list[tuple[str, str]] = []
    n_resumed = min(done * piece, len(files))
    for number, start in enumerate(range(0, len(files), piece)):
        if number < done:
            continue
        work.add(number, _rows(learn, files[start : start + piece]))
        if say is not None:
            say(f"{min(start + piece, len(files)):,} of {len(files):,}")
    for row in work.rows():
        if row["error"]:
            failures.append((row["file"], row["error"]))
    work.finish()
    return PredictReport(out, len(files), n_resumed, failures)


def _identity(model_id: str, files: Sequence[Path], piece: int) -> dict[str, Any]:
    names = hashlib.sha256()
    for file in files:
        names.update(os.fspath(file).encode("utf-8", "surrogateescape") + b"\0")
    return {"model": model_id, "files": names.hexdigest(), "piece": piece}


class _Work:
    """The pieces that are done, one file each, in a hidden folder beside the table."""

    def __init__(self, out: Path, identity: dict[str, Any], restart: bool) -> None:
        self.out, self.folder = out, out.parent / f".{out.name}.unfinished"
        if restart and self.folder.exists():
            shutil.rmtree(self.folder)
        journal = self.folder / _JOURNAL
        if self.folder.exists() and not journal.exists():  # was being thrown away: whose pieces these are is not known
            shutil.rmtree(self.folder)
        if journal.exists() and json.loads(journal.read_text("utf-8")) != identity:
            raise ArgumentError(
                f"{self.folder} holds an unfinished run with another model or other files. Finish that one, choose "
                "another output, or throw it away with --restart."
            )
        if not journal.exists():
            with atomic_write(journal) as handle:
                handle.write(json.dumps(identity).encode())

    @property
    def n_pieces(self) -> int:
        """How many pieces are done, from the first on without a gap."""
        number = 0
        while self._piece(number).exists():
            number += 1
        return number

    def _piece(self, number: int) -> Path:
        return self.folder / f"{number:08d}.json"

    def add(self, number: int, rows: list[Row]) -> None:
        with atomic_write(self._piece(number)) as handle:
            handle.write(json.dumps(rows).encode("utf-8", "surrogateescape"))

    def _pieces(self) -> Iterable[list[Row]]:
        for number in range(self.n_pieces):
            yield json.loads(self._piece(number).read_bytes())

    def _header(self) -> list[str]:
        """The columns; a piece of broken files only lacks those of the predictions."""
        return max((list(rows[0]) for rows in self._pieces()), key=len)

    def rows(self) -> Iterable[Row]:
        return (row for rows in self._pieces() for row in rows)

    def finish(self) -> None:
        with atomic_write(self.out) as handle:
            (_write_csv if self.out.suffix.lower() == ".csv" else _write_parquet)(
                handle, self._header(), self._pieces()
            )
        shutil.rmtree(self.folder)


def _write_csv(handle: Any, header: list[str], pieces: Iterable[list[Row]]) -> None:
    text = io.TextIOWrapper(handle, encoding="utf-8", errors="surrogateescape", newline="")
    writer = csv.DictWriter(text, header)
    writer.writeheader()
    for rows in pieces:
        writer.writerows(rows)
    text.flush()
    text.detach()


def _write_parquet(handle: Any, header: list[str], pieces: Iterable[list[Row]]) -> None:
    pyarrow = require("pyarrow", "parquet", "writing Parquet")
    import pyarrow.parquet as parquet

    types = [pyarrow.string() if name in ("file", "label", "error") else pyarrow.float64() for name in header]
    schema = pyarrow.schema(list(zip(header, types, strict=True)))
    with parquet.ParquetWriter(handle, schema) as writer:
        for rows in pieces:
            clean = [{k: _utf8(v) for k, v in row.items()} for row in rows]
            writer.write_table(pyarrow.Table.from_pylist(clean, schema))


def _utf8(value: Any) -> Any:
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if isinstance(value, str) else value
