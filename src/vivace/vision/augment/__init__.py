"""Augmentation: of batches, and (from `vivace.vision.item_transforms`) of single pictures."""

from __future__ import annotations

from vivace.vision.item_transforms import (
    CropPad,
    DihedralItem,
    FlipItem,
    OldRandomCrop,
    PadMode,
    RandomCrop,
    RandomResizedCrop,
    RatioResize,
    Resize,
    ResizeMethod,
)

from .affine import AffineCoordTfm, Augmentation, FusedGeometry
from .aug_transforms import aug_transforms, setup_aug_tfms
from .chance import DeterministicDraw, mask_tensor
from .colour import grayscale, hsv2rgb, rgb2hsv
from .erasing import RandomErasing, cutout_gaussian, norm_apply_denorm
from .geometric import (
    DeterministicDihedral,
    DeterministicFlip,
    Dihedral,
    Flip,
    RandomResizedCropGPU,
    Rotate,
    Warp,
    Zoom,
)
from .geometry import affine_mat, apply_perspective, find_coeffs
from .lighting import (
    Brightness,
    Contrast,
    FusedLighting,
    HSVTfm,
    Hue,
    LightingTfm,
    Saturation,
    SpaceTfm,
)
from .maps import dihedral_mat, flip_mat, rotate_mat, warp_mat, zoom_mat

__all__ = [
    "AffineCoordTfm",
    "Augmentation",
    "Brightness",
    "Contrast",
    "CropPad",
    "DeterministicDihedral",
    "DeterministicDraw",
    "DeterministicFlip",
    "Dihedral",
    "DihedralItem",
    "Flip",
    "FlipItem",
    "FusedGeometry",
    "FusedLighting",
    "HSVTfm",
    "Hue",
    "LightingTfm",
    "OldRandomCrop",
    "PadMode",
    "RandomCrop",
    "RandomErasing",
    "RandomResizedCrop",
    "RandomResizedCropGPU",
    "RatioResize",
    "Resize",
    "ResizeMethod",
    "Rotate",
    "Saturation",
    "SpaceTfm",
    "Warp",
    "Zoom",
    "affine_mat",
    "apply_perspective",
    "aug_transforms",
    "cutout_gaussian",
    "dihedral_mat",
    "find_coeffs",
    "flip_mat",
    "grayscale",
    "hsv2rgb",
    "mask_tensor",
    "norm_apply_denorm",
    "rgb2hsv",
    "rotate_mat",
    "setup_aug_tfms",
    "warp_mat",
    "zoom_mat",
]
