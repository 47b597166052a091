"""Every augmentation that vivace has moves a mask exactly as its picture, and gives it no new values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from vivace.core.image import PILImage, PILMask
from vivace.core.randomness import fresh_keys, use_keys
from vivace.core.types import TensorImage, TensorMask, plain_tensor
from vivace.data.transform import Pipeline, RandTransform
from vivace.vision import augment
from vivace.vision.augment import aug_transforms

HEIGHT, WIDTH = 60, 84
# Every class of the two modules, with settings that make it do something each time.
ITEM: dict[str, list[dict[str, Any]]] = {
    "Resize": [{"size": (40, 50), "method": m, "pad_mode": p} for m in ("crop", "pad", "squish") for p in ("zeros",)],
    "RandomCrop": [{"size": 48}, {"size": 100}],
    "OldRandomCrop": [{"size": (30, 40)}],
    "CropPad": [{"size": (90, 70), "pad_mode": "border"}, {"size": (90, 70), "pad_mode": "reflection"}],
    "RandomResizedCrop": [{"size": 48, "min_scale": 0.3}],
    "RatioResize": [{"max_sz": 50}],
    "DihedralItem": [{"p": 1.0}],
    "FlipItem": [{"p": 1.0}],
}
BATCH: dict[str, list[dict[str, Any]]] = {
    "AffineCoordTfm": [{"size": (40, 50)}],
    "Flip": [{"p": 1.0, "pad_mode": "zeros"}],
    "Dihedral": [{"p": 1.0}],
    "DeterministicFlip": [{}],
    "DeterministicDihedral": [{}],
    "Rotate": [{"max_deg": 40, "p": 1.0, "pad_mode": p} for p in ("reflection", "border", "zeros")],
    "Zoom": [{"min_zoom": 0.7, "max_zoom": 1.5, "p": 1.0}],
    "Warp": [{"magnitude": 0.3, "p": 1.0}],
    "RandomResizedCropGPU": [{"size": (40, 50), "min_scale": 0.3}],
    "Brightness": [{"p": 1.0}],
    "Contrast": [{"p": 1.0}],
    "Hue": [{"p": 1.0}],
    "Saturation": [{"p": 1.0}],
    "RandomErasing": [{"p": 1.0, "sh": 0.1}],
}
BASES = {"FusedGeometry", "Augmentation", "FusedLighting", "LightingTfm", "HSVTfm", "SpaceTfm"}  # made of the others
CASES = [(name, settings) for table in (ITEM, BATCH) for name, group in table.items() for settings in group]


def scene(seed: int) -> np.ndarray[Any, Any]:
    """Classes 0 and 2: a value of 1 could only come from mixing them."""
    rng = np.random.default_rng(seed)
    canvas = Image.new("L", (WIDTH, HEIGHT))
    x, y = int(rng.integers(15, 40)), int(rng.integers(12, 25))
    ImageDraw.Draw(canvas).polygon([(x, y), (x + 34, y + 6), (x + 8, y + 30)], fill=2)
    return np.asarray(canvas)


def agreement(image: Any, mask: Any) -> float:
    """The share of pixels where a picture, bright where the mask was 2, still says the same."""
    return float(((plain_tensor(image).float().mean(-3) > 0.5) == (plain_tensor(mask) == 2)).float().mean())


def test_no_augmentation_is_left_out() -> None:
    names = {n for n in augment.__all__ if isinstance(c := getattr(augment, n), type) and issubclass(c, RandTransform)}
    assert names <= ITEM.keys() | BATCH.keys() | BASES


@pytest.mark.parametrize("name, settings", CASES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CASES)])
def test_the_mask_goes_where_its_picture_goes(name: str, settings: dict[str, Any]) -> None:
    transform = getattr(augment, name)(**settings)
    if name in ITEM:
        for seed in range(6):
            values = scene(seed)
            pair = PILImage.create(np.stack([values * 127] * 3, -1).astype(np.uint8)), PILMask.create(values)
            with use_keys(np.uint64(seed)):
                image, mask = transform(pair, split_idx=0)
            assert isinstance(mask, PILMask) and mask.size == image.size
            assert set(np.unique(mask)) <= {0, 2}
            assert agreement(torch.tensor(np.array(image)).permute(2, 0, 1) / 255, np.array(mask)) > 0.97
        return
    masks = torch.stack([torch.tensor(scene(seed)) for seed in range(6)]).long()
    images = (masks[:, None] / 2).repeat(1, 3, 1, 1)
    with use_keys(fresh_keys(6)):
        out, moved = transform((TensorImage(images), TensorMask(masks, codes=["a", "b", "c"])), split_idx=0)
    assert isinstance(moved, TensorMask) and moved.codes == ["a", "b", "c"] and moved.dtype == torch.int64
    assert moved.shape[-2:] == out.shape[-2:]
    assert set(moved.unique().tolist()) <= {0, 2}
    if name in ("Brightness", "Contrast", "Hue", "Saturation", "RandomErasing"):
        assert torch.equal(plain_tensor(moved), masks)
    else:
        assert agreement(out, moved) > 0.97


def test_all_at_once_is_one_movement() -> None:
    masks = torch.stack([torch.tensor(scene(seed)) for seed in range(8)]).long()
    images = (masks[:, None] / 2).repeat(1, 3, 1, 1)
    pipeline = Pipeline(aug_transforms(size=(50, 64), max_lighting=0, flip_vert=True, p_affine=1.0), split_idx=0)
    with use_keys(fresh_keys(8)):
        out, moved = pipeline((TensorImage(images), TensorMask(masks)))
    assert agreement(out, moved) > 0.97 and set(moved.unique().tolist()) <= {0, 2}


def test_pictures_of_a_sample_that_differ_in_size_are_cut_alike() -> None:
    ramp = np.tile(np.linspace(0, 255, 90).astype(np.uint8), (60, 1))
    small, large = Image.fromarray(ramp), Image.fromarray(ramp).resize((180, 120))
    crop = augment.RandomResizedCrop(30, min_scale=0.2, max_scale=0.3)
    for seed in range(5):
        with use_keys(np.uint64(seed)):
            one, other = crop((PILImage.create(small), PILImage.create(large)), split_idx=0)
        assert np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).mean() < 8
