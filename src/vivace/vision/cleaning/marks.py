"""Marks on files: keep, delete, or another class; they can be undone, written to a CSV file and read from one."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from vivace.core.errors import ArgumentError, DataError, suggest
from vivace.core.files import atomic_write

__all__ = ["DELETE", "KEEP", "Mark", "Marks"]

KEEP, DELETE = "<Keep>", "<Delete>"
_COLUMNS = ("file", "mark")


class Mark(NamedTuple):
    """What shall happen to a file.

    Attributes:
        file: the file.
        choice: `DELETE`, or the class that it belongs to.
    """

    file: Path
    choice: str


class Marks:
    """The marks of a person on files. A file without one is kept.

    Args:
        classes: the classes that a file can be moved to.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.choices = (KEEP, DELETE, *classes)
        self._choice: dict[Path, str] = {}
        self._undone_by: list[Mark] = []  # what each change replaced, the latest last

    def __len__(self) -> int:
        return len(self._choice)

    def __iter__(self) -> Iterator[Mark]:
        return (Mark(file, choice) for file, choice in self._choice.items())

    def of(self, file: Path) -> str:
        """Return the choice for a file: `KEEP`, `DELETE` or a class."""
        return self._choice.get(file, KEEP)

    def put(self, file: Path, choice: str) -> None:
        """Mark a file.

        Raises:
            ArgumentError: there is no such choice.
        """
        if choice not in self.choices:
            raise ArgumentError(
                f"A picture cannot be marked {choice!r}: choose one of {', '.join(self.choices)}."
                f"{suggest(choice, self.choices)}"
            )
        before = self.of(file)
        if choice != before:
            self._undone_by.append(Mark(file, before))
            self._set(file, choice)

    def undo(self) -> Mark | None:
        """Take the latest mark back; return the file and what it is marked now, or None if there is nothing to undo."""
        if not self._undone_by:
            return None
        last = self._undone_by.pop()
        self._set(last.file, last.choice)
        return last

    @property
    def can_undo(self) -> bool:
        """Whether there is a mark to take back."""
        return bool(self._undone_by)

    def forget(self, files: Iterable[Path]) -> None:
        """Drop the marks of these files, and that they were ever made: what was asked for has been done."""
        gone = set(files)
        self._choice = {file: choice for file, choice in self._choice.items() if file not in gone}
        self._undone_by = [mark for mark in self._undone_by if mark.file not in gone]

    def _set(self, file: Path, choice: str) -> None:
        if choice == KEEP:
            self._choice.pop(file, None)
        else:
            self._choice[file] = choice

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the marks to a file with the columns `file` and `mark`, whole or not at all; return its path."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(_COLUMNS)
        writer.writerows((os.fspath(mark.file), mark.choice) for mark in self)
        with atomic_write(Path(path)) as out:
            out.write(text.getvalue().encode("utf-8"))
        return Path(path)

    def read_csv(self, path: str | os.PathLike[str], known: Iterable[Path]) -> list[str]:
        """Take over the marks of a file that `write_csv` wrote; each can be undone.

        Args:
            path: the file.
            known: the files that can be marked.

        Returns:
            The files named there that are not known here; their marks are left out.

        Raises:
            DataError: there is no such file, it lacks a column, or a row holds a mark that is no choice here. No mark
                has been changed then.
        """
        by_name = {os.fspath(file): file for file in known}
        found, unknown = [], []
        for number, (name, choice) in enumerate(_rows(Path(path)), start=2):
            if choice not in self.choices:
                raise DataError(
                    f"Line {number} of {path} marks {name} as {choice!r}, which is no choice here: "
                    f"{', '.join(self.choices)}.{suggest(choice, self.choices)}"
                )
            if name in by_name:
                found.append(Mark(by_name[name], choice))
            else:
                unknown.append(name)
        for mark in found:
            self.put(mark.file, mark.choice)
        return unknown


def _rows(path: Path) -> list[tuple[str, str]]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path} to read marks from.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8, so it holds no marks.") from error
    rows = list(csv.DictReader(io.StringIO(text)))
    missing = [name for name in _COLUMNS if rows and rows[0].get(name) is None]
    if missing:
        raise DataError(f"{path} has no column {missing[0]!r}: marks are written as the columns file,mark.")
    return [(row["file"], row["mark"] or "") for row in rows]
