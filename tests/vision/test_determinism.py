"""Photos with real augmentation: the same batches for any number and kind of workers."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest

from vivace.data.block import CategoryBlock, DataBlock
from vivace.data.items import get_image_files
from vivace.data.labels import parent_label
from vivace.data.splits import RandomSplitter
from vivace.vision.augment import aug_transforms
from vivace.vision.data import ImageBlock
from vivace.vision.item_transforms import RandomResizedCrop


def batches(folder, item_tfms, epochs=2, **options):
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_items=get_image_files,
        get_y=parent_label,
        splitter=RandomSplitter(seed=1),
        item_tfms=item_tfms,
        batch_tfms=aug_transforms(size=24),
    )
    dls = block.dataloaders(folder, bs=8, seed=5, device="cpu", **options)
    digest = hashlib.sha256()
    for _ in range(epochs):
        for images, labels in dls.train:
            digest.update(images.contiguous().numpy().tobytes() + labels.numpy().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("fetch, workers", [("threads", 2), ("threads", 8), ("processes", 2)])
def test_augmented_photos_are_the_same_for_any_workers(photo_folder, fetch, workers):
    crop = RandomResizedCrop(32, min_scale=0.3)
    assert batches(photo_folder, crop, fetch=fetch, num_workers=workers) == batches(photo_folder, crop, num_workers=0)


def noisy(picture):
    pixels = np.asarray(picture).astype(int) + int(np.random.randint(0, 40)) + random.randint(0, 40)
    return pixels.clip(0, 255).astype(np.uint8)


def test_a_function_of_the_users_with_global_draws_repeats_too(photo_folder):
    tfms = [RandomResizedCrop(32), noisy]
    assert batches(photo_folder, tfms, num_workers=2) == batches(photo_folder, tfms, num_workers=0)


def test_torchvision_transforms_drop_in_and_repeat(photo_folder):
    from vivace.core.vision_shim import import_torchvision

    import_torchvision()
    from torchvision.transforms import v2

    tfms = [RandomResizedCrop(32), v2.RandomHorizontalFlip(), v2.ColorJitter(0.5)]
    assert batches(photo_folder, tfms, num_workers=2) == batches(photo_folder, tfms, num_workers=0)
