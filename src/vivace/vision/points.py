"""Masks, points and boxes as targets: made, scaled with their picture, padded into batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vivace.core.collection import L
from vivace.core.errors import DataError
from vivace.core.image import PILMask
from vivace.core.types import TensorBBox, TensorImageBase, TensorMask, TensorMultiCategory, TensorPoint
from vivace.data.transform import ItemTransform, Transform
from vivace.training.losses import loss_for_kind

__all__ = [
    "AddMaskCodes",
    "BBoxLabeler",
    "PadBoxes",
    "PointScaler",
    "TensorBBoxCreate",
    "TensorPointCreate",
    "bb_pad",
    "clip_remove_empty",
]


class AddMaskCodes(Transform):
    """Give decoded masks the names of their classes.

    Args:
        codes: the names: entry `i` is what the value `i` of a mask stands for.
    """

    kind = "mask"
    uses_global_random = False

    def __init__(self, codes: Any = None) -> None:
        super().__init__()
        self.codes = None if codes is None else [str(code) for code in codes]
        self.vocab: L[str] | None = None if self.codes is None else L(self.codes, use_list=True)
        self.c = None if self.codes is None else len(self.codes)
        self._allowed = bytes([1] * 256)  # for each value of a mask whether the loss takes it
        self._first_refused = 256

    def expect(self, n_classes: int, ignored: int | None = None, div_mask: int = 1) -> None:
        """From now on refuse masks with other values: on a GPU they would end the program without a reason.

        Args:
            n_classes: values below it are classes.
            ignored: a value that the loss leaves out.
            div_mask: what values are divided by first (`IntToFloatTensor`).
        """
        classes = [value // div_mask for value in range(256)]
        self._allowed = bytes(value < n_classes or value == ignored for value in classes)
        self._first_refused = (self._allowed + b"\0").index(0)

    def encodes(self, o: PILMask) -> PILMask:
        if cast("tuple[int, int]", o.getextrema())[1] < self._first_refused:
            return o
        n_pixels = {value: n for value, n in enumerate(o.histogram()) if n and not self._allowed[value]}
        if n_pixels:
            values = ", ".join(map(str, list(n_pixels)[:5]))
            raise DataError(
                f"The mask {o.filename or 'of this item'} holds {values} in {sum(n_pixels.values())} pixels, and the "
                f"classes are 0 to {self._first_refused - 1}: give codes for all values, or leave such pixels out of "
                f"the loss, loss_func=CrossEntropyLossFlat(axis=1, ignore_index={max(n_pixels)}). A mask in black and "
                "white (0 and 255) needs batch_tfms=IntToFloatTensor(div_mask=255)."
            )
        return o

    def decodes(self, o: TensorMask) -> TensorMask:
        return o if self.codes is None else TensorMask(o.as_subclass(Tensor), codes=self.codes)


class _CreateTensor(Transform):
    """Numbers in pixels to a tensor with a row for each point or box."""

    order = 0
    uses_global_random = False
    _sees_tuple = True  # a tuple is one point, or several
    n_columns = 2
    what = "points (x, y)"

    def __init__(self) -> None:
        super().__init__()

    def _rows(self, o: Any) -> Tensor:
        try:
            values = (
                o.as_subclass(Tensor) if isinstance(o, Tensor) else torch.as_tensor(np.asarray(o, dtype=np.float32))
            )
            return values.float().reshape(-1, self.n_columns)
        except (TypeError, ValueError, RuntimeError) as error:
            raise DataError(
                f"The target {o!r:.80} does not hold {self.what}: {self.n_columns} numbers each."
            ) from error


class TensorPointCreate(_CreateTensor):
    """Turn points (x, y, in pixels of the picture) into a `TensorPoint` (n_points, 2) float32.

    Attributes:
        c: how many numbers a target has; that of the first training item, found at set-up.

    Raises:
        DataError: (when called) something that is no points, or another count of them.
    """

    kind = "points"

    def __init__(self) -> None:
        super().__init__()
        self.c: int | None = None

    @property
    def loss_func(self) -> Callable[..., Tensor]:
        """The loss that suits points."""
        loss: Callable[..., Tensor] = loss_for_kind(self.kind)
        return loss

    def setups(self, dsets: Any) -> None:
        for target in dsets if dsets is not None else ():
            self.c = self._rows(target).numel()
            break

    def encodes(self, o: Any) -> TensorPoint:
        rows = self._rows(o)
        if self.c is not None and rows.numel() != self.c:
            raise DataError(
                f"This target has {len(rows)} points, {self.c // 2} expected: all targets need the same count."
            )
        if rows.numel() and not rows.isfinite().any():  # of several, a loss of the user's may skip some
            raise DataError("All coordinates of this target are missing: leave the item out.")
        return TensorPoint(rows)


class TensorBBoxCreate(_CreateTensor):
    """Turn boxes (left, top, right, bottom, in pixels of the picture) into a `TensorBBox` (n_boxes, 4) float32.

    Raises:
        DataError: (when called) something that is no boxes.
    """

    kind = "boxes"
    n_columns = 4
    what = "boxes (left, top, right, bottom)"

    def encodes(self, o: Any) -> TensorBBox:
        return TensorBBox(self._rows(o))


class PointScaler(ItemTransform):
    """Scale points and boxes from pixels of their picture to -1..1 across it, and back when decoding.

    Args:
        do_scale: False: they are in -1..1 already.
        y_first: coordinates come as y, x.

    Raises:
        DataError: (when called) a sample has points but no picture.
    """

    order = 1
    uses_global_random = False

    def __init__(self, do_scale: bool = True, y_first: bool = False) -> None:
        super().__init__()
        self.do_scale, self.y_first = do_scale, y_first

    def encodes(self, sample: Any) -> Any:
        parts = sample if isinstance(sample, tuple) else (sample,)
        if not any(isinstance(part, TensorPoint) for part in parts):
            return sample
        size = _picture_size(parts)
        if size is None:
            # a bare picture or point of an input pipeline is no sample; a sample needs both
            if isinstance(sample, tuple):
                raise DataError("Points and boxes are scaled by the size of their picture, and this sample has none.")
            return sample
        return tuple(self._scale(part, size) if isinstance(part, TensorPoint) else part for part in parts)

    def _scale(self, points: TensorPoint, size: Tensor) -> Tensor:
        xy = points.as_subclass(Tensor).reshape(-1, 2).float()
        xy = xy.flip(1) if self.y_first else xy
        xy = xy * 2 / size - 1 if self.do_scale else xy
        return xy.reshape(points.shape).as_subclass(type(points))

    def decodes(self, sample: Any) -> Any:
        size = _picture_size(sample) if isinstance(sample, tuple) else None
        if size is None:
            return sample
        return tuple(_unscale(part, size) if isinstance(part, TensorPoint) else part for part in sample)


def _picture_size(parts: tuple[Any, ...]) -> Tensor | None:
    """(width, height) of the first picture of a sample."""
    for part in parts:
        if isinstance(part, Image.Image):
            return torch.tensor(part.size, dtype=torch.float32)
        if isinstance(part, TensorImageBase):
            return torch.tensor([part.shape[-1], part.shape[-2]], dtype=torch.float32)
    return None


def _unscale(points: TensorPoint, size: Tensor) -> Tensor:
    xy = points.as_subclass(Tensor).cpu()
    return ((xy.reshape(-1, 2) + 1) * size / 2).reshape(xy.shape).as_subclass(type(points))


class BBoxLabeler(ItemTransform):
    """When decoding, drop the empty boxes that filled up a batch, and their labels."""

    order = 4
    uses_global_random = False

    def decodes(self, sample: Any) -> Any:
        boxes = next((p for p in sample if isinstance(p, TensorBBox)), None) if isinstance(sample, tuple) else None
        return sample if boxes is None else _keep_boxes(sample, _is_full(boxes.as_subclass(Tensor)))


def _is_full(boxes: Tensor) -> Tensor:
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


def _keep_boxes(sample: tuple[Any, ...], keep: Tensor) -> tuple[Any, ...]:
    is_of_box = (TensorBBox, TensorMultiCategory)
    return tuple(
        part.as_subclass(Tensor)[keep.to(part.device)].as_subclass(type(part))
        if isinstance(part, is_of_box) and len(part) == len(keep)
        else part
        for part in sample
    )


def clip_remove_empty(bbox: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Cut boxes at the border of the picture, and drop those that lie outside, with their labels.

    Args:
        bbox: `(n_boxes, 4)` left, top, right, bottom in -1..1.
        label: `(n_boxes,)` indices of classes.

    Returns:
        Boxes and labels of those that are left, of the same types.
    """
    boxes = bbox.as_subclass(Tensor).clamp(-1, 1)
    keep = _is_full(boxes)
    return boxes[keep].as_subclass(type(bbox)), label.as_subclass(Tensor)[keep].as_subclass(type(label))


