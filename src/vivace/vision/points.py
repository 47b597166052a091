"""Masks, points and boxes as targets: made, scaled with their picture, padded into batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vivace.core.errors import DataError
from vivace.core.types import TensorBBox, TensorImageBase, TensorMask, TensorMultiCategory, TensorPoint
from vivace.data.category import CategoryMap
from vivace.data.transform import ItemTransform, Transform
from vivace.training.losses import MSELossFlat

__all__ = ["AddMaskCodes", "BBoxLabeler", "PointScaler", "TensorBBoxCreate", "TensorPointCreate", "bb_pad"]


class AddMaskCodes(Transform):
    """Give masks the names of their classes.

    Args:
        codes: the names.
    """

    kind = "mask"
    uses_global_random = False

    def __init__(self, codes: Any = None) -> None:
        super().__init__()
        self.codes = None if codes is None else [str(c) for c in codes]
        self.vocab = None if codes is None else CategoryMap(self.codes, sort=False)
        self.c = None if codes is None else len(self.codes or [])

    def decodes(self, o: TensorMask) -> Any:
        if self.codes is not None:
            o.codes = self.codes
        return o


class TensorPointCreate(Transform):
    """Turn points (x, y in pixels; arrays, lists or tensors) into a tensor `(n_points, 2)`."""

    kind = "points"
    uses_global_random = False

    def __init__(self) -> None:
        super().__init__()
        self.c: int | None = None
        self.loss_func = MSELossFlat()

    def encodes(self, o: Any) -> TensorPoint:
        return TensorPoint(torch.as_tensor(np.asarray(o)).reshape(-1, 2).float())

    def setups(self, dsets: Any) -> None:
        if dsets is not None and len(dsets):
            self.c = int(np.asarray(dsets[0]).size)

    def decodes(self, o: Any) -> Any:
        return o


class TensorBBoxCreate(Transform):
    """Turn boxes (left, top, right, bottom in pixels) into a tensor `(n_boxes, 4)`."""

    kind = "boxes"
    uses_global_random = False

    def __init__(self) -> None:
        super().__init__()

    def encodes(self, o: Any) -> TensorBBox:
        return TensorBBox(torch.as_tensor(np.asarray(o)).reshape(-1, 4).float())


class PointScaler(ItemTransform):
    """Scale points and boxes from pixels of their picture to -1..1, and back when decoding.

    Args:
        y_first: coordinates come as y, x.
        do_scale: scale at all (False: they are in -1..1 already).
    """

    order = 1
    uses_global_random = False

    def __init__(self, do_scale: bool = True, y_first: bool = False) -> None:
        super().__init__()
        self.do_scale, self.y_first = do_scale, y_first

    @staticmethod
    def _size(sample: Sequence[Any]) -> Tensor | None:
        for part in sample:
            if isinstance(part, Image.Image):
                return torch.tensor([part.size[0], part.size[1]], dtype=torch.float32)
            if isinstance(part, TensorImageBase):
                return torch.tensor([part.shape[-1], part.shape[-2]], dtype=torch.float32)
        return None

    def encodes(self, sample: Any) -> Any:
        size = self._size(sample) if isinstance(sample, tuple) else None
        if size is None:
            if any(isinstance(p, TensorPoint) for p in (sample if isinstance(sample, tuple) else (sample,))):
                raise DataError("Points and boxes are scaled by the size of their picture, and this sample has none.")
            return sample
        return tuple(self._scale(part, size) if isinstance(part, TensorPoint) else part for part in sample)

    def _scale(self, points: TensorPoint, size: Tensor) -> Tensor:
        xy = points.as_subclass(Tensor).reshape(-1, 2).float()
        xy = xy.flip(1) if self.y_first else xy
        xy = xy * 2 / size - 1 if self.do_scale else xy
        return xy.reshape(points.shape).as_subclass(type(points))

    def decodes(self, sample: Any) -> Any:
        size = self._size(sample) if isinstance(sample, tuple) else None
        if size is None:
            return sample
        return tuple(self._unscale(part, size) if isinstance(part, TensorPoint) else part for part in sample)

    @staticmethod
    def _unscale(points: TensorPoint, size: Tensor) -> Tensor:
        xy = points.as_subclass(Tensor).reshape(-1, 2).cpu()
        return ((xy + 1) * size / 2).reshape(points.shape).as_subclass(type(points))


class BBoxLabeler(ItemTransform):
    """Keep the labels of boxes beside them (they are shown together)."""

    order = 4
    uses_global_random = False

    def decodes(self, sample: Any) -> Any:
        return sample


def bb_pad(samples: Any, pad_idx: int = 0) -> Any:
    """Pad boxes and their labels with empty ones, so that all samples of a batch have as many.

    Args:
        samples: tuples with a `TensorBBox` `(n_boxes, 4)` and a `TensorMultiCategory` `(n_boxes,)`.
        pad_idx: the class of empty boxes.
    """
    if not isinstance(samples, list) or not any(isinstance(p, TensorBBox) for p in samples[0]):
        return samples
    longest = max(len(p) for s in samples for p in s if isinstance(p, TensorBBox))
    return [tuple(_pad(p, longest, pad_idx) for p in _clipped(s)) for s in samples]


def _clipped(sample: tuple[Any, ...]) -> tuple[Any, ...]:
    """Cut boxes at the border of the picture, and drop those that are outside, with their labels."""
    boxes = next(p for p in sample if isinstance(p, TensorBBox)).as_subclass(Tensor).clamp(-1, 1)
    keep = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return tuple(
        TensorBBox(boxes[keep]) if isinstance(p, TensorBBox) else TensorMultiCategory(p.as_subclass(Tensor)[keep]) if isinstance(p, TensorMultiCategory) else p
        for p in sample
    )


def _pad(part: Any, longest: int, pad_idx: int) -> Any:
    if isinstance(part, TensorBBox):
        return TensorBBox(torch.cat([part.as_subclass(Tensor), torch.zeros(longest - len(part), 4)]))
    if isinstance(part, TensorMultiCategory):
        fill = torch.full((longest - len(part),), pad_idx, dtype=torch.int64)
        return TensorMultiCategory(torch.cat([part.as_subclass(Tensor), fill]))
    return part
