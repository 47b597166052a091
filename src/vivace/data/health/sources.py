"""Which files are to be checked, with their labels and data sets: of a folder, or of DataLoaders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vivace.core.errors import DataError
from vivace.core.image import PILBase
from vivace.data.items import get_image_files

from .report import HealthReport, check_files
from .scan import Source

__all__ = ["check_folder_files", "check_loaders"]

_SPLITS = ("train", "valid", "test")


def check_folder_files(folder: str | os.PathLike[str], max_distance: int = 6) -> HealthReport:
    """Check the pictures in a folder and its sub-folders. Nothing is changed.

    The class of a picture is the name of its folder, if there are at least two such folders; folders called train,
    valid and test are data sets.

    Args:
        folder: where they lie.
        max_distance: see `check_files`.

    Raises:
        DataError: there is no such folder, or no pictures are in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    files = sorted(Path(file) for file in get_image_files(folder))
    if not files:
        raise DataError(f"{folder} holds no images.")
    places = [file.relative_to(folder).parts[:-1] for file in files]
    has_labels = len({place[-1] for place in places if place and place[-1] not in _SPLITS}) > 1
    sources = [
        Source(
            file,
            place[-1] if has_labels and place and place[-1] not in _SPLITS else None,
            next((part for part in place if part in _SPLITS), None),
        )
        for file, place in zip(files, places, strict=True)
    ]
    return check_files(sources, max_distance)


def check_loaders(dls: Any, max_distance: int = 6) -> HealthReport:
    """Check the pictures of training and validation set. See `DataLoaders.check`.

    Raises:
        DataError: the pictures do not come from files.
    """
    sources: list[Source] = []
    for name, dl in zip(("train", "valid", *(f"set {i}" for i in range(2, len(dls.loaders)))), dls.loaders):
        parts = list(getattr(dl.dataset, "tls", ()))
        if not parts:
            raise DataError("check() looks at picture files, and this data does not come from files.")
        n_inp = getattr(dl.dataset, "n_inp", 1)
        opening = _opening(parts[0])
        labels = parts[n_inp] if len(parts) > n_inp and parts[n_inp].kind in ("category", "multi_category") else None
        for index in range(len(parts[0])):
            path = _value(parts[0], index, opening)
            if not isinstance(path, (str, os.PathLike)):
                raise DataError(f"check() looks at picture files, and item {index} is a {type(path).__name__}.")
            sources.append(Source(Path(path), None if labels is None else _label(labels, index), name))
    return check_files(sources, max_distance)


def _opening(part: Any) -> int:
    """Where, among the transforms of a part, the picture is opened."""
    for position, transform in enumerate(part.tfms.fs):
        owner = getattr(getattr(transform, "enc", None), "__self__", None)
        if isinstance(owner, type) and issubclass(owner, PILBase):
            return position
    raise DataError("check() looks at pictures, and the input of this data is none.")


def _value(part: Any, index: int, n_transforms: int) -> Any:
    from vivace.data.sources import item_at

    value = item_at(part.items, index)
    for transform in part.tfms.fs[:n_transforms]:
        value = transform.on_item(value, split_idx=part.split_idx)
    return value


def _label(part: Any, index: int) -> str:
    found = part.decode(part[index])
    several = isinstance(found, Sequence) and not isinstance(found, str)
    return ";".join(str(one) for one in found) if several else str(found)
