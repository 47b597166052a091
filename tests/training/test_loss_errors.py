"""What goes wrong at the loss is told with shapes, classes and types, and what to do."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from vivace.core.errors import ArgumentError, ArgumentTypeError, LossError, MetricError
from vivace.data.loaders import DataLoaders
from vivace.training.callbacks.mixup import MixUp
from vivace.training.learner import Learner
from vivace.training.losses import CrossEntropyLossFlat
from vivace.training.metrics import accuracy


def learner(model, loss_func, y, **settings):
    x = torch.rand(16, 4)
    data = TensorDataset(x, *(y if isinstance(y, tuple) else (y,)))
    dls = DataLoaders.from_dsets(data, data, bs=8, device="cpu", shuffle=False)
    dls.train.n_inp = dls.valid.n_inp = 1
    return Learner(dls, model, loss_func=loss_func, **settings)


CLASSES = torch.arange(16) % 3


# ---------------------------------------------------------------------- a loss that does not fit
@pytest.mark.parametrize(
    "loss_func", [F.cross_entropy, nn.CrossEntropyLoss(), CrossEntropyLossFlat()], ids=["function", "module", "ours"]
)
def test_too_few_outputs_name_the_class_and_the_remedy(loss_func):
    met = r"predictions \(8, 2\) float32 and targets \(8,\) int64"
    reason = (
        "the model has 2 outputs, so classes go from 0 to 1, but the targets hold class 2: give the model more outputs"
    )
    with pytest.raises(LossError, match=f"{met}: {reason}"):
        learner(nn.Linear(4, 2), loss_func, CLASSES).fit(1)


def test_a_negative_class_is_named():
    with pytest.raises(LossError, match="the targets hold class -6"):
        learner(nn.Linear(4, 3), F.cross_entropy, CLASSES - 7 * (CLASSES == 1)).fit(1)


def test_another_number_of_predictions_than_targets_is_told():
    class Halved(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x):
            return self.layer(x)[:4]

    with pytest.raises(LossError, match="4 predictions for 8 targets"):
        learner(Halved(), F.cross_entropy, CLASSES).fit(1)
    with pytest.raises(LossError, match="4 predictions for 8 targets"):
        learner(Halved(), CrossEntropyLossFlat(), CLASSES).fit(1)


def test_several_outputs_are_told():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x):
            return self.layer(x), x

    with pytest.raises(
        LossError, match=r"tuple of \[\(8, 3\) float32, \(8, 4\) float32\].*the model returns several values"
    ):
        learner(Two(), F.cross_entropy, CLASSES).fit(1)


def test_several_targets_for_a_loss_of_one_are_told():
    with pytest.raises(LossError, match=r"there are 2 targets, so the loss must take 1 \+ 2 arguments"):
        learner(nn.Linear(4, 3), lambda pred, y: F.cross_entropy(pred, y), (CLASSES, CLASSES)).fit(1)


def test_numbers_for_classes_and_classes_for_numbers_are_told():
    with pytest.raises(
        LossError,
        match="binary_cross_entropy_with_logits failed.*int64: predictions are torch.float32 and targets torch.int64",
    ):
        learner(nn.Linear(4, 1), F.binary_cross_entropy_with_logits, CLASSES[:, None] % 2).fit(1)


@pytest.mark.filterwarnings("ignore:Using a target size")  # torch's own, before it raises
def test_regression_shapes_that_cannot_meet_are_told():
    with pytest.raises(
        LossError,
        match=r"\(8, 3\) float32 and targets \(8, 2\) float32: predictions and targets of a regression must have one",
    ):
        learner(nn.Linear(4, 3), F.mse_loss, torch.rand(16, 2)).fit(1)


def test_what_nobody_knows_advice_for_still_has_shapes_and_the_original():
    def strange(pred, y):
        raise ValueError("out of luck")

    with pytest.raises(
        LossError,
        match=r"strange failed on predictions \(8, 1\) float32 and targets \(8, 1\) float32: ValueError: out of luck",
    ) as caught:
        learner(nn.Linear(4, 1), strange, torch.rand(16, 1)).fit(1)
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_bug_in_the_users_loss_is_not_dressed_up():
    with pytest.raises(AttributeError, match="no attribute 'shaep'"):
        learner(nn.Linear(4, 1), lambda pred, y: pred.shaep, torch.rand(16, 1)).fit(1)


def test_the_message_names_the_users_loss_also_under_mixup_and_partial():
    def own(pred, y, weight=1, reduction="mean"):
        return F.cross_entropy(pred, y, reduction=reduction)

    with pytest.raises(LossError, match="The loss own failed"):
        learner(nn.Linear(4, 2), partial(own, weight=2), CLASSES).fit(1)
    with pytest.raises(LossError, match="The loss own failed"):
        learner(nn.Linear(4, 2), own, CLASSES).fit(1, cbs=MixUp())


def test_validation_tells_the_same():
    with pytest.raises(LossError, match="the targets hold class 2"):
        learner(nn.Linear(4, 2), F.cross_entropy, CLASSES).validate()


# ---------------------------------------------------------------------- a loss that cannot be differentiated
def test_a_loss_that_is_not_one_number_says_reduce_it():
    with pytest.raises(
        LossError,
        match=r"one number for each batch, but the loss cross_entropy returned a tensor of shape \(8,\): reduce it",
    ):
        learner(nn.Linear(4, 3), partial(F.cross_entropy, reduction="none"), CLASSES).fit(1)


def test_a_loss_without_gradient_says_why():
    with pytest.raises(LossError, match="does not depend on any parameter that can be trained"):
        learner(nn.Linear(4, 3), lambda pred, y: (pred.argmax(1) != y).float().mean(), CLASSES).fit(1)
    frozen = nn.Linear(4, 3).requires_grad_(False)
    with pytest.raises(LossError, match=r"all may be frozen \(learn.unfreeze\(\)\)"):
        learner(frozen, F.cross_entropy, CLASSES, splitter=lambda m: list(m.parameters())).fit(1)


def test_a_loss_that_is_no_tensor_says_so():
    with pytest.raises(LossError, match="must return a tensor, <lambda> returned float"):
        learner(nn.Linear(4, 3), lambda pred, y: 1.5, CLASSES).fit(1)


# ---------------------------------------------------------------------- the rest of what a person can get wrong
def test_data_without_a_known_kind_needs_a_loss():
    data = TensorDataset(torch.rand(8, 4), CLASSES[:8])
    dls = DataLoaders.from_dsets(data, data, bs=8, device="cpu")
    with pytest.raises(ArgumentError, match="The loss cannot be chosen from this data"):
        Learner(dls, nn.Linear(4, 3))


def test_a_model_that_is_none_is_refused():
    with pytest.raises(ArgumentTypeError, match="Learner needs an nn.Module as model, got function"):
        learner(lambda x: x, F.cross_entropy, CLASSES)


def test_a_metric_that_raises_is_named_with_the_shapes():
    def half_right(pred, y):
        raise IndexError("oops")

    with pytest.raises(MetricError, match=r"The metric half_right failed.*\(8, 3\) and \(8,\): IndexError: oops"):
        learner(nn.Linear(4, 3), F.cross_entropy, CLASSES, metrics=[accuracy, half_right]).fit(1)


def test_a_wrong_keyword_is_named():
    with pytest.raises(TypeError, match="lr_maxx"):
        learner(nn.Linear(4, 3), F.cross_entropy, CLASSES).fit_one_cycle(1, lr_maxx=0.1)


def test_running_out_of_memory_in_the_loss_stays_what_it_is():
    def hungry(pred, y):
        raise torch.OutOfMemoryError("no memory")

    with pytest.raises(torch.OutOfMemoryError):
        learner(nn.Linear(4, 3), hungry, CLASSES).fit(1)
