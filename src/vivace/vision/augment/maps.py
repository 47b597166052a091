"""Random maps: one matrix for each image of a batch, drawn and then made by `geometry`'s functions.

Without `draws` they follow torch's global seed and return float32 on the images' device; with `draws` they return
float64 on the CPU, where matrices are composed.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vivace.core.randomness import Draws

from .chance import Draw, draw_amounts, new_draws
from .geometry import (
    Size,
    crop_matrices,
    dihedral_matrices,
    flip_matrices,
    rotation_matrices,
    warp_matrices,
    zoom_matrices,
)

__all__ = ["centre_crop_mat", "dihedral_mat", "flip_mat", "random_crop_mat", "rotate_mat", "warp_mat", "zoom_mat"]

_CROP_TRIES = 10


def _placed(matrices: Tensor, x: Tensor, draws: Draws | None) -> Tensor:
    return matrices if draws is not None else matrices.to(x.device, torch.float32)


def flip_mat(x: Tensor, p: float = 0.5, draw: Draw = None, batch: bool = False, draws: Draws | None = None) -> Tensor:
    """Return left-right mirrors `(n, 3, 3)` with probability `p`; `draw` says 1 (mirrored) or 0 for each image."""
    amounts = draw_amounts(
        x, draws or new_draws(x), lambda d: torch.ones(len(x)), p=p, neutral=0.0, draw=draw, batch=batch
    )
    return _placed(flip_matrices(amounts), x, draws)


def dihedral_mat(
    x: Tensor, p: float = 0.5, draw: Draw = None, batch: bool = False, draws: Draws | None = None
) -> Tensor:
    """Return symmetries of the square `(n, 3, 3)` with probability `p`; `draw` gives their numbers, 0..7."""
    amounts = draw_amounts(
        x, draws or new_draws(x), lambda d: d.integers(0, 8).float(), p=p, neutral=0.0, draw=draw, batch=batch
    )
    return _placed(dihedral_matrices(amounts.long()), x, draws)


def rotate_mat(
    x: Tensor, max_deg: float = 10, p: float = 0.5, draw: Draw = None, batch: bool = False, draws: Draws | None = None
) -> Tensor:
    """Return turns `(n, 3, 3)` by up to `max_deg` degrees either way with probability `p`; `draw` gives degrees."""
    amounts = draw_amounts(
        x, draws or new_draws(x), lambda d: d.uniform(-max_deg, max_deg), p=p, neutral=0.0, draw=draw, batch=batch
    )
    return _placed(rotation_matrices(amounts), x, draws)


def zoom_mat(
    x: Tensor,
    min_zoom: float = 1.0,
    max_zoom: float = 1.1,
    p: float = 0.5,
    draw: Draw = None,
    draw_x: Draw = None,
    draw_y: Draw = None,
    batch: bool = False,
    draws: Draws | None = None,
) -> Tensor:
    """Return enlargements `(n, 3, 3)` by a factor in `min_zoom`..`max_zoom` towards a random point.

    `draw` gives the factor, `draw_x` and `draw_y` the point as shares (0..1) of width and height.
    """
    source = draws or new_draws(x)
    zoom = draw_amounts(x, source, lambda d: d.uniform(min_zoom, max_zoom), p=p, neutral=1.0, draw=draw, batch=batch)
    at_x, at_y = (
        draw_amounts(x, source, lambda d: d.uniform(), p=1.0, neutral=0.5, draw=place, batch=batch)
        for place in (draw_x, draw_y)
    )
    return _placed(zoom_matrices(zoom, at_x, at_y), x, draws)


def warp_mat(
    x: Tensor,
    magnitude: float = 0.2,
    p: float = 0.5,
    draw_x: Draw = None,
    draw_y: Draw = None,
    batch: bool = False,
    draws: Draws | None = None,
) -> Tensor:
    """Return changes of perspective `(n, 3, 3)`; `draw_x` and `draw_y` give them, else up to `magnitude` either way."""
    source = draws or new_draws(x)
    is_changed = source.bernoulli(p)
    is_changed = is_changed[:1] if batch else is_changed
    along_x, along_y = (
        draw_amounts(
            x, source, lambda d: d.uniform(-magnitude, magnitude), p=1.0, neutral=0.0, draw=amount, batch=batch
        )
        * is_changed
        for amount in (draw_x, draw_y)
    )
    return _placed(warp_matrices(along_x, along_y), x, draws)


def random_crop_mat(
    x: Tensor,
    size_in: Size,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    batch: bool = False,
    draws: Draws | None = None,
) -> Tensor:
    """Return cut-outs `(n, 3, 3)` with a share of the area in `scale` and a ratio of width to height in `ratio`.

    As in Szegedy et al., *Going deeper with convolutions*, 2015: up to ten tries to find one that fits in the picture,
    then the largest in its middle.
    """
    source = draws or new_draws(x)
    n, (height, width) = len(x), size_in
    fallback_width, fallback_height = _largest(size_in, ratio)
    crop_width, crop_height = torch.full((n,), fallback_width), torch.full((n,), fallback_height)
    is_found = torch.zeros(n, dtype=torch.bool)
    for _ in range(_CROP_TRIES):
        area = source.uniform(*scale).double() * (height * width)
        aspect = source.uniform(math.log(ratio[0]), math.log(ratio[1])).double().exp()
        across, down = (area * aspect).sqrt() / width, (area / aspect).sqrt() / height
        # a share may exceed 1 by rounding alone when the whole picture is asked for
        fits = (across <= 1 + 1e-6) & (down <= 1 + 1e-6) & ~is_found
        crop_width = torch.where(fits, across.clamp(max=1).float(), crop_width)
        crop_height = torch.where(fits, down.clamp(max=1).float(), crop_height)
        is_found |= fits
    at_x, at_y = (torch.where(is_found, 2 * source.uniform() - 1, torch.zeros(n)) for _ in range(2))
    shares = [t[:1].expand(n) if batch else t for t in (crop_width, crop_height, at_x, at_y)]
    across, down, at_x, at_y = (t.double() for t in shares)
    return _placed(crop_matrices(across, down, (1 - across) * at_x, (1 - down) * at_y), x, draws)


def centre_crop_mat(n: int, size_in: Size, scale: float, ratio: tuple[float, float]) -> Tensor:
    """Return `n` times the largest middle part with a ratio of width to height in `ratio`, its sides times `scale`."""
    across, down = (torch.full((n,), share * scale, dtype=torch.float64) for share in _largest(size_in, ratio))
    return crop_matrices(across, down, torch.zeros_like(across), torch.zeros_like(down))


def _largest(size: Size, ratio: tuple[float, float]) -> tuple[float, float]:
    """The shares of width and height of the largest part that has a ratio of width to height in `ratio`."""
    height, width = size
    if width / height < ratio[0]:
        return 1.0, width / ratio[0] / height
    if width / height > ratio[1]:
        return height * ratio[1] / width, 1.0
    return 1.0, 1.0
