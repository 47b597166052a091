"""Find the items of a data set: files by extension, in an order that is the same on every machine."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from vivace.core.collection import L
from vivace.core.errors import DataError

__all__ = [
    "AttrGetter",
    "FileGetter",
    "ImageGetter",
    "ItemGetter",
    "get_files",
    "get_image_files",
    "get_text_files",
    "image_extensions",
]

image_extensions: set[str] = {k for k, v in mimetypes.types_map.items() if v.startswith("image/")} | {".webp", ".jp2", ".avif", ".heic"}


def get_files(
    path: str | os.PathLike[str],
    extensions: str | Iterable[str] | None = None,
    recurse: bool = True,
    folders: str | Iterable[str] | None = None,
    followlinks: bool = True,
) -> L:
    """Return the files below `path`, sorted; hidden files and folders are left out.

    Args:
        path: the folder.
        extensions: only files that end so (".jpg"), upper or lower case; None: all.
        recurse: also look into folders.
        folders: only into these folders of `path`.
        followlinks: also into folders that are links.

    Raises:
        DataError: there is no such folder.
    """
    root = Path(path)
    if not root.exists():
        raise DataError(f"There is no folder {root}.{_nearby(root)}")
    if not root.is_dir():
        raise DataError(f"{root} is a file, not a folder.")
    wanted = None if extensions is None else {e.lower() for e in ([extensions] if isinstance(extensions, str) else extensions)}
    inside = None if folders is None else {folders} if isinstance(folders, str) else set(folders)
    found: list[Path] = []
    for where, dirs, files in os.walk(root, followlinks=followlinks):
        if not recurse:
            dirs[:] = []
        elif inside and Path(where) == root:
            dirs[:] = [d for d in dirs if d in inside]
        else:
            dirs[:] = [d for d in dirs if not d.startswith(".")]
        dirs.sort()
        if inside and "." not in inside and Path(where) == root:
            continue
        for name in sorted(files):
            if not name.startswith(".") and (wanted is None or os.path.splitext(name)[1].lower() in wanted):
                found.append(Path(where) / name)
    return L(found, use_list=True)


def _nearby(path: Path) -> str:
    parent = next((p for p in path.parents if p.exists()), None)
    if parent is None:
        return ""
    names = sorted(p.name + "/" for p in parent.iterdir() if p.is_dir() and not p.name.startswith("."))[:8]
    return f" In {parent} there are the folders {', '.join(names)}." if names else f" {parent} has no folders."


def get_image_files(path: str | os.PathLike[str], recurse: bool = True, folders: str | Iterable[str] | None = None) -> L:
    """Return the image files below `path`, sorted; see `get_files`."""
    return get_files(path, extensions=image_extensions, recurse=recurse, folders=folders)


def get_text_files(path: str | os.PathLike[str], recurse: bool = True, folders: str | Iterable[str] | None = None) -> L:
    """Return the `.txt` files below `path`, sorted; see `get_files`."""
    return get_files(path, extensions=[".txt"], recurse=recurse, folders=folders)


def FileGetter(  # noqa: N802
    suf: str = "", extensions: str | Iterable[str] | None = None, recurse: bool = True, folders: str | Iterable[str] | None = None
) -> Callable[[Any], L]:
    """Return a function that finds files below `path/suf`."""

    def find_files(path: str | os.PathLike[str], extensions: Any = extensions, recurse: bool = recurse, folders: Any = folders) -> L:
        return get_files(Path(path) / suf, extensions, recurse, folders)

    return find_files


def ImageGetter(suf: str = "", recurse: bool = True, folders: str | Iterable[str] | None = None) -> Callable[[Any], L]:  # noqa: N802
    """Return a function that finds image files below `path/suf`."""

    def find_images(path: str | os.PathLike[str], recurse: bool = recurse, folders: Any = folders) -> L:
        return get_image_files(Path(path) / suf, recurse, folders)

    return find_images


class ItemGetter:
    """Take entry `i` of an item.

    Args:
        i: an index or key.
    """

    order = 0

    def __init__(self, i: Any) -> None:
        self.i = i

    def __call__(self, o: Any) -> Any:
        return o[self.i]

    def __repr__(self) -> str:
        return f"ItemGetter({self.i!r})"


class AttrGetter:
    """Take an attribute of an item.

    Args:
        nm: the attribute's name.
        default: what to return without it.
    """

    order = 0

    def __init__(self, nm: str, default: Any = None) -> None:
        self.nm, self.default = nm, default

    def __call__(self, o: Any) -> Any:
        return getattr(o, self.nm, self.default)

    def __repr__(self) -> str:
        return f"AttrGetter({self.nm!r})"
