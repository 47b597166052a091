"""`Learner`: what it is made of, ways to train, freezing and rates, and what it predicts."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from vivace.core.errors import ArgumentError, DataError
from vivace.data.loaders import DataLoaders
from vivace.training.callback import Callback
from vivace.training.learner import Learner
from vivace.training.losses import BCEWithLogitsLossFlat, CrossEntropyLossFlat, MSELossFlat
from vivace.training.metrics import accuracy, mae
from vivace.training.optimizers import SGD, Adam, RMSProp


def three_groups(model):
    return [list(part.parameters()) for part in model]


def grouped(class_learner, **settings):
    model = nn.Sequential(
        nn.Linear(4, 8), nn.Sequential(nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 8)), nn.Linear(8, 3)
    )
    return class_learner(model, splitter=three_groups, **settings)


class Rates(Callback):
    """Keep the rates and momenta of all groups, batch by batch, and what is frozen."""

    order = 100
    run_valid = False

    def __init__(self):
        self.rates, self.momenta, self.frozen = [], [], []

    def after_batch(self):
        self.rates.append([h["lr"] for h in self.opt.hypers])
        self.momenta.append(self.opt.hypers[-1].get("mom"))
        self.frozen.append(self.opt.frozen_idx)


# ---------------------------------------------------------------------- fit
def test_fit_finds_the_line(line_learner):
    learn = line_learner()
    learn.fit(20, 0.1)
    assert learn.model.weight.item() == pytest.approx(2, abs=0.05) and learn.model.bias.item() == pytest.approx(
        3, abs=0.05
    )


def test_fit_is_torchs_loop(class_learner):
    """The same batches through a loop written by hand end in the same weights."""
    learn = class_learner(nn.Linear(4, 3), opt_func=torch.optim.Adam)
    model, batches = nn.Linear(4, 3), []
    model.load_state_dict(learn.model.state_dict())

    class Keep(Callback):
        run_valid = False

        def before_batch(self):
            batches.append(self.batch)

    learn.fit(3, 0.01, cbs=Keep())
    opt = torch.optim.Adam(model.parameters(), 0.01)
    for x, y in batches:
        F.cross_entropy(model(x), y).backward()
        opt.step()
        opt.zero_grad()
    assert len(batches) == 18
    assert torch.allclose(model.weight, learn.model.weight, atol=1e-6)


def test_the_optimizer_is_kept_between_fits_unless_reset(line_learner):
    learn = line_learner()
    learn.fit(1)
    opt = learn.opt
    learn.fit(1)
    assert learn.opt is opt
    learn.fit(1, reset_opt=True)
    assert learn.opt is not opt


def test_rates_default_to_the_learners_and_decay_too(line_learner):
    learn = line_learner(lr=0.03, wd=0.2, opt_func=Adam)
    learn.fit(1)
    assert learn.opt.hypers[-1]["lr"] == 0.03 and learn.opt.hypers[-1]["wd"] == 0.2
    learn.fit(1, 0.01, wd=0.1)
    assert learn.opt.hypers[-1]["lr"] == 0.01 and learn.opt.hypers[-1]["wd"] == 0.1


def test_a_start_epoch_passes_over_the_ones_before(line_learner):
    seen = []

    class Watch(Callback):
        def before_train(self):
            seen.append((self.epoch, self.pct_train))

    line_learner().fit(4, start_epoch=2, cbs=Watch())
    assert seen == [(2, 0.5), (3, 0.75)]


def test_several_inputs_and_targets_reach_the_model_and_the_loss():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def forward(self, a, b):
            return self.layer(torch.cat([a, b], 1))

    a, b = torch.rand(2, 16, 1)
    data = TensorDataset(a, b, a + b, a - b)
    dls = DataLoaders.from_dsets(data, data, bs=8, device="cpu")
    for dl in dls.loaders:
        dl.n_inp = 2
    seen = []

    def loss(pred, total, difference):
        seen.append((total, difference))
        return F.mse_loss(pred, total)

    Learner(dls, Sum(), loss_func=loss).fit(1)
    assert all(torch.all(total >= difference) for total, difference in seen) and len(seen) == 4


# ---------------------------------------------------------------------- groups
@pytest.mark.parametrize(
    "lr, expected",
    [
        (0.01, [0.01, 0.01, 0.01]),
        (slice(1e-4, 1e-2), [1e-4, 1e-3, 1e-2]),
        (slice(1e-2), [1e-3, 1e-3, 1e-2]),
        ([1e-5, 2e-5, 3e-5], [1e-5, 2e-5, 3e-5]),
    ],
)
def test_a_rate_for_each_group(class_learner, lr, expected):
    learn = grouped(class_learner)
    learn.fit(1, lr)
    assert [h["lr"] for h in learn.opt.hypers] == pytest.approx(expected)


def test_another_number_of_rates_than_groups_is_refused(class_learner):
    with pytest.raises(ArgumentError, match="lr has 2 values for 3 parameter groups"):
        grouped(class_learner).fit(1, [0.1, 0.2])


def test_frozen_groups_do_not_move_but_their_norm_layers_do(class_learner):
    learn = grouped(class_learner)
    learn.freeze()
    before = {k: v.clone() for k, v in learn.model.state_dict().items()}
    learn.fit(1, 0.1)
    moved = {k for k, v in learn.model.named_parameters() if not torch.equal(v, before[k])}
    assert moved == {"1.1.weight", "1.1.bias", "2.weight", "2.bias"}


def test_without_train_bn_norm_layers_are_frozen_too(class_learner):
    learn = grouped(class_learner, train_bn=False)
    learn.freeze_to(1)
    assert [p.requires_grad for p in learn.model.parameters()] == [False] * 2 + [True] * 6
    learn.freeze()
    assert [p.requires_grad for p in learn.model.parameters()] == [False] * 6 + [True] * 2
    learn.unfreeze()
    assert all(p.requires_grad for p in learn.model.parameters())


def test_decay_leaves_biases_and_norm_layers_alone_unless_asked(class_learner):
    for wd_bn_bias, expected in ((False, {"0.weight", "1.2.weight", "2.weight"}), (True, None)):
        learn = grouped(
            class_learner, opt_func=SGD, wd=0.5, wd_bn_bias=wd_bn_bias, loss_func=lambda p, y: (p * 0).sum()
        )
        for p in learn.model.parameters():
            nn.init.ones_(p)
        learn.fit(1, 0.1)
        shrunk = {k for k, v in learn.model.named_parameters() if (v < 1).all()}
        assert shrunk == (expected or {k for k, _ in learn.model.named_parameters()})


# ---------------------------------------------------------------------- ways to train
def cosine(start, end, position):
    return start + (end - start) * (1 - math.cos(math.pi * position)) / 2


def test_one_cycle_follows_the_formula(class_learner):
    watch = Rates()
    learn = class_learner(opt_func=Adam)
    learn.fit_one_cycle(2, 0.1, div=10.0, div_final=1e3, pct_start=0.25, moms=(0.9, 0.8, 0.95), cbs=watch)
    positions = np.arange(12) / 12

    def at(position, start, top, end):
        return cosine(start, top, position / 0.25) if position < 0.25 else cosine(top, end, (position - 0.25) / 0.75)

    assert [r[0] for r in watch.rates] == pytest.approx([at(p, 0.01, 0.1, 1e-4) for p in positions])
    assert watch.momenta == pytest.approx([at(p, 0.9, 0.8, 0.95) for p in positions])
    assert learn.recorder.lrs == [r[0] for r in watch.rates] and learn.recorder.hps["mom"] == watch.momenta


@pytest.mark.parametrize("opt_func", [SGD, RMSProp])
def test_one_cycle_gives_no_momentum_to_who_asked_for_none(class_learner, opt_func):
    cycled, fixed = class_learner(opt_func=opt_func), class_learner(opt_func=opt_func)
    cycled.fit_one_cycle(1, 0.01)
    fixed.fit_one_cycle(1, 0.01, moms=(0, 0, 0))
    assert torch.equal(cycled.model[0].weight, fixed.model[0].weight)


def test_one_cycle_gives_each_group_a_cycle_of_its_own(class_learner):
    watch = Rates()
    grouped(class_learner).fit_one_cycle(1, slice(1e-4, 1e-2), pct_start=0.5, cbs=watch)
    ratios = [[b / a for a, b in pairwise(rates)] for rates in watch.rates]
    assert np.allclose(ratios, 10)


def test_flat_cos_is_flat_then_falls(class_learner):
    learn = class_learner()
    learn.fit_flat_cos(2, 0.1, div_final=1e3, pct_start=0.5)
    expected = [0.1] * 6 + [cosine(0.1, 1e-4, i / 6) for i in range(6)]
    assert learn.recorder.lrs == pytest.approx(expected)


def test_sgdr_restarts_in_longer_cycles(class_learner):
    learn = class_learner()
    learn.fit_sgdr(2, 1, 0.1, cycle_mult=2)
    expected = [cosine(0.1, 0, i / 6) for i in range(6)] + [cosine(0.1, 0, i / 12) for i in range(12)]
    assert learn.recorder.lrs == pytest.approx(expected, abs=1e-6) and len(learn.recorder.values) == 3


def test_fine_tune_trains_the_head_then_everything_at_lower_rates(class_learner):
    watch = Rates()
    learn = grouped(class_learner, cbs=watch)
    learn.fine_tune(2, base_lr=0.02, freeze_epochs=1, lr_mult=100)
    assert watch.frozen == [2] * 6 + [0] * 12
    head, body = [r[-1] for r in watch.rates], [r[0] for r in watch.rates]
    assert max(head[:6]) == pytest.approx(cosine(0.02 / 25, 0.02, 5 / 6 / 0.99))  # nearly all the way up
    assert max(head[6:]) == pytest.approx(0.01, rel=0.05) and max(body[6:]) == pytest.approx(1e-4, rel=0.05)
    assert len(learn.recorder.values) == 2


# ---------------------------------------------------------------------- measuring and predicting
def test_validate_is_the_mean_over_samples_also_with_a_smaller_last_batch(class_learner):
    learn = class_learner(metrics=[accuracy, mae])
    learn.metrics = accuracy
    learn.dls.loaders[1] = learn.dls.valid.new(bs=32)  # 48 samples: 32 and 16
    x, y = learn.dls.valid.dataset.tensors
    learn.model.eval()
    with torch.no_grad():
        out = learn.model(x)
    found = learn.validate()
    assert found[0] == pytest.approx(F.cross_entropy(out, y).item(), rel=1e-5)
    assert found[1] == pytest.approx((out.argmax(1) == y).float().mean().item(), rel=1e-6)


def test_the_last_row_of_the_table_is_what_validate_says(class_learner):
    learn = class_learner(metrics=accuracy)
    learn.fit(2, 0.01)
    assert list(learn.recorder.values[-1][1:]) == pytest.approx(list(learn.validate()))


def test_validate_leaves_the_history_and_the_modes(class_learner):
    learn = class_learner()
    learn.fit(1)
    learn.model.train()
    learn.model[1].eval()
    values, log, modes = (
        list(learn.recorder.values),
        list(learn.recorder.log),
        [m.training for m in learn.model.modules()],
    )
    learn.validate()
    assert list(learn.recorder.values) == values and list(learn.recorder.log) == log
    assert [m.training for m in learn.model.modules()] == modes


@pytest.mark.parametrize(
    "loss_func, activation",
    [
        (CrossEntropyLossFlat(), lambda x: x.softmax(1)),
        (F.cross_entropy, lambda x: x),
        (lambda p, y: F.mse_loss(p[:, 0], y.float()), lambda x: x),
    ],
)
def test_predictions_are_activated_as_the_loss_says(class_learner, loss_func, activation):
    learn = class_learner(loss_func=loss_func)
    x, y = learn.dls.valid.dataset.tensors
    preds, targets = learn.get_preds()
    learn.model.eval()
    assert torch.allclose(preds, activation(learn.model(x)).detach(), atol=1e-6) and torch.equal(targets, y)


def test_everything_that_predictions_can_come_with(class_learner):
    learn = class_learner(loss_func=CrossEntropyLossFlat())
    x, y = learn.dls.valid.dataset.tensors
    inputs, preds, targets, decoded, losses = learn.get_preds(with_input=True, with_decoded=True, with_loss=True)
    assert torch.equal(inputs, x) and torch.equal(targets, y) and torch.equal(decoded, preds.argmax(1))
    assert torch.allclose(losses, -preds.gather(1, y[:, None])[:, 0].log(), atol=1e-5)
    assert learn.loss_func.reduction == "mean"
    raw, _ = learn.get_preds(act=lambda x: x)
    assert torch.allclose(raw.softmax(1), preds, atol=1e-6)


def test_predictions_of_the_training_set_are_complete_and_in_order(class_learner):
    learn = class_learner()
    _, targets = learn.get_preds(ds_idx=0)
    assert torch.equal(targets, learn.dls.train.dataset.tensors[1])


def test_what_cannot_be_predicted_says_why(class_learner):
    learn = class_learner()
    with pytest.raises(ArgumentError, match="There is no data set number 2: these DataLoaders have 2"):
        learn.get_preds(ds_idx=2)
    with pytest.raises(DataError, match="nothing to predict: this data set has no items"):
        learn.get_preds(dl=learn.dls.valid.new(TensorDataset(torch.rand(0, 4), torch.zeros(0, dtype=torch.int64))))


def test_per_sample_losses_need_a_loss_that_can_give_them(class_learner):
    learn = class_learner(loss_func=lambda p, y: F.cross_entropy(p, y))
    with pytest.raises(ArgumentError, match="has no `reduction`, so the loss of each sample cannot be had"):
        learn.get_preds(with_loss=True)


# ---------------------------------------------------------------------- what it says about itself
@pytest.mark.parametrize(
    "kind, expected",
    [("category", CrossEntropyLossFlat), ("multi_category", BCEWithLogitsLossFlat), ("regression", MSELossFlat)],
)
def test_the_loss_comes_from_the_kind_of_the_target(class_learner, kind, expected):
    dls = class_learner().dls
    dls.train.dataset.kind = kind
    assert isinstance(Learner(dls, nn.Linear(4, 3)).loss_func, expected)


def test_summary_tells_sizes_optimizer_loss_and_callbacks(class_learner):
    learn = grouped(class_learner, opt_func=Adam)
    n = sum(p.numel() for p in learn.model.parameters())
    text = learn.summary()
    assert f"Total params: {n:,}" in text and "Optimizer used: Adam" in text and "cross_entropy" in text
    assert "Model frozen" not in text and "  - Recorder" in text and repr(text) == str(text)
    learn.freeze()
    assert "Model frozen up to parameter group #2" in learn.summary()


def test_the_training_loop_is_printed_with_its_callbacks(line_learner, capsys):
    line_learner().show_training_loop()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("before_fit") and lines[-1].startswith("after_fit")
    depth = {line.split(":")[0].strip(): len(line) - len(line.lstrip()) for line in lines}
    assert (
        depth["before_fit"]
        < depth["before_epoch"]
        < depth["before_train"]
        < depth["before_batch"]
        < depth["after_pred"]
    )
    assert depth["before_batch"] == depth["after_batch"] and any("learn.opt.step()" in line for line in lines)


def test_moving_takes_model_optimizer_and_batches_along(line_learner):
    learn = line_learner(opt_func=Adam)
    learn.fit(1)
    assert learn.to("cpu") is learn and learn.runtime.device.type == "cpu"
    learn.fit(1)
