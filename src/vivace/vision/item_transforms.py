"""Transforms of single pictures, in the workers: resize, crop, pad, flip. Masks, points and boxes follow."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vivace.core.errors import ArgumentError
from vivace.core.image import PILBase, PILMask
from vivace.core.randomness import Draws
from vivace.core.types import TensorBBox, TensorPoint
from vivace.data.transform import RandTransform

from .fitting import BILINEAR, NEAREST, fit, fitted_size, resize_box
from .graph_resize import Box, ResizedInGraph

__all__ = [
    "CropPad",
    "DihedralItem",
    "FlipItem",
    "OldRandomCrop",
    "PadMode",
    "RandomCrop",
    "RandomResizedCrop",
    "RatioResize",
    "Resize",
    "ResizeMethod",
]

# A photo is decoded with at least so many times the pixels that it is resized to, on each side.
DECODE_MARGIN = 2
# What makes more of a picture's pixels than this is not done before it is kept. Up to there a kept byte saves about as
# much time as a byte of the picture as decoded: decoding takes 1.0 ms, enlarging 480x320 to 690x460 takes 1.1 ms.
MOST_ENLARGED = 2.5
Size = int | Sequence[int]


class ResizeMethod:
    """How a picture of another shape is brought to size."""

    Squish = "squish"
    Crop = "crop"
    Pad = "pad"


class PadMode:
    """What stands outside a picture."""

    Zeros = "zeros"
    Border = "border"
    Reflection = "reflection"


_NUMPY_PAD = {"zeros": "constant", "border": "edge", "reflection": "reflect"}


def height_width(size: Size) -> tuple[int, int]:
    """Return (height, width) from one number or a pair."""
    pair = (size, size) if isinstance(size, (int, np.integer)) else tuple(size)
    if len(pair) != 2 or any(int(v) != v or v < 1 for v in pair):
        raise ArgumentError(f"A size is a number of pixels or (height, width), got {size!r}.")
    return int(pair[0]), int(pair[1])


class Region(NamedTuple):
    """Which part of a picture fills the result: a box in the picture's pixels, and how it is brought to `size`."""

    box: tuple[float, float, float, float]  # left, top, right, bottom; may reach outside the picture
    size: tuple[int, int]  # (width, height) of the result
    pad_mode: str = PadMode.Zeros


class GeometricItem(RandTransform):
    """Base of the item transforms that take a region of the picture to a new size."""

    applies_to = (PILBase, TensorPoint)
    split_idx = None
    order = 1
    resamples: tuple[int, int] = (BILINEAR, NEAREST)

    def region(self, size: tuple[int, int], draws: Draws, split_idx: int | None) -> Region | None:
        """Return what part of a picture of `size` (width, height) is taken; None: all of it, as it is."""
        raise NotImplementedError

    def fitted(self, size: tuple[int, int], split_idx: int | None) -> tuple[int, int]:
        """Return the size to which a picture of `size` (width, height) is brought as a whole, before the region."""
        return size

    def draw(self, sample: tuple[Any, ...], draws: Draws, split_idx: int | None) -> Any:
        sizes = dict.fromkeys(o.size for o in sample if isinstance(o, PILBase))
        found: dict[tuple[int, int], tuple[Region, tuple[int, int]]] = {}
        for size in sizes:  # the same draws for each, so that pictures of different sizes move alike
            fitted = self.fitted(size, split_idx)
            region = self.region(fitted, copy.copy(draws), split_idx)
            if region is None:
                return None
            found[size] = region, fitted
        return found or None

    def apply(self, x: Any, params: Any) -> Any:
        if isinstance(x, TensorPoint):
            region, size = next(iter(params.values()))  # of the first picture
            return move_points(x, region.box, size)
        region, size = params[x.size]
        resample = self.resamples[1] if isinstance(x, PILMask) else self.resamples[0]
        return take_region(fit(x, size, resample), region, resample)


