"""A person at work on a list of pictures: what is shown, what is marked. The notebook and the page are views of it."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError
from vivace.core.image import load_image

from .marks import DELETE, KEEP, Mark, Marks

__all__ = ["Picture", "Session", "thumbnail", "thumbnail_address"]


@dataclass(frozen=True)
class Picture:
    """A picture to look at.

    Attributes:
        file: where it lies.
        label: its class now; None if there are no classes.
        predicted: the class that a model gives it; None without a model.
        probability: of that class, in 0..1.
        loss: how wrong the model finds the label.
    """

    file: Path
    label: str | None = None
    predicted: str | None = None
    probability: float | None = None
    loss: float | None = None


class Session:
    """Pictures in groups (data sets) and categories, some of which are marked.

    Args:
        groups: the pictures of each data set by its name, in the order in which they are to be seen.
        categories: the labels that can be chosen; with none, a group is shown whole.
        classes: the classes that a picture can be moved to.
        page_size: how many pictures are shown at once.
        height: of a thumbnail, in pixels.
        width: of a thumbnail, in pixels.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[Picture]],
        categories: Sequence[str] = (),
        classes: Sequence[str] = (),
        *,
        page_size: int = 30,
        height: int = 128,
        width: int = 256,
    ) -> None:
        if page_size < 1:
            raise ArgumentError(f"At least one picture must be shown at once; got {page_size}.")
        self.categories = list(categories)
        self.marks = Marks(classes)
        self.page_size, self.height, self.width = page_size, height, width
        self.message = ""
        self._listeners: list[Callable[[], None]] = []
        self.set_groups(groups)

    def set_groups(self, groups: Mapping[str, Sequence[Picture]]) -> None:
        """Show other pictures, from the first group and category on; the marks stay."""
        self.groups = {name: list(pictures) for name, pictures in groups.items()}
        self.group = next(iter(self.groups), "")
        self.category = self.categories[0] if self.categories else None
        self.page = 0
        self._number()
        self._look()
        self._changed()

    def _number(self) -> None:
        self.pictures = [picture for group in self.groups.values() for picture in group]
        self._keys = {id(picture): str(i) for i, picture in enumerate(self.pictures)}

    # ------------------------------------------------------------------ what is shown
    def _look(self) -> None:
        """Find the pictures to show: positions among them hold until the next choice, whatever happens to the files."""
        self.chosen = [
            picture
            for picture in self.groups.get(self.group, [])
            if (self.category is None or picture.label == self.category) and picture.file.exists()
        ]
        self._turn_to(self.page)

    def _turn_to(self, page: int) -> None:
        self.page = max(0, min(page, _n_pages(len(self.chosen), self.page_size) - 1))

    @property
    def shown(self) -> list[Picture]:
        """The pictures of this page."""
        return self.chosen[self.page * self.page_size : (self.page + 1) * self.page_size]

    def select(self, *, category: str | None = None, group: str | None = None, page: int = 0) -> None:
        """Show another category, data set or page (counted from 0); the marks stay.

        Raises:
            ArgumentError: there is no such category or data set.
        """
        for value, known, name in ((category, self.categories, "category"), (group, list(self.groups), "data set")):
            if value is not None and value not in known:
                raise ArgumentError(f"There is no {name} {value!r} here, only {', '.join(known)}.")
        self.category = self.category if category is None else category
        self.group = self.group if group is None else group
        self.page = page
        self.message = ""
        self._look()
        self._changed()

    def relocate(self, moves: Iterable[tuple[Path, Path]]) -> None:
        """Follow pictures that were moved on the disk: the folder that one lies in now is its class."""
        to = dict(moves)
        self.groups = {
            name: [replace(p, file=to[p.file], label=to[p.file].parent.name) if p.file in to else p for p in pictures]
            for name, pictures in self.groups.items()
        }
        self._number()
        self._look()
        self._changed()

    # ------------------------------------------------------------------ marks
    def mark(self, file: Path, choice: str) -> None:
        """Mark a file: `KEEP`, `DELETE` or a class."""
        if choice != self.marks.of(file):
            self.marks.put(file, choice)
            self.message = ""
            self._changed()

    def undo(self) -> Mark | None:
        """Take the latest mark back, and show the picture it was on."""
        undone = self.marks.undo()
        if undone is None:
            self.message = "There is nothing to undo."
        else:
            self._go_to(undone.file)
            self.message = f"{undone.file.name}: back to {_words(undone.choice)}."
        self._changed()
        return undone

    def _go_to(self, file: Path) -> None:
        if any(picture.file == file for picture in self.shown):
            return
        for group, pictures in self.groups.items():
            for picture in pictures:
                if picture.file == file:
                    self.group, self.category = group, picture.label if self.categories else None
                    self._look()
                    files = [p.file for p in self.chosen]
                    self._turn_to(files.index(file) // self.page_size if file in files else 0)
                    return

    def delete(self) -> L[int]:
        """Return the positions, among those shown, of the pictures marked for deletion that are still there."""
        return L([i for i, choice in self._marked_here() if choice == DELETE], use_list=True)

    def change(self) -> L[tuple[int, str]]:
        """Return (position among those shown, class) of the pictures marked for another class that are still there."""
        return L([(i, choice) for i, choice in self._marked_here() if choice != DELETE], use_list=True)

    def _marked_here(self) -> list[tuple[int, str]]:
        choices = [(i, p.file, self.marks.of(p.file)) for i, p in enumerate(self.shown)]
        return [(i, choice) for i, file, choice in choices if choice != KEEP and file.exists()]

    # ------------------------------------------------------------------ for a view
    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change."""
        self._listeners.append(listener)

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    def picture(self, key: str) -> Picture:
        """Return the picture with this key of a view.

        Raises:
            DataError: there is none.
        """
        if not (key.isascii() and key.isdigit() and len(key) < 10 and int(key) < len(self.pictures)):
            raise DataError(f"There is no picture {key!r:.40} here.")
        return self.pictures[int(key)]

    def state(self) -> dict[str, Any]:
        """Return what a view shows, as JSON."""
        shown, chosen = self.shown, self.chosen
        here = {picture.file for picture in chosen}
        kinds = [mark.choice == DELETE for mark in self.marks]
        return {
            "groups": list(self.groups),
            "group": self.group,
            "categories": self.categories,
            "category": self.category,
            "choices": list(self.marks.choices),
            "page": self.page,
            "n_pages": _n_pages(len(chosen), self.page_size),
            "n_chosen": len(chosen),
            "height": self.height,
            "width": self.width,
            "items": [self._item(picture) for picture in shown],
            "n_delete": sum(kinds),
            "n_change": len(kinds) - sum(kinds),
            "n_elsewhere": sum(mark.file not in here for mark in self.marks),
            "can_undo": self.marks.can_undo,
            "message": self.message,
        }

    def _item(self, picture: Picture) -> dict[str, Any]:
        return {
            "key": self._keys[id(picture)],
            "name": picture.file.name,
            "label": picture.label,
            "predicted": picture.predicted,
            "probability": picture.probability,
            "loss": picture.loss,
            "mark": self.marks.of(picture.file),
        }

    def handle(self, command: Mapping[str, Any]) -> None:
        """Do what a view asks for: `{"do": "select", ...}`, `{"do": "mark", "key", "choice"}` or `{"do": "undo"}`.

        Raises:
            ArgumentError: it is none of them, or misses a part.
            DataError: there is no such picture.
        """
        match dict(command):
            case {"do": "select", **rest} if set(rest) <= {"category", "group", "page"} and all(
                isinstance(v, int if k == "page" else str) for k, v in rest.items()
            ):
                self.select(**rest)
            case {"do": "mark", "key": str(key), "choice": str(choice)}:
                self.mark(self.picture(key).file, choice)
            case {"do": "undo"}:
                self.undo()
            case _:
                raise ArgumentError(f"The cleaner does not know the command {dict(command)!r:.80}.")


def _n_pages(n: int, page_size: int) -> int:
    return -(-n // page_size)


def _words(choice: str) -> str:
    return {KEEP: "keep", DELETE: "delete"}.get(choice, choice)


@lru_cache(maxsize=512)
def _thumbnail(file: Path, modified: float, height: int, width: int) -> bytes:
    image = load_image(file, "RGB", needed=(width, height))
    image.thumbnail((width, height))
    out = io.BytesIO()
    image.save(out, "jpeg", quality=85)
    return out.getvalue()


def thumbnail(file: Path, height: int = 128, width: int = 256) -> bytes | None:
    """Return a small JPEG of a picture, no larger than height × width pixels; None if it cannot be read."""
    try:
        return _thumbnail(file, file.stat().st_mtime, height, width)
    except (DataError, OSError):
        return None


def thumbnail_address(file: Path, height: int = 128, width: int = 256) -> str:
    """Return a thumbnail as a `data:` address; empty if the picture cannot be read."""
    data = thumbnail(file, height, width)
    return "" if data is None else f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"
