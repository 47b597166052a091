"""The usual augmentations in one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from vivace.core.collection import L
from vivace.core.errors import ArgumentError
from vivace.data.transform import Transform, as_transform

from .affine import AffineCoordTfm, Augmentation, as_size
from .geometric import Dihedral, Flip, RandomResizedCropGPU, Rotate, Warp, Zoom
from .lighting import Brightness, Contrast

__all__ = ["aug_transforms", "setup_aug_tfms"]


def setup_aug_tfms(tfms: Iterable[Any]) -> L[Transform]:
    """Return the transforms in their order, with neighbouring geometric ones made one, and those of colour as well."""
    out: list[Transform] = []
    for transform in sorted(map(as_transform, tfms), key=lambda t: t.order):
        fuse = getattr(out[-1], "fuse", None) if out else None
        merged = fuse(transform) if fuse is not None else None
        if merged is None or isinstance(merged, Augmentation):  # those two stay apart until they are in a pipeline
            out.append(transform)
        else:
            out[-1] = merged
    return L(out)


def aug_transforms(
    mult: float = 1.0,
    do_flip: bool = True,
    flip_vert: bool = False,
    max_rotate: float = 10.0,
    min_zoom: float = 1.0,
    max_zoom: float = 1.1,
    max_lighting: float = 0.2,
    max_warp: float = 0.2,
    p_affine: float = 0.75,
    p_lighting: float = 0.75,
    xtra_tfms: Any = None,
    size: int | tuple[int, int] | None = None,
    mode: str = "bilinear",
    pad_mode: str = "reflection",
    align_corners: bool = True,
    batch: bool = False,
    min_scale: float = 1.0,
) -> L[Transform]:
    """Return the usual augmentations: flip, warp, rotate, zoom, crop, brightness and contrast.

    Each image draws for itself. All that moves pixels is done in one interpolation, all that changes colour in one
    pass. The validation set is left alone, except that it is brought to `size`.

    Args:
        mult: multiplies `max_rotate`, `max_lighting` and `max_warp`.
        do_flip: mirror half of the images left-right.
        flip_vert: up-down and by quarter turns as well (with `do_flip`).
        max_rotate: the largest angle either way, in degrees.
        min_zoom: the smallest enlargement.
        max_zoom: the largest enlargement.
        max_lighting: the largest change of brightness and contrast, in 0..1.
        max_warp: the largest change of perspective.
        p_affine: the probability of each of warp, rotation and zoom.
        p_lighting: the probability of each of brightness and contrast.
        xtra_tfms: more batch transforms.
        size: height and width of the result; an int is a square. None: as they come.
        mode: how images are interpolated: "bilinear", "bicubic" or "nearest".
        pad_mode: what lies outside of a picture: "reflection", "border" or "zeros".
        align_corners: see `AffineCoordTfm`.
        batch: one draw for the whole batch.
        min_scale: below 1, with `size`: cut out a random part with at least this share of the area, of the shape of
            `size`; on the validation set the middle part.

    Returns:
        A list with one geometric transform, one of colour, and whatever of `xtra_tfms` could not be made one with them.

    Raises:
        ArgumentError: a value is out of range, or `min_scale` is given without `size`.

    Example:
        >>> aug_transforms(max_rotate=0, max_zoom=1, max_warp=0, max_lighting=0)
        (#1) [Flip()]
    """
    max_rotate, max_lighting, max_warp = max_rotate * mult, max_lighting * mult, max_warp * mult
    target = as_size(size)
    crops = min_scale != 1.0
    if crops and target is None:
        raise ArgumentError(f"min_scale={min_scale} cuts out a part and brings it to `size`: give a size, too.")
    final = None if crops else target
    tfms: list[Any] = []
    if do_flip and flip_vert:
        tfms.append(Dihedral(0.5, None, None, mode, pad_mode, batch, align_corners))
    elif do_flip:
        tfms.append(Flip(0.5, None, None, mode, pad_mode, align_corners, batch))
    if max_warp:
        tfms.append(Warp(max_warp, p_affine, None, None, None, mode, pad_mode, batch, align_corners))
    if max_rotate:
        tfms.append(Rotate(max_rotate, p_affine, None, None, mode, pad_mode, align_corners, batch))
    if min_zoom < 1 or max_zoom > 1:
        tfms.append(Zoom(min_zoom, max_zoom, p_affine, None, None, None, None, mode, pad_mode, batch, align_corners))
    if crops and target is not None:
        aspect = target[1] / target[0]
        tfms.append(RandomResizedCropGPU(target, min_scale, (aspect, aspect), mode, batch=batch))
    elif final is not None:
        tfms.append(AffineCoordTfm(size=final, mode=mode, pad_mode=pad_mode, align_corners=align_corners))
    if max_lighting:
        tfms += [Brightness(max_lighting, p_lighting, None, batch), Contrast(max_lighting, p_lighting, None, batch)]
    return setup_aug_tfms([*tfms, *_listed(xtra_tfms)])


def _listed(tfms: Any) -> Sequence[Any]:
    return [] if tfms is None else list(tfms) if isinstance(tfms, (list, tuple, L)) else [tfms]
