"""From a list of samples to a batch, in the memory layout that the model wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vivace.core.errors import ShapeError
from vivace.core.types import TensorImageBase, fastuple, retype

from .rows import already_together

__all__ = ["batch_size_of", "collate", "sample_of", "split_batch"]


def collate(samples: Sequence[Any]) -> Any:
    """Stack samples into a batch: tensors along a new first dimension, tuples and dicts part by part.

    Numbers become a tensor (floats of torch's default type), strings stay a list. Images that come as
    `(height, width, channels)` in memory give a batch in `channels_last` memory format.

    Raises:
        ShapeError: the tensors have different shapes, or a part is still a picture.
    """
    first = samples[0]
    if isinstance(first, Tensor):
        return _stack(samples)
    if isinstance(first, tuple):
        if len(samples) > 1:
            _check_lengths(samples)
        parts = [collate(part) for part in zip(*samples, strict=True)]
        if hasattr(first, "_fields"):
            return type(first)(*parts)
        return type(first)(parts) if isinstance(first, fastuple) else tuple(parts)
    if isinstance(first, np.ndarray):
        return _stack([torch.as_tensor(s) for s in samples])
    if isinstance(first, (bool, np.bool_)):
        return torch.tensor([bool(s) for s in samples])
    if isinstance(first, (int, np.integer)):
        return torch.tensor([int(s) for s in samples])
    if isinstance(first, (float, np.floating)):
        return torch.tensor([float(s) for s in samples], dtype=torch.get_default_dtype())
    if isinstance(first, Mapping):
        return {key: collate([s[key] for s in samples]) for key in first}
    if isinstance(first, list):
        _check_lengths(samples)
        return [collate(part) for part in zip(*samples, strict=True)]
    if isinstance(first, Image.Image):
        raise ShapeError(
            f"A sample holds a picture ({type(first).__name__}), which cannot go into a batch: "
            "add `ToTensor` to the item transforms (DataBlock does it by itself)."
        )
    return list(samples)


def _check_lengths(samples: Sequence[Sequence[Any]]) -> None:
    lengths = {len(s) for s in samples}
    if len(lengths) > 1:
        raise ShapeError(f"The samples of one batch hold different numbers of parts: {sorted(lengths)}.")


def _stack(tensors: Sequence[Any]) -> Tensor:
    first: Tensor = tensors[0]
    if len(tensors) == 1:
        return _alone(first)
    shapes = {tuple(t.shape) for t in tensors}
    if len(shapes) > 1:
        raise ShapeError(_shape_message(tensors))
    if isinstance(first, TensorImageBase) and first.ndim == 3 and not first.is_contiguous():
        # rows of (height, width, channels) bytes are copied as they lie; the view back is channels_last
        rows = already_together(tensors)
        if rows is None:
            rows = torch.stack([t.as_subclass(Tensor).permute(1, 2, 0) for t in tensors])
        return retype(rows.permute(0, 3, 1, 2), first)  # type: ignore[no-any-return]
    return retype(torch.stack([t.as_subclass(Tensor) for t in tensors]), first)  # type: ignore[no-any-return]


def _alone(tensor: Tensor) -> Tensor:
    """The batch of one sample, in the layout that a larger one has."""
    plain = tensor.as_subclass(Tensor)
    is_rows = isinstance(tensor, TensorImageBase) and plain.ndim == 3
    batch = plain.clone(memory_format=torch.preserve_format if is_rows else torch.contiguous_format)
    return retype(batch.unsqueeze(0), tensor)  # type: ignore[no-any-return]


def _shape_message(tensors: Sequence[Tensor]) -> str:
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for position, tensor in enumerate(tensors):
        by_shape.setdefault(tuple(tensor.shape), []).append(position)
    listed = "; ".join(
        f"{shape} (sample {', '.join(map(str, where[:3]))}{', …' if len(where) > 3 else ''})"
        for shape, where in list(by_shape.items())[:5]
    )
    advice = (
        "make them one size with `item_tfms=Resize(224)`"
        if isinstance(tensors[0], TensorImageBase)
        else "make them equal in an item transform, or pad them in `before_batch`"
    )
    return f"The samples of a batch must have one shape, but the {type(tensors[0]).__name__}s have {listed}: {advice}."


def batch_size_of(batch: Any) -> int:
    """Return how many samples a batch holds."""
    if isinstance(batch, Mapping):
        return batch_size_of(next(iter(batch.values())))
    if isinstance(batch, (tuple, list)):
        return batch_size_of(batch[0]) if batch and not isinstance(batch[0], (str, bytes)) else len(batch)
    return len(batch) if isinstance(batch, Tensor) and batch.ndim else 1


def sample_of(batch: Any, index: int) -> Any:
    """Return one sample of a batch."""
    if isinstance(batch, tuple):
        parts = (sample_of(part, index) for part in batch)
        return type(batch)(parts) if isinstance(batch, fastuple) else tuple(parts)
    if isinstance(batch, Mapping):
        return {key: sample_of(part, index) for key, part in batch.items()}
    if isinstance(batch, list) and batch and isinstance(batch[0], (Tensor, tuple, list)):
        return [sample_of(part, index) for part in batch]
    return batch[index]


def split_batch(batch: Any, max_n: int | None = None) -> list[Any]:
    """Return the samples of a batch, `max_n` of them at most."""
    n = batch_size_of(batch)
    return [sample_of(batch, i) for i in range(n if max_n is None else min(n, max_n))]
