"""What `Resize` does to every picture alike can be done, and kept, before what is random: the result is the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vivace.core.image import PILImage, PILMask
from vivace.core.randomness import use_keys
from vivace.vision import item_transforms
from vivace.vision.data import ImageDataLoaders
from vivace.vision.fitting import BILINEAR, fit, fitted_size, resize_box
from vivace.vision.item_transforms import RandomResizedCrop, Resize

sides = st.integers(1, 90)


def photo(width, height, mode="RGB"):
    rng = np.random.default_rng(width * 1000 + height)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    return PILImage.create(coarse.resize((width, height), Image.Resampling.BICUBIC)).convert(mode)


@given(
    sides, sides, sides, sides, st.sampled_from(["crop", "squish", "pad"]), st.sampled_from([0, 1]), st.integers(0, 99)
)
def test_doing_the_fixed_part_first_changes_no_bit(width, height, target_w, target_h, method, split_idx, key):
    resize, picture = Resize((target_h, target_w), method), photo(width, height)
    fixed = resize.alike_for_all(split_idx) or (lambda image: image)
    with use_keys(key):
        alone, after = resize(picture, split_idx=split_idx), resize(fixed(picture), split_idx=split_idx)
    assert np.array_equal(alone, after) and alone.shape == (target_h, target_w)


@given(sides, sides, sides, sides, st.sampled_from(["crop", "squish", "pad"]))
def test_a_fitted_size_stays_and_touches_the_target(width, height, target_w, target_h, method):
    size = fitted_size((width, height), (target_w, target_h), method)
    assert fitted_size(size, (target_w, target_h), method) == size
    compare = {"crop": np.greater_equal, "pad": np.less_equal, "squish": np.equal}[method]
    assert compare(size, (target_w, target_h)).all() and np.equal(size, (target_w, target_h)).any()


@pytest.mark.parametrize("size", [(299, 224), (64, 48), (613, 460)])
def test_the_fast_filter_is_pillows_but_for_a_level_here_and_there(size):
    picture = photo(500, 375)
    fast, exact = (
        np.asarray(fit(picture, size, BILINEAR)),
        np.asarray(resize_box(picture, size, BILINEAR, (0, 0, 500, 375))),
    )
    off = np.abs(fast.astype(int) - exact)
    assert off.max() <= 1 and off.mean() < 0.01 and type(fit(picture, size, BILINEAR)) is PILImage


def test_masks_keep_their_values():
    mask = PILMask.create(np.random.default_rng(0).choice([0, 7, 200], (60, 80)).astype(np.uint8))
    with use_keys(1):
        assert set(np.unique(Resize(30)(mask, split_idx=0))) <= {0, 7, 200}


def test_training_takes_every_place_of_the_long_side():
    lefts = set()
    for key in range(200):
        with use_keys(key):
            ((region, size),) = Resize(20).draw((photo(30, 20),), item_transforms.Draws(key), 0).values()
        assert size == (30, 20) and region.box[1] == 0
        lefts.add(region.box[0])
    assert lefts == set(range(11))


def epochs(folder, tfm, cache, n=2):
    dls = ImageDataLoaders.from_folder(folder, valid_pct=0.3, seed=0, item_tfms=tfm, bs=4, cache=cache, device="cpu")
    dls.train.seed = 5
    return [torch.cat([b[0] for b in dl]) for _ in range(n) for dl in dls.loaders]


@pytest.mark.parametrize("tfm", [Resize(24), Resize((20, 30), "squish"), Resize(24, "pad"), RandomResizedCrop(24)])
def test_epochs_with_and_without_keeping_pictures_are_equal(photo_folder, tfm):
    for kept, fresh in zip(epochs(photo_folder, tfm, "memory"), epochs(photo_folder, tfm, None), strict=True):
        assert torch.equal(kept, fresh)


def test_pictures_are_resized_once_and_kept_so(photo_folder, monkeypatch):
    resized = []
    monkeypatch.setattr(
        item_transforms, "fit", lambda image, *how: resized.append(image.size != how[0]) or fit(image, *how)
    )
    dls = ImageDataLoaders.from_folder(
        photo_folder, valid_pct=0.3, seed=0, item_tfms=Resize(24), bs=4, device="cpu", drop_last=False
    )
    n_work = []
    for _ in range(3):
        resized.clear()
        assert sum(len(batch[0]) for batch in dls.train)
        n_work.append(sum(resized))
    assert n_work[0] > 0 and n_work[1:] == [0, 0]


def test_small_pictures_are_not_kept_enlarged():
    small = photo(10, 10)
    assert Resize(200).alike_for_all(0)(small) is small and Resize(24).alike_for_all(0)(photo(60, 40)).size == (36, 24)
