"""Pictures with any number of channels and all their bits, from file to model."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vivace.core.array_image import ArrayImage
from vivace.core.errors import ArgumentTypeError, DataError
from vivace.core.image import PILImage
from vivace.core.types import TensorChannels, plain_tensor
from vivace.data.block import CategoryBlock, DataBlock
from vivace.data.splits import IndexSplitter
from vivace.data.transforms import Normalize, ToTensor
from vivace.vision.augment import CropPad, DihedralItem, FlipItem, RandomResizedCrop, Resize, aug_transforms
from vivace.vision.blocks import ImageBlock, MaskBlock
from vivace.vision.learner import add_normalize, unet_learner, vision_learner
from vivace.vision.models import input_config


def values(n_channels: int, highest: int = 65535, seed: int = 0) -> np.ndarray[Any, Any]:
    dtype = np.uint16 if highest > 255 else np.uint8
    return np.random.default_rng(seed).integers(0, highest, (12, 16, n_channels), endpoint=True).astype(dtype)


# ------------------------------------------------------------------ opening
def test_every_bit_of_every_channel_arrives(tmp_path: Path) -> None:
    pixels = values(5)
    np.save(tmp_path / "last.npy", pixels)
    np.save(tmp_path / "first.npy", pixels.transpose(2, 0, 1))
    pages = [Image.fromarray(pixels[..., i]) for i in range(5)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    for source in (*sorted(tmp_path.iterdir()), (tmp_path / "pages.tif").read_bytes(), pixels, torch.tensor(pixels)):
        opened = ArrayImage.create(source)
        assert opened.shape == (12, 16) and len(opened.getbands()) == 5
        assert np.array_equal(np.round(np.asarray(opened) * 65535), pixels)


def test_a_grey_picture_of_16_bits_keeps_them(tmp_path: Path) -> None:
    grey = values(1)[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    opened = ArrayImage.create(tmp_path / "grey.png")
    assert np.array_equal(np.round(np.asarray(opened)[..., 0] * 65535), grey)
    assert len(np.unique(np.asarray(PILImage.create(tmp_path / "grey.png")))) < len(np.unique(grey))


def test_bytes_become_0_to_1_and_floats_stay(tmp_path: Path) -> None:
    Image.fromarray(values(3, 255)).save(tmp_path / "photo.png")
    assert np.array_equal(np.asarray(ArrayImage.create(tmp_path / "photo.png")), values(3, 255) / np.float32(255))
    heights = np.array([[-3.5, 1200.0], [0.25, 8848.0]], dtype=np.float32)
    assert np.array_equal(np.asarray(ArrayImage.create(heights))[..., 0], heights)


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY\x01\x00")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"broken\.npy is damaged"):
        ArrayImage.create(tmp_path / "broken.npy")
    with pytest.raises(DataError, match=r"objects\.npy.*allow_pickle"):
        ArrayImage.create(tmp_path / "objects.npy")
    with pytest.raises(DataError, match=r"no file .*absent\.npy"):
        ArrayImage.create(tmp_path / "absent.npy")
    with pytest.raises(ArgumentTypeError, match=r"\(4,\)"):
        ArrayImage.create(np.zeros(4))
    with pytest.raises(DataError, match="damaged"):
        ArrayImage.create(io.BytesIO(b"II*\0" + b"\xff" * 9).getvalue())


# ------------------------------------------------------------------ moving
@given(n_channels=st.sampled_from([3, 5]), seed=st.integers(0, 1000))
def test_item_transforms_move_all_channels_as_they_move_a_photo(n_channels: int, seed: int) -> None:
    colours = values(3, 255, seed)
    photo, whole = PILImage.create(colours), ArrayImage.create(np.concatenate([colours, colours], -1)[..., :n_channels])
    for transform in (Resize((8, 10)), FlipItem(p=1.0), DihedralItem(), CropPad((20, 14), pad_mode="reflection")):
        torch.manual_seed(seed)
        expected = np.asarray(transform(photo, split_idx=0)) / 255
        torch.manual_seed(seed)
        moved = transform(whole, split_idx=0)
        assert isinstance(moved, ArrayImage) and len(moved.bands) == n_channels
        assert np.abs(np.asarray(moved)[..., :3] - expected).max() < 0.02  # bytes are rounded between the two passes


def test_it_becomes_a_tensor_of_channels() -> None:
    tensor = ToTensor()(RandomResizedCrop(8)(ArrayImage.create(values(7)), split_idx=0))
    assert isinstance(tensor, TensorChannels) and tensor.shape == (7, 8, 8) and tensor.dtype == torch.float32


# ------------------------------------------------------------------ from data to model
def block(n_channels: int, **options: Any) -> DataBlock:
    return DataBlock(
        options.pop("blocks", (ImageBlock(ArrayImage), CategoryBlock)),
        get_x=lambda i: values(n_channels, seed=i),
        get_y=options.pop("get_y", lambda i: "even" if i % 2 else "odd"),
        splitter=IndexSplitter([8, 9]),
        **options,
    )


@pytest.mark.parametrize("n_channels", [1, 2, 4, 6])
def test_the_first_layer_and_the_statistics_fit_the_channels(n_channels: int) -> None:
    dls = block(n_channels, batch_tfms=[*aug_transforms(), Normalize()]).dataloaders(list(range(10)), bs=8)
    learn = vision_learner(dls, "test_resnet", pretrained=False)
    assert next(learn.model.parameters()).shape[1] == n_channels
    images, _ = dls.train.one_batch()
    normalize = dls.after_batch.fs[-1]
    assert normalize.mean.shape == (1, n_channels, 1, 1)
    assert float(images.mean().abs()) < 0.3
    learn.fit(1, 1e-3)
    dls.show_batch(max_n=2)
    assert len(plt.gcf().axes) == 2


def test_pretrained_networks_normalise_unknown_channels_by_the_data() -> None:
    dls = block(5).dataloaders(list(range(10)), bs=8)
    add_normalize(dls, input_config("test_resnet"), n_in=5)
    images, _ = dls.train.one_batch()
    assert torch.allclose(plain_tensor(images).mean((0, 2, 3)), torch.zeros(5), atol=0.3)


def test_masks_of_pictures_with_many_channels() -> None:
    blocks = (ImageBlock(ArrayImage), MaskBlock(["low", "high"]))
    with_masks = block(5, blocks=blocks, get_y=lambda i: (values(5, seed=i)[..., 0] > 30000).astype(np.uint8))
    dls = with_masks.dataloaders(list(range(10)), bs=4)
    learn = unet_learner(dls, "test_resnet", pretrained=False)
    learn.fit(1, 1e-3)
    learn.show_results(max_n=1)
    assert [len(ax.images) for ax in plt.gcf().axes] == [2, 2]


@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_what_is_drawn_is_stretched_to_what_the_channels_hold(n_channels: int) -> None:
    ax = TensorChannels(torch.rand(n_channels, 9, 9) * 0.01 + 5).show()
    drawn = ax.images[0].get_array()
    assert drawn.shape == ((9, 9) if n_channels == 1 else (9, 9, 3))
    assert drawn.min() == 0 and drawn.max() == pytest.approx(1)
