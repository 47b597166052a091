"""What is confused where a sample has several labels."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from sklearn.metrics import multilabel_confusion_matrix
from torch import nn

from vivace.data.block import DataBlock, MultiCategoryBlock
from vivace.data.splits import IndexSplitter
from vivace.interpret.classification import ClassificationInterpretation
from vivace.training.learner import Learner
from vivace.vision.blocks import ImageBlock

NAMES = ["bird", "cat", "dog"]


@pytest.fixture
def interp() -> ClassificationInterpretation:
    rng = np.random.default_rng(0)
    labels = [[name for name in NAMES if rng.random() < 0.5] for _ in range(20)]
    block = DataBlock(
        (ImageBlock, MultiCategoryBlock(vocab=NAMES)),
        get_x=lambda i: np.random.default_rng(i).integers(0, 256, (8, 8, 3)).astype(np.uint8),
        get_y=lambda i: labels[i],
        splitter=IndexSplitter(range(4, 20)),
    )
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    model[-1].weight.data *= 20
    return ClassificationInterpretation.from_learner(Learner(block.dataloaders(list(range(20)), bs=8), model))


def test_each_label_has_a_matrix_as_in_scikit_learn(interp: ClassificationInterpretation) -> None:
    expected = multilabel_confusion_matrix(interp.targs.numpy(), interp.decoded.numpy())
    assert np.array_equal(interp.confusion_matrix(), expected)


def test_missing_labels_are_paired_with_wrong_ones(interp: ClassificationInterpretation) -> None:
    interp.targs = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1]])
    interp.decoded = torch.tensor(
        [[False, False, True], [False, True, True], [False, False, True], [True, False, True]]
    )
    interp.preds = interp.decoded.float()
    assert interp.most_confused() == [("bird", "dog", 2), ("cat", "bird", 1)]
    axes = interp.plot_confusion_matrix()
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("Missing", "Wrongly given")
    assert [text.get_text() for text in axes.texts] == list("002100000")


def test_the_report_has_each_label(interp: ClassificationInterpretation, capsys: pytest.CaptureFixture[str]) -> None:
    interp.print_classification_report()
    printed = capsys.readouterr().out
    assert all(name in printed for name in [*NAMES, "samples avg"])


def test_worst_samples_name_all_labels(interp: ClassificationInterpretation) -> None:
    interp.plot_top_losses(2)
    worst = int(interp.top_losses(1)[1])
    actual = ";".join(name for name, on in zip(NAMES, interp.targs[worst].tolist(), strict=True) if on)
    assert plt.gcf().axes[0].get_title().split("/")[1] == actual


def test_calibration_and_heat_maps_work_as_with_one_label(interp: ClassificationInterpretation) -> None:
    sure = torch.maximum(interp.preds, 1 - interp.preds)
    is_right = ((interp.preds > 0.5) == interp.targs.bool()).float()
    assert interp.calibration_error(n_bins=1) == pytest.approx(float((sure.mean() - is_right.mean()).abs()), abs=1e-5)
    interp.plot_gradcam(2)
    assert [len(ax.images) for ax in plt.gcf().axes] == [2, 2]
