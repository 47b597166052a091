"""A `Session` as plain ipywidgets: menus over and under the pictures, for a person's own layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vivace.core.lazy import require

from .session import Picture, Session, thumbnail

__all__ = ["MenuTree", "carousel", "widget"]


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
    return widgets.Box(list(children), layout=widgets.Layout(**css))


class MenuTree:
    """Two menus (category, data set) and a strip of pictures, each with its own menu.

    Args:
        session: what is shown and marked; the menus and it follow each other.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.strip = carousel(width="100%")
        self.widget = self._with_menus() if session.categories else self.strip
        self._shown: list[Picture] = []
        self._menus: list[Any] = []
        self._refresh()
        session.on_change(self._refresh)

    def _with_menus(self) -> Any:
        widgets, session = _ipywidgets(), self.session
        self.categories = widgets.Dropdown(options=session.categories, value=session.category)
        self.groups = widgets.Dropdown(options=list(session.groups), value=session.group)
        self.categories.observe(lambda change: self._select(category=change["new"]), names="value")
        self.groups.observe(lambda change: self._select(group=change["new"]), names="value")
        return widgets.VBox([self.categories, self.groups, self.strip])

    def _select(self, category: str | None = None, group: str | None = None) -> None:
        if category not in (None, self.session.category) or group not in (None, self.session.group):
            self.session.select(category=category, group=group)

    def _refresh(self) -> None:
        session = self.session
        if session.categories:
            self.categories.value, self.groups.value = session.category, session.group
        shown = session.shown
        if shown != self._shown:
            self._shown = shown
            self._menus = [self._menu(picture) for picture in shown]
            self.strip.children = [self._box(p, menu) for p, menu in zip(shown, self._menus, strict=True)]
        for picture, menu in zip(shown, self._menus, strict=True):
            menu.value = session.marks.of(picture.file)

    def _menu(self, picture: Picture) -> Any:
        widgets, session = _ipywidgets(), self.session
        menu = widgets.Dropdown(
            options=session.marks.choices,
            value=session.marks.of(picture.file),
            layout=widgets.Layout(width="max-content"),
        )
        menu.observe(lambda change: session.mark(picture.file, change["new"]), names="value")
        return menu

    def _box(self, picture: Picture, menu: Any) -> Any:
        widgets, session = _ipywidgets(), self.session
        image = widgets.Image(
            value=thumbnail(picture.file, session.height, session.width) or b"",
            format="jpeg",
            layout=widgets.Layout(height=f"{session.height}px", width="auto"),
        )
        note = [] if picture.predicted is None else [widgets.Label(f"{picture.predicted} {picture.probability:.2f}")]
        return widgets.VBox([image, menu, *note])
