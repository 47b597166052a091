"""A model that predicts pictures from their bytes: opening and checking them, and the forward pass of several."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from vivace.core.basics import noop
from vivace.core.device import to_detach
from vivace.core.errors import DataError

__all__ = ["BadPictureError", "PictureModel", "Prediction"]

Inputs = tuple[Tensor, ...]


class BadPictureError(DataError):
    """What was sent is no picture that can be predicted.

    Args:
        status: the HTTP status that says so.
        reason: for the person.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Prediction:
    """What the model says of a picture.

    Attributes:
        labels: the class; of a model for several labels those that it sees; none of a regression.
        probabilities: of each class.
        values: of a regression.
    """

    labels: list[str]
    probabilities: dict[str, float]
    values: list[float]


class PictureModel:
    """An exported model, ready to predict in several threads.

    Args:
        learn: from `load_learner`.
        manifest: what the file says of itself.
        max_pixels: larger pictures are refused before they are decoded.

    Raises:
        DataError: it is no model of pictures, or predicts neither classes nor numbers.
    """

    def __init__(self, learn: Any, manifest: dict[str, Any], max_pixels: int = 50_000_000) -> None:
        self.learn, self.manifest, self.max_pixels = learn, manifest, max_pixels
        learn.model.eval()
        self.kind = learn.dls.kind
        if not _takes_pictures(manifest):
            raise DataError("`vivace serve` is for models of pictures; `vivace predict` is for tables and texts.")
        if self.kind not in ("category", "multi_category", "regression"):
            raise DataError(f"`vivace serve` is for models of classes and numbers; this one predicts: {self.kind}.")
        vocab = getattr(learn.dls, "vocab", None)
        self.labels = [str(v) for v in vocab] if self.kind != "regression" and vocab is not None else []

    @classmethod
    def load(cls, model: Path, max_pixels: int = 50_000_000, device: str | None = None) -> PictureModel:
        """Read an exported model, or the one in the folder of a run.

        Raises:
            DataError, BundleError, UnsafeFileError: see `load_learner`.
        """
        from vivace.inference.bundle import load_learner, read_manifest
        from vivace.inference.inspect import find_bundle

        file = find_bundle(model)
        learn = load_learner(file, cpu=False)
        if device is not None:
            learn.to(device)
        return cls(learn, read_manifest(file), max_pixels)

    def open(self, data: bytes) -> Inputs:
        """Return a picture as the model takes it, a batch of one. Safe to call from several threads.

        Raises:
            BadPictureError: it is no picture, damaged, or too large.
        """
        if not data:
            raise BadPictureError(422, "The file is empty.")
        try:
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
        except Image.DecompressionBombError as error:
            raise BadPictureError(413, f"The picture is far too large: {error}") from error
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise BadPictureError(
                415, "The file is no picture that can be read: send JPEG, PNG, WebP or GIF."
            ) from error
        if width * height > self.max_pixels:
            limit = f"{self.max_pixels / 1e6:g} megapixels"
            raise BadPictureError(413, f"The picture has {width} × {height} pixels, and {limit} are the limit.")
        try:
            batch: Inputs = self.learn.runtime.prepare_batch(self.learn.dls.single_batch(data)[1])
        except DataError as error:
            raise BadPictureError(422, "The picture is damaged or incomplete.") from error
        return batch

    def predict(self, pictures: Sequence[Inputs]) -> list[Prediction]:
        """Return what the model says of several opened pictures; those of one size go through it together."""
        by_shape = defaultdict(list)
        for position, inputs in enumerate(pictures):
            by_shape[tuple(x.shape for x in inputs)].append(position)
        found: list[Prediction | None] = [None] * len(pictures)
        for positions in by_shape.values():
            batch = tuple(torch.cat(parts) for parts in zip(*(pictures[i] for i in positions), strict=True))
            with torch.inference_mode(), self.learn.runtime.autocast():
                raw = to_detach(self.learn.model(*batch))
            probabilities = getattr(self.learn.loss_func, "activation", noop)(raw)
            decoded = getattr(self.learn.loss_func, "decodes", noop)(probabilities)
            for row, position in enumerate(positions):
                found[position] = self._prediction(probabilities[row], decoded[row])
        return [prediction for prediction in found if prediction is not None]

    def _prediction(self, probabilities: Tensor, decoded: Tensor) -> Prediction:
        numbers = [float(v) for v in probabilities.reshape(-1)]
        if not self.labels:
            return Prediction([], {}, numbers)
        if self.kind == "category":
            labels = [self.labels[int(decoded)]]
        else:
            labels = [name for name, is_there in zip(self.labels, decoded.reshape(-1), strict=True) if is_there]
        return Prediction(labels, dict(zip(self.labels, numbers, strict=True)), [])


def _takes_pictures(manifest: dict[str, Any]) -> bool:
    """Whether what goes into the model is opened as a picture first."""
    parts = manifest.get("parts") or [[]]
    return any("create" in spec for spec in parts[0])
