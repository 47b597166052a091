"""Adam's quick step beside torch's own."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from vivace.training.optimizer import Optimizer
from vivace.training.optimizers import Adam


def model_and_gradients(n_steps: int) -> tuple[nn.Module, list[list[torch.Tensor | None]]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))
    gradients: list[list[torch.Tensor | None]] = [
        [torch.randn_like(p) for p in model.parameters()] for _ in range(n_steps)
    ]
    gradients[2][1] = None  # a parameter that one batch does not reach
    return model, gradients


def trained(model: nn.Module, optimizer: Any, gradients: list[list[torch.Tensor | None]]) -> list[torch.Tensor]:
    for each in gradients:
        for p, gradient in zip(model.parameters(), each, strict=True):
            p.grad = None if gradient is None else gradient.clone()
        optimizer.step()
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("decouple_wd", [True, False])
@pytest.mark.parametrize("wd", [0.0, 0.1])
def test_the_step_is_that_of_torch_to_the_bit(decouple_wd: bool, wd: float) -> None:
    model, gradients = model_and_gradients(6)
    other = copy.deepcopy(model)
    kind = torch.optim.AdamW if decouple_wd else torch.optim.Adam
    theirs = kind(other.parameters(), lr=0.01, betas=(0.9, 0.99), eps=1e-5, weight_decay=wd, fused=True)
    ours = Adam(model.parameters(), lr=0.01, wd=wd, decouple_wd=decouple_wd)
    for a, b in zip(trained(model, ours, gradients), trained(other, theirs, gradients), strict=True):
        assert torch.equal(a, b)
    for kept, expected in zip(ours.state_dict()["state"].values(), theirs.state_dict()["state"].values(), strict=True):
        assert all(torch.equal(kept[name], expected[name]) for name in expected)


def test_hyper_parameters_are_those_of_the_moment() -> None:
    model, gradients = model_and_gradients(4)
    other = copy.deepcopy(model)
    theirs = torch.optim.AdamW(other.parameters(), lr=0.01, betas=(0.9, 0.99), eps=1e-5, weight_decay=0.01, fused=True)
    ours = Adam(model.parameters(), lr=0.01)
    for i in range(4):
        ours.set_hypers(lr=0.1 / (i + 1), mom=0.5 + 0.1 * i)
        theirs.param_groups[0].update(lr=0.1 / (i + 1), betas=(0.5 + 0.1 * i, 0.99))
        one = gradients[i : i + 1]
        for a, b in zip(trained(model, ours, one), trained(other, theirs, one), strict=True):
            assert torch.equal(a, b)


def test_who_listens_to_the_steps_of_torch_hears_all_of_them() -> None:
    model, gradients = model_and_gradients(5)
    optimizer = Adam(model.parameters(), lr=0.01)
    heard: list[int] = []
    assert optimizer.torch_optimizer is not None
    optimizer.torch_optimizer.register_step_post_hook(lambda *_: heard.append(1))
    trained(model, optimizer, gradients)
    assert len(heard) == 5


@pytest.mark.parametrize("settings", [{"amsgrad": True}, {"maximize": True}, {"foreach": True}], ids=str)
def test_other_settings_are_left_to_torch(settings: dict[str, bool]) -> None:
    model, gradients = model_and_gradients(5)
    other = copy.deepcopy(model)
    theirs = torch.optim.Adam(other.parameters(), lr=0.01, **settings)
    ours = Optimizer(model.parameters(), torch_optimizer=lambda g: torch.optim.Adam(g, lr=0.01, **settings))
    for a, b in zip(trained(model, ours, gradients), trained(other, theirs, gradients), strict=True):
        assert torch.equal(a, b)


def test_forgotten_momentum_is_made_anew() -> None:
    model, gradients = model_and_gradients(6)
    optimizer = Adam(model.parameters(), lr=0.01)
    trained(model, optimizer, gradients[:3])
    optimizer.clear_state()
    trained(model, optimizer, gradients[3:])
    assert all(float(state["step"]) == 3 for state in optimizer.state.values())


def test_parameters_of_several_dtypes_are_updated_too() -> None:
    model, gradients = model_and_gradients(4)
    model[2].double()  # type: ignore[index]
    typed = [
        [g if g is None else g.to(p.dtype) for g, p in zip(each, model.parameters(), strict=True)] for each in gradients
    ]
    other = copy.deepcopy(model)
    theirs = torch.optim.AdamW(other.parameters(), lr=0.01, betas=(0.9, 0.99), eps=1e-5, weight_decay=0.01, fused=True)
    for a, b in zip(
        trained(model, Adam(model.parameters(), lr=0.01), typed), trained(other, theirs, typed), strict=True
    ):
        assert torch.equal(a, b)
