"""`lr_find`: it suggests plausible rates, and leaves everything as it was."""

from __future__ import annotations

import random
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vivace.core.errors import ArgumentError, DataError
from vivace.training.callback import Callback
from vivace.training.callbacks.logging import CSVLogger
from vivace.training.callbacks.tracker import SaveModelCallback
from vivace.training.lr_find import minimum, slide, steep, valley


def nested(value: Any) -> Any:
    """Tensors as lists, so that states can be compared."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {k: nested(v) for k, v in value.items()}
    return [nested(v) for v in value] if isinstance(value, (list, tuple)) else value


def test_it_leaves_model_optimizer_randomness_loaders_and_disk_as_they_were(class_learner, tmp_path):
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 3))
    learn = class_learner(model, opt_func=torch.optim.Adam, cbs=[SaveModelCallback(), CSVLogger()])
    learn.fit(1, 0.01)
    model[0].weight.requires_grad_(False)
    model[1].train()

    def everything() -> Any:
        return nested(
            {
                "model": learn.model.state_dict(),
                "modes": [m.training for m in learn.model.modules()],
                "trainable": [p.requires_grad for p in learn.model.parameters()],
                "gradients": [p.grad for p in learn.model.parameters()],
                "optimizer": learn.opt.state_dict(),
                "python": random.getstate(),
                "numpy": [str(part) for part in np.random.get_state()],
                "torch": torch.get_rng_state(),
                "epochs": [dl.epoch for dl in learn.dls.loaders],
                "disk": [(str(f), f.stat().st_mtime_ns) for f in sorted(tmp_path.rglob("*"))],
            }
        )

    before, opt = everything(), learn.opt
    learn.lr_find(show_plot=False)
    assert everything() == before and learn.opt is opt


def test_training_after_it_is_the_same_as_without_it(class_learner):
    learn, plain = class_learner(), class_learner()
    learn.lr_find(show_plot=False)
    learn.fit(2, 0.01)
    plain.fit(2, 0.01)
    assert torch.equal(learn.model[0].weight, plain.model[0].weight)


def test_an_interruption_puts_everything_back_too(class_learner):
    class Interrupt(Callback):
        order = 100

        def after_step(self):
            if self.train_iter == 30:
                raise KeyboardInterrupt

    learn = class_learner(cbs=Interrupt())
    before = {k: v.clone() for k, v in learn.model.state_dict().items()}
    with pytest.raises(KeyboardInterrupt):
        learn.lr_find()
    assert all(torch.equal(v, before[k]) for k, v in learn.model.state_dict().items())
    assert learn.opt is None and learn.logger is print and [dl.epoch for dl in learn.dls.loaders] == [0, 0]


def test_the_rates_rise_by_equal_factors(line_learner):
    learn = line_learner(n=640)
    learn.lr_find(1e-5, 1e-2, num_it=50, show_plot=False)
    assert np.allclose(learn.recorder.lrs, 1e-5 * (1e-2 / 1e-5) ** (np.arange(50) / 50))


def test_it_stops_when_the_loss_is_four_times_its_lowest(line_learner):
    learn = line_learner(n=640)
    learn.lr_find(show_plot=False)
    losses = learn.recorder.losses
    assert len(losses) < 100 and losses[-1] > 4 * min(losses[:-1]) and losses[-2] <= 4 * min(losses[:-2])
    learn.lr_find(show_plot=False, stop_div=False, end_lr=3)
    assert len(learn.recorder.losses) == 100


def test_suggestions_lie_where_the_loss_falls(line_learner):
    # for a quadratic loss with curvature 2·E[x²] ≈ 2, gradient descent diverges above a rate of about 1
    learn = line_learner(n=640)
    found = learn.lr_find(suggest_funcs=(minimum, steep, valley, slide), show_plot=False)
    assert found._fields == ("minimum", "steep", "valley", "slide")
    assert all(1e-6 < rate < 2 for rate in found)
    assert 1e-4 < found.valley < 1 and 1e-2 < 10 * found.minimum < 2


def test_a_users_function_may_suggest(line_learner):
    def middle(lrs, losses, num_it):
        i = len(lrs) // 2
        return lrs[i], (lrs[i], losses[i])

    learn = line_learner(n=640)
    found = learn.lr_find(suggest_funcs=middle, num_it=40, end_lr=0.1, show_plot=False)
    assert found.middle == pytest.approx(1e-7 * 1e6 ** ((4 + (40 - 4 - 5) // 2) / 40))


def test_the_plot_has_a_logarithmic_axis_and_the_suggestions(line_learner):
    line_learner(n=640).lr_find(suggest_funcs=(valley, steep))
    axes = plt.gcf().axes[0]
    assert axes.get_xscale() == "log" and axes.get_xlabel() == "Learning rate"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["valley", "steep"]


def test_it_prints_nothing(line_learner, capsys):
    line_learner(n=640).lr_find(show_plot=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("arguments", [{"num_it": 1}, {"start_lr": 0.0}, {"start_lr": 1.0, "end_lr": 0.1}])
def test_what_cannot_work_is_refused(line_learner, arguments):
    with pytest.raises(ArgumentError, match="lr_find needs num_it of 2 or more and 0 < start_lr < end_lr"):
        line_learner().lr_find(**arguments)


def test_too_few_batches_before_the_explosion_say_what_to_do(line_learner):
    with pytest.raises(DataError, match=r"saw only \d+ batches.*begin lower: start_lr"):
        line_learner(n=640).lr_find(start_lr=5, end_lr=100, show_plot=False)


def test_an_empty_training_set_says_so(line_learner):
    with pytest.raises(DataError, match="the training loader has none"):
        line_learner(n=0).lr_find()


def test_float16_finds_too_and_the_loss_scale_is_kept(class_learner):
    learn = class_learner().to_fp16(init_scale=1024.0)
    learn.fit(1, 0.01)
    scale = learn.runtime.scaler.get_scale()
    found = learn.lr_find(show_plot=False)
    assert learn.runtime.scaler.get_scale() == scale and 1e-6 < found.valley < 10


def test_a_loss_without_number_ends_the_search(line_learner):
    class Poison(Callback):
        order = -20

        def after_loss(self):
            if self.train_iter == 60:
                self.learn.loss = self.learn.loss_grad = self.loss * float("nan")

    learn = line_learner(n=640, cbs=Poison())
    found = learn.lr_find(show_plot=False, stop_div=False, end_lr=0.1)
    assert len(learn.recorder.losses) == 61 and np.isfinite(found.valley)
    assert F.mse_loss(learn.model(torch.ones(1, 1)), torch.ones(1, 1)).isfinite()


def test_buffers_that_are_not_saved_are_put_back_too(line_learner):
    class Counting(nn.Linear):
        def __init__(self):
            super().__init__(1, 1)
            self.register_buffer("n_calls", torch.zeros(()), persistent=False)

        def forward(self, x):
            self.n_calls += 1
            return super().forward(x)

    learn = line_learner(Counting(), n=640)
    learn.lr_find(show_plot=False)
    assert learn.model.n_calls == 0


def test_valley_is_not_misled_by_a_level_beginning() -> None:
    rates = np.geomspace(1e-7, 10, 100)
    x = np.log10(rates)
    noise = 0.01 * np.random.default_rng(0).normal(size=100)
    losses = 1 - 0.8 / (1 + np.exp(-4 * (x + 2))) + 0.05 * np.exp(3 * (x - 0.2)) + noise  # it falls around 1e-2
    rate, (at, loss) = valley(rates, losses, 100)
    assert 1e-3 < rate < 1e-1 and rate == at and loss in losses


def test_steep_is_where_one_batch_fell_most() -> None:
    rates = np.geomspace(1e-4, 1, 5)
    assert steep(rates, np.array([5.0, 4.9, 2.0, 1.9, 1.8]), 5)[0] == pytest.approx(rates[1])
