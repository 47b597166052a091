"""From a model and paths to a table of predictions: what `vivace predict` does."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vivace.core.errors import DataError

__all__ = ["find_images", "run_predict"]

_MAX_NAMED = 20


def find_images(inputs: Sequence[Path]) -> list[Path]:
    """Return the images that are meant: files as they are, and those in folders and their sub-folders, sorted.

    Raises:
        DataError: there is no such file or folder, or there are no images in it.
    """
    from vivace.data.items import get_image_files

    found: list[Path] = []
    for one in inputs:
        if one.is_dir():
            inside = sorted(Path(file) for file in get_image_files(one))
            if not inside:
                raise DataError(f"The folder {one} holds no images.")
            found += inside
        elif one.exists():
            found.append(one)
        else:
            raise DataError(f"There is no file or folder {one}.")
    return found


def run_predict(
    model: Path,
    inputs: Sequence[Path],
    out: Path | None,
    *,
    restart: bool = False,
    batch_size: int | None = None,
    device: str | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Predict images and write a table of them, or print it.

    Args:
        model: a bundle, or the folder of a run that holds one.
        inputs: images, or folders of them.
        out: the table, .csv or .parquet; printed as lines if None.
        restart: throw away what an unfinished run has done.
        batch_size: images predicted at once.
        device: such as "cpu"; the best by default.
        say: called with each line for the person.

    Raises:
        DataError, BundleError, UnsafeFileError, ArgumentError: see `find_images`, `load_learner`, `predict_files`.
    """
    from vivace.inference.batch import iter_predictions, predict_files
    from vivace.inference.bundle import load_learner
    from vivace.inference.inspect import find_bundle

    files = find_images(inputs)
    bundle = find_bundle(model)
    learn = load_learner(bundle, cpu=False)
    if device is not None:
        learn.to(device)
    if batch_size is not None:
        for dl in learn.dls.loaders:
            dl.bs = batch_size
    if out is None:
        for rows in iter_predictions(learn, files):
            for row in rows:
                say(_line(row))
        return
    identity = hashlib.sha256(bundle.read_bytes()).hexdigest()
    try:
        report = predict_files(
            learn, files, out, model_id=identity, restart=restart, say=say if sys.stdout.isatty() else None
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
