"""Optimizers: the maths of torch's own, groups, freezing, state that loads safely."""

from __future__ import annotations

import io
from functools import partial

import pytest
import torch
from torch import nn

from vivace.core.errors import ArgumentError
from vivace.training.optimizer import Optimizer, OptimWrapper, as_optimizer
from vivace.training.optimizers import SGD, Adam, Lamb, Larc, Lookahead, QHAdam, RAdam, RMSProp, ranger


def five_steps(make):
    torch.manual_seed(0)
    model, x = nn.Linear(3, 2), torch.randn(8, 3)
    opt = make(list(model.parameters()))
    for _ in range(5):
        (model(x) ** 2).mean().backward()
        opt.step()
        opt.zero_grad()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize(
    "ours, torchs",
    [
        (lambda p: SGD(p, 0.1), lambda p: torch.optim.SGD(p, 0.1)),
        (lambda p: SGD(p, 0.1, mom=0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
        (
            lambda p: SGD(p, 0.1, mom=0.9, wd=0.1, decouple_wd=False),
            lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.1),
        ),
        (
            lambda p: RMSProp(p, 0.01, sqr_mom=0.9, eps=1e-8),
            lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.9, eps=1e-8),
        ),
        (
            lambda p: Adam(p, 0.01, wd=0.1),
            lambda p: torch.optim.AdamW(p, 0.01, betas=(0.9, 0.99), eps=1e-5, weight_decay=0.1),
        ),
        (
            lambda p: RAdam(p, 0.01, sqr_mom=0.999, eps=1e-8),
            lambda p: torch.optim.RAdam(p, 0.01, betas=(0.9, 0.999), eps=1e-8),
        ),
    ],
)
def test_the_weights_go_where_torchs_optimizer_takes_them(ours, torchs):
    assert torch.allclose(five_steps(ours), five_steps(torchs), atol=1e-5)


@pytest.mark.parametrize("make", [QHAdam, Larc, Lamb, ranger])
def test_those_that_torch_lacks_go_downhill(make):
    torch.manual_seed(0)
    w = nn.Parameter(torch.tensor([3.0, -2.0]))
    opt = make([w], lr=0.05)
    for _ in range(100):
        (w**2).sum().backward()
        opt.step()
        opt.zero_grad()
    assert (w**2).sum() < 5


def test_decoupled_decay_shrinks_weights_without_gradients_of_their_own():
    w = nn.Parameter(torch.tensor([2.0]))
    opt = SGD([w], lr=0.1, wd=0.5)
    (w * 0).sum().backward()
    opt.step()
    assert w.item() == pytest.approx(2 * (1 - 0.05))


def groups():
    return [[nn.Parameter(torch.ones(2))], [nn.Parameter(torch.ones(3))], [nn.Parameter(torch.ones(1))]]


@pytest.mark.parametrize(
    "value, rates",
    [
        (0.1, [0.1, 0.1, 0.1]),
        (slice(1e-4, 1e-2), [1e-4, 1e-3, 1e-2]),
        (slice(1e-2), [1e-3, 1e-3, 1e-2]),
        ([1, 2, 3], [1, 2, 3]),
    ],
)
def test_rates_are_spread_over_groups(value, rates):
    opt = Adam(groups())
    opt.set_hyper("lr", value)
    assert [h["lr"] for h in opt.hypers] == pytest.approx(rates)


def test_a_wrong_number_of_rates_is_an_error():
    with pytest.raises(ArgumentError, match="lr has 2 values for 3 parameter groups"):
        Adam(groups()).set_hyper("lr", [1, 2])


def test_frozen_groups_and_those_kept_trainable():
    opt = Adam(groups())
    norm = opt.param_lists[0][0]
    opt.keep_trainable([norm])
    opt.freeze()
    assert [g[0].requires_grad for g in opt.param_lists] == [True, False, True]
    opt.unfreeze()
    assert all(g[0].requires_grad for g in opt.param_lists)


def test_excluded_parameters_do_not_decay():
    a, b = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    opt = SGD([a, b], lr=0.1, wd=0.5)
    opt.exclude_from_decay([b])
    ((a + b) * 0).sum().backward()
    opt.step()
    assert a.item() < 1 and b.item() == 1 and opt.hypers[0]["wd"] == 0.5


@pytest.mark.parametrize("make", [partial(SGD, mom=0.9), Adam, Lamb, ranger])
def test_state_loads_without_unpickling_and_training_goes_on_alike(make):
    def run(n, state=None):
        torch.manual_seed(0)
        w = nn.Parameter(torch.tensor([3.0]))
        opt = make([w], lr=0.1)
        if state is not None:
            opt.load_state_dict(state[0])
            w.data.copy_(state[1])
        for _ in range(n):
            (w**2).sum().backward()
            opt.step()
            opt.zero_grad()
        return opt, w.detach().clone()

    opt, w = run(3)
    buffer = io.BytesIO()
    torch.save(opt.state_dict(), buffer)
    buffer.seek(0)
    state = torch.load(buffer, weights_only=True)
    assert torch.allclose(run(2, (state, w))[1], run(5)[1], atol=1e-6)


def test_torchs_classes_and_a_class_of_a_lesson_are_taken_as_they_are():
    class Basic:
        def __init__(self, params, lr):
            self.params, self.lr = list(params), lr

        def step(self):
            for p in self.params:
                p.data -= p.grad * self.lr

        def zero_grad(self):
            for p in self.params:
                p.grad = None

    for make in (torch.optim.SGD, partial(torch.optim.SGD), Basic, partial(OptimWrapper, opt=torch.optim.SGD)):
        opt = as_optimizer(make, [nn.Parameter(torch.tensor([2.0]))], lr=0.5)
        opt.set_hyper("lr", 0.25)
        (w,) = opt.param_lists[0]
        (w**2).sum().backward()
        opt.step()
        opt.zero_grad()
        assert w.item() == 1.0 and w.grad is None


def test_steppers_in_fastais_form_run_for_each_parameter():
    def stepper(p, lr, **kwargs):
        p.data.add_(p.grad, alpha=-lr)

    w = nn.Parameter(torch.tensor([2.0]))
    opt = Optimizer([w], cbs=[stepper], lr=0.25)
    (w**2).sum().backward()
    opt.step()
    assert w.item() == 1.0


def test_slow_weights_follow_every_k_steps():
    w = nn.Parameter(torch.tensor([1.0]))
    opt = Lookahead(SGD([w], lr=0.1), k=2, alpha=0.5)
    for _ in range(2):
        w.grad = torch.tensor([1.0])
        opt.step()
    assert w.item() == pytest.approx(0.9)  # fast: 0.8; slow: halfway from 1.0
