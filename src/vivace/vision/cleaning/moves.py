"""Carrying marks out on the disk: nothing is ever deleted, only moved, by a plan on file that can be undone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vivace.core.errors import ArgumentError, DataError
from vivace.core.files import atomic_write

from .marks import DELETE, Mark

__all__ = ["Applied", "apply_marks", "last_applied", "read_moves", "undo_applied"]

STORE = ".vivace"  # hidden: what lists pictures does not look into it
_FORMAT = "vivace-moves"


@dataclass(frozen=True)
class Applied:
    """Files that were moved.

    Attributes:
        journal: the plan on file, for `undo_applied`.
        moves: (from, to) of each file, in the order in which they were moved.
    """

    journal: Path
    moves: list[tuple[Path, Path]]

    def __len__(self) -> int:
        return len(self.moves)


def apply_marks(marks: Iterable[Mark], folder: Path, place: Callable[[Path, str], Path] | None = None) -> Applied:
    """Move the marked files below `folder`: those to delete into its hidden store, the others to their new class.

    The plan is on file before the first file moves, so that a run that breaks off can be undone as well. No file is
    replaced: where the name is taken, the moved file gets `-2`, `-3`, ….

    Args:
        marks: what to do.
        folder: holds all marked files.
        place: gives the folder of a file's new class; by default the class's folder beside the one the file is in.

    Raises:
        ArgumentError: a file is not below `folder`, or a class is no folder's name.
        DataError: a file is gone, or cannot be moved; those before it have been moved and can be undone.
    """
    marks, folder = list(marks), folder.resolve()
    place = _beside if place is None else place
    journal = _new_journal(folder)
    removed = journal.with_suffix("")
    moves: list[tuple[Path, Path]] = []
    taken: set[Path] = set()
    for mark in marks:
        source = mark.file.parent.resolve() / mark.file.name  # a link is moved as a link
        if not source.is_relative_to(folder):
            raise ArgumentError(f"{mark.file} is not below {folder}, so it is not moved.")
        if not source.exists():
            raise DataError(f"{mark.file} is no longer there: look through the folder again.")
        if mark.choice == DELETE:
            target = removed / source.relative_to(folder)
        else:
            if mark.choice in ("", ".", "..") or Path(mark.choice).name != mark.choice:
                raise ArgumentError(f"{mark.choice!r} cannot be the name of a folder.")
            target = place(source, mark.choice) / source.name
        target = _free(target, taken)
        taken.add(target)
        moves.append((source, target))
    if moves:
        _write(journal, folder, moves)
    for source, target in moves:
        _move(source, target)
    return Applied(journal, moves)


def undo_applied(journal: Path) -> tuple[list[Path], list[str]]:
    """Move the files of a plan back, the last one first; the plan is dropped when all are back.

    Returns:
        The files that are back, and what kept others from it.

    Raises:
        DataError: there is no such plan, or it is damaged or leads out of its folder; nothing was moved.
    """
    back, problems = [], []
    for source, target in reversed(read_moves(journal)):
        if not target.exists():
            if not source.exists():
                problems.append(f"{target} is gone, so {source} cannot come back")
        elif source.exists():
            problems.append(f"{source} is there again, so {target} stays where it is")
        else:
            _move(target, source)
            back.append(source)
    if not problems:
        journal.unlink()
        _drop_empty(journal.with_suffix(""))
    return back, problems


def last_applied(folder: Path) -> Path | None:
    """Return the latest plan of a folder that has not been undone."""
    journals = sorted((folder.resolve() / STORE).glob("removed-*.json"))
    return journals[-1] if journals else None


def _beside(file: Path, name: str) -> Path:
    return file.parent.parent / name


def _new_journal(folder: Path) -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    return folder / STORE / f"removed-{stamp}.json"


def _free(wanted: Path, taken: set[Path]) -> Path:
    target, number = wanted, 2
    while target in taken or os.path.lexists(target):
        target, number = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}"), number + 1
    return target


def _move(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
    except OSError as error:
        raise DataError(f"{source} cannot be moved to {target}: {error.strerror}.") from error


def _write(journal: Path, folder: Path, moves: list[tuple[Path, Path]]) -> None:
    content = {
        "format": _FORMAT,
        "moves": [[os.path.relpath(source, folder), os.path.relpath(target, folder)] for source, target in moves],
    }
    with atomic_write(journal) as out:
        out.write(json.dumps(content, indent=1).encode("utf-8"))


def read_moves(journal: Path) -> list[tuple[Path, Path]]:
    try:
        content = json.loads(journal.read_text("utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"There is nothing to undo: no file {journal}.") from error
    except ValueError as error:
        raise DataError(f"{journal} is damaged, so its moves cannot be undone: {error}.") from error
    pairs = content.get("moves") if isinstance(content, dict) and content.get("format") == _FORMAT else None
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(name, str) for name in pair) for pair in pairs
    ):
        raise DataError(f"{journal} does not hold the moves of a clean-up.")
    folder = journal.resolve().parent.parent
    moves = [
        (Path(os.path.abspath(folder / source)), Path(os.path.abspath(folder / target))) for source, target in pairs
    ]
    outside = [path for move in moves for path in move if not path.is_relative_to(folder)]
    if outside:
        raise DataError(f"{journal} wants to move {outside[0]}, which is outside {folder}; nothing was moved.")
    return moves


def _below(folder: Path, name: str) -> Path:
    return Path(os.path.abspath(folder / name))  # without links: the file itself may be one


def _drop_empty(folder: Path) -> None:
    for parent, _, _ in os.walk(folder, topdown=False):
        try:
            os.rmdir(parent)
        except OSError:  # not empty: somebody put something there
            return
