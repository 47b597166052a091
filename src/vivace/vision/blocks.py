"""Blocks of pictures, masks, points and boxes."""

from __future__ import annotations

from typing import Any

from vivace.core.image import PILBase, PILImage, PILMask
from vivace.core.picture_cache import CacheSetting
from vivace.data.blocks import TransformBlock
from vivace.data.category import MultiCategorize
from vivace.data.transforms import IntToFloatTensor

from .points import AddMaskCodes, BBoxLabeler, PadBoxes, PointScaler, TensorBBoxCreate, TensorPointCreate

__all__ = ["BBoxBlock", "BBoxLblBlock", "ImageBlock", "MaskBlock", "PointBlock"]

ImageClass = type[PILBase]


def ImageBlock(cls: ImageClass = PILImage, cache: CacheSetting = "auto") -> TransformBlock:
    """Return the block of a picture.

    Args:
        cls: how it is opened: `PILImage` in colour, `PILImageBW` in grey, or another class with `create`.
        cache: whether decoded pictures are kept: "memory", "disk", None or "auto" (see `DataLoader`).
    """
    kept = {} if cache == "auto" else {"cache": cache}
    return TransformBlock(type_tfms=cls.create, batch_tfms=IntToFloatTensor, dls_kwargs=kept)


def MaskBlock(codes: Any = None) -> TransformBlock:
    """Return the block of a mask: a picture whose values are indices of classes.

    Args:
        codes: the names of the classes; None: a model must be told how many there are.
    """
    return TransformBlock(type_tfms=[PILMask.create, AddMaskCodes(codes=codes)], batch_tfms=IntToFloatTensor)


def PointBlock() -> TransformBlock:
    """Return the block of points in a picture: x, y in pixels; -1..1 across the picture in batches."""
    return TransformBlock(type_tfms=TensorPointCreate, item_tfms=PointScaler)


def BBoxBlock() -> TransformBlock:
    """Return the block of boxes in a picture: left, top, right, bottom in pixels; -1..1 across it in batches."""
    return TransformBlock(type_tfms=TensorBBoxCreate, item_tfms=PointScaler, dls_kwargs={"before_batch": PadBoxes})


def BBoxLblBlock(vocab: Any = None, add_na: bool = True) -> TransformBlock:
    """Return the block of the labels of boxes.

    Args:
        vocab: the classes; None: those of the training items.
        add_na: put the class "#na#" first, for the empty boxes that fill up a batch.
    """
    return TransformBlock(type_tfms=MultiCategorize(vocab=vocab, add_na=add_na), item_tfms=BBoxLabeler)
