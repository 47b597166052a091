"""`export_onnx`: a learner as an ONNX file for pictures of any size, and the check that it predicts the same."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vivace import __version__
from vivace.core.errors import ArgumentError, BundleError, DataError, VivaceError
from vivace.core.files import atomic_write
from vivace.core.image import PILBase, decode_at_least
from vivace.core.lazy import require
from vivace.data.scaled_decoding import first_of_one_picture
from vivace.training.learner import Learner
from vivace.training.losses import BaseLoss

from .graph import picture_graph

__all__ = ["OnnxReport", "check_onnx", "export_onnx"]

_MAX_BYTES = 2_000_000_000  # of one protobuf file
_EXAMPLE_SIZE = (97, 131)  # any: the graph takes all


@dataclass(frozen=True)
class OnnxReport:
    """How far an ONNX file is from the learner it was made of.

    Attributes:
        n: pictures that were compared.
        max_difference: the largest difference of a probability (or value).
        worst: the picture that had it.
        n_agree: pictures of which both say the same class.
        unread: pictures that could not be opened.
        onnx_ms: mean time of the ONNX file for a picture, in ms.
        learner_ms: mean time of `learn.predict` for a picture, in ms.
    """

    n: int
    max_difference: float
    worst: Path | None
    n_agree: int
    unread: list[Path]
    onnx_ms: float
    learner_ms: float


def export_onnx(learn: Learner, path: str | os.PathLike[str] = "model.onnx") -> Path:
    """Write a learner as one ONNX file.

    The input `image` is one picture `(height, width, channels)`, uint8, upright, of any size; resizing and normalising
    are in the graph. The output `probabilities` is `(n_classes,)` (of a regression: the values). The metadata hold
    `labels` (JSON), `activation`, `vivace` and `input_channels`.

    Args:
        learn: a Learner on pictures, with or without data.
        path: the file, below `learn.path` unless absolute.

    Raises:
        ArgumentError: the model's input is not one picture, or a transform cannot be a part of a graph.
        BundleError: the model cannot be exported; the message says why.
        MissingPackageError: the extra `onnx` is not installed.
    """
    onnx = require("onnx", "onnx", "export_onnx")
    require("onnxscript", "onnx", "export_onnx")
    path = learn.path / path
    graph, channels = picture_graph(learn)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        _export(graph, channels, file)
        model = onnx.load(str(file))
    for key, value in _metadata(learn, channels).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    if model.ByteSize() > _MAX_BYTES:
        raise BundleError(f"The model has {model.ByteSize() / 1e9:.1f} GB, and one ONNX file can hold 2 GB.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as out:
        out.write(model.SerializeToString())
    return path


def _export(graph: torch.nn.Module, channels: int, file: Path) -> None:
    example = torch.randint(0, 256, (*_EXAMPLE_SIZE, channels), dtype=torch.uint8)
    shapes = {"image": {0: torch.export.Dim("height"), 1: torch.export.Dim("width")}}
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                graph,
                (example,),
                str(file),
                input_names=["image"],
                output_names=["probabilities"],
                dynamic_shapes=shapes,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except VivaceError:
        raise
    except Exception as error:  # the exporter raises anything
        raise BundleError(f"torch.onnx cannot export this model: {_reason(error)}") from error
    finally:
        logger.setLevel(level)


def _reason(error: BaseException) -> str:
    """The line of an error that says most: what it was caused by in the end."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _metadata(learn: Learner, channels: int) -> dict[str, str]:
    vocab = getattr(learn.dls, "vocab", None)
    loss = learn.loss_func
    return {
        "labels": json.dumps([str(v) for v in vocab] if vocab is not None else []),
        "activation": type(loss).__name__.removesuffix("Flat") if isinstance(loss, BaseLoss) else "none",
        "input_channels": str(channels),
        "vivace": __version__,
    }


def check_onnx(
    learn: Learner, path: str | os.PathLike[str], files: Sequence[Path], say: Callable[[str], None] | None = None
) -> OnnxReport:
    """Predict pictures with an ONNX file, on the CPU by onnxruntime, and with the learner, and compare.

    Both get the same decoded picture, so only what is in the graph is compared.

    Args:
        learn: what the file was made of.
        path: the ONNX file.
        files: the pictures; those that cannot be opened are listed in the report.
        say: called with a line for each of them.

    Raises:
        DataError: there are no pictures, or none can be opened.
        ArgumentError: the file is no ONNX model.
        MissingPackageError: onnxruntime is not installed.
    """
    if not files:
        raise DataError("There are no pictures to check with.")
    session = _session(Path(path))
    kind, needed = _picture_type(learn)
    n_agree, max_difference, worst, unread = 0, 0.0, None, []
    seconds = {"onnx": 0.0, "learner": 0.0}
    for file in files:
        try:
            with decode_at_least(needed):
                picture = kind.create(file)
        except VivaceError as error:
            unread.append(file)
            if say is not None:
                say(f"left out: {error}")
            continue
        pixels = np.asarray(picture)
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        started = time.perf_counter()
        found = session.run(None, {"image": pixels})[0]
        between = time.perf_counter()
        expected = learn.predict(picture)[2].numpy().reshape(found.shape)
        seconds["onnx"] += between - started
        seconds["learner"] += time.perf_counter() - between
        difference = float(np.abs(found - expected).max())
        difference = float("inf") if np.isnan(difference) else difference
        n_agree += int(found.argmax() == expected.argmax())
        if worst is None or difference > max_difference:
            max_difference, worst = difference, file
    n = len(files) - len(unread)
    if not n:
        raise DataError("None of the pictures to check with can be opened.")
    per_picture = {name: 1e3 * value / n for name, value in seconds.items()}
    return OnnxReport(n, max_difference, worst, n_agree, unread, per_picture["onnx"], per_picture["learner"])


def _session(path: Path) -> Any:
    runtime = require("onnxruntime", "onnx", "checking an ONNX file")
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    try:
        return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base
        raise ArgumentError(
            f"{path} is no ONNX model that onnxruntime can run: {str(error).splitlines()[0]}"
        ) from error


def _picture_type(learn: Learner) -> tuple[type[PILBase], tuple[int, int] | None]:
    """How the learner opens its pictures, and how large it needs them."""
    dl = learn.dls.loaders[-1]
    part = dl.dataset.tls[0]
    owners = [getattr(getattr(t, "enc", None), "__self__", None) for t in part.tfms.fs]
    first = first_of_one_picture(dl)
    needed = None if first is None else first.decode_size(dl.split_idx)
    return next(o for o in owners if isinstance(o, type) and issubclass(o, PILBase)), needed
