"""Large photos are decoded no larger than needed, and only where that changes nothing but speed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from vivace.core.image import PILImage, PILMask
from vivace.core.jpeg import decode_jpeg
from vivace.data.block import DataBlock
from vivace.data.blocks import CategoryBlock
from vivace.data.labels import parent_label
from vivace.vision.blocks import ImageBlock, MaskBlock, PointBlock
from vivace.vision.data import ImageDataLoaders
from vivace.vision.item_transforms import CropPad, RandomResizedCrop, Resize

WIDTH, HEIGHT = 960, 720


@pytest.fixture(scope="module")
def large_photos(tmp_path_factory):
    """Large pictures with the soft edges and the fine grain of photos; one lies on its side by its EXIF tag."""
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(0)
    for number in range(6):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        smooth = coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(2))
        pixels = np.asarray(smooth) + rng.normal(0, 4, (HEIGHT, WIDTH, 1))
        exif = Image.Exif()
        exif[0x0112] = 6 if number == 5 else 1
        file = folder / "ab"[number % 2] / f"{number}.jpg"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, quality=92, exif=exif)
    return folder


@pytest.fixture
def opened(monkeypatch):
    """The sizes at which JPEG files are decoded."""
    sizes = set()

    def noted(content, size):
        pixels = decode_jpeg(content, size)
        assert pixels.shape == (size[1], size[0], 3)
        sizes.add(size)
        return pixels

    monkeypatch.setattr("vivace.core.image.decode_jpeg", noted)
    return sizes


def loaders(folder, tfm, **options):
    return ImageDataLoaders.from_folder(
        folder, valid_pct=0.5, seed=0, item_tfms=tfm, bs=3, num_workers=0, device="cpu", **options
    )


def one_epoch(dl):
    return torch.cat([batch[0] for batch in dl]).float() * 255


@pytest.mark.parametrize("part", ["train", "valid"])  # in training PyTorch's kernel resizes, otherwise Pillow's
@pytest.mark.parametrize(
    "tfm", [Resize(112), Resize(112, "squish"), Resize(112, "pad"), Resize((60, 90)), RandomResizedCrop(100)]
)
def test_pixels_hardly_differ_from_full_decoding(large_photos, tfm, part, monkeypatch):
    def pictures():
        dl = getattr(loaders(large_photos, tfm), part)
        dl.seed = 3
        dl.set_epoch(0)
        return one_epoch(dl)

    scaled = pictures()
    monkeypatch.setattr(type(tfm), "decode_size", lambda self, split_idx: None)
    full = pictures()
    difference = (scaled - full).abs().flatten(1).mean(1)
    assert scaled.shape == full.shape and 0 < difference.max() < 1.5


@pytest.mark.parametrize(
    ("target", "decoded"), [(90, (240, 180)), (91, (480, 360)), (180, (480, 360)), (181, (960, 720))]
)
def test_a_photo_is_decoded_at_the_scale_that_covers_twice_the_target(large_photos, opened, target, decoded):
    dls = loaders(large_photos, Resize(target))
    opened.clear()
    one_epoch(dls.valid)
    assert opened == {decoded}


def test_predictions_see_the_same_pixels_as_validation(large_photos):
    dls = loaders(large_photos, Resize(112))
    expected = one_epoch(dls.valid)
    found = one_epoch(dls.test_dl(list(dls.valid.items)))
    assert torch.equal(expected, found)


def block(*blocks, **getters):
    return DataBlock(
        blocks=blocks, get_items=lambda folder: sorted(folder.glob("*/*.jpg")), item_tfms=Resize(64), **getters
    )


def mask_of(file):
    return PILMask.create(np.zeros((HEIGHT, WIDTH), dtype=np.uint8))


@pytest.mark.parametrize(
    "made",
    [
        lambda: block(ImageBlock, PointBlock, get_y=lambda file: [[10.0, 20.0]]),
        lambda: block(ImageBlock, MaskBlock(codes=["a", "b"]), get_y=mask_of),
        lambda: block(ImageBlock, ImageBlock, get_y=lambda file: file),
        lambda: DataBlock(
            blocks=(ImageBlock, CategoryBlock),
            get_items=lambda folder: sorted(folder.glob("*/*.jpg")),
            get_y=parent_label,
            item_tfms=CropPad(64),
        ),
    ],
    ids=["points", "mask", "two pictures", "crop without resizing"],
)
def test_where_the_files_pixels_count_it_is_decoded_whole(large_photos, opened, made):
    dls = made().dataloaders(large_photos, bs=2, num_workers=0, device="cpu")
    opened.clear()
    dls.valid.one_batch()
    assert opened == {(WIDTH, HEIGHT)}


def test_a_picture_opened_by_hand_is_whole(large_photos):
    file = next(large_photos.glob("a/*.jpg"))
    loaders(large_photos, Resize(64)).valid.one_batch()
    assert PILImage.create(file).size == (WIDTH, HEIGHT)
