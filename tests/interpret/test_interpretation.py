"""What a trained model gets wrong: confusion, top losses, suspicious labels, calibration, heat maps."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

from vivace.core.errors import DataError
from vivace.data.loader import DataWarning
from vivace.interpret.classification import ClassificationInterpretation
from vivace.interpret.confusion import confusion_counts
from vivace.interpret.gradcam import class_activation, find_last_map
from vivace.interpret.interpretation import Interpretation
from vivace.interpret.label_issues import expected_calibration_error, find_label_issues
from vivace.training.learner import Learner
from vivace.vision.data import ImageDataLoaders
from vivace.vision.item_transforms import Resize


@pytest.fixture
def interp(photo_folder):
    dls = ImageDataLoaders.from_folder(
        photo_folder, valid_pct=0.4, seed=1, item_tfms=Resize(16), bs=8, num_workers=0, device="cpu"
    )
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return ClassificationInterpretation.from_learner(Learner(dls, model))


def test_a_prediction_without_a_label_is_an_error_that_says_so(photo_folder):
    dls = ImageDataLoaders.from_folder(
        photo_folder, valid_pct=0.4, seed=1, item_tfms=Resize(16), bs=8, num_workers=0, device="cpu"
    )
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5))
    nn.init.constant_(model[-1].bias, 0.0)
    model[-1].bias.data[4] = 99.0
    with pytest.raises(DataError, match=r"predicted class 4, and there are only 3 labels: give it one output for each"):
        ClassificationInterpretation.from_learner(Learner(dls, model))


def test_rows_of_the_confusion_matrix_are_actual_classes():
    counts = confusion_counts(torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 1, 0]), 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_most_confused_lists_what_is_off_the_diagonal(interp):
    counts = interp.confusion_matrix()
    pairs = interp.most_confused()
    assert sum(n for *_, n in pairs) == counts.sum() - np.trace(counts)
    assert [n for *_, n in pairs] == sorted((n for *_, n in pairs), reverse=True)


def test_top_losses_come_with_their_files(interp):
    losses, indices, items = interp.top_losses(3, items=True)
    assert torch.equal(losses, interp.losses.sort(descending=True)[0][:3])
    assert list(items) == [interp.learn.dls.valid_ds.items[int(i)] for i in indices]


def test_pictures_are_drawn_with_their_titles(interp):
    interp.plot_top_losses(4, nrows=2)
    drawn = [ax for ax in plt.gcf().axes if ax.images]
    assert len(drawn) == 4 and all(len(ax.get_title().split("/")) == 4 for ax in drawn)
    plt.close("all")
    interp.show_results([0, 1])
    assert sum(bool(ax.images) for ax in plt.gcf().axes) == 2


def test_grids_have_the_columns_that_are_asked_for(interp):
    for draw in (interp.plot_top_losses, lambda k, **grid: interp.plot_gradcam(k, layer=interp.learn.model[0], **grid)):
        draw(6, ncols=2)
        assert {ax.get_subplotspec().get_gridspec().get_geometry() for ax in plt.gcf().axes} == {(3, 2)}
    with pytest.raises(TypeError, match="nrow"):
        interp.plot_top_losses(4, nrow=2)


def test_what_is_drawn_is_not_drawn_twice_in_a_notebook(interp):
    for drawn in (interp.plot_confusion_matrix(), interp.plot_calibration()):
        assert isinstance(drawn, plt.Axes)  # a figure, as the last value of a cell, would be shown again


def test_inference_runs_once(interp):
    calls = []
    interp.learn.model.register_forward_hook(lambda *_: calls.append(1))
    interp.confusion_matrix(), interp.top_losses(2), interp.most_confused(), interp.label_issues()
    assert not calls


def test_pictures_are_not_kept_in_memory(photo_folder, monkeypatch):
    kept = []
    monkeypatch.setattr("vivace.core.picture_cache.MemoryCache.keep", lambda _, key, picture: kept.append(key))
    dls = ImageDataLoaders.from_folder(
        photo_folder, valid_pct=0.4, seed=1, item_tfms=Resize(16), bs=8, num_workers=0, device="cpu"
    )
    learn = Learner(dls, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3)))
    ClassificationInterpretation.from_learner(learn).plot_top_losses(4)
    assert not kept
    learn.validate()
    assert kept, "training keeps them"


def test_planted_wrong_labels_are_found_first():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 300)
    probabilities = np.full((300, 3), 0.05)
    probabilities[np.arange(300), true] = 0.9
    labels = true.copy()
    planted = [5, 40, 200]
    labels[planted] = (true[planted] + 1) % 3
    found = find_label_issues(probabilities, labels)
    assert {issue.index for issue in found} == set(planted)
    assert all(issue.suggested == true[issue.index] and issue.score == pytest.approx(0.85) for issue in found)


def test_clean_labels_give_no_issue():
    labels = np.arange(30) % 3
    assert find_label_issues(np.eye(3)[labels] * 0.8 + 0.0667, labels) == []


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    confidences = np.array([0.95] * 10 + [0.55] * 10)
    correct = np.array([True] * 9 + [False] + [True] * 5 + [False] * 5)
    assert expected_calibration_error(confidences, correct) == pytest.approx((0.05 + 0.05) / 2)


def test_calibration_is_drawn_with_its_error(interp):
    assert f"{interp.calibration_error():.3f}" in interp.plot_calibration().get_title()


def test_the_heat_is_where_the_evidence_is():
    model = nn.Sequential(
        nn.Conv2d(1, 1, 1, bias=False), nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2)
    )
    nn.init.ones_(model[0].weight)
    model[4].weight.data = torch.tensor([[0.0], [1.0]])
    image = torch.zeros(1, 1, 8, 8)
    image[..., 2:4, 5:7] = 1
    layer = find_last_map(model, (image,))
    heat = class_activation(model, (image,), layer, torch.tensor([1]))
    assert heat.shape == (1, 8, 8)
    assert (heat[0, 2:4, 5:7] == 1).all() and heat.sum() == 4


def test_gradcam_leaves_the_model_as_it_was(interp):
    interp.learn.model.train()
    interp.learn.model[0].eval()  # as `train_bn=False` does with a frozen body
    modes = [module.training for module in interp.learn.model.modules()]
    interp.plot_gradcam(2, layer=interp.learn.model[0])
    assert [module.training for module in interp.learn.model.modules()] == modes
    assert not interp.learn.model[0]._forward_hooks
    assert [len(ax.images) for ax in plt.gcf().axes if ax.images] == [2, 2]


def test_an_interpretation_of_tensors_needs_no_pictures():
    from vivace.data.loader import DataLoader
    from vivace.data.loaders import DataLoaders
    from vivace.training.losses import MSELossFlat

    rows = [(torch.randn(2), torch.randn(1)) for _ in range(12)]
    dls = DataLoaders(DataLoader(rows, bs=4), DataLoader(rows, bs=4))
    found = Interpretation.from_learner(Learner(dls, nn.Linear(2, 1), loss_func=MSELossFlat()))
    assert len(found.top_losses()[0]) == 12


def test_items_that_cannot_be_read_do_not_shift_the_others(photo_folder):
    dls = ImageDataLoaders.from_folder(
        photo_folder, valid_pct=0.5, seed=1, item_tfms=Resize(16), bs=8, num_workers=0, device="cpu", on_error="skip"
    )
    bad = dls.valid_ds.items[3]
    bad.write_bytes(b"no picture")
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    learn = Learner(dls, model)
    with pytest.warns(DataWarning, match=bad.name):
        interp = ClassificationInterpretation.from_learner(learn)
    assert len(interp.losses) == len(dls.valid_ds) - 1 == len(interp.dl.items)
    losses, indices, files = interp.top_losses(5, items=True)
    for loss, index, file in zip(losses, indices, files, strict=True):
        assert file.parent.name == dls.vocab[int(interp.targs[index])]
        with torch.no_grad():
            prediction = learn.predict(file)[2]
        assert -prediction[interp.targs[index]].log() == pytest.approx(float(loss), abs=1e-4)
    interp.plot_top_losses(3)
