"""Find the items of a data set: files by extension, in an order that is the same on every machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from vivace.core.collection import L
from vivace.core.errors import DataError

from .transform import Transform

__all__ = [
    "AttrGetter",
    "FileGetter",
    "ImageGetter",
    "ItemGetter",
    "check_folders",
    "get_files",
    "get_image_files",
    "get_text_files",
    "image_extensions",
]

PathLike = str | os.PathLike[str]
MAX_NAMES_IN_MESSAGE = 8

# Spelt out: Python's own table of file types depends on what the machine has installed.
image_extensions: set[str] = set(
    ".apng .avif .bmp .dib .gif .heic .heif .ico .j2k .jfif .jp2 .jpe .jpeg .jpg .jpx .pbm .pcx .pgm .png .pnm .ppm "
    ".tga .tif .tiff .webp".split()
)


def get_files(
    path: PathLike,
    extensions: str | Iterable[str] | None = None,
    recurse: bool = True,
    folders: str | Iterable[str] | None = None,
    followlinks: bool = True,
) -> L[Path]:
    """Return the files below `path`, sorted; hidden files and folders (`.name`) are left out.

    Args:
        path: the folder to look in.
        extensions: only files with one of these endings (`".jpg"`, or a list), in upper or lower case; None: all.
        recurse: also look into folders, at any depth.
        folders: look only into these folders of `path` (a name or a list), not at files beside them. `"."` stands for
            the files beside them. None: everywhere.
        followlinks: also look into folders that are links; a link that leads back into its own parent is not followed.

    Raises:
        DataError: `path` does not exist, or is a file.
    """
    root = Path(path)
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise DataError(f"The folder {root} {what}.{'' if root.exists() else _nearby(root)}")
    rules = _Rules(
        None if extensions is None else {e.lower() for e in _as_list(extensions)},
        recurse,
        None if folders is None else set(_as_list(folders)),
        followlinks,
    )
    return L(_walk(root, rules, is_root=True, above=(os.path.realpath(root),)), use_list=True)


class _Rules(NamedTuple):
    extensions: set[str] | None
    recurse: bool
    folders: set[str] | None
    followlinks: bool

    def is_wanted(self, name: str) -> bool:
        return not name.startswith(".") and (
            self.extensions is None or os.path.splitext(name)[1].lower() in self.extensions
        )


def _as_list(names: str | Iterable[str]) -> list[str]:
    return [names] if isinstance(names, str) else [str(n) for n in names]


def _walk(folder: Path, rules: _Rules, is_root: bool, above: tuple[str, ...]) -> Iterator[Path]:
    """The files of a folder and the folders in it, by name: the order of sorted paths."""
    only = rules.folders if is_root else None
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.is_dir(follow_symlinks=True):
            chosen = entry.name in only if only is not None else rules.recurse and not entry.name.startswith(".")
            if not chosen or (entry.is_symlink() and not rules.followlinks):
                continue
            real = os.path.realpath(entry.path)
            if real not in above:
                yield from _walk(folder / entry.name, rules, is_root=False, above=(*above, real))
        elif (only is None or "." in only) and rules.is_wanted(entry.name):
            yield folder / entry.name


def _nearby(path: Path) -> str:
    """What a person who mistyped a folder may have meant."""
    parent = next((p for p in path.absolute().parents if p.is_dir()), None)
    if parent is None:
        return ""
    names = sorted(p.name for p in parent.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not names:
        return f" {parent} has no folders."
    more = ", …" if len(names) > MAX_NAMES_IN_MESSAGE else ""
    return f" In {parent} there are {', '.join(names[:MAX_NAMES_IN_MESSAGE])}{more}."


def check_folders(path: Path, *names: str, kind: str = "items") -> None:
    """Check that a folder has these folders, for training and validation.

    Args:
        path: the folder.
        names: of the folders in it.
        kind: what the message calls the items, such as "pictures".

    Raises:
        DataError: one of them is missing; the message names those that are there.
    """
    missing = [name for name in names if not (path / name).is_dir()]
    if path.is_dir() and missing:
        there = sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
        raise DataError(
            f"{path} has no folder {missing[0]!r}; it has {', '.join(there[:8]) or 'none at all'}. Say what yours are "
            f"called (train=…, valid=…), or validate on a random part of all {kind}: valid_pct=0.2."
        )


def get_image_files(path: PathLike, recurse: bool = True, folders: str | Iterable[str] | None = None) -> L[Path]:
    """Return the files below `path` with an ending of `image_extensions`, sorted; see `get_files`."""
    return get_files(path, extensions=image_extensions, recurse=recurse, folders=folders)


def get_text_files(path: PathLike, recurse: bool = True, folders: str | Iterable[str] | None = None) -> L[Path]:
    """Return the `.txt` files below `path`, sorted; see `get_files`."""
    return get_files(path, extensions=".txt", recurse=recurse, folders=folders)


def FileGetter(
    suf: PathLike = "",
    extensions: str | Iterable[str] | None = None,
    recurse: bool = True,
    folders: str | Iterable[str] | None = None,
) -> Callable[[PathLike], L[Path]]:
    """Return a function that finds files below `path/suf`; see `get_files`."""

    def find_files(path: PathLike) -> L[Path]:
        return get_files(Path(path) / suf, extensions, recurse, folders)

    return find_files


def ImageGetter(
    suf: PathLike = "", recurse: bool = True, folders: str | Iterable[str] | None = None
) -> Callable[[PathLike], L[Path]]:
    """Return a function that finds image files below `path/suf`; see `get_image_files`."""

    def find_images(path: PathLike) -> L[Path]:
        return get_image_files(Path(path) / suf, recurse, folders)

    return find_images


class ItemGetter(Transform):
    """Take one entry of an item: of a tuple, a dict, a row.

    Args:
        i: index or key of the entry.
    """

    _sees_tuple = True
    uses_global_random = False
    reads_rows = True  # the path of a picture, given for prediction, does not go through it

    def __init__(self, i: Any) -> None:
        super().__init__()
        self.i = i

    def encodes(self, o: Any) -> object:
        return o[self.i]


class AttrGetter(Transform):
    """Take one attribute of an item.

    Args:
        nm: name of the attribute.
        default: what to return for an item without it.
    """

    _sees_tuple = True
    uses_global_random = False

    def __init__(self, nm: str, default: Any = None) -> None:
        super().__init__()
        self.nm, self.default = nm, default

    def encodes(self, o: Any) -> object:
        return getattr(o, self.nm, self.default)
