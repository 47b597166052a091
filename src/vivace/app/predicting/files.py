"""The images that a person means, and a table of what a model says of each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from vivace.core.errors import DataError

__all__ = ["find_files", "find_images", "predict_images"]

_MAX_NAMED = 20


def find_files(inputs: Sequence[Path], in_folder: Callable[[Path], Iterable[Path]], kind: str) -> list[Path]:
    """Return the files that are meant: files as they are, and those that `in_folder` finds in folders.

    Args:
        inputs: files and folders.
        in_folder: finds the files of a folder and its sub-folders.
        kind: what messages call them.

    Raises:
        DataError: there is no such file or folder, or there are none of these files in it.
    """
    found: list[Path] = []
    for one in inputs:
        if one.is_dir():
            inside = [Path(file) for file in in_folder(one)]
            if not inside:
                raise DataError(f"The folder {one} holds no {kind}.")
            found += inside
        elif one.exists():
            found.append(one)
        else:
            raise DataError(f"There is no file or folder {one}.")
    return found


def find_images(inputs: Sequence[Path]) -> list[Path]:
    """Return the images that are meant: files as they are, and those in folders and their sub-folders, sorted.

    Raises:
        DataError: there is no such file or folder, or there are no images in it.
    """
    from vivace.data.items import get_image_files

    return find_files(inputs, get_image_files, "images")


def predict_images(
    learn: Any,
    inputs: Sequence[Path],
    out: Path | None,
    *,
    model_id: str,
    restart: bool,
    say: Callable[[str], None],
) -> None:
    """Predict images and write a table of them, or print it. A stopped run goes on when it is called again.

    Args:
        learn: the model.
        inputs: images, or folders of them.
        out: the table, .csv or .parquet; printed as lines if None.
        model_id: names the model, so that an unfinished run of another one is noticed.
        restart: throw away what an unfinished run has done.
        say: called with each line for the person.

    Raises:
        DataError, ArgumentError: see `find_images` and `predict_files`.
    """
    from vivace.inference.batch import iter_predictions, predict_files

    files = find_images(inputs)
    if out is None:
        for rows in iter_predictions(learn, files):
            for row in rows:
                say(_line(row))
        return
    try:
        report = predict_files(
            learn, files, out, model_id=model_id, restart=restart, say=say if sys.stdout.isatty() else None
        )
    except KeyboardInterrupt:
        say("Stopped. The same command goes on from here.")
        raise SystemExit(130) from None
    resumed = f", {report.n_resumed:,} of them by an earlier run" if report.n_resumed else ""
    say(f"{report.n_files:,} files predicted{resumed}: {out}")
    if report.failures:
        say(f"could not be read ({len(report.failures)}):")
        for file, _ in report.failures[:_MAX_NAMED]:
            say(f"  {file}")
        if len(report.failures) > _MAX_NAMED:
            say(f"  … all are in the column `error` of {out.name}")


def _line(row: dict[str, Any]) -> str:
    if row["error"]:
        return f"{row['file']}\terror\t{row['error']}"
    probability = "" if row["probability"] is None else f"\t{row['probability']:.4f}"
    return f"{row['file']}\t{row['label']}{probability}"
