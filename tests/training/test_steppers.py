"""Optimizers put together from steppers: the same steps as the ready-made ones."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from vivace.training.optimizer import Optimizer
from vivace.training.optimizers import SGD, Adam, Lamb, Larc, QHAdam, RAdam, RMSProp
from vivace.training.steppers import (
    adam_step,
    average_grad,
    average_sqr_grad,
    l2_reg,
    lamb_step,
    larc_layer_lr,
    larc_step,
    momentum_step,
    qhadam_step,
    radam_step,
    rms_prop_step,
    sgd_step,
    step_stat,
    weight_decay,
)

DAMPED = partial(average_grad, dampening=True)
ADAM_LIKE = [weight_decay, DAMPED, average_sqr_grad, step_stat]


def eight_steps(make):
    torch.manual_seed(0)
    model, x = nn.Linear(3, 2), torch.randn(8, 3)
    opt = make(list(model.parameters()))
    for _ in range(8):
        (model(x) ** 2).mean().backward()
        opt.step()
        opt.zero_grad()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize(
    "steppers, hypers, whole",
    [
        ([sgd_step], {}, SGD),
        ([weight_decay, sgd_step], {"wd": 0.1}, SGD),
        ([l2_reg, sgd_step], {"wd": 0.1}, partial(SGD, decouple_wd=False)),
        ([average_grad, momentum_step], {"mom": 0.9}, SGD),
        ([average_sqr_grad, rms_prop_step], {"sqr_mom": 0.9, "eps": 1e-3}, RMSProp),
        ([*ADAM_LIKE, adam_step], {"mom": 0.8, "sqr_mom": 0.9, "eps": 1e-3, "wd": 0.1}, Adam),
        ([*ADAM_LIKE, radam_step], {"mom": 0.8, "sqr_mom": 0.9, "eps": 1e-3, "wd": 0.1}, RAdam),
        ([*ADAM_LIKE, radam_step], {"mom": 0.8, "sqr_mom": 0.9, "eps": 1e-3, "wd": 0.1, "beta": 2.0}, RAdam),
        ([*ADAM_LIKE, qhadam_step], {"mom": 0.8, "sqr_mom": 0.9, "nu_1": 0.7, "nu_2": 1.0, "wd": 0.1}, QHAdam),
        ([*ADAM_LIKE, lamb_step], {"mom": 0.8, "sqr_mom": 0.9, "eps": 1e-3, "wd": 0.1}, Lamb),
        ([weight_decay, average_grad, larc_layer_lr, larc_step], {"mom": 0.9, "wd": 0.1}, Larc),
        (
            [partial(larc_layer_lr, clip=False), larc_step],
            {"wd": 0.1},
            partial(Larc, mom=0.0, clip=False, decouple_wd=0),
        ),
    ],
)
def test_steppers_in_a_row_are_the_optimizer(steppers, hypers, whole):
    if larc_step in steppers and weight_decay not in steppers:
        hypers = {"wd": 0.0}  # without decay: the ready-made one adds it to the gradient first
    by_parts = eight_steps(lambda p: Optimizer(p, steppers, lr=0.05, **hypers))
    assert torch.allclose(by_parts, eight_steps(lambda p: whole(p, 0.05, **hypers)), atol=1e-6)


def test_hyper_parameters_have_the_steppers_defaults_also_of_a_partial():
    opt = Optimizer([nn.Parameter(torch.ones(1))], [DAMPED, average_sqr_grad, step_stat, adam_step], lr=0.1, mom=0.5)
    assert opt.hypers == [{"lr": 0.1, "mom": 0.5, "sqr_mom": 0.99, "eps": 1e-5}]


def test_a_learner_schedules_an_optimizer_of_steppers(line_learner):
    learn = line_learner(opt_func=partial(Optimizer, cbs=[average_grad, momentum_step]))
    before = learn.validate()[0]
    learn.fit_one_cycle(3, 0.03)
    assert learn.validate()[0] < before / 2 and len(set(learn.recorder.hps["mom"])) > 1


def test_a_stepper_of_ones_own_gets_what_it_returned():
    seen = []

    def count(p, lr, n=0, **kwargs):
        seen.append(n)
        p.data.sub_(lr * p.grad)
        return {"n": n + 1}

    eight_steps(lambda p: Optimizer(p[:1], count, lr=0.1))
    assert seen == list(range(8))
