"""Where masks are wrong: by picture, by class, in pixels."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score
from torch import Tensor, nn

from vivace.data.block import DataBlock
from vivace.data.splits import IndexSplitter
from vivace.interpret.segmentation import SegmentationInterpretation
from vivace.training.learner import Learner
from vivace.training.losses import CrossEntropyLossFlat
from vivace.vision.blocks import ImageBlock, MaskBlock

CODES = ["sky", "sea", "sand"]


class ByColour(nn.Module):
    """Takes the strongest colour for the class."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(5.0))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def mask_of(i: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(i).integers(0, 3, (6, 8)).astype(np.uint8)


def picture_of(i: int) -> np.ndarray[Any, Any]:
    """The mask as colours; the later the picture, the more of it is something else."""
    shown = mask_of(i).copy()
    shown.flat[: 3 * i] = mask_of(i + 50).flat[: 3 * i]
    return (np.eye(3)[shown] * 255).astype(np.uint8)


@pytest.fixture
def learn() -> Learner:
    block = DataBlock(
        (ImageBlock, MaskBlock(CODES)), get_x=picture_of, get_y=mask_of, splitter=IndexSplitter(range(4, 12))
    )
    return Learner(block.dataloaders(list(range(12)), bs=3), ByColour(), loss_func=CrossEntropyLossFlat(axis=1))


@pytest.fixture
def actual_and_found(learn: Learner) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    probabilities, targets = learn.get_preds()
    return targets.flatten().numpy(), probabilities.argmax(1).flatten().numpy()


def test_the_worst_pictures_are_those_with_most_wrong_pixels(learn: Learner) -> None:
    interp = SegmentationInterpretation.from_learner(learn)
    n_wrong = (interp.targs != interp.decoded).flatten(1).sum(1)
    assert interp.top_losses(1)[1].tolist() == [int(n_wrong.argmax())] and n_wrong.max() > n_wrong.min()


def test_pixels_are_counted_as_scikit_learn_counts_them(learn: Learner, actual_and_found: Any) -> None:
    interp = SegmentationInterpretation.from_learner(learn)
    assert np.array_equal(interp.confusion_matrix(), confusion_matrix(*actual_and_found, labels=[0, 1, 2]))
    counts = interp.confusion_matrix()
    assert interp.most_confused()[0][2] == (counts - np.diag(np.diag(counts))).max()


def test_scores_of_classes_are_those_of_scikit_learn(
    learn: Learner, actual_and_found: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    interp = SegmentationInterpretation.from_learner(learn)
    scores = interp.class_scores()
    assert [row["class"] for row in scores] == CODES
    assert np.allclose([row["dice"] for row in scores], f1_score(*actual_and_found, average=None))
    assert np.allclose([row["jaccard"] for row in scores], jaccard_score(*actual_and_found, average=None))
    assert [row["pixels"] for row in scores] == np.bincount(actual_and_found[0]).tolist()
    interp.print_class_scores()
    assert f"{scores[1]['dice']:.4f}" in capsys.readouterr().out


def test_probabilities_are_not_kept_and_masks_are_bytes(learn: Learner) -> None:
    interp = SegmentationInterpretation.from_learner(learn)
    assert interp.preds is None and interp.decoded.dtype == interp.targs.dtype == torch.uint8


def test_the_worst_pictures_are_drawn_with_target_and_prediction(learn: Learner) -> None:
    interp = SegmentationInterpretation.from_learner(learn)
    interp.plot_top_losses(2)
    axes = plt.gcf().axes
    assert [len(ax.images) for ax in axes] == [1, 2, 2] * 2
    worst = interp.top_losses(2)[0]
    expected = [title for loss in worst for title in ("Input", "Target", f"Prediction, loss {float(loss):.4g}")]
    assert [ax.get_title() for ax in axes] == expected


def test_the_confusion_of_pixels_is_drawn_in_fractions(learn: Learner) -> None:
    ax = SegmentationInterpretation.from_learner(learn).plot_confusion_matrix()
    cells = np.array([float(text.get_text()) for text in ax.texts]).reshape(3, 3)
    assert np.allclose(cells.sum(1), 1, atol=0.02)
    assert [label.get_text() for label in ax.get_yticklabels()] == CODES


def test_pixels_of_no_class_are_left_out() -> None:
    block = DataBlock(
        (ImageBlock, MaskBlock(CODES)),
        get_x=picture_of,
        get_y=lambda i: np.where(np.arange(8) < 2, 255, mask_of(i)).astype(np.uint8),
        splitter=IndexSplitter([4, 5]),
    )
    loss = CrossEntropyLossFlat(axis=1, ignore_index=255)
    learn = Learner(block.dataloaders(list(range(6)), bs=2), ByColour(), loss_func=loss)
    assert SegmentationInterpretation.from_learner(learn).confusion_matrix().sum() == 2 * 6 * 6
