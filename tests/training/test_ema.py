"""EMA: the running average of the weights, by an independent formula, and when the model holds it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vivace.core.errors import ArgumentError
from vivace.training.callback import Callback
from vivace.training.callbacks.ema import EMA, average_into
from vivace.training.callbacks.tracker import SaveModelCallback
from vivace.training.metrics import ValueMetric


class Weights(Callback):
    """Keep the weight after each step, when validating, and at the end of each epoch."""

    order = 100

    def __init__(self):
        self.steps, self.validated, self.epochs = [], [], []

    def after_step(self):
        self.steps.append(self.model.weight.item())

    def before_validate(self):
        self.validated.append(self.model.weight.item())

    def after_epoch(self):
        self.epochs.append(self.model.weight.item())


def average(values, decay):
    mean = values[0]
    for n, value in enumerate(values, start=1):
        d = min(decay, (1 + n) / (10 + n))
        mean = d * mean + (1 - d) * value
    return mean


def test_the_model_validates_with_and_ends_with_the_average_of_its_steps(line_learner):
    learn, watch = line_learner(), Weights()
    learn.fit(2, 0.05, cbs=[EMA(0.5), watch])
    assert watch.validated == pytest.approx([average(watch.steps[:8], 0.5), average(watch.steps, 0.5)], rel=1e-5)
    assert learn.model.weight.item() == pytest.approx(average(watch.steps, 0.5), rel=1e-5)


def test_training_goes_on_from_the_weights_themselves(line_learner):
    plain, averaged = Weights(), Weights()
    line_learner().fit(3, 0.05, cbs=plain)
    line_learner().fit(3, 0.05, cbs=[EMA(0.9), averaged])
    assert averaged.steps == plain.steps


def test_the_average_can_begin_later_and_leave_validation_alone(line_learner):
    watch = Weights()
    learn = line_learner()
    learn.fit(2, 0.05, cbs=[EMA(0.5, start_epoch=1, validate=False), watch])
    assert watch.validated == [watch.steps[7], watch.steps[15]]
    assert learn.model.weight.item() == pytest.approx(average(watch.steps[8:], 0.5), rel=1e-5)


def test_the_best_model_is_saved_as_it_was_measured(line_learner):
    scores = iter([1.0, 5.0, 2.0])
    learn, watch = line_learner(metrics=ValueMetric(lambda: next(scores), "score")), Weights()
    learn.fit(3, 0.05, cbs=[EMA(0.9), SaveModelCallback("score"), watch])
    assert learn.model.weight.item() == watch.validated[1]


def test_running_statistics_are_averaged_and_counts_copied():
    model = nn.BatchNorm1d(1)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model(torch.tensor([[1.0], [3.0]]))
    average_into(before, model.state_dict(), 0.75)
    assert before["running_mean"].item() == pytest.approx(0.25 * 0.1 * 2) and int(before["num_batches_tracked"]) == 1


def test_an_error_in_validation_leaves_the_weights_themselves(line_learner):
    class Fail(Callback):
        order = 200

        def before_validate(self):
            raise RuntimeError("boom")

    learn, watch = line_learner(), Weights()
    with pytest.raises(RuntimeError, match="boom"):
        learn.fit(1, 0.05, cbs=[EMA(0.5), watch, Fail()])
    assert learn.model.weight.item() == watch.steps[-1] != watch.validated[0]


def test_the_average_predicts_better_than_noisy_steps(line_learner):
    plain, averaged = line_learner(), line_learner()
    for learn, cbs in ((plain, None), (averaged, EMA(0.99))):
        learn.fit(10, 0.45, cbs=cbs)  # a rate at which the weights jump about
    assert averaged.validate()[0] < plain.validate()[0]
    assert F.mse_loss(averaged.model.weight, torch.tensor([[2.0]])) < 0.01


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_that_cannot_work_is_refused(decay):
    with pytest.raises(ArgumentError, match="EMA needs a decay in 0..1"):
        EMA(decay)
