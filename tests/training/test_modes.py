"""Layers in a mode of their own: frozen batch norms, dropout in validation."""

from __future__ import annotations

import torch
from torch import nn

from vivace.training.callbacks.modes import BnFreeze, MCDropoutCallback, set_bn_eval


def normed() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))


def test_frozen_batch_norms_keep_their_means(class_learner):
    for cbs, moves in (([], True), ([BnFreeze()], False)):
        learn = class_learner(
            normed(), train_bn=False, cbs=cbs, splitter=lambda m: [list(m[:2].parameters()), list(m[2:].parameters())]
        )
        learn.freeze()
        learn.fit(1)
        assert bool(learn.model[1].running_mean.any()) is moves


def test_only_frozen_batch_norms_change_their_mode():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2), nn.Dropout())
    model[0].requires_grad_(False)
    set_bn_eval(model)
    assert [m.training for m in model] == [False, True, True]
    set_bn_eval(model, use_eval=False)
    assert all(m.training for m in model)


def test_predictions_vary_with_dropout_left_on(class_learner):
    learn = class_learner(nn.Sequential(nn.Linear(4, 64), nn.Dropout(0.5), nn.Linear(64, 3)))
    drawn = [learn.get_preds(cbs=[MCDropoutCallback()])[0] for _ in range(2)]
    assert not torch.equal(*drawn)
    assert torch.equal(learn.get_preds()[0], learn.get_preds()[0])
