"""Geometric augmentation of batches: the transforms that users name."""

from __future__ import annotations

from torch import Tensor

from vivace.core.errors import ArgumentError
from vivace.core.randomness import Draws

from . import maps
from .affine import AffineCoordTfm, SizeLike
from .chance import DeterministicDraw, Draw
from .geometry import Size, correct_aspect

__all__ = [
    "DeterministicDihedral",
    "DeterministicFlip",
    "Dihedral",
    "Flip",
    "RandomResizedCropGPU",
    "Rotate",
    "Warp",
    "Zoom",
]


class Flip(AffineCoordTfm):
    """Mirror images left-right with probability `p`.

    Args:
        p: the probability.
        draw: 1 (mirror) or 0: a number, one for each image, or a function of the batch.
        batch: one draw for the whole batch. See `AffineCoordTfm` for the rest.
    """

    def __init__(
        self,
        p: float = 0.5,
        draw: Draw = None,
        size: SizeLike = None,
        mode: str = "bilinear",
        pad_mode: str = "reflection",
        align_corners: bool = True,
        batch: bool = False,
    ) -> None:
        super().__init__(size=size, mode=mode, pad_mode=pad_mode, align_corners=align_corners)
        self.p, self.drawn, self.batch = float(p), draw, batch

    def matrices(self, images: Tensor, draws: Draws, size: Size) -> Tensor:
        return maps.flip_mat(images, self.p, self.drawn, self.batch, draws)


class Dihedral(AffineCoordTfm):
    """Turn images by quarters and mirror them with probability `p`: one of the eight symmetries of a square.

    Args:
        p: the probability that one is drawn (the first of them changes nothing).
        draw: their numbers, 0..7: 1 mirrors left-right, 2 up-down, 4 turns by half, 3 and 5 by a quarter, 6 and 7
            swap the axes. A number, one for each image, or a function of the batch.
        batch: one draw for the whole batch. See `AffineCoordTfm` for the rest.
    """

    def __init__(
        self,
        p: float = 0.5,
        draw: Draw = None,
        size: SizeLike = None,
        mode: str = "bilinear",
        pad_mode: str = "reflection",
        batch: bool = False,
        align_corners: bool = True,
    ) -> None:
        super().__init__(size=size, mode=mode, pad_mode=pad_mode, align_corners=align_corners)
        self.p, self.drawn, self.batch = float(p), draw, batch

    def matrices(self, images: Tensor, draws: Draws, size: Size) -> Tensor:
        return correct_aspect(maps.dihedral_mat(images, self.p, self.drawn, self.batch, draws), size)


class Rotate(AffineCoordTfm):
    """Turn images by up to `max_deg` degrees either way with probability `p`.

    Args:
        max_deg: the largest angle, in degrees.
        p: the probability.
        draw: degrees, against the clock when positive: a number, one for each image, or a function of the batch.
        batch: one draw for the whole batch. See `AffineCoordTfm` for the rest.
    """

    def __init__(
        self,
        max_deg: float = 10,
        p: float = 0.5,
        draw: Draw = None,
        size: SizeLike = None,
        mode: str = "bilinear",
        pad_mode: str = "reflection",
        align_corners: bool = True,
        batch: bool = False,
    ) -> None:
        super().__init__(size=size, mode=mode, pad_mode=pad_mode, align_corners=align_corners)
        self.max_deg, self.p, self.drawn, self.batch = float(max_deg), float(p), draw, batch

    def matrices(self, images: Tensor, draws: Draws, size: Size) -> Tensor:
        return correct_aspect(maps.rotate_mat(images, self.max_deg, self.p, self.drawn, self.batch, draws), size)


class Zoom(AffineCoordTfm):
    """Enlarge images by a factor in `min_zoom`..`max_zoom` towards a random point with probability `p`.

    Args:
        min_zoom: the smallest factor (below 1 images shrink, and `pad_mode` fills the rest).
        max_zoom: the largest factor.
        p: the probability.
        draw: the factor: a number, one for each image, or a function of the batch.
        draw_x: where to, as a share (0..1) of the width.
        draw_y: where to, as a share (0..1) of the height.
        batch: one draw for the whole batch. See `AffineCoordTfm` for the rest.

    Raises:
        ArgumentError: not 0 < `min_zoom` <= `max_zoom`.
    """

    def __init__(
        self,
        min_zoom: float = 1.0,
        max_zoom: float = 1.1,
        p: float = 0.5,
        draw: Draw = None,
        draw_x: Draw = None,
        draw_y: Draw = None,
        size: SizeLike = None,
        mode: str = "bilinear",
        pad_mode: str = "reflection",
        batch: bool = False,
        align_corners: bool = True,
    ) -> None:
        super().__init__(size=size, mode=mode, pad_mode=pad_mode, align_corners=align_corners)
        if not 0 < min_zoom <= max_zoom:
            raise ArgumentError(f"Zoom needs 0 < min_zoom <= max_zoom, got {min_zoom} and {max_zoom}.")
        self.min_zoom, self.max_zoom, self.p = float(min_zoom), float(max_zoom), float(p)
        self.drawn, self.draw_x, self.draw_y, self.batch = draw, draw_x, draw_y, batch

    def matrices(self, images: Tensor, draws: Draws, size: Size) -> Tensor:
        return maps.zoom_mat(
            images, self.min_zoom, self.max_zoom, self.p, self.drawn, self.draw_x, self.draw_y, self.batch, draws
        )


