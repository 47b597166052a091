"""Hooks, model sizes, the summary table, and questions about a model."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vivace.core.errors import ArgumentError
from vivace.nn.hooks import (
    Hook,
    Hooks,
    dummy_eval,
    evaluating,
    hook_output,
    hook_outputs,
    model_sizes,
    num_features_model,
)
from vivace.nn.inspection import (
    ParameterModule,
    bn_bias_params,
    children_and_parameters,
    flatten_model,
    has_pool_type,
    in_channels,
    norm_bias_params,
    one_param,
    params,
    requires_grad,
    total_params,
    trainable_params,
)
from vivace.nn.layers import Flatten
from vivace.nn.module import Module
from vivace.nn.summary import layer_info, module_summary


def conv_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Sequential(nn.Conv2d(4, 6, 3, stride=2))
    )


def test_hook_output_stores_and_leaves_nothing_behind() -> None:
    model, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU()), torch.randn(5, 3)
    with hook_output(model[0]) as hook:
        model(x)
        assert torch.equal(hook.stored, model[0](x))
        assert not hook.stored.requires_grad
    assert not model[0]._forward_hooks
    assert hook.removed


def test_a_hook_is_removed_when_the_block_raises() -> None:
    layer = nn.Linear(2, 2)
    with pytest.raises(ZeroDivisionError), hook_output(layer):
        raise ZeroDivisionError
    assert not layer._forward_hooks


def test_hook_outputs_keep_the_order() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with hook_outputs([model[2], model[0]]) as hooks:
        model(torch.randn(5, 3))
    assert [tuple(out.shape) for out in hooks.stored] == [(5, 2), (5, 4)]
    assert len(hooks) == 2
    assert hooks[0].stored is hooks.stored[0]


def test_hook_of_gradients_gives_those_of_the_output() -> None:
    layer = nn.Linear(3, 4)
    with hook_output(layer, grad=True) as hook:
        (layer(torch.randn(5, 3)) * 2).sum().backward()
    assert torch.equal(hook.stored[0], torch.full((5, 4), 2.0))


def test_hook_of_gradients_allows_work_in_place() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(inplace=True))
    with hook_outputs([model[1], model[2]], grad=True) as hooks:
        model(torch.randn(5, 3)).sum().backward()
        (before,), (after,) = hooks.stored
    assert torch.equal(after, torch.ones(5, 4))
    assert set(before.unique().tolist()) == {0.0, 1.0}


def test_undetached_hooks_keep_the_graph() -> None:
    layer = nn.Linear(3, 4)
    with hook_output(layer, detach=False) as hook:
        layer(torch.randn(5, 3))
    assert hook.stored.requires_grad


def test_hooks_by_hand() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    hook = Hook(model[0], lambda module, inputs, output: output.mean().item())
    model(torch.ones(1, 2))
    assert isinstance(hook.stored, float)
    hook.remove()
    hook.remove()
    hook.stored = None
    model(torch.ones(1, 2))
    assert hook.stored is None
    hooks = Hooks(model, lambda module, inputs, output: tuple(output.shape))
    model(torch.ones(5, 2))
    assert hooks.stored == [(5, 3), (5, 3)]
    hooks.remove()


def test_trial_runs_change_nothing() -> None:
    model = conv_net().train()
    model[3].eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.get_rng_state()
    assert dummy_eval(model, (8, 8)).shape == (1, 6, 3, 3)
    assert [tuple(size) for size in model_sizes(model, (8, 8))][-1] == (1, 6, 3, 3)
    assert num_features_model(model) == 6
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert model.training
    assert not model[3].training
    assert not model[3][0].training


def test_num_features_needs_an_image_that_is_large_enough() -> None:
    greedy = nn.Sequential(nn.Conv2d(3, 5, 100))
    assert num_features_model(greedy) == 5
    with pytest.raises(RuntimeError):
        num_features_model(nn.Sequential(nn.Conv2d(3, 5, 300)))


def test_evaluating_restores_modes_after_an_error() -> None:
    model = conv_net().train()
    with pytest.raises(ZeroDivisionError), evaluating(model):
        1 / (model.training or torch.is_grad_enabled())
    assert model.training
    assert model[1].training
    assert torch.is_grad_enabled()


def test_summary_counts_parameters() -> None:
    model = conv_net()
    for p in model[3].parameters():
        p.requires_grad_(False)
    text = module_summary(model, torch.rand(2, 3, 8, 8))
    total = sum(p.numel() for p in model.parameters())
    frozen = sum(p.numel() for p in model[3].parameters())
    assert f"Total params: {total:,}" in text
    assert f"Total trainable params: {total - frozen:,}" in text
    assert f"Total non-trainable params: {frozen:,}" in text
    assert "2 x 6 x 3 x 3" in text
    assert "BatchNorm2d" in text
    assert "False" in text


def test_layer_info_shapes() -> None:
    infos = layer_info(conv_net(), torch.rand(2, 3, 8, 8))
    assert [info.name for info in infos] == ["Conv2d", "BatchNorm2d", "ReLU", "Conv2d"]
    assert infos[0].shape == [2, 4, 8, 8]
    assert infos[2].is_same_size
    assert infos[2].is_trainable is None


def test_summary_of_a_model_with_several_inputs() -> None:
    class Two(Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(2, 1)

        def forward(self, a, b):
            return self.layer(torch.cat([a, b], 1))

    assert "Total params: 3" in module_summary(Two(), torch.rand(4, 1), torch.rand(4, 1))


def test_flatten_model_meets_lone_parameters() -> None:
    class Scaled(Module):
        def __init__(self) -> None:
            self.inner, self.scale = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Parameter(torch.ones(1))

    leaves = flatten_model(Scaled())
    assert [type(leaf) for leaf in leaves] == [nn.Linear, nn.ReLU, ParameterModule]
    assert len(children_and_parameters(Scaled())) == 2


def test_parameters_of_norms_and_biases() -> None:
    model = conv_net()
    found = norm_bias_params(model)
    assert {id(p) for p in found} == {id(p) for p in (model[0].bias, model[1].weight, model[1].bias, model[3][0].bias)}
    assert {id(p) for p in norm_bias_params(model, with_bias=False)} == {id(model[1].weight), id(model[1].bias)}
    assert len(bn_bias_params(model)) == 4


def test_questions_about_parameters() -> None:
    model = conv_net()
    assert total_params(nn.Linear(3, 2)) == (8, True)
    assert total_params(nn.ReLU()) == (0, False)
    model[0].weight.requires_grad_(False)
    assert len(params(model)) == 6
    assert len(trainable_params(model)) == 5
    assert not requires_grad(model)
    assert not requires_grad(nn.ReLU())
    assert one_param(model) is model[0].weight
    assert in_channels(model) == 3
    assert in_channels(nn.Linear(7, 1)) == 7
    with pytest.raises(ArgumentError, match="no parameter"):
        one_param(nn.ReLU())
    with pytest.raises(ArgumentError, match="input channels"):
        in_channels(nn.Sequential(Flatten()))


def test_has_pool_type() -> None:
    assert has_pool_type(nn.Sequential(nn.ReLU(), nn.Sequential(nn.AdaptiveAvgPool2d(1))))
    assert not has_pool_type(conv_net())
