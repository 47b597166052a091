"""Random erasing: rectangles of noise, so that a model cannot rely on one detail."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from vivace.core.errors import ArgumentError, ShapeError
from vivace.core.randomness import Draws
from vivace.core.types import TensorImage, plain_tensor
from vivace.data.transform import RandTransform

__all__ = ["RandomErasing", "cutout_gaussian", "norm_apply_denorm"]

Area = tuple[int, int, int, int]


def cutout_gaussian(x: Tensor, areas: Sequence[Area], generator: torch.Generator | None = None) -> Tensor:
    """Fill `areas` (first row, end row, first column, end column) of `x` `(..., h, w)` with normal noise, in place.

    The noise has mean 0 and deviation 1, that of normalised images. It is drawn on the CPU, so that it is the same on
    every device.
    """
    for top, bottom, left, right in areas:
        target = x[..., top:bottom, left:right]
        target.copy_(torch.randn(target.shape, generator=generator).to(x.device))
    return x


def norm_apply_denorm(x: Tensor, f: Callable[[Tensor], Tensor], nrm: Any) -> Tensor:
    """Return `f(x)` for a function made for images normalised by `nrm`, in the range of `x`."""
    return nrm.decode(f(nrm(x.clone())))  # type: ignore[no-any-return]


class RandomErasing(RandTransform):
    """Fill random rectangles of images with noise, with probability `p`; it acts on normalised images.

    From Zhong et al., *Random Erasing Data Augmentation*, 2017.

    Args:
        p: the probability that an image is touched.
        sl: the smallest share of the picture's area that is erased.
        sh: the largest share.
        min_aspect: the smallest ratio of a rectangle's height to its width; the largest is its inverse.
        max_count: at most how many rectangles share that area.

    Raises:
        ArgumentError: a range is empty or impossible.
    """

    order = 100
    split_idx: int | None = 0
    batched = True
    applies_to = (TensorImage,)

    def __init__(
        self, p: float = 0.5, sl: float = 0.0, sh: float = 0.3, min_aspect: float = 0.3, max_count: int = 1
    ) -> None:
        super().__init__(p)
        if not 0 <= sl <= sh <= 1:
            raise ArgumentError(f"RandomErasing needs 0 <= sl <= sh <= 1, got sl={sl} and sh={sh}.")
        if not 0 < min_aspect <= 1 or max_count < 1:
            raise ArgumentError(
                f"RandomErasing needs 0 < min_aspect <= 1 and max_count >= 1, got {min_aspect} and {max_count}."
            )
        self.sl, self.sh, self.min_aspect, self.max_count = float(sl), float(sh), float(min_aspect), max_count

    def draw(self, sample: tuple[Any, ...], draws: Draws, split_idx: int | None) -> list[tuple[list[Area], int]] | None:
        images = next(x for x in sample if isinstance(x, TensorImage))
        if images.ndim != 4:
            raise ShapeError(f"RandomErasing takes a batch of images (n, c, h, w), got {tuple(images.shape)}.")
        height, width = images.shape[-2:]
        is_erased = draws.bernoulli(self.p)
        counts = draws.integers(1, self.max_count + 1)
        seeds = draws.integers(0, 1 << 48)
        rectangles = [self._rectangles(draws, counts, height, width) for _ in range(self.max_count)]
        if not bool(is_erased.any()):
            return None
        return [
            ([rectangles[k][i] for k in range(int(counts[i]))] if is_erased[i] else [], int(seeds[i]))
            for i in range(len(images))
        ]

    def _rectangles(self, draws: Draws, counts: Tensor, height: int, width: int) -> list[Area]:
        """One rectangle for each image."""
        area = draws.uniform(self.sl, self.sh) * (height * width) / counts
        aspect = draws.uniform(math.log(self.min_aspect), -math.log(self.min_aspect)).exp()
        high = (area * aspect).sqrt().round().clamp(1, height)
        wide = (area / aspect).sqrt().round().clamp(1, width)
        top = (draws.uniform() * (height - high + 1)).floor().clamp(max=height - 1)
        left = (draws.uniform() * (width - wide + 1)).floor().clamp(max=width - 1)
        bounds = torch.stack([top, top + high, left, left + wide], dim=1).long().tolist()
        return [(b[0], b[1], b[2], b[3]) for b in bounds]

    def apply(self, x: Tensor, params: list[tuple[list[Area], int]]) -> Tensor:
        out = plain_tensor(x).clone()
        for image, (areas, seed) in zip(out, params):
            if areas:
                cutout_gaussian(image, areas, torch.Generator().manual_seed(seed))
        return out
