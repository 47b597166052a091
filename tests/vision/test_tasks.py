"""One way of working for each kind of target: train, predict, show, interpret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vivace.core.array_image import ArrayImage
from vivace.core.errors import ArgumentError, DataError, MetricError
from vivace.core.image import PILImageBW
from vivace.core.types import TensorImage, TensorMask, TensorPoint, plain_tensor
from vivace.data.block import CategoryBlock, DataBlock, MultiCategoryBlock, RegressionBlock
from vivace.data.splits import IndexSplitter
from vivace.data.transforms import Normalize
from vivace.interpret.classification import ClassificationInterpretation
from vivace.interpret.interpretation import Interpretation
from vivace.interpret.segmentation import SegmentationInterpretation
from vivace.training.learner import Learner
from vivace.training.losses import BCEWithLogitsLossFlat, CrossEntropyLossFlat, MSELossFlat
from vivace.training.metrics import accuracy
from vivace.vision.augment import Resize
from vivace.vision.blocks import BBoxBlock, BBoxLblBlock, ImageBlock, MaskBlock, PointBlock
from vivace.vision.learner import unet_learner, vision_learner

HEIGHT, WIDTH = 18, 24
LABELS = [["cat"], [], ["cat", "dog"], ["bird"], ["bird", "dog"], ["dog"], ["cat"], ["bird"]]


def pixels(i: int, n_channels: int = 3, highest: int = 256) -> np.ndarray[Any, Any]:
    shape = (HEIGHT, WIDTH, n_channels) if n_channels != 1 else (HEIGHT, WIDTH)
    return np.random.default_rng(i).integers(0, highest, shape).astype(np.uint8 if highest == 256 else np.uint16)


def pooled(n_in: int, n_out: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(n_in, 4, 3, padding=1), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, n_out))


class Beside(nn.Module):
    """A model of the user's with two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.look, self.answer = pooled(3, 4), nn.Linear(8, 2)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        scores: Tensor = self.answer(torch.cat([self.look(left), self.look(right)], 1))
        return scores


def learner(blocks: Any, get_y: Any, model: nn.Module, get_x: Any = pixels, **options: Any) -> Learner:
    batch_tfms = options.pop("batch_tfms", None)
    block = DataBlock(
        blocks, get_x=get_x, get_y=get_y, splitter=IndexSplitter([6, 7]), batch_tfms=batch_tfms, **options
    )
    return Learner(block.dataloaders(list(range(8)), bs=4), model)


def mask_of(i: int) -> np.ndarray[Any, Any]:
    return (pixels(i)[..., 0] > 128).astype(np.uint8)


TASKS: dict[str, tuple[Callable[[], Learner], type, type]] = {
    "several labels": (
        lambda: learner((ImageBlock, MultiCategoryBlock), lambda i: LABELS[i], pooled(3, 3)),
        BCEWithLogitsLossFlat,
        ClassificationInterpretation,
    ),
    "mask": (
        lambda: learner((ImageBlock, MaskBlock(["no", "yes"])), mask_of, nn.Conv2d(3, 2, 3, padding=1)),
        CrossEntropyLossFlat,
        SegmentationInterpretation,
    ),
    "points": (
        lambda: learner((ImageBlock, PointBlock), lambda i: [(i + 1, 2), (3, i + 4)], pooled(3, 4)),
        MSELossFlat,
        Interpretation,
    ),
    "number": (
        lambda: learner((ImageBlock, RegressionBlock), float, pooled(3, 1)),
        MSELossFlat,
        Interpretation,
    ),
    "numbers": (
        lambda: learner((ImageBlock, RegressionBlock(n_out=3)), lambda i: (i, i + 1, i + 2), pooled(3, 3)),
        MSELossFlat,
        Interpretation,
    ),
    "picture": (
        lambda: learner((ImageBlock, ImageBlock), lambda i: 255 - pixels(i), nn.Conv2d(3, 3, 3, padding=1)),
        MSELossFlat,
        Interpretation,
    ),
    "two inputs": (
        lambda: learner(
            (ImageBlock, ImageBlock, CategoryBlock),
            lambda i: "even" if i % 2 else "odd",
            Beside(),
            [pixels, lambda i: pixels(i + 1)],
            n_inp=2,
        ),
        CrossEntropyLossFlat,
        ClassificationInterpretation,
    ),
    "five channels": (
        lambda: learner(
            (ImageBlock(ArrayImage), CategoryBlock),
            lambda i: "even" if i % 2 else "odd",
            pooled(5, 2),
            lambda i: pixels(i, 5, 65536),
            batch_tfms=Normalize(),
            item_tfms=Resize(16),
        ),
        CrossEntropyLossFlat,
        ClassificationInterpretation,
    ),
    "sixteen bits": (
        lambda: learner(
            (ImageBlock(ArrayImage), CategoryBlock),
            lambda i: "even" if i % 2 else "odd",
            pooled(1, 2),
            lambda i: pixels(i, 1, 65536),
        ),
        CrossEntropyLossFlat,
        ClassificationInterpretation,
    ),
}


