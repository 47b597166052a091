"""Widgets to look through pictures in a notebook and mark those to delete or to move to another class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vivace.core.collection import L
from vivace.core.errors import DataError
from vivace.core.image import PILImage
from vivace.core.lazy import require

__all__ = ["DELETE", "ImageClassifierCleaner", "ImagesCleaner", "KEEP", "carousel", "widget"]

KEEP, DELETE = "<Keep>", "<Delete>"


def _ipywidgets() -> Any:
    return require("ipywidgets", "notebook", "the widgets of vivace.vision")


def widget(im: Any, *args: Any, **layout: Any) -> Any:
    """Return a picture or figure as an ipywidget; `layout` is its CSS (`max_width="200px"`, …)."""
    widgets = _ipywidgets()
    out = widgets.Output(layout=widgets.Layout(*args, **layout))
    with out:
        from IPython.display import display

        display(im)
    return out


def carousel(children: Sequence[Any] = (), **layout: Any) -> Any:
    """Return the widgets side by side in a box that scrolls; `layout` is its CSS."""
    widgets = _ipywidgets()
    css = {"overflow": "scroll hidden", "flex_flow": "row", "display": "flex", **layout}
    return (
        widgets.Box([], layout=widgets.Layout(**css))
        if not len(children)
        else widgets.Box(list(children), layout=widgets.Layout(**css))
    )


class ImagesCleaner:
    """Show pictures side by side, each with a menu: keep, delete, or one of `opts`.

    Marks belong to the file, so they are still there when the same file is shown again.

    Args:
        opts: the classes that a picture can be moved to.
        height: of a thumbnail, in pixels.
        width: of a thumbnail, in pixels.
        max_n: how many pictures are shown at once.
    """

    def __init__(self, opts: Sequence[Any] = (), height: int = 128, width: int = 256, max_n: int = 30) -> None:
        self.opts = (KEEP, DELETE, *(str(o) for o in opts))
        self.height, self.width, self.max_n = height, width, max_n
        self.fns: L = L()
        self.marks: dict[str, str] = {}
        self._strip = carousel(width="100%")
        self.widget = self._strip

    def set_fns(self, fns: Sequence[Any], notes: Sequence[str] = ()) -> None:
        """Show the first `max_n` of these files, each with a note under it."""
        widgets = _ipywidgets()
        self.fns = L(list(fns)[: self.max_n], use_list=True)
        boxes = []
        for position, file in enumerate(self.fns):
            menu = widgets.Dropdown(
                options=self.opts, value=self.marks.get(str(file), KEEP), layout=widgets.Layout(width="max-content")
            )
            menu.observe(lambda change, file=file: self._mark(file, change["new"]), names="value")
            thumbnail = widgets.Image(
                value=self._thumbnail(file),
                format="png",
                layout=widgets.Layout(height=f"{self.height}px", width="auto"),
            )
            note = [widgets.Label(notes[position])] if position < len(notes) else []
            boxes.append(widgets.VBox([thumbnail, menu, *note]))
        self._strip.children = boxes

    def _thumbnail(self, file: Any) -> bytes:
        import io

        out = io.BytesIO()
        PILImage.create(file).to_thumb(self.height, self.width).save(out, "png")
        return out.getvalue()

    def _mark(self, file: Any, mark: str) -> None:
        if mark == KEEP:
            self.marks.pop(str(file), None)
        else:
            self.marks[str(file)] = mark

    def values(self) -> L:
        """Return the menu's value of each picture shown."""
        return L([self.marks.get(str(f), KEEP) for f in self.fns], use_list=True)

    def delete(self) -> L:
        """Return the indices (into `fns`) of the pictures marked for deletion."""
        return self.values().argwhere(lambda mark: mark == DELETE)

    def change(self) -> L:
        """Return (index, class) of the pictures marked for another class."""
        moved = [(i, mark) for i, mark in enumerate(self.values()) if mark not in (KEEP, DELETE)]
        return L(moved, use_list=True)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)


class ImageClassifierCleaner(ImagesCleaner):
    """Look through the pictures of a classifier, worst predictions first, and mark wrong ones.

    Choose a category and a data set in the two menus. `delete()` and `change()` speak of what is shown, `fns`;
    nothing on disk is touched. Marks are kept when another category or data set is chosen.

    Args:
        learn: a Learner on pictures that come from files.
        opts: more classes to offer.
        height: of a thumbnail, in pixels.
        width: of a thumbnail, in pixels.
        max_n: how many pictures are shown at once.
    """

    def __init__(
        self, learn: Any, opts: Sequence[Any] = (), height: int = 128, width: int = 256, max_n: int = 30
    ) -> None:
        widgets = _ipywidgets()
        self.vocab = list(learn.dls.vocab)
        super().__init__([*self.vocab, *opts], height, width, max_n)
        self.learn = learn
        self._ranked = [self._rank(i) for i in range(min(2, len(learn.dls.loaders)))]
        self.categories = widgets.Dropdown(options=[str(v) for v in self.vocab], description="")
        self.data_set = widgets.Dropdown(options=["Train", "Valid"][: len(self._ranked)], description="")
        self.widget = widgets.VBox([self.categories, self.data_set, self._strip])
        for menu in (self.categories, self.data_set):
            menu.observe(lambda _: self._show(), names="value")
        self._show()

    def _rank(self, ds_idx: int) -> list[tuple[Path, int, str]]:
        """(file, actual class, note) of a data set, the highest loss first."""
        dl = self.learn.dls[ds_idx]
        dl = dl.new(shuffle=False, drop_last=False, split_idx=1)
        preds, targets, losses = self.learn.get_preds(dl=dl, with_loss=True)
        items = dl.items
        if items is None or not all(isinstance(f, (str, Path)) for f in items):
            raise DataError("The cleaner shows files, and the items of this data set are not paths.")
        order = losses.argsort(descending=True).tolist()
        best = preds.max(1)
        return [
            (Path(items[i]), int(targets[i]), f"{self.vocab[int(best.indices[i])]} {best.values[i].item():.2f}")
            for i in order
        ]

    def _show(self) -> None:
        wanted = self.categories.index
        ranked = self._ranked[self.data_set.index]
        rows = [(file, note) for file, actual, note in ranked if actual == wanted and file.exists()]
        self.set_fns([file for file, _ in rows], [note for _, note in rows])