def take_region(image: Any, region: Region, resample: int) -> Any:
    """Return the region of a picture at its new size: one resampling, then padding where it reaches outside."""
    left, top, right, bottom = region.box
    width, height = region.size
    inner = (max(left, 0.0), max(top, 0.0), min(right, image.size[0]), min(bottom, image.size[1]))
    if inner == region.box:
        return resize_box(image, (width, height), resample, inner)
    scale_x, scale_y = width / (right - left), height / (bottom - top)
    before_x, before_y = round((inner[0] - left) * scale_x), round((inner[1] - top) * scale_y)
    inner_w = max(min(round((inner[2] - inner[0]) * scale_x), width - before_x), 1)
    inner_h = max(min(round((inner[3] - inner[1]) * scale_y), height - before_y), 1)
    resized = resize_box(image, (inner_w, inner_h), resample, inner)
    pads = ((before_y, height - inner_h - before_y), (before_x, width - inner_w - before_x))
    return padded(resized, pads, region.pad_mode)


def padded(image: Any, pads: tuple[tuple[int, int], tuple[int, int]], pad_mode: str) -> Any:
    """Return the picture with rows above and below and columns left and right added."""
    if pad_mode not in _NUMPY_PAD:
        raise ArgumentError(f"pad_mode must be one of {', '.join(_NUMPY_PAD)}, got {pad_mode!r}.")
    if not any(n for side in pads for n in side):
        return image
    pixels = np.asarray(image)
    widths = [*pads, (0, 0)][: pixels.ndim]
    # a reflection can be no longer than the picture: numpy repeats it, and a single row can only be copied
    mode = "edge" if pad_mode == "reflection" and 1 in pixels.shape[:2] else _NUMPY_PAD[pad_mode]
    return type(image).from_pixels(np.pad(pixels, widths, mode=mode))  # type: ignore[call-overload]


def move_points(points: TensorPoint, box: tuple[float, float, float, float], size: tuple[int, int]) -> Tensor:
    """Return points in -1..1 of a picture of `size` (width, height) as -1..1 of a region of it."""
    xy = points.as_subclass(Tensor).reshape(-1, 2)
    pixels = (xy + 1) / 2 * torch.tensor(size, dtype=xy.dtype)
    low, high = torch.tensor(box[:2], dtype=xy.dtype), torch.tensor(box[2:], dtype=xy.dtype)
    return ((pixels - low) / (high - low) * 2 - 1).reshape(points.shape)


def _in_graph(region: Callable[[Tensor, Tensor], Box], transform: Any, pad_mode: str) -> nn.Module | None:
    return ResizedInGraph(region, transform.size, pad_mode) if transform.resamples[0] == BILINEAR else None


def _whole(width: Tensor, height: Tensor) -> Box:
    zero = torch.zeros_like(width)
    return Box(zero, zero, width, height)


class Resize(GeometricItem):
    """Bring every picture to one size.

    Args:
        size: in pixels, or (height, width).
        method: "crop": cut off what sticks out (a random part in training, the middle in validation); "pad": add
            what is missing; "squish": change the shape.
        pad_mode: what is added: "zeros", "border" or "reflection".
        resamples: Pillow's filters for pictures and for masks.
    """

    def __init__(
        self,
        size: Size,
        method: str = ResizeMethod.Crop,
        pad_mode: str = PadMode.Reflection,
        resamples: Sequence[int] = (BILINEAR, NEAREST),
    ) -> None:
        super().__init__()
        self.split_idx = None
        if method not in ("crop", "pad", "squish"):
            raise ArgumentError(f'method must be "crop", "pad" or "squish", got {method!r}.')
        self.size, self.method, self.pad_mode = height_width(size), method, pad_mode
        self.resamples = (resamples[0], resamples[1])

    def decode_size(self, split_idx: int | None) -> tuple[int, int] | None:
        return DECODE_MARGIN * self.size[1], DECODE_MARGIN * self.size[0]

    def fitted(self, size: tuple[int, int], split_idx: int | None) -> tuple[int, int]:
        return size if split_idx else fitted_size(size, (self.size[1], self.size[0]), self.method)

    def region(self, size: tuple[int, int], draws: Draws, split_idx: int | None) -> Region:
        target = self.size[1], self.size[0]
        if not split_idx and self.method != ResizeMethod.Squish:
            # the picture has been fitted: what is random is where the part lies, in whole pixels
            left, top = _place(size[0], target[0], draws.uniform()), _place(size[1], target[1], draws.uniform())
            return Region((left, top, left + target[0], top + target[1]), target, self.pad_mode)
        return _middle(size, target, self.method, self.pad_mode)

    def alike_for_all(self, split_idx: int | None) -> Callable[[Any], Any] | None:
        if split_idx and self.method == ResizeMethod.Pad:
            return None
        return _fitting(self.size, self.method, int(self.resamples[0]), bool(split_idx))

    def as_module(self) -> nn.Module | None:
        target_h, target_w = self.size

        def region(width: Tensor, height: Tensor) -> Box:
            ratios = width / target_w, height / target_h
            factor = torch.minimum(*ratios) if self.method == ResizeMethod.Crop else torch.maximum(*ratios)
            left, top = (width - target_w * factor) / 2, (height - target_h * factor) / 2
            return Box(left, top, left + target_w * factor, top + target_h * factor)

        return _in_graph(_whole if self.method == ResizeMethod.Squish else region, self, self.pad_mode)