@pytest.fixture(params=list(TASKS))
def task(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_the_loss_is_chosen_by_the_target_and_it_trains(task: str) -> None:
    make, loss, _ = TASKS[task]
    learn = make()
    assert type(learn.loss_func) is loss
    before = learn.validate(0)[0]
    learn.fit(8, 1e-2)
    assert learn.validate(0)[0] < before


def test_results_and_losses_are_drawn(task: str) -> None:
    make, _, interpretation = TASKS[task]
    learn = make()
    learn.dls.show_batch(max_n=2)
    learn.show_results(max_n=2)
    assert all(any(ax.images for ax in plt.figure(number).axes) for number in plt.get_fignums())
    interp = interpretation.from_learner(learn)
    interp.plot_top_losses(2)
    interp.show_results([0, 1])
    losses, indices = interp.top_losses()
    assert sorted(indices.tolist()) == [0, 1] and losses[0] >= losses[1]
    assert len(plt.get_fignums()) == 4


def test_new_items_are_predicted_without_labels(task: str) -> None:
    learn = TASKS[task][0]()
    items = [5, 6, 7]
    predictions, targets = learn.get_preds(dl=learn.dls.test_dl(items))
    assert targets is None and len(predictions) == 3
    assert torch.allclose(learn.predict(7)[2], predictions[2], atol=1e-6)
    labelled, targets = learn.get_preds(dl=learn.dls.test_dl(items, with_labels=True))
    assert torch.equal(labelled, predictions) and len(targets) == 3


# ------------------------------------------------------------------ what single tasks promise
def test_several_labels_are_predicted_as_a_list_of_those_above_the_threshold() -> None:
    learn = TASKS["several labels"][0]()
    labels, are_on, probabilities = learn.predict(2)
    assert list(labels) == [v for v, p in zip(["bird", "cat", "dog"], probabilities, strict=True) if p > 0.5]
    assert are_on.tolist() == (probabilities > 0.5).tolist()


def test_points_are_predicted_in_pixels_of_the_picture() -> None:
    learn = TASKS["points"][0]()
    points, scaled, _ = learn.predict(3)
    assert isinstance(points, TensorPoint) and points.shape == (2, 2)
    expected = (scaled.view(2, 2) + 1) / 2 * torch.tensor([WIDTH, HEIGHT])
    assert torch.allclose(plain_tensor(points), expected, atol=1e-4)


def test_a_predicted_picture_is_one_also_where_targets_are_normalised() -> None:
    normalize = Normalize.from_stats([0.5] * 3, [0.25] * 3)
    model = nn.Conv2d(3, 3, 1)
    nn.init.dirac_(model.weight)
    nn.init.zeros_(model.bias)
    learn = learner((ImageBlock, ImageBlock), pixels, model, batch_tfms=normalize)
    picture, raw, _ = learn.predict(3)
    assert isinstance(picture, TensorImage)
    given = torch.tensor(pixels(3)).permute(2, 0, 1) / 255
    assert torch.allclose(plain_tensor(picture), given, atol=1e-5)
    assert torch.allclose(raw, (given - 0.5) / 0.25, atol=1e-4)


def test_a_unet_for_pictures_takes_its_outputs_from_the_target() -> None:
    block = DataBlock((ImageBlock, ImageBlock(PILImageBW)), get_x=pixels, get_y=pixels, splitter=IndexSplitter([6, 7]))
    learn = unet_learner(block.dataloaders(list(range(8)), bs=4), "test_resnet", pretrained=False)
    assert learn.model(learn.dls.one_batch()[0]).shape == (4, 1, HEIGHT, WIDTH)


def test_pictures_of_a_sample_have_axes_of_their_own_and_results_three() -> None:
    learn = TASKS["picture"][0]()
    learn.dls.show_batch(max_n=2)
    assert [len(ax.images) for ax in plt.gcf().axes] == [1, 1, 1, 1]
    learn.show_results(max_n=2)
    axes = plt.gcf().axes
    assert [len(ax.images) for ax in axes] == [1] * 6
    assert [ax.get_title() for ax in axes[:3]] == ["Input", "Target", "Prediction"]
    TASKS["two inputs"][0]().dls.show_batch(max_n=2)
    axes = plt.gcf().axes
    assert [len(ax.images) for ax in axes] == [1] * 4
    assert [bool(ax.get_title()) for ax in axes] == [True, False, True, False]


def test_masks_that_are_predicted_know_their_codes() -> None:
    mask, classes, _ = TASKS["mask"][0]().predict(3)
    assert isinstance(mask, TensorMask) and list(mask.codes) == ["no", "yes"] and classes.shape == (HEIGHT, WIDTH)


def test_labels_stand_at_their_boxes() -> None:
    boxes = {i: ([[1, 1, 9, 8], [12, 4, 20, 15]][: i % 3], ["ball", "cup"][: i % 3]) for i in range(9)}
    block = DataBlock(
        (ImageBlock, BBoxBlock, BBoxLblBlock),
        get_x=pixels,
        get_y=[lambda i: boxes[i][0], lambda i: boxes[i][1]],
        n_inp=1,
        splitter=IndexSplitter([6, 7, 8]),
    )
    dls = block.dataloaders(list(range(9)), bs=3)
    batch = dls.valid.one_batch()
    assert batch[1].shape == (3, 2, 4) and batch[2].tolist() == [[0, 0], [1, 0], [1, 2]]
    dls.valid.show_batch(max_n=3)
    axes = plt.gcf().axes[:3]
    assert [len(ax.patches) for ax in axes] == [0, 1, 2]
    assert [[text.get_text() for text in ax.texts] for ax in axes] == [[], ["ball"], ["ball", "cup"]]


@pytest.mark.parametrize("make", [vision_learner, unet_learner])
def test_samples_with_several_pictures_need_a_model_of_ones_own(make: Any) -> None:
    block = DataBlock((ImageBlock, ImageBlock, CategoryBlock), n_inp=2, get_x=[pixels, pixels], get_y=lambda i: i % 2)
    with pytest.raises(ArgumentError, match=r"samples have 2 inputs.*Learner\(dls, model\)"):
        make(block.dataloaders(list(range(8)), bs=4), "test_resnet", pretrained=False)


def test_numbers_have_no_confusion() -> None:
    learn = learner((ImageBlock, RegressionBlock), float, pooled(3, 1))
    with pytest.raises(DataError, match="is for classes.*of the kind regression: use Interpretation"):
        ClassificationInterpretation.from_learner(learn)
    several = learner((ImageBlock, MultiCategoryBlock), LABELS.__getitem__, pooled(3, 3))
    several.metrics = accuracy
    with pytest.raises(MetricError, match="several labels for each sample: use accuracy_multi"):
        several.validate()
