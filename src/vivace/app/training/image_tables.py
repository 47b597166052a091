"""Tables that name pictures: where the pictures are, and which columns say what they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vivace.app.tables import check_column, filled_column, number_columns, read_table
from vivace.core.errors import ArgumentError, DataError
from vivace.data.columns import listed_names

from .settings import Option, TrainSettings

__all__ = ["ImageTable", "TABLE_OPTIONS", "find_images_of", "read_image_table"]

TABLE_OPTIONS: frozenset[Option] = frozenset({"inputs", "targets", "images"})


class ImageTable:
    """A table with a picture in each row.

    Attributes:
        source: the table's file.
        table: the pandas data frame.
        name_column: the column of file names.
        files: the picture of each row.
    """

    def __init__(self, source: Path, table: Any, name_column: str, files: list[Path]) -> None:
        self.source, self.table, self.name_column, self.files = source, table, name_column, files

    def target_columns(self, wanted: Sequence[str], n_most: int | None = None) -> list[str]:
        """Return the columns to predict: those wanted, or all but the names; `n_most` of them at most.

        Raises:
            DataError: a wanted column is not there, or there is none but the names.
            ArgumentError: more are wanted than this task predicts.
        """
        if n_most is not None and len(wanted) > n_most:
            raise ArgumentError(f"This task predicts {n_most} column; {len(wanted)} were given with --target.")
        if wanted:
            return [check_column(self.table, name, self.source, "--target") for name in wanted]
        others = [name for name in self.table.columns if name != self.name_column]
        if not others:
            raise DataError(
                f"{self.source} has one column only ({self.name_column}): a second one must say what to learn."
            )
        return others[:n_most]

    def filled(self, column: str) -> Any:
        """Return a column; see `filled_column`."""
        return filled_column(self.table, column, self.source)

    def numbers(self, columns: Sequence[str]) -> Any:
        """Return columns as floats; see `number_columns`."""
        return number_columns(self.table, columns, self.source)


def read_image_table(settings: TrainSettings) -> ImageTable:
    """Return the table `settings.source` with the pictures it names, by its first column or that of `--input`.

    Raises:
        DataError: there is no such table or column, or pictures are missing.
        ArgumentError: more than one column of names is given.
    """
    table = read_table(settings.source, as_text=True)
    if len(settings.inputs) > 1:
        raise ArgumentError(f"One column holds the names of the pictures; {len(settings.inputs)} were given (--input).")
    name_column = check_column(table, (*settings.inputs, str(table.columns[0]))[0], settings.source, "--input")
    names = [str(name) for name in filled_column(table, name_column, settings.source)]
    folder, suffix = find_images_of(settings.source, names, settings.images) or _raise_not_found(
        settings, name_column, names, table
    )
    files = [folder / f"{name}{suffix}" for name in names]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise DataError(
            f"{len(missing)} of the {len(files)} images that {settings.source} names are not there, first "
            f"{missing[0]}. Leave their rows out, or say where the images are with --images FOLDER."
        )
    return ImageTable(settings.source, table, name_column, files)


def find_images_of(source: Path, names: Sequence[str], images: Path | None = None) -> tuple[Path, str] | None:
    """Return the folder that names in a table are relative to, and the ending to add to them; None if none fits.

    Looked for: the first name, as it is or with the ending of an image, in `images`, or else in the table's folder and
    the folders in that.
    """
    from vivace.data.items import image_extensions

    beside = source.parent
    folders = [images] if images is not None else [beside, *sorted(p for p in beside.glob("*/") if p.is_dir())]
    for folder in folders:
        for suffix in ("", ".jpg", ".png", *sorted(image_extensions - {".jpg", ".png"})):
            file = folder / f"{names[0]}{suffix}"
            if file.suffix.lower() in image_extensions and file.is_file():
                return folder, suffix
    return None


def _raise_not_found(settings: TrainSettings, name_column: str, names: Sequence[str], table: Any) -> tuple[Path, str]:
    where = f"in {settings.images}" if settings.images is not None else f"in {settings.source.parent} or a folder there"
    raise DataError(
        f"There is no image {names[0]!r} {where}: the column {name_column!r} of {settings.source} must hold names of "
        f"images. Say which column does (--input; it has {listed_names(table.columns)}), or where they are (--images "
        "FOLDER)."
    )
