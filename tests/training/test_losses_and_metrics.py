"""Losses and metrics against torch, scikit-learn and formulas; schedules."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import sklearn.metrics as skm
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from vivace.core.errors import ArgumentError, ArgumentTypeError, LossError, MetricError
from vivace.core.vision_shim import make_torchvision_importable
from vivace.training import metrics as m
from vivace.training import metrics_segmentation as seg
from vivace.training import metrics_sklearn as ms
from vivace.training.losses import (
    BaseLoss,
    BCEWithLogitsLossFlat,
    CrossEntropyLossFlat,
    DiceLoss,
    FocalLossFlat,
    LabelSmoothingCrossEntropy,
    MSELossFlat,
    loss_for_kind,
)
from vivace.training.schedule import SchedCos, SchedExp, SchedLin, SchedPoly, annealer, combine_scheds, combined_cos


def over_batches(metric, preds, targs, size=7):
    metric = m.as_metric(metric)
    metric.reset()
    for p, t in zip(preds.split(size), targs.split(size), strict=True):
        metric.accumulate(SimpleNamespace(pred=p, y=t, yb=(t,), loss=F.mse_loss(p.float(), p.float())))
    return float(metric.value)


@pytest.fixture
def three():
    return torch.randn(50, 3), torch.randint(0, 3, (50,))


@pytest.fixture
def two():
    return torch.randn(50, 2), torch.randint(0, 2, (50,))


@pytest.mark.parametrize("size", [1, 7, 16, 50])
def test_a_mean_is_exact_whatever_the_batches(three, size):
    p, y = three
    assert over_batches(m.accuracy, p, y, size) == pytest.approx(float((p.argmax(1) == y).float().mean()))


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
@pytest.mark.parametrize(
    "name, reference",
    [
        ("F1Score", skm.f1_score),
        ("Precision", skm.precision_score),
        ("Recall", skm.recall_score),
        ("Jaccard", skm.jaccard_score),
    ],
)
def test_averages_are_scikit_learns(three, name, reference, average):
    p, y = three
    got = over_batches(getattr(ms, name)(average=average), p, y)
    assert got == pytest.approx(reference(y, p.argmax(1), average=average))


def test_areas_are_scikit_learns(two, three):
    p, y = two
    assert over_batches(ms.RocAucBinary(), p, y) == pytest.approx(skm.roc_auc_score(y, p.softmax(1)[:, 1]))
    assert over_batches(ms.APScoreBinary(), p, y) == pytest.approx(skm.average_precision_score(y, p.softmax(1)[:, 1]))
    p, y = three
    assert over_batches(ms.RocAuc(), p, y) == pytest.approx(
        skm.roc_auc_score(y, p.softmax(1), multi_class="ovr"), abs=1e-6
    )


def test_root_mean_square_error_is_not_a_mean_of_batches():
    p, y = torch.randn(50, 1), torch.randn(50, 1)
    assert over_batches(m.rmse, p, y) == pytest.approx(float((p - y).pow(2).mean().sqrt()))


def test_dice_and_jaccard_count_over_the_whole_set():
    p, y = torch.randn(6, 2, 8, 8), torch.randint(0, 2, (6, 8, 8))
    d = p.argmax(1)
    both, total = int(((d == 1) & (y == 1)).sum()), int((d == 1).sum() + (y == 1).sum())
    assert over_batches(seg.Dice(), p, y, 4) == pytest.approx(2 * both / total)
    assert over_batches(seg.JaccardCoeff(), p, y, 4) == pytest.approx(both / (total - both))
    each = [2 * ((d == c) & (y == c)).sum() / ((d == c).sum() + (y == c).sum()) for c in range(2)]
    assert over_batches(seg.DiceMulti(), p, y, 4) == pytest.approx(float(sum(each) / 2))


def test_torchmetrics_objects_are_metrics(three):
    make_torchvision_importable()  # torchmetrics imports it when it is installed
    torchmetrics = pytest.importorskip("torchmetrics")
    p, y = three
    metric = torchmetrics.classification.MulticlassAccuracy(num_classes=3, average="micro")
    assert over_batches(metric, p, y) == pytest.approx(float((p.argmax(1) == y).float().mean()))


def test_a_metric_that_fails_is_named_with_the_shapes(three):
    def broken(p, t):
        raise ValueError("no")

    with pytest.raises(MetricError, match=r"metric broken failed .*\(7, 3\) and \(7,\): ValueError: no"):
        over_batches(broken, *three)
    with pytest.raises(ArgumentTypeError, match="A metric is a function"):
        m.as_metric(3)


def test_losses_are_torchs(three):
    p, y = three
    assert torch.equal(CrossEntropyLossFlat()(p, y), F.cross_entropy(p, y))
    assert torch.allclose(LabelSmoothingCrossEntropy(0.1)(p, y), F.cross_entropy(p, y, label_smoothing=0.1))
    images, masks = torch.randn(2, 5, 4, 3), torch.randint(0, 5, (2, 4, 3))
    assert torch.allclose(CrossEntropyLossFlat(axis=1)(images, masks), F.cross_entropy(images, masks))
    assert torch.allclose(FocalLossFlat(gamma=0.0)(p, y), F.cross_entropy(p, y))
    labels = (torch.rand(50, 3) > 0.5).float()
    assert torch.allclose(BCEWithLogitsLossFlat()(p, labels), F.binary_cross_entropy_with_logits(p, labels))
    assert MSELossFlat()(torch.ones(5, 1), torch.zeros(5)) == 1


def test_losses_know_what_outputs_mean(three):
    p, _ = three
    loss = CrossEntropyLossFlat()
    assert torch.allclose(loss.activation(p).sum(1), torch.ones(50)) and torch.equal(loss.decodes(p), p.argmax(1))
    several = BCEWithLogitsLossFlat(thresh=0.3)
    assert torch.equal(several.decodes(several.activation(p)), p.sigmoid() > 0.3)


def test_a_loss_of_torch_works_on_flattened_predictions():
    pred, targ = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    weight = torch.tensor([1.0, 2.0, 3.0])
    loss = BaseLoss(torch.nn.CrossEntropyLoss, weight=weight, axis=1)
    assert torch.allclose(loss(pred, targ), F.cross_entropy(pred, targ, weight))
    assert loss(pred, targ, reduction="none").shape == (32,) and isinstance(loss.func, torch.nn.CrossEntropyLoss)
    numbers = BaseLoss(torch.nn.HuberLoss, delta=0.5, floatify=True, is_2d=False)
    assert torch.allclose(
        numbers(torch.ones(4, 1), torch.zeros(4).int()), F.huber_loss(torch.ones(4), torch.zeros(4), delta=0.5)
    )


def test_a_loss_of_ones_own_decodes_as_it_says():
    class Own(BaseLoss):
        def __init__(self, *args, axis=-1, **kwargs):
            super().__init__(torch.nn.CrossEntropyLoss, *args, axis=axis, **kwargs)

        def decodes(self, out):
            return out.argmax(self.axis)

    pred, targ = torch.randn(5, 3), torch.randint(0, 3, (5,))
    assert torch.allclose(Own()(pred, targ), F.cross_entropy(pred, targ))
    assert torch.equal(Own().decodes(pred), pred.argmax(-1))


def test_perfect_masks_have_no_dice_loss():
    y = torch.randint(0, 3, (2, 8, 8))
    sure = F.one_hot(y, 3).permute(0, 3, 1, 2).float() * 50
    assert DiceLoss()(sure, y) < 1e-4 < 0.5 < DiceLoss()(-sure, y)


def test_what_does_not_fit_is_said():
    with pytest.raises(LossError, match="10 predictions for 5 targets"):
        MSELossFlat()(torch.ones(5, 2), torch.zeros(5))
    with pytest.raises(ArgumentError, match='reduction must be "mean"'):
        CrossEntropyLossFlat(reduction="avg")
    with pytest.raises(ArgumentError, match="no default loss for targets of the kind 'sound'"):
        loss_for_kind("sound")


@given(
    st.floats(0.01, 10),
    st.floats(0.01, 10),
    st.sampled_from([SchedLin, SchedCos, SchedExp, lambda a, b: SchedPoly(a, b, 2)]),
)
def test_schedules_begin_and_end_where_they_should(start, end, kind):
    sched = kind(start, end)
    assert sched(0.0) == pytest.approx(start) and sched(1.0) == pytest.approx(end)
    middle = sched(0.5)
    assert min(start, end) - 1e-9 <= middle <= max(start, end) + 1e-9


def test_a_function_becomes_a_schedule():
    @annealer
    def squared(start, end, pos):
        return start + (end - start) * pos**2

    assert squared(1, 3)(0.5) == 1.5 and squared(3, 1)(1.0) == 1


def test_schedules_follow_each_other():
    both = combine_scheds([0.25, 0.75], [SchedLin(0, 1), SchedLin(1, 0)])
    assert both(0.125) == pytest.approx(0.5) and both(0.25) == pytest.approx(1) and both(0.625) == pytest.approx(0.5)
    cycle = combined_cos(0.25, [0.1, 1.0], [1.0, 10.0], [0.0, 0.0])
    assert cycle(0.25) == pytest.approx([1.0, 10.0]) and cycle(1.0) == pytest.approx([0.0, 0.0])
    with pytest.raises(ArgumentError, match="one fraction for each schedule, summing to 1"):
        combine_scheds([0.5, 0.6], [SchedLin(0, 1), SchedLin(1, 0)])