def bb_pad(samples: Any, pad_idx: int = 0) -> Any:
    """Pad boxes and their labels with empty ones, so that all samples of a batch have as many.

    Boxes are cut at the border of their picture first, and dropped where nothing is left of them.

    Args:
        samples: tuples with a `TensorBBox` `(n_boxes, 4)` and (usually) a `TensorMultiCategory` `(n_boxes,)`.
        pad_idx: the class of the empty boxes.

    Returns:
        The samples, each with the greatest number of boxes that one of them has.

    Raises:
        DataError: a sample has more or fewer labels than boxes.
    """
    if not isinstance(samples, list) or not any(isinstance(part, TensorBBox) for part in samples[0]):
        return samples
    clipped = [_clip(sample) for sample in samples]
    longest = max(len(part) for sample in clipped for part in sample if isinstance(part, TensorBBox))
    return [tuple(_pad(part, longest, pad_idx) for part in sample) for sample in clipped]


class PadBoxes(Transform):
    """Pad the boxes of a batch and their labels, see `bb_pad`: an exported model can hold this, and no function.

    Args:
        pad_idx: the class of the empty boxes.
    """

    order = 0
    uses_global_random = False

    def __init__(self, pad_idx: int = 0) -> None:
        super().__init__()
        self.pad_idx = pad_idx

    def encodes(self, samples: list[Any]) -> Any:
        return bb_pad(samples, self.pad_idx)


def _clip(sample: tuple[Any, ...]) -> tuple[Any, ...]:
    boxes = next(part for part in sample if isinstance(part, TensorBBox)).as_subclass(Tensor).clamp(-1, 1)
    for part in sample:
        if isinstance(part, TensorMultiCategory) and len(part) != len(boxes):
            raise DataError(
                f"A sample has {len(boxes)} boxes and {len(part)} labels: one label for each box is needed."
            )
    clipped = tuple(TensorBBox(boxes) if isinstance(part, TensorBBox) else part for part in sample)
    return _keep_boxes(clipped, _is_full(boxes))


def _pad(part: Any, longest: int, pad_idx: int) -> Any:
    if not isinstance(part, (TensorBBox, TensorMultiCategory)):
        return part
    n_missing = longest - len(part)
    values = part.as_subclass(Tensor)
    fill = values.new_zeros(n_missing, 4) if isinstance(part, TensorBBox) else values.new_full((n_missing,), pad_idx)
    return torch.cat([values, fill]).as_subclass(type(part))
