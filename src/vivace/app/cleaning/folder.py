"""A folder of pictures, sorted by how wrong a model finds their classes, with marks that are kept on file."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vivace.core.errors import ArgumentError, DataError, VivaceError
from vivace.vision.cleaning.marks import DELETE
from vivace.vision.cleaning.moves import apply_marks, last_applied, read_moves, undo_applied
from vivace.vision.cleaning.ranking import rank_files
from vivace.vision.cleaning.session import Session, thumbnail

__all__ = ["FolderCleaning", "open_folder"]

_MARKS = Path(".vivace") / "marks.csv"
_SPLITS = ("train", "valid", "test")


class FolderCleaning:
    """A session on the pictures of a folder; each change of a mark is written to a hidden file there at once.

    Args:
        folder: holds the pictures.
        session: what is shown and marked.
        unreadable: pictures that could not be opened.
    """

    def __init__(self, folder: Path, session: Session, unreadable: list[Path]) -> None:
        self.folder, self.session, self.unreadable = folder, session, unreadable
        self._lock = threading.RLock()
        self._marks_file = folder / _MARKS
        if self._marks_file.exists():
            session.marks.read_csv(self._marks_file, (picture.file for picture in session.pictures))

    def state(self) -> dict[str, Any]:
        """Return what the page shows."""
        with self._lock:
            return {
                **self.session.state(),
                "folder": str(self.folder),
                "n_unreadable": len(self.unreadable),
                "can_undo_apply": last_applied(self.folder) is not None,
            }

    def handle(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Do what the page asks for, and return what it shows then. See `Session.handle`."""
        with self._lock:
            self.session.handle(command)
            if command.get("do") != "select":
                self._save()
            return self.state()

    def apply(self) -> dict[str, Any]:
        """Carry all marks out."""
        with self._lock:
            marks = list(self.session.marks)
            if not marks:
                raise ArgumentError("Nothing is marked yet.")
            try:
                applied = apply_marks(marks, self.folder)
            except VivaceError:
                self._follow_what_is_there()
                raise
            deleted = {mark.file for mark in marks if mark.choice == DELETE}
            self.session.marks.forget([mark.file for mark in marks])
            self.session.relocate((source, target) for source, target in applied.moves if source not in deleted)
            self._save()
            self.session.message = f"{len(applied)} pictures moved. “Undo apply” brings them back."
            return self.state()

    def undo_apply(self) -> dict[str, Any]:
        """Bring back what the latest `apply` moved, in this run or an earlier one."""
        with self._lock:
            journal = last_applied(self.folder)
            if journal is None:
                raise ArgumentError("There is nothing to undo: no pictures were moved, or all are back.")
            moves = read_moves(journal)
            back, problems = undo_applied(journal)
            self.session.relocate((target, source) for source, target in moves if source in set(back))
            self.session.message = " ".join([f"{len(back)} pictures are back.", *(f"{p}." for p in problems)])
            return self.state()

    def thumbnail(self, key: str) -> bytes | None:
        """Return the small JPEG of a picture of the page."""
        with self._lock:
            file = self.session.picture(key).file
        return thumbnail(file, self.session.height, self.session.width)

    def _save(self) -> None:
        self.session.marks.write_csv(self._marks_file)

    def _follow_what_is_there(self) -> None:
        gone = [mark.file for mark in self.session.marks if not mark.file.exists()]
        self.session.marks.forget(gone)
        self._save()


def open_folder(model: Path, folder: Path, page_size: int = 30) -> FolderCleaning:
    """Predict the pictures of a folder, and return them sorted by how wrong the model finds their class.

    The class of a picture is the name of its folder; folders called train, valid and test are data sets.

    Args:
        model: a bundle, or the folder of a run that holds one.
        folder: holds the pictures.
        page_size: how many are shown at once.

    Raises:
        DataError: the folder is not there, or holds no pictures; there is no such model.
        BundleError, UnsafeFileError: the model cannot be loaded.
    """
    from vivace.data.items import get_image_files
    from vivace.inference.bundle import load_learner
    from vivace.inference.inspect import find_bundle

    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}. Give the folder that holds one folder of images per class.")
    folder = folder.resolve()
    files = sorted(Path(file) for file in get_image_files(folder))
    if not files:
        raise DataError(f"{folder} holds no images. Give the folder that holds one folder of images per class.")
    learn = load_learner(find_bundle(model))
    labels = [file.parent.name for file in files]
    pictures, unreadable = rank_files(learn, files, labels)
    vocab = [str(v) for v in learn.dls.vocab]
    categories = [*sorted(set(labels) & set(vocab)), *sorted(set(labels) - set(vocab))]
    groups = {name: [p for p in pictures if name in p.file.relative_to(folder).parts[:-1]] for name in _SPLITS}
    groups = {name: members for name, members in groups.items() if members}
    if len(groups) < 2 or sum(map(len, groups.values())) != len(pictures):
        groups = {"All": pictures}
    classes = [*vocab, *sorted(set(labels) - set(vocab))]
    return FolderCleaning(folder, Session(groups, categories, classes, page_size=page_size), unreadable)
