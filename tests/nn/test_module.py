"""`Module` and the small layers that reshape, combine or carry others."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from vivace.nn.activations import SigmoidRange, sigmoid, sigmoid_range
from vivace.nn.inspection import params
from vivace.nn.layers import (
    Cat,
    Flatten,
    Identity,
    Lambda,
    LinBnDrop,
    MergeLayer,
    NoneReduce,
    ProdLayer,
    ResizeBatch,
    SequentialEx,
    TimeDistributed,
    View,
    sequential,
)
from vivace.nn.module import Module, module


class WithoutSuper(Module):
    def __init__(self, n: int) -> None:
        self.layer, self.scale = nn.Linear(n, 2), nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * self.scale


class WithLateSuper(Module):
    def __init__(self) -> None:
        self.layer = nn.Linear(2, 2)
        super().__init__()


def test_module_registers_parameters_without_super_init() -> None:
    model = WithoutSuper(3)
    assert len(params(model)) == 3
    assert model(torch.rand(5, 3)).shape == (5, 2)


def test_a_late_super_init_forgets_no_parameter() -> None:
    assert len(params(WithLateSuper())) == 2


@pytest.mark.parametrize("again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_module_can_be_copied(again) -> None:
    model, x = WithoutSuper(3), torch.rand(4, 3)
    assert torch.equal(again(model)(x), model(x))


def test_module_decorator_takes_fields_and_defaults() -> None:
    @module("factor", shift=1.0)
    def Affine(self, x):
        """Scale and shift."""
        return x * self.factor + self.shift

    assert Affine(3)(2) == 7
    assert Affine(factor=2, shift=0)(2) == 4
    assert repr(Affine(3)) == "Affine(factor=3, shift=1.0)"
    with pytest.raises(TypeError, match="fctor"):
        Affine(1, fctor=2)


def test_shapes_of_reshaping_layers() -> None:
    x = torch.rand(2, 3, 4)
    assert Identity()(x) is x
    assert Flatten()(x).shape == (2, 12)
    assert Flatten(full=True)(x).shape == (24,)
    assert View(4, 6)(x).shape == (4, 6)
    assert ResizeBatch(4, 3)(x).shape == (2, 4, 3)
    assert Lambda(torch.sum)(x) == x.sum()


def test_sequential_makes_layers_of_functions() -> None:
    model = sequential(nn.Linear(2, 3), torch.relu)
    assert float(model(torch.randn(50, 2)).detach().min()) == 0


@given(
    low=st.floats(-100, 100),
    width=st.floats(0.1, 100),
    x=st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=5),
)
def test_sigmoid_range_stays_between_its_ends_and_keeps_the_order(low: float, width: float, x: list[float]) -> None:
    out = SigmoidRange(low, low + width)(torch.tensor(sorted(x)))
    assert low - 1e-3 <= float(out.min())
    assert float(out.max()) <= low + width + 1e-3
    assert bool((out.diff() >= -1e-4).all())


def test_sigmoid_range_is_halfway_at_zero() -> None:
    assert sigmoid_range(torch.zeros(1), -1, 3).item() == 1


def test_sigmoid_has_a_finite_logarithm() -> None:
    assert torch.isfinite(sigmoid(torch.tensor([-1e4, 1e4])).log()).all()


def test_lin_bn_drop_order_and_bias() -> None:
    kinds = [type(layer).__name__ for layer in LinBnDrop(3, 4, p=0.1, act=nn.ReLU())]
    assert kinds == ["BatchNorm1d", "Dropout", "Linear", "ReLU"]
    kinds = [type(layer).__name__ for layer in LinBnDrop(3, 4, p=0.1, act=nn.ReLU(), lin_first=True)]
    assert kinds == ["Linear", "ReLU", "BatchNorm1d", "Dropout"]
    assert LinBnDrop(3, 4)[-1].bias is None
    assert [type(layer).__name__ for layer in LinBnDrop(3, 4, bn=False)] == ["Linear"]
    assert LinBnDrop(3, 4, bn=False)[0].bias is not None


def test_sequential_ex_gives_shortcuts_the_first_input() -> None:
    layer, x = nn.Linear(3, 3), torch.rand(2, 3)
    assert torch.equal(SequentialEx(layer, MergeLayer())(x), layer(x) + x)
    assert torch.equal(SequentialEx(layer, ProdLayer())(x), layer(x) * x)
    assert torch.equal(SequentialEx(layer, MergeLayer(dense=True))(x), torch.cat([layer(x), x], 1))


def test_cat_joins_outputs() -> None:
    a, b, x = nn.Linear(3, 2), nn.Linear(3, 4), torch.rand(5, 3)
    assert torch.equal(Cat([a, b])(x), torch.cat([a(x), b(x)], 1))


@pytest.mark.parametrize(("low_mem", "tdim"), [(False, 1), (True, 1), (False, 2)])
def test_time_distributed_equals_a_loop(low_mem: bool, tdim: int) -> None:
    layer, x = nn.Conv1d(2, 3, 3, padding=1), torch.rand(2, 2, 5, 2) if tdim == 2 else torch.rand(2, 5, 2, 7)
    got = TimeDistributed(layer, low_mem=low_mem, tdim=tdim)
    if tdim == 2:
        want = torch.stack([layer(step) for step in x.unbind(2)], dim=2)
    else:
        want = torch.stack([layer(step) for step in x.unbind(1)], dim=1)
    assert torch.allclose(got(x), want, atol=1e-6)


def test_none_reduce_gives_one_loss_each_and_puts_the_mean_back() -> None:
    loss, pred, target = nn.MSELoss(), torch.rand(4), torch.rand(4)
    with NoneReduce(loss) as unreduced:
        assert unreduced(pred, target).shape == (4,)
    assert loss.reduction == "mean"
    with NoneReduce(nn.functional.mse_loss) as unreduced:
        assert unreduced(pred, target).shape == (4,)
