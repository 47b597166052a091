"""Parameter groups."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vivace.nn.groups import default_split, split_body, split_decay, trainable_splitter
from vivace.nn.xresnet import xresnet18


def blocks(*depths: int) -> nn.Sequential:
    return nn.Sequential(*[nn.Sequential(*[nn.Linear(2, 2) for _ in range(n)]) for n in depths])


def ids(group) -> set[int]:
    return {id(p) for p in group}


def test_a_residual_network_is_cut_after_its_second_stage() -> None:
    body = xresnet18()[:-4]
    early, late = split_body(body)
    assert ids(early) == ids(body[:6].parameters())
    assert ids(late) == ids(body[6:].parameters())


def test_default_split_has_early_body_late_body_and_head() -> None:
    model = nn.Sequential(blocks(2, 2), nn.Linear(2, 1), nn.Linear(1, 1))
    early, late, head = default_split(model)
    assert ids(early) == ids(model[0][0].parameters())
    assert ids(late) == ids(model[0][1].parameters())
    assert ids(head) == ids([*model[1].parameters(), *model[2].parameters()])


def test_models_that_cannot_be_divided_are_one_group() -> None:
    assert len(default_split(nn.Linear(2, 2))) == 1
    assert [len(group) for group in default_split(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))] == [2, 2]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_groups_hold_each_parameter_once(depths: list[int]) -> None:
    model = nn.Sequential(blocks(*depths), nn.Linear(2, 2))
    groups = default_split(model)
    together = [id(p) for group in groups for p in group]
    assert sorted(together) == sorted(ids(model.parameters()))
    assert all(groups)


def test_loose_parameters_are_early() -> None:
    body = nn.Module()
    body.token = nn.Parameter(torch.zeros(3))
    body.blocks = blocks(1, 1, 1, 1)
    early, late = split_body(body)
    assert id(body.token) in ids(early)
    assert len(late) == 4


def test_split_decay_spares_norms_and_biases() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    decayed, spared = split_decay(model)
    assert ids(decayed) == {id(model[0].weight)}
    assert len(spared) == 3
    assert split_decay(model, [model[0].bias]) == ([], [model[0].bias])


def test_trainable_splitter_leaves_frozen_parameters_out() -> None:
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    assert trainable_splitter(layer) == [layer.weight]
