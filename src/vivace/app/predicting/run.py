"""Predict with an exported model of any kind: what `vivace predict` does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from .files import predict_images
from .masks import predict_masks
from .tables import predict_rows

__all__ = ["run_predict"]


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
    """Predict with a model that was exported, and write what it says, or print it.

    Args:
        model: a bundle, or the folder of a run that holds one.
        inputs: images or folders of them; tables for a model of tables.
        out: a table, .csv or .parquet, printed as lines if None; a folder for masks.
        restart: throw away what an unfinished run has done.
        batch_size: samples predicted at once.
        device: such as "cpu"; the best by default.
        say: called with each line for the person.

    Raises:
        DataError, BundleError, UnsafeFileError, ArgumentError: see `load_learner`, `predict_images`, `predict_masks`,
            `predict_rows`.
    """
    from vivace.data.portable import PortableInputs
    from vivace.inference.bundle import load_learner
    from vivace.inference.inspect import find_bundle

    bundle = find_bundle(model)
    learn = load_learner(bundle, cpu=False)
    if device is not None:
        learn.to(device)
    if batch_size is not None:
        for dl in learn.dls.loaders:
            dl.bs = batch_size
    if isinstance(learn.dls.train_ds, PortableInputs):
        predict_rows(learn, inputs, out, say=say)
    elif learn.dls.kind == "mask":
        predict_masks(learn, inputs, out, restart=restart, say=say)
    else:
        identity = hashlib.sha256(bundle.read_bytes()).hexdigest()
        predict_images(learn, inputs, out, model_id=identity, restart=restart, say=say)
