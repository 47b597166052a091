"""Masks as targets: what is refused and why, pixels that do not count, U-Nets on many backbones and any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from vivace.core.errors import ArgumentError, ItemError, LossError
from vivace.data.block import DataBlock
from vivace.data.items import get_image_files
from vivace.data.transforms import IntToFloatTensor
from vivace.training.losses import CrossEntropyLossFlat
from vivace.training.metrics_segmentation import Dice, DiceMulti, JaccardCoeffMulti
from vivace.vision.blocks import ImageBlock, MaskBlock
from vivace.vision.data import SegmentationDataLoaders
from vivace.vision.learner import unet_learner
from vivace.vision.unet import create_unet_model


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """16 pictures of 50 x 34 pixels with a bright square, and masks: 1 where it is."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for i in range(16):
        mask = np.zeros((34, 50), dtype=np.uint8)
        x, y = rng.integers(2, 30), rng.integers(2, 16)
        mask[y : y + 14, x : x + 14] = 1
        pixels = np.stack([mask * 180 + rng.integers(0, 60, mask.shape)] * 3, -1)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "images" / f"{i:02}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{i:02}.png")
    return tmp_path


def loaders(root: Path, codes: Any = ("background", "square"), **options: Any) -> SegmentationDataLoaders:
    return SegmentationDataLoaders.from_label_func(
        root, get_image_files(root / "images"), lambda f: root / "masks" / f.name, codes=codes, seed=1, bs=4, **options
    )


def with_void(root: Path, name: str, value: int = 255) -> None:
    file = root / "masks" / name
    mask = np.array(Image.open(file))
    mask[0, :7] = value
    Image.fromarray(mask).save(file)


def read_all(learn: Any) -> None:
    for loader in learn.dls:
        list(loader)


# ------------------------------------------------------------------ values of masks
def test_a_value_outside_the_codes_is_named_with_the_mask_and_its_pixels(squares: Path) -> None:
    with_void(squares, "05.png")
    dls = loaders(squares, num_workers=0)
    with pytest.raises(ItemError, match=r"masks/05\.png holds 255 in 7 pixels.*classes are 0 to 1.*ignore_index=255"):
        read_all(unet_learner(dls, "test_resnet", pretrained=False))


def test_masks_of_another_size_than_their_pictures_are_told_by_both_sizes(squares: Path) -> None:
    for file in get_image_files(squares / "masks"):
        Image.open(file).resize((20, 10)).save(file)
    learn = unet_learner(loaders(squares), "test_resnet", pretrained=False)
    reason = r"answers 34 × 50 pixels.*targets have 10 × 20.*Resize\(224\)"
    with pytest.raises(LossError, match=reason), learn.no_logging():
        learn.fit(1)


@pytest.mark.parametrize("loss", [CrossEntropyLossFlat(axis=1, ignore_index=255), lambda pred, masks: pred.mean()])
def test_the_same_loaders_serve_another_loss_after_a_refusal(squares: Path, loss: Any) -> None:
    for i in range(16):
        with_void(squares, f"{i:02}.png")
    dls = loaders(squares, num_workers=0)
    with pytest.raises(ItemError, match="holds 255"):
        read_all(unet_learner(dls, "test_resnet", pretrained=False))
    read_all(unet_learner(dls, "test_resnet", pretrained=False, loss_func=loss))


def test_pixels_that_the_loss_leaves_out_are_let_through_and_do_not_count(squares: Path) -> None:
    for i in range(16):
        with_void(squares, f"{i:02}.png")
    loss = CrossEntropyLossFlat(axis=1, ignore_index=255)
    learn = unet_learner(
        loaders(squares), "test_resnet", pretrained=False, loss_func=loss, metrics=[DiceMulti(), Dice()]
    )
    learn.fit(1, 1e-3)
    _, valid_loss, *scores = learn.recorder.values[-1]
    assert np.isfinite(valid_loss) and all(0 <= score <= 1 for score in scores) and scores[0] > 0


def test_another_value_beside_the_ignored_one_is_still_refused(squares: Path) -> None:
    with_void(squares, "05.png")
    with_void(squares, "06.png", value=9)
    loss = CrossEntropyLossFlat(axis=1, ignore_index=255)
    dls = loaders(squares, num_workers=0)
    with pytest.raises(ItemError, match=r"06\.png holds 9 in 7 pixels"):
        read_all(unet_learner(dls, "test_resnet", pretrained=False, loss_func=loss))


