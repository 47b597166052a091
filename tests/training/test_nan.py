"""A loss that is no number: training stops, the batch is named, the weights stay good."""

from __future__ import annotations

import warnings

import pytest
import torch

from vivace.training.callback import Callback
from vivace.training.callbacks.nan import TerminateOnNaNCallback


class Poison(Callback):
    """Make the loss bad at one batch."""

    order = -15

    def __init__(self, epoch, batch, value=float("nan")):
        self.at, self.value = (epoch, batch), value

    def after_loss(self):
        if self.training and (self.learn.epoch, self.learn.iter) == self.at:
            self.learn.loss = self.learn.loss_grad = self.loss * self.value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_training_stops_at_once_and_the_batch_is_named(line_learner, value):
    learn = line_learner(cbs=TerminateOnNaNCallback())
    with pytest.warns(UserWarning, match="not a finite number in batch 3 of epoch 1: training was stopped"):
        learn.fit(5, 0.01, cbs=Poison(1, 3, value))
    assert learn.epoch == 1 and len(learn.recorder.losses) == 8 + 3
    assert torch.isfinite(learn.model.weight).all() and torch.isfinite(learn.model.bias).all()


def test_the_weights_are_those_of_the_last_good_step(line_learner):
    seen = []

    class Keep(Callback):
        def after_step(self):
            seen.append(self.model.weight.detach().clone())

    learn = line_learner(cbs=[TerminateOnNaNCallback(), Keep()])
    with pytest.warns(UserWarning, match="batch 2 of epoch 0"):
        learn.fit(1, 0.01, cbs=Poison(0, 2))
    assert len(seen) == 2 and torch.equal(learn.model.weight, seen[-1])


def test_a_loss_spoilt_by_a_later_callback_is_seen_too(line_learner):
    class Late(Poison):
        order = 95

    learn = line_learner(cbs=TerminateOnNaNCallback())
    with pytest.warns(UserWarning, match="batch 1 of epoch 0"):
        learn.fit(1, cbs=Late(0, 1))
    assert torch.isfinite(learn.model.weight).all()


def test_where_looking_means_waiting_the_loss_is_looked_at_every_so_often(line_learner, monkeypatch):
    learn, callback = line_learner(), TerminateOnNaNCallback(check_every=3)
    # as on a device: several losses are looked at together, and the first bad one is named
    looked = []
    stop_if_bad = callback._stop_if_bad
    monkeypatch.setattr(callback, "_stop_if_bad", lambda: (looked.append(learn.iter), stop_if_bad()))
    monkeypatch.setattr("vivace.training.callbacks.nan.can_look_freely", lambda loss: False)
    with pytest.warns(UserWarning, match="batch 4 of epoch 0"):
        learn.fit(1, 0.01, cbs=[callback, Poison(0, 4)])
    assert looked == [2, 5]


def test_a_good_training_says_nothing_and_goes_on_to_the_end(line_learner):
    learn = line_learner(cbs=TerminateOnNaNCallback())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learn.fit(2, 0.01)
    assert len(learn.recorder.losses) == 16


def test_the_next_fit_begins_anew(line_learner):
    learn = line_learner(cbs=TerminateOnNaNCallback())
    with pytest.warns(UserWarning, match="batch 0 of epoch 0"):
        learn.fit(1, 0.01, cbs=Poison(0, 0))
    learn.fit(1, 0.01)
    assert len(learn.recorder.losses) == 8


def test_without_the_callback_the_epoch_ends_with_a_warning_that_names_the_batch(line_learner):
    hints = r"from batch 5 of epoch 1 on.*lr_find.*TerminateOnNaNCallback"
    with pytest.warns(UserWarning, match=hints) as caught:
        line_learner().fit(3, 0.01, cbs=Poison(1, 5))
    assert len(caught) == 1