class Warp(AffineCoordTfm):
    """Change the perspective of images with probability `p`, as if seen from a little beside or above.

    Args:
        magnitude: how much at most, either way; 0.2 is a clear change.
        p: the probability.
        draw_x: how much from the side: a number, one for each image, or a function of the batch.
        draw_y: how much from above or below.
        batch: one draw for the whole batch. See `AffineCoordTfm` for the rest.
    """

    def __init__(
        self,
        magnitude: float = 0.2,
        p: float = 0.5,
        draw_x: Draw = None,
        draw_y: Draw = None,
        size: SizeLike = None,
        mode: str = "bilinear",
        pad_mode: str = "reflection",
        batch: bool = False,
        align_corners: bool = True,
    ) -> None:
        super().__init__(size=size, mode=mode, pad_mode=pad_mode, align_corners=align_corners)
        self.magnitude, self.p, self.batch = float(magnitude), float(p), batch
        self.draw_x, self.draw_y = draw_x, draw_y

    def matrices(self, images: Tensor, draws: Draws, size: Size) -> Tensor:
        return maps.warp_mat(images, self.magnitude, self.p, self.draw_x, self.draw_y, self.batch, draws)


class RandomResizedCropGPU(AffineCoordTfm):
    """Cut a random part out of each image and bring it to `size`; on the validation set the middle part.

    Args:
        size: height and width of the result; an int is a square.
        min_scale: the smallest share of the picture's area.
        ratio: the range of the part's width divided by its height.
        mode: how images are interpolated.
        valid_scale: the share of width and height that is kept on the validation set.
        max_scale: the largest share of the picture's area.
        mode_mask: how masks are interpolated.
        batch: one draw for the whole batch.

    Raises:
        ArgumentError: not 0 < `min_scale` <= `max_scale` <= 1, or no size.
    """

    fits_any_padding = True

    def __init__(
        self,
        size: int | tuple[int, int],
        min_scale: float = 0.08,
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        mode: str = "bilinear",
        valid_scale: float = 1.0,
        max_scale: float = 1.0,
        mode_mask: str = "nearest",
        batch: bool = False,
    ) -> None:
        if size is None:
            raise ArgumentError("A random crop needs a `size`: an int or (height, width).")
        super().__init__(size=size, mode=mode, mode_mask=mode_mask, align_corners=True)
        if not 0 < min_scale <= max_scale <= 1:
            raise ArgumentError(f"Expected 0 < min_scale <= max_scale <= 1, got {min_scale} and {max_scale}.")
        self.min_scale, self.max_scale, self.valid_scale = float(min_scale), float(max_scale), float(valid_scale)
        self.ratio, self.batch = (float(ratio[0]), float(ratio[1])), batch

    def matrices(self, images: Tensor, draws: Draws, size: Size) -> Tensor:
        scale = (self.min_scale, self.max_scale)
        return maps.random_crop_mat(images, size, scale, self.ratio, self.batch, draws)

    def valid_matrices(self, n: int, size: Size) -> Tensor:
        return maps.centre_crop_mat(n, size, self.valid_scale, self.ratio)


class DeterministicFlip(Flip):
    """Mirror every second batch: the first one stays, the second is mirrored, and so on."""

    def __init__(
        self, size: SizeLike = None, mode: str = "bilinear", pad_mode: str = "reflection", align_corners: bool = True
    ) -> None:
        super().__init__(1.0, DeterministicDraw([0, 1]), size, mode, pad_mode, align_corners)


class DeterministicDihedral(Dihedral):
    """Give each batch the next of the eight symmetries of a square, in turns."""

    def __init__(
        self,
        size: SizeLike = None,
        mode: str = "bilinear",
        pad_mode: str = "reflection",
        align_corners: bool | None = None,
    ) -> None:
        super().__init__(1.0, DeterministicDraw(range(8)), size, mode, pad_mode, align_corners=bool(align_corners))