def test_masks_in_black_and_white_are_read_with_div_mask(squares: Path) -> None:
    for file in (squares / "masks").iterdir():
        Image.fromarray(np.array(Image.open(file)) * 255).save(file)
    learn = unet_learner(loaders(squares, batch_tfms=IntToFloatTensor(div_mask=255)), "test_resnet", pretrained=False)
    values = {value for _, mask in learn.dls.train for value in mask.unique().tolist()}
    assert values == {0, 1}


def test_a_model_must_know_how_many_classes_there_are(squares: Path) -> None:
    block = DataBlock(blocks=(ImageBlock, MaskBlock), get_y=lambda f: squares / "masks" / f.name)
    dls = block.dataloaders(get_image_files(squares / "images"), bs=4)
    with pytest.raises(ArgumentError, match=r"MaskBlock\(codes=.*n_out"):
        unet_learner(dls, "test_resnet", pretrained=False)
    assert unet_learner(dls, "test_resnet", pretrained=False, n_out=2).model(dls.one_batch()[0]).shape[1] == 2


# ------------------------------------------------------------------ metrics
def test_pixels_of_no_class_do_not_change_dice_and_jaccard() -> None:
    class Batch:
        pred = torch.randn(2, 3, 8, 8)
        y = torch.randint(0, 3, (2, 8, 8))

    class WithVoid:
        pred = torch.cat([Batch.pred, torch.randn(2, 3, 8, 4)], dim=-1)
        y = torch.cat([Batch.y, torch.full((2, 8, 4), 255)], dim=-1)

    for metric in (DiceMulti(), JaccardCoeffMulti()):
        metric.accumulate(Batch)
        without = metric.value
        metric.reset()
        metric.accumulate(WithVoid)
        assert metric.value == pytest.approx(without)


# ------------------------------------------------------------------ networks
@pytest.mark.parametrize(
    "arch",
    [
        "resnet18",
        "tf_efficientnet_lite0",
        "convnext_atto",
        "mobilenetv3_small_050",
        "test_vit",
        "test_byobnet",
        "xresnet18",
    ],
)
def test_a_unet_answers_each_pixel_of_any_size(arch: str) -> None:
    model = create_unet_model(arch, 3, (50, 70), pretrained=False).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, 50, 70)).shape == (1, 3, 50, 70)
        if arch != "test_vit":  # its positions are those of the size it was made for
            assert model(torch.rand(1, 3, 33, 47)).shape == (1, 3, 33, 47)


def test_layers_that_only_serve_a_classifier_are_left_out() -> None:
    # EfficientNet-Lite0 widens its last map from 320 to 1280 channels for its classifier
    encoder = create_unet_model("tf_efficientnet_lite0", 2, (64, 64), pretrained=False).encoder
    with torch.no_grad():
        assert encoder.eval()(torch.rand(1, 3, 64, 64))[-1].shape[1] == 320


# ------------------------------------------------------------------ seen and used
def test_targets_and_predictions_are_drawn_over_the_picture(squares: Path) -> None:
    learn = unet_learner(loaders(squares), "test_resnet", pretrained=False)
    learn.show_results(max_n=2)
    axes = plt.gcf().axes
    assert [len(ax.images) for ax in axes] == [2, 2, 2, 2]
    assert [ax.get_title() for ax in axes] == ["Target", "Prediction", "", ""]


def test_new_pictures_need_no_masks(squares: Path) -> None:
    dls = loaders(squares)
    learn = unet_learner(dls, "test_resnet", pretrained=False)
    test = dls.test_dl(get_image_files(squares / "images")[:3])
    probabilities, targets, classes = learn.get_preds(dl=test, with_decoded=True)
    assert targets is None and probabilities.shape == (3, 2, 34, 50) and classes.shape == (3, 34, 50)
    assert torch.equal(classes, probabilities.argmax(1))
    test.show_batch(max_n=2)
    labelled = dls.test_dl(get_image_files(squares / "images")[:3], with_labels=True)
    assert learn.get_preds(dl=labelled)[1].shape == (3, 34, 50)


def test_the_parts_of_a_unet_are_had_by_position() -> None:
    model = create_unet_model("resnet18", 2, (32, 32), pretrained=False)
    assert model[0] is model.layers[0] is next(model.children())
    assert len(model[1:]) == len(model.layers) - 1 and len(list(model[1:].parameters())) > 0
