"""What geometric batch transforms do in validation, as a module for an exported graph."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from vivace.core.errors import ArgumentError

from .geometry import Size
from .resample import downscale, fixed_sampling

__all__ = ["MovedInGraph"]


class MovedInGraph(nn.Module):
    """Bring a picture `(channels, height, width)` of one size, that of the first call, to another.

    Args:
        move: gives, for a height and width, the size of the result and the map `(1, 3, 3)`; None: nothing is done.
        mode: see `resample`, as are the others.
        pad_mode: what lies outside of a picture.
        align_corners: what -1 and 1 are.
    """

    grid: Tensor

    def __init__(
        self, move: Callable[[Size], tuple[Size, Tensor] | None], mode: str, pad_mode: str, align_corners: bool
    ) -> None:
        super().__init__()
        self.move, self.mode, self.pad_mode, self.align_corners = move, mode, pad_mode, align_corners
        self.size_in: Size | None = None
        self.factors: Size | None = None  # None: nothing is done

    def _prepare(self, size_in: Size) -> None:
        self.size_in = size_in
        found = self.move(size_in)
        if found is not None:
            size, matrix = found
            self.factors, grid = fixed_sampling(matrix, size_in, size, mode=self.mode, align_corners=self.align_corners)
            self.register_buffer("grid", grid, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(channels, *size)`, float.

        Raises:
            ArgumentError: the picture has another size than the first one.
        """
        size: Size = (x.shape[-2], x.shape[-1])
        if self.size_in is None:
            self._prepare(size)
        if size != self.size_in:
            raise ArgumentError(
                "In a graph, batch transforms that resize need pictures of one size: "
                "put an item transform before them, such as item_tfms=Resize(460)."
            )
        if self.factors is None:
            return x
        pixels = downscale(x[None].float(), *self.factors)
        out = F.grid_sample(
            pixels, self.grid, mode=self.mode, padding_mode=self.pad_mode, align_corners=self.align_corners
        )[0]
        return out if x.is_floating_point() else out.round()
