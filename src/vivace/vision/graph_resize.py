"""The item transforms' resizing as arithmetic on tensors of any size: what an exported graph does instead of Pillow.

Pillow resizes a picture along its rows, rounds to bytes, then along its columns. Each of the two is a matrix product;
the matrix depends on the picture's size and is computed in the graph. Pillow's weights are whole numbers of 2**-22;
with those, in double precision, every byte comes out as it does there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["Box", "ResizedInGraph"]

_ONE = float(1 << 22)  # what Pillow's whole numbers stand for


class Box(NamedTuple):
    """The region of a picture that becomes the result, in pixels; it may reach outside. Scalar tensors."""

    left: Tensor
    top: Tensor
    right: Tensor
    bottom: Tensor


class ResizedInGraph(nn.Module):
    """Bring a picture `(height, width, channels)`, uint8, to one size with a triangle filter.

    Args:
        region: gives the region from width and height (scalar float tensors).
        size: (height, width) of the result.
        pad_mode: what is outside the picture: "zeros", "border" or "reflection".
    """

    def __init__(self, region: Callable[[Tensor, Tensor], Box], size: tuple[int, int], pad_mode: str) -> None:
        super().__init__()
        self.region, self.size, self.pad_mode = region, size, pad_mode

    def forward(self, x: Tensor) -> Tensor:
        """Return `(*size, channels)`, float, whole numbers in 0..255."""
        columns = torch.arange(x.shape[1], dtype=torch.float64)
        rows = torch.arange(x.shape[0], dtype=torch.float64)
        width, height = columns[-1] + 1, rows[-1] + 1
        box = self.region(width, height)
        by_columns = _matrix(columns, width, box.left, box.right, self.size[1], self.pad_mode)
        by_rows = _matrix(rows, height, box.top, box.bottom, self.size[0], self.pad_mode)
        narrow = _bytes(x.permute(2, 0, 1).double() @ by_columns.T)
        return _bytes(by_rows @ narrow).permute(1, 2, 0).float()


def _bytes(x: Tensor) -> Tensor:
    return (x / _ONE + 0.5).floor().clamp(0, 255)


def _matrix(pixels: Tensor, n: Tensor, start: Tensor, end: Tensor, n_out: int, pad_mode: str) -> Tensor:
    """`(n_out, n)`: how much of each pixel is in each pixel of the result."""
    inner_start, inner_end = start.clamp(min=0), torch.minimum(end, n)
    scale = n_out / (end - start)
    before = ((inner_start - start) * scale).round()
    n_inner = torch.minimum(((inner_end - inner_start) * scale).round(), n_out - before).clamp(min=1)
    index, is_inside = _padded_index(torch.arange(n_out, dtype=torch.float64), before, n_inner, pad_mode)
    weights = _filter(pixels, n, inner_start, inner_end, n_inner, index)
    return weights * is_inside[:, None]


def _padded_index(index: Tensor, before: Tensor, n_inner: Tensor, pad_mode: str) -> tuple[Tensor, Tensor]:
    """Which pixel of the resized picture is at each place of the padded one."""
    index = index - before
    is_inside = ((index >= 0) & (index < n_inner)).double()
    if pad_mode == "zeros":
        return torch.minimum(index.clamp(min=0), n_inner - 1), is_inside
    if pad_mode == "reflection":
        period = (2 * (n_inner - 1)).clamp(min=1)
        index = index - (index / period).floor() * period
        index = torch.minimum(index, period - index)
    return torch.minimum(index.clamp(min=0), n_inner - 1), torch.ones_like(is_inside)


def _filter(pixels: Tensor, n: Tensor, start: Tensor, end: Tensor, n_out: Tensor, index: Tensor) -> Tensor:
    """Rows of triangle weights for the places `index` of `n_out`, over the region from `start` to `end`."""
    start, end = start.float(), end.float()  # as Pillow takes them
    scale = (end - start).double() / n_out
    support = scale.clamp(min=1)
    centre = (start.double() + (index + 0.5) * scale)[:, None]
    low, high = (centre - support + 0.5).floor().clamp(min=0), torch.minimum((centre + support + 0.5).floor(), n)
    weights = (1 - (pixels[None] + 0.5 - centre).abs() / support).clamp(min=0)
    weights = weights * ((pixels[None] >= low) & (pixels[None] < high)).double()
    return (weights / weights.sum(1, keepdim=True) * _ONE + 0.5).floor()