def _middle(size: tuple[int, int], target: tuple[int, int], method: str, pad_mode: str = PadMode.Zeros) -> Region:
    """The middle of a picture of `size`, for one resampling of just that part (all of it for "squish").

    Exported graphs do the same.
    """
    w, h = size
    if method == ResizeMethod.Squish:
        return Region((0.0, 0.0, float(w), float(h)), target)
    ratios = w / target[0], h / target[1]
    factor = min(ratios) if method == ResizeMethod.Crop else max(ratios)
    box_w, box_h = target[0] * factor, target[1] * factor
    left, top = (w - box_w) / 2, (h - box_h) / 2
    return Region(_snapped(left, top, left + box_w, top + box_h, size), target, pad_mode)


def _place(n: int, n_wanted: int, draw: float) -> float:
    """Where a part of `n_wanted` pixels of `n` begins (negative: so many are missing before it)."""
    n_places = abs(n - n_wanted) + 1
    return math.copysign(min(math.floor(n_places * draw), n_places - 1), n - n_wanted)


@dataclass(frozen=True)
class _Fitting:
    """What `Resize` does to a picture before anything random: in validation all of it."""

    size: tuple[int, int]
    method: str
    resample: int
    is_middle: bool
    torch_version: str  # of the kernel that `fit` uses: what is kept on disk is found by this object's repr

    def __call__(self, image: Any) -> Any:
        target = self.size[1], self.size[0]
        size = target if self.is_middle else fitted_size(image.size, target, self.method)
        if size[0] * size[1] > MOST_ENLARGED * image.size[0] * image.size[1]:
            return image
        if self.is_middle:
            return take_region(image, _middle(image.size, target, self.method), self.resample)
        return fit(image, size, self.resample)


@functools.lru_cache(maxsize=64)
def _fitting(size: tuple[int, int], method: str, resample: int, is_middle: bool) -> _Fitting:
    return _Fitting(size, method, resample, is_middle, torch.__version__)


