"""Item transforms: the size that was asked for, parts that move together, the middle in validation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vivace.core.errors import ArgumentError
from vivace.core.image import PILImage, PILMask
from vivace.core.randomness import use_keys
from vivace.core.types import TensorBBox, TensorPoint
from vivace.vision.item_transforms import (
    CropPad,
    DihedralItem,
    FlipItem,
    RandomCrop,
    RandomResizedCrop,
    RatioResize,
    Resize,
)

sides = st.integers(1, 70)


def ramp(width=60, height=40):
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width).astype(np.uint8)[None]
    pixels[..., 1] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    return PILImage.create(pixels)


@given(sides, sides, sides, sides, st.sampled_from(["crop", "pad", "squish"]), st.sampled_from([0, 1]))
def test_resize_gives_the_size_asked_for(width, height, target_width, target_height, method, split_idx):
    out = Resize((target_height, target_width), method)(ramp(width, height), split_idx=split_idx)
    assert type(out) is PILImage and out.shape == (target_height, target_width)


@given(sides, sides, sides, st.sampled_from([RandomCrop, CropPad, RandomResizedCrop]), st.integers(0, 2**60))
def test_crops_give_their_size_and_depend_on_the_key_alone(width, height, size, transform, key):
    crop = transform(size)
    with use_keys(key):
        first, second = (np.asarray(crop(ramp(width, height), split_idx=0)) for _ in range(2))
    assert first.shape == (size, size, 3) and np.array_equal(first, second)


@pytest.mark.parametrize("transform", [Resize(32), RandomResizedCrop(32), RandomCrop(32)])
def test_validation_sees_the_middle_each_time(transform):
    outs = [np.asarray(transform(ramp(80, 40), split_idx=1)) for _ in range(3)]
    assert np.array_equal(outs[0], outs[1]) and np.array_equal(outs[1], outs[2])
    assert abs(int(outs[0][:, 0, 0].mean()) + int(outs[0][:, -1, 0].mean()) - 255) < 12


@pytest.mark.parametrize("mode, numpy_mode", [("zeros", "constant"), ("border", "edge"), ("reflection", "reflect")])
def test_padding_is_numpys(mode, numpy_mode):
    picture = ramp(20, 10)
    out = np.asarray(Resize(20, "pad", pad_mode=mode)(picture, split_idx=1))
    assert np.array_equal(out, np.pad(np.asarray(picture), [(5, 5), (0, 0), (0, 0)], mode=numpy_mode))


def test_masks_get_no_new_values_and_move_with_their_picture():
    values = np.zeros((40, 60), dtype=np.uint8)
    values[10:25, 20:40] = 3
    mask, picture = PILMask.create(values), PILImage.create(np.stack([values * 80] * 3, -1))
    for transform in (Resize(24), RandomResizedCrop(24, min_scale=0.3), FlipItem(p=1.0), DihedralItem()):
        x, y = transform((picture, mask), split_idx=0)
        assert set(np.unique(np.asarray(y))) <= {0, 3}
        agree = (np.asarray(x)[..., 0] > 120) == (np.asarray(y) == 3)
        assert agree.mean() > 0.9


@pytest.mark.parametrize(
    "transform", [Resize(32), Resize(32, "pad", "zeros"), Resize(32, "squish"), RandomResizedCrop(32), DihedralItem()]
)
def test_points_follow_their_picture(transform):
    for key in range(12):
        pixels = np.zeros((40, 60, 3), dtype=np.uint8)
        pixels[15:18, 25:28] = 255
        where = torch.tensor([[26.5 / 60 * 2 - 1, 16.5 / 40 * 2 - 1]])
        with use_keys(key):
            picture, point = transform((PILImage.create(pixels), TensorPoint(where)), split_idx=0)
        if point.abs().max() > 0.9:  # cut off
            continue
        bright = np.argwhere(np.asarray(picture)[..., 0] > 100)
        centre = (bright.mean(0)[::-1] + 0.5) / np.array(picture.size) * 2 - 1
        assert np.abs(centre - point[0].numpy()).max() < 0.09


def test_boxes_stay_boxes_when_mirrored():
    box = TensorBBox(torch.tensor([[-0.5, -0.2, 0.1, 0.4]]))
    _, flipped = FlipItem(p=1.0)((ramp(), box), split_idx=0)
    assert torch.allclose(flipped.as_subclass(torch.Tensor), torch.tensor([[-0.1, -0.2, 0.5, 0.4]]))


def test_the_longer_side_is_as_asked():
    assert RatioResize(30)(ramp(60, 40)).size == (30, 20)


def test_wrong_settings_say_what_is_right():
    with pytest.raises(ArgumentError, match='method must be "crop", "pad" or "squish", got \'stretch\''):
        Resize(20, "stretch")
    with pytest.raises(ArgumentError, match="A size is a number of pixels"):
        Resize((1, 2, 3))
    with pytest.raises(ArgumentError, match="min_scale must be above 0"):
        RandomResizedCrop(20, min_scale=0)
