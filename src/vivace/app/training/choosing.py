"""Which task a source is for: what `--task` names, or what its files and columns tell."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, get_args

from vivace.app.tables import is_table, read_table
from vivace.core.errors import ArgumentError, DataError, suggest
from vivace.data.columns import listed_names

from .settings import TaskName, TrainSettings
from .task import Task

__all__ = ["guess_task", "make_task"]

# Module and class: the packages that a task needs are imported when it is chosen.
_TASKS: dict[str, tuple[str, str]] = {
    "classify": ("classify", "ClassifyTask"),
    "several-labels": ("several_labels", "SeveralLabelsTask"),
    "segment": ("segment", "SegmentTask"),
    "regress": ("regress", "RegressTask"),
    "tabular": ("tabular", "TabularTask"),
    "collab": ("collab", "CollabTask"),
    "text": ("text", "TextTask"),
}


def make_task(settings: TrainSettings) -> Task:
    """Return the task of these settings, which has looked at its source.

    Raises:
        ArgumentError: there is no such task, or a setting cannot work.
        DataError: the source cannot be trained on, or does not tell its task.
    """
    name: str = guess_task(settings) if settings.task is None else settings.task
    if name not in _TASKS:
        raise ArgumentError(f"There is no task {name!r}; --task is one of {', '.join(_TASKS)}.{suggest(name, _TASKS)}")
    module, cls = _TASKS[name]
    task: Task = getattr(importlib.import_module(f".{module}", __package__), cls)(settings)
    return task


def guess_task(settings: TrainSettings) -> TaskName:
    """Return the task that a source is for.

    A folder with `images/` and `masks/` is for "segment", one of folders of text files for "text", another for
    "classify". A table with columns called user, item and rating (or alike) is for "collab"; one whose first column
    names pictures is for "regress" if what it says of them are numbers, with a fraction or in several columns, for
    "several-labels" if a cell holds several, else for "classify"; one with columns called text and label is for "text",
    another for "tabular", once `--target` names a column.

    Raises:
        DataError: there is no such source, or a table does not tell.
    """
    source = settings.source
    return _of_table(settings, read_table(source, as_text=True)) if is_table(source) else _of_folder(source)


def _of_folder(source: Path) -> TaskName:
    from vivace.data.items import get_image_files, get_text_files

    if (source / "images").is_dir() and (source / "masks").is_dir():
        return "segment"
    if source.is_dir() and not get_image_files(source) and any(f.parent != source for f in get_text_files(source)):
        return "text"
    return "classify"


def _of_table(settings: TrainSettings, table: Any) -> TaskName:
    from .collab import find_rating_columns
    from .image_tables import find_images_of

    names = [str(name) for name in table.columns]
    if find_rating_columns(names) is not None and settings.images is None:
        return "collab"  # before pictures: the number of a user may be the name of one
    name_column = next((name for name in settings.inputs if name in names), names[0])
    if find_images_of(settings.source, [str(table[name_column].iloc[0])], settings.images) is not None:
        targets = [name for name in settings.targets or names if name in names and name != name_column]
        return _of_image_table(table[targets], settings.label_delim)
    if {"text", "label"} <= {name.lower() for name in names}:
        return "text"
    if settings.targets:
        return "tabular"
    raise DataError(
        f"{settings.source} does not tell what to learn. Name a column to predict, --target COLUMN (it has "
        f"{listed_names(table.columns)}), or the task: --task {', '.join(get_args(TaskName))}."
    )


def _of_image_table(targets: Any, label_delim: str | None) -> TaskName:
    """The task of the columns that tell of pictures."""
    import pandas as pd

    from .several_labels import find_delim

    numbers = targets.apply(pd.to_numeric, errors="coerce")
    if numbers.notna().all(axis=None) and (numbers.shape[1] > 1 or (numbers % 1 != 0).any(axis=None)):
        return "regress"
    labels = targets.iloc[:, 0].dropna().astype(str).tolist() if targets.shape[1] else []
    return "several-labels" if label_delim or find_delim(labels) else "classify"
