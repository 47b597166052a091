"""Where the pictures of a batch lie side by side, so that the threads which make them also put them there."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vivace.core.types import TensorImageBase, retype

__all__ = ["PictureRows", "already_together"]

_MARK = "_rows_of_batch"  # attribute of a picture that lies in such rows


class PictureRows:
    """Memory for the pictures of one batch, as rows of `(height, width, channels)`; made when the first one comes.

    Args:
        n: how many samples the batch has.
    """

    def __init__(self, n: int) -> None:
        self.n, self._lock = n, threading.Lock()
        self._rows: dict[int, Tensor] = {}  # by the part of a sample

    def put(self, position: int, sample: Any) -> Any:
        """Copy the pictures among the parts of a sample to its place; return the sample with those copies."""
        if self.n == 1 or type(sample) is not tuple:
            return sample
        return tuple([self._placed(i, position, part) if _is_rows(part) else part for i, part in enumerate(sample)])

    def _placed(self, part: int, position: int, picture: TensorImageBase) -> Any:
        pixels = picture.as_subclass(Tensor).permute(1, 2, 0)
        with self._lock:
            rows = self._rows.get(part)
            if rows is None:
                # numpy's memory is used again at once; torch asks for aligned memory, which older C libraries do not
                # find again among what was freed until some batches later
                rows = self._rows[part] = torch.from_numpy(np.empty((self.n, *pixels.shape), np.uint8))
        if rows.shape[1:] != pixels.shape:
            return picture  # of another size: collating says so
        rows[position].copy_(pixels)
        placed = retype(rows[position].permute(2, 0, 1), picture)
        placed.__dict__[_MARK] = rows
        return placed


def _is_rows(part: Any) -> bool:
    """Whether it is a picture of bytes whose colours lie together."""
    return (
        isinstance(part, TensorImageBase)
        and part.ndim == 3
        and part.dtype is torch.uint8
        and part.is_cpu
        and not part.is_contiguous()
    )


def already_together(pictures: Sequence[Tensor]) -> Tensor | None:
    """Return the rows `(n, height, width, channels)` in which just these pictures lie, in this order; None: in none."""
    marks = [picture.__dict__.pop(_MARK, None) for picture in pictures]
    rows = marks[0]
    if rows is None or len(pictures) != len(rows):
        return None
    first, begin, step = rows[0].permute(2, 0, 1), rows.data_ptr(), rows[0].nbytes
    for i, (picture, mark) in enumerate(zip(pictures, marks, strict=True)):
        is_this_row = mark is rows and picture.data_ptr() == begin + i * step
        if not is_this_row or picture.shape != first.shape or picture.stride() != first.stride():
            return None
    return rows  # type: ignore[no-any-return]
