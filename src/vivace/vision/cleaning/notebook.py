"""The cleaner in a notebook: `ImagesCleaner` and `ImageClassifierCleaner`, an anywidget over a `Session`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from vivace.core.collection import L
from vivace.core.errors import MissingPackageError, VivaceError
from vivace.core.lazy import require

from .marks import KEEP, Mark
from .menus import MenuTree
from .moves import Applied, apply_marks
from .ranking import rank_by_loss
from .session import Picture, Session, thumbnail_address

__all__ = ["ImageClassifierCleaner", "ImagesCleaner"]

_HERE = Path(__file__).parent


class ImagesCleaner:
    """Show pictures with a choice under each: keep, delete, or one of `opts`. Nothing on disk is touched.

    `delete()` and `change()` speak of the page that is shown, `fns`. Marks belong to the file: they are still there
    when the same file is shown again, can be undone, and `marked()` lists them all.

    Args:
        opts: the classes that a picture can be moved to.
        height: of a thumbnail, in pixels.
        width: of a thumbnail, in pixels.
        max_n: how many pictures are on a page.
    """

    def __init__(self, opts: Sequence[Any] = (), height: int = 128, width: int = 256, max_n: int = 30) -> None:
        self.height, self.width, self.max_n = height, width, max_n
        self.opts = tuple(str(o) for o in opts)
        self.session = self._make_session({})

    def _make_session(self, groups: Mapping[str, Sequence[Picture]], categories: Sequence[str] = ()) -> Session:
        return Session(groups, categories, self.opts, page_size=self.max_n, height=self.height, width=self.width)

    def set_fns(self, fns: Sequence[Any]) -> None:
        """Show these files; marks made on them before are still there."""
        self.session.set_groups({"": [Picture(Path(file)) for file in fns]})

    @property
    def fns(self) -> L[Path]:
        """The files on the page that is shown."""
        return L([picture.file for picture in self.session.shown], use_list=True)

    def values(self) -> L[str]:
        """Return the choice for each file of `fns`: `"<Keep>"`, `"<Delete>"` or a class."""
        return L([self.session.marks.of(file) for file in self.fns], use_list=True)

    def delete(self) -> L[int]:
        """Return the indices (into `fns`) of the pictures marked for deletion."""
        return self.session.delete()

    def change(self) -> L[tuple[int, str]]:
        """Return (index into `fns`, class) of the pictures marked for another class."""
        return self.session.change()

    def mark(self, file: str | os.PathLike[str], choice: str = KEEP) -> None:
        """Mark a file as the menus do.

        Raises:
            ArgumentError: there is no such choice.
        """
        self.session.mark(Path(file), choice)

    def undo(self) -> Mark | None:
        """Take the latest mark back; return the file and what it is marked now, or None."""
        return self.session.undo()

    def marked(self) -> list[Mark]:
        """Return all marks, on whatever page, category or data set they were made."""
        return list(self.session.marks)

    def save_marks(self, path: str | os.PathLike[str] = "marks.csv") -> Path:
        """Write all marks to a CSV file with the columns `file` and `mark`."""
        return self.session.marks.write_csv(path)

    def load_marks(self, path: str | os.PathLike[str] = "marks.csv") -> list[str]:
        """Take over the marks of a CSV file; return the files in it that are not here.

        Raises:
            DataError: see `Marks.read_csv`.
        """
        unknown = self.session.marks.read_csv(path, (picture.file for picture in self.session.pictures))
        self.session.select()
        return unknown

    def apply(self, path: str | os.PathLike[str]) -> Applied:
        """Carry all marks out below the folder `path`; `undo_applied(result.journal)` takes it back.

        Deleted pictures go to a hidden folder in `path`, the others to the folder of their class.

        Raises:
            ArgumentError, DataError: see `apply_marks`.
        """
        applied = apply_marks(self.session.marks, Path(path))
        self.session.marks.forget([mark.file for mark in self.marked()])
        self.session.select()
        return applied

    # ------------------------------------------------------------------ views
    @cached_property
    def view(self) -> Any:
        """The anywidget, one for all places where it is displayed."""
        return _view_class()(self.session)

    @cached_property
    def _tree(self) -> MenuTree:
        return MenuTree(self.session)

    @property
    def widget(self) -> Any:
        """The same as plain ipywidgets, for a layout of your own (and where anywidget is missing)."""
        return self._tree.widget

    def _ipython_display_(self) -> None:
        from IPython.display import display

        try:
            view = self.view
        except MissingPackageError:  # the plain menus do the same, with less comfort
            view = self.widget
        display(view)


class ImageClassifierCleaner(ImagesCleaner):
    """Look through the pictures of a classifier, worst predictions first, and mark wrong ones.

    Choose a category and a data set above. Nothing on disk is touched:

        for idx in cleaner.delete(): cleaner.fns[idx].unlink()
        for idx, cat in cleaner.change(): shutil.move(str(cleaner.fns[idx]), path/cat)

    does it for the page that is shown, `cleaner.apply(path)` for all marks, in a way that can be undone.

    Args:
        learn: a Learner on pictures that come from files.
        opts: more classes to offer.
        height: of a thumbnail, in pixels.
        width: of a thumbnail, in pixels.
        max_n: how many pictures are on a page.

    Raises:
        DataError: the items are not files.
    """

    def __init__(
        self, learn: Any, opts: Sequence[Any] = (), height: int = 128, width: int = 256, max_n: int = 30
    ) -> None:
        vocab = [str(v) for v in learn.dls.vocab]
        super().__init__([*vocab, *opts], height, width, max_n)
        self.learn, self.vocab = learn, vocab
        names = ("Train", "Valid")[: len(learn.dls.loaders)]
        groups = {name: rank_by_loss(learn, i) for i, name in enumerate(names)}
        self.session = self._make_session(groups, vocab)


@cache
def _view_class() -> Callable[[Session], Any]:
    anywidget = require("anywidget", "notebook", "the cleaner")
    traitlets = require("traitlets", "notebook", "the cleaner")

    class CleanerView(anywidget.AnyWidget):  # type: ignore[misc, name-defined]
        """What the browser sees: the state of a session, and the thumbnails of its page."""

        _esm = _HERE / "cleaner.js"
        _css = _HERE / "cleaner.css"
        state = traitlets.Dict().tag(sync=True)
        thumbnails = traitlets.Dict().tag(sync=True)

        def __init__(self, session: Session) -> None:
            self._session = session
            super().__init__()
            self._refresh()
            session.on_change(self._refresh)
            self.on_msg(self._receive)

        def _refresh(self) -> None:
            session, state = self._session, self._session.state()
            keys = [item["key"] for item in state["items"]]
            if list(self.thumbnails) != keys:
                size = session.height, session.width
                self.thumbnails = {k: thumbnail_address(session.picture(k).file, *size) for k in keys}
            self.state = state

        def _receive(self, _: Any, command: Mapping[str, Any], __: Any) -> None:
            try:
                self._session.handle(command)
            except VivaceError as error:
                self._session.message = str(error)
                self._refresh()

    return CleanerView
