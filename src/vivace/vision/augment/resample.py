"""Taking pixels where a map says: one interpolation for a whole chain of geometric steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .geometry import Size, dihedral_pixels, symmetry_codes
from .rows import for_rows

__all__ = ["downscale", "fixed_sampling", "resample", "resample_with", "sampling_grid"]

# Denominators of a perspective below this are behind the viewer or at the horizon.
_HORIZON = 1e-2
# From this share of a batch on, working on all of it costs less than gathering the rows.
_MOST = 0.8


def sampling_grid(matrices: Tensor, size: Size, align_corners: bool, like: Tensor | None = None) -> Tensor:
    """Return where each pixel of a picture of `size` (height, width) comes from: `(n, height, width, 2)`.

    Args:
        matrices: `(n, 3, 3)`, maps of new positions to old ones, on the CPU.
        size: height and width of the new pictures.
        align_corners: whether -1 and 1 are the centres of the corner pixels, rather than the outer edges.
        like: a tensor of the device and type that the grid should have; by default those of `matrices`.
    """
    height, width = size
    # asked while the matrices are on the CPU: nothing here waits for the device
    perspective, last = matrices[:, 2, :2].abs().sum(1), matrices[:, 2, 2]
    is_affine = bool(((perspective < 1e-7) & (last == 1)).all())
    has_horizon = bool((perspective > last - _HORIZON).any())
    matrices = matrices if like is None else matrices.to(like.device, like.dtype)
    x, y = (_positions(length, align_corners, matrices) for length in (width, height))
    along_x = matrices[:, :, 0, None] * x
    along_y = matrices[:, :, 1, None] * y + matrices[:, :, 2, None]
    # x and y as two planes: `grid_sample` has a fast path for them, and they are written without strides
    grid = matrices.new_empty((len(matrices), 2, height, width))
    torch.add(along_x[:, :2, None, :], along_y[:, :2, :, None], out=grid)
    if not is_affine:
        below = along_x[:, 2, None, :] + along_y[:, 2, :, None]
        if has_horizon:
            below = below.clamp_(min=_HORIZON)
        grid.mul_(below.reciprocal_()[:, None])
    return grid.permute(0, 2, 3, 1)


def _positions(length: int, align_corners: bool, like: Tensor) -> Tensor:
    end = 1.0 if align_corners else 1 - 1 / length
    return torch.linspace(-end, end, length, dtype=like.dtype, device=like.device) if length > 1 else like.new_zeros(1)


def downscale(images: Tensor, height_factor: int, width_factor: int) -> Tensor:
    """Return images `(n, c, h, w)` made smaller by whole factors: each new pixel is the mean of those it covers.

    Pixels beyond the last whole group are left out, evenly on both sides.
    """
    for dim, factor in ((-2, height_factor), (-1, width_factor)):
        if factor > 1:
            kept = images.shape[dim] // factor
            start = (images.shape[dim] - kept * factor) // 2
            # sums of strided views: four times as fast as `avg_pool2d` on the CPU
            parts = [
                images.narrow(dim, start, kept * factor).unflatten(dim, (kept, factor)).select(dim, i)
                for i in range(factor)
            ]
            total = parts[0] + parts[1]
            for part in parts[2:]:
                total += part
            images = total.div_(factor)
    return images


def _reductions(matrices: Tensor, size_in: Size, size_out: Size) -> Tensor:
    """By which whole factors (rows, columns) each image may shrink before it is sampled: `(n, 2)`.

    Bilinear sampling looks at two pixels in a row, so it skips some when a step in the new picture is longer.
    """
    jacobian = (
        matrices[:, :2, :2] - matrices[:, :2, 2:] * matrices[:, 2:, :2]
    )  # at the centre, where the last entry is 1
    jacobian = jacobian * torch.tensor([1 / size_out[1], 1 / size_out[0]], dtype=matrices.dtype)
    step_x, step_y = jacobian.norm(dim=2).unbind(1)
    steps = torch.stack([step_y * size_in[0], step_x * size_in[1]], dim=1)
    largest = torch.tensor([max(size_in[0], 1), max(size_in[1], 1)])
    return torch.minimum((steps + 0.25).floor().clamp(min=1).long(), largest)


def _after_downscale(size: Size, factors: Size, align_corners: bool) -> Tensor:
    """The map from positions in a picture of `size` to those in the picture that `downscale` makes of it."""
    out = torch.eye(3, dtype=torch.float64)
    for axis, (length, factor) in enumerate(zip(reversed(size), reversed(factors))):
        kept = length // factor
        start = (length - kept * factor) // 2
        # a pixel's number i becomes (i - start + 0.5) / factor - 0.5
        old, new = (length - 1, kept - 1) if align_corners else (length, kept)
        if new == 0:
            out[axis, axis] = 0.0
            continue
        shift = 0.0 if align_corners else -0.5
        centre = old / 2 + shift
        new_centre = (centre - start + 0.5) / factor - 0.5
        out[axis, axis] = old / (factor * new)
        out[axis, 2] = 2 * (new_centre - shift) / new - 1
    return out


def resample(
    images: Tensor,
    matrices: Tensor,
    size: Size | None = None,
    *,
    mode: str = "bilinear",
    pad_mode: str = "reflection",
    align_corners: bool = True,
) -> Tensor:
    """Return images moved by maps, each pixel interpolated once.

    Images that are only mirrored, or turned by quarters, are copied pixel by pixel. Where a picture shrinks to half or
    less it is averaged first, so that no pixel is skipped.

    Args:
        images: `(n, channels, height, width)`, any type.
        matrices: `(n, 3, 3)`, maps of new positions to old ones, on the CPU.
        size: height and width of the result; that of `images` by default.
        mode: "bilinear", "bicubic" or "nearest".
        pad_mode: what lies outside of a picture: "reflection", "border" or "zeros".
        align_corners: whether -1 and 1 are the centres of the corner pixels, rather than the outer edges.

    Returns:
        `(n, channels, *size)`, of the type, device and memory layout of `images`.
    """
    size_in: Size = (images.shape[-2], images.shape[-1])
    size = size_in if size is None else size
    matrices = matrices.double() / matrices[:, 2:, 2:]
    codes = symmetry_codes(matrices, size_in, size)
    is_channels_last = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
    layout = torch.channels_last if is_channels_last else torch.contiguous_format
    out = torch.empty((*images.shape[:2], *size), dtype=images.dtype, device=images.device, memory_format=layout)
    factors = (
        _reductions(matrices, size_in, size) if mode != "nearest" else torch.ones((len(images), 2), dtype=torch.long)
    )
    for rows, (down, across) in _groups(codes < 0, factors):
        change = _after_downscale(size_in, (down, across), align_corners)
        _interpolate(images, change @ matrices, out, rows, (down, across), mode, pad_mode, align_corners)
    for code in [int(c) for c in codes.unique() if c >= 0]:
        rows = _rows(codes == code)
        out[rows] = dihedral_pixels(images[rows], code)
    return out


def _groups(is_interpolated: Tensor, factors: Tensor) -> list[tuple[slice | Tensor, Size]]:
    """Which rows to interpolate after shrinking by which factors: the largest group first.

    Where that is most of the batch it is given all rows, which need no gathering; the later groups overwrite theirs.
    """
    out: list[tuple[int, slice | Tensor, Size]] = []
    for down, across in factors[is_interpolated].unique(dim=0).tolist():
        members = is_interpolated & (factors[:, 0] == down) & (factors[:, 1] == across)
        count, n = int(members.sum()), len(members)
        rows = slice(0, n) if count >= _MOST * n else _rows(members)
        out.append((count, rows, (down, across)))
    return [(rows, pair) for _, rows, pair in sorted(out, key=lambda group: -group[0])]


def _rows(selected: Tensor) -> slice | Tensor:
    """The selected rows: a slice where they follow each other, which needs no copy."""
    numbers = selected.nonzero()[:, 0]
    first, n = int(numbers[0]), len(numbers)
    return slice(first, first + n) if int(numbers[-1]) - first + 1 == n else numbers


def _interpolate(
    images: Tensor,
    matrices: Tensor,
    out: Tensor,
    rows: slice | Tensor,
    factors: Size,
    mode: str,
    pad_mode: str,
    align_corners: bool,
) -> None:
    """Fill the `rows` of `out`, a few images at a time."""
    numbers = torch.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
    working = images.dtype if images.dtype in (torch.float32, torch.float64) else torch.float32

    def fill(part: slice) -> None:
        chosen = numbers[part]
        at: slice | Tensor = (
            slice(rows.start + part.start, rows.start + part.stop) if isinstance(rows, slice) else chosen
        )
        pixels = downscale(images[at].to(working), *factors)
        grid = sampling_grid(matrices[chosen], (out.shape[-2], out.shape[-1]), align_corners, pixels)
        moved = F.grid_sample(pixels, grid, mode=mode, padding_mode=pad_mode, align_corners=align_corners)
        out[at] = (moved if out.is_floating_point() else moved.round_()).to(out.dtype)

    for_rows(images, len(numbers), fill)


def fixed_sampling(
    matrix: Tensor, size_in: Size, size: Size, *, mode: str = "bilinear", align_corners: bool = True
) -> tuple[Size, Tensor]:
    """Return what `resample` does to every picture of one size under one map: how it shrinks it, and the grid.

    Args:
        matrix: `(1, 3, 3)`, the map of new positions to old ones.
        size_in: height and width of the pictures.
        size: those of the result.
        mode: see `resample`.
        align_corners: see `resample`.
    """
    matrix = matrix.double() / matrix[:, 2:, 2:]
    down, across = (1, 1) if mode == "nearest" else _reductions(matrix, size_in, size)[0].tolist()
    change = _after_downscale(size_in, (down, across), align_corners)
    return (down, across), sampling_grid(change @ matrix, size, align_corners).float().contiguous()


def resample_with(
    images: Tensor,
    matrices: Tensor,
    functions: Sequence[Callable[[Tensor], Tensor]],
    size: Size | None = None,
    *,
    mode: str = "bilinear",
    pad_mode: str = "reflection",
    align_corners: bool = True,
) -> Tensor:
    """Return images moved by maps and then by arbitrary functions of the coordinates `(n, height, width, 2)`.

    The other arguments are those of `resample`.
    """
    size = (images.shape[-2], images.shape[-1]) if size is None else size
    pixels = images if images.dtype in (torch.float32, torch.float64) else images.float()
    grid = sampling_grid(matrices, size, align_corners, pixels)
    for function in functions:
        grid = function(grid)
    moved = F.grid_sample(pixels, grid, mode=mode, padding_mode=pad_mode, align_corners=align_corners)
    return moved if images.is_floating_point() else moved.round_().to(images.dtype)