def _snapped(
    left: float, top: float, right: float, bottom: float, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Put sides that lie on the picture's border, but for rounding, exactly there."""

    def near(value: float, edge: int) -> float:
        return float(edge) if abs(value - edge) < 1e-6 else value

    return near(left, 0), near(top, 0), near(right, size[0]), near(bottom, size[1])


class RandomCrop(GeometricItem):
    """Cut out a random part of this size (the middle in validation), without changing the scale.

    Args:
        size: in pixels, or (height, width). A smaller picture is padded with black.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.split_idx = None
        self.size = height_width(size)
        self.pad_mode = PadMode.Zeros

    def region(self, size: tuple[int, int], draws: Draws, split_idx: int | None) -> Region:
        (h, w), (width, height) = self.size, size
        x, y = (0.5, 0.5) if split_idx else (draws.uniform(), draws.uniform())
        left, top = (
            math.floor((width - w) * x + (0.5 if split_idx else 0)),
            math.floor((height - h) * y + (0.5 if split_idx else 0)),
        )
        return Region((float(left), float(top), float(left + w), float(top + h)), (w, h), self.pad_mode)

    def as_module(self) -> nn.Module | None:
        def region(width: Tensor, height: Tensor) -> Box:
            left = ((width - self.size[1]) / 2 + 0.5).floor()
            top = ((height - self.size[0]) / 2 + 0.5).floor()
            return Box(left, top, left + self.size[1], top + self.size[0])

        return _in_graph(region, self, self.pad_mode)


class OldRandomCrop(RandomCrop):
    """The same as `RandomCrop`."""


class CropPad(RandomCrop):
    """Cut out the middle of this size, or pad to it, without changing the scale.

    Args:
        size: in pixels, or (height, width).
        pad_mode: what is added: "zeros", "border" or "reflection".
    """

    def __init__(self, size: Size, pad_mode: str = PadMode.Zeros) -> None:
        super().__init__(size)
        self.pad_mode = pad_mode

    def region(self, size: tuple[int, int], draws: Draws, split_idx: int | None) -> Region:
        return super().region(size, draws, 1)


class RandomResizedCrop(GeometricItem):
    """Cut out a random part of random shape, and bring it to size (the middle in validation).

    Args:
        size: in pixels, or (height, width).
        min_scale: the part is at least this fraction of the picture's area.
        ratio: the lowest and highest width by height of the part.
        resamples: Pillow's filters for pictures and for masks.
        val_xtra: how much of each side is cut off at most in validation.
        max_scale: the part is at most this fraction of the picture's area.
        p: the probability that it is done in training (otherwise as in validation).
    """

    def __init__(
        self,
        size: Size,
        min_scale: float = 0.08,
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        resamples: Sequence[int] = (BILINEAR, NEAREST),
        val_xtra: float = 0.14,
        max_scale: float = 1.0,
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.split_idx = None
        if not 0 < min_scale <= max_scale:
            raise ArgumentError(f"min_scale must be above 0 and not above max_scale, got {min_scale} and {max_scale}.")
        self.size, self.min_scale, self.ratio = height_width(size), min_scale, (ratio[0], ratio[1])
        self.resamples, self.val_xtra, self.max_scale = (resamples[0], resamples[1]), val_xtra, max_scale

    def decode_size(self, split_idx: int | None) -> tuple[int, int] | None:
        # in training the smallest part that can be drawn, and that is rare, still has the target's pixels
        margin = DECODE_MARGIN if split_idx else max(DECODE_MARGIN, 1 / math.sqrt(self.min_scale))
        return math.ceil(margin * self.size[1]), math.ceil(margin * self.size[0])

    def region(self, size: tuple[int, int], draws: Draws, split_idx: int | None) -> Region:
        w, h = size
        target = self.size[1], self.size[0]
        if not split_idx and draws.bernoulli(self.p):
            for _ in range(10):
                area = draws.uniform(self.min_scale, self.max_scale) * w * h
                ratio = math.exp(draws.uniform(math.log(self.ratio[0]), math.log(self.ratio[1])))
                part_w, part_h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
                if 0 < part_w <= w and 0 < part_h <= h:
                    left, top = draws.integers(0, w - part_w + 1), draws.integers(0, h - part_h + 1)
                    return Region((float(left), float(top), float(left + part_w), float(top + part_h)), target)
        # the middle: as much as a crop of the target's shape holds, less a margin
        keep_w, keep_h = float(w), float(h)
        wanted = target[0] / target[1]
        if w / h > wanted:
            keep_w = min(w, max(h * wanted, w * (1 - self.val_xtra)))
            keep_w = h * wanted if keep_w > h * wanted * (1 + self.val_xtra) else keep_w
        else:
            keep_h = min(h, max(w / wanted, h * (1 - self.val_xtra)))
            keep_h = w / wanted if keep_h > w / wanted * (1 + self.val_xtra) else keep_h
        left, top = (w - keep_w) / 2, (h - keep_h) / 2
        return Region(_snapped(left, top, left + keep_w, top + keep_h, size), target)

    def as_module(self) -> nn.Module | None:
        return _in_graph(self._middle, self, PadMode.Zeros)

    def _middle(self, width: Tensor, height: Tensor) -> Box:
        """The region of validation, as `region` has it."""
        wanted, most = self.size[1] / self.size[0], 1 + self.val_xtra
        full_w, full_h = height * wanted, width / wanted
        keep_w = torch.minimum(width, torch.maximum(full_w, width * (1 - self.val_xtra)))
        keep_w = torch.where(keep_w > full_w * most, full_w, keep_w)
        keep_h = torch.minimum(height, torch.maximum(full_h, height * (1 - self.val_xtra)))
        keep_h = torch.where(keep_h > full_h * most, full_h, keep_h)
        is_wide = width / height > wanted
        keep_w, keep_h = torch.where(is_wide, keep_w, width), torch.where(is_wide, height, keep_h)
        left, top = (width - keep_w) / 2, (height - keep_h) / 2
        return Box(left, top, left + keep_w, top + keep_h)


class RatioResize(GeometricItem):
    """Resize so that the longer side has `max_sz` pixels; the shape stays.

    Args:
        max_sz: pixels of the longer side.
        resamples: Pillow's filters for pictures and for masks.
    """

    def __init__(self, max_sz: int, resamples: Sequence[int] = (BILINEAR, NEAREST)) -> None:
        super().__init__()
        self.split_idx = None
        self.max_sz, self.resamples = max_sz, (resamples[0], resamples[1])

    def region(self, size: tuple[int, int], draws: Draws, split_idx: int | None) -> Region:
        factor = self.max_sz / max(size)
        target = max(round(size[0] * factor), 1), max(round(size[1] * factor), 1)
        return Region((0.0, 0.0, float(size[0]), float(size[1])), target)


_DIHEDRAL = [
    None,
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.ROTATE_180,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.ROTATE_90,
    Image.Transpose.TRANSVERSE,
]
# how x and y of -1..1 move: (from x, from y) for the new x, then for the new y
_DIHEDRAL_MOVES = [
    ((1, 0), (0, 1)),
    ((-1, 0), (0, 1)),
    ((1, 0), (0, -1)),
    ((-1, 0), (0, -1)),
    ((0, 1), (1, 0)),
    ((0, -1), (1, 0)),
    ((0, 1), (-1, 0)),
    ((0, -1), (-1, 0)),
]


class DihedralItem(RandTransform):
    """Turn and mirror a picture in one of the 8 ways that keep its grid; in training.

    Args:
        p: the probability that anything is done.
    """

    applies_to = (PILBase, TensorPoint)

    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)

    def draw(self, sample: tuple[Any, ...], draws: Draws, split_idx: int | None) -> int | None:
        return draws.integers(0, 8) if draws.bernoulli(self.p) else None

    def apply(self, x: Any, params: int) -> Any:
        if isinstance(x, TensorBBox):
            corners = self._move(x.as_subclass(Tensor).reshape(-1, 2), params).reshape(-1, 2, 2)
            return torch.cat([corners.amin(1), corners.amax(1)], 1).reshape(x.shape)
        if isinstance(x, TensorPoint):
            return self._move(x.as_subclass(Tensor).reshape(-1, 2), params).reshape(x.shape)
        operation = _DIHEDRAL[params]
        return x if operation is None else x.transpose(operation)

    @staticmethod
    def _move(xy: Tensor, which: int) -> Tensor:
        return xy @ torch.tensor(_DIHEDRAL_MOVES[which], dtype=xy.dtype).T


class FlipItem(DihedralItem):
    """Mirror a picture left to right; in training.

    Args:
        p: the probability that it is done.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p=p)

    def draw(self, sample: tuple[Any, ...], draws: Draws, split_idx: int | None) -> int | None:
        return 1 if draws.bernoulli(self.p) else None
