"""The dropouts of recurrent networks drop what they say, in training only, and keep the mean."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from vivace.core.errors import ArgumentError
from vivace.text.models.dropout import EmbeddingDropout, RNNDropout, WeightDropout, dropout_mask


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_a_mask_has_its_share_of_zeros_and_a_mean_of_one() -> None:
    mask = dropout_mask(torch.zeros(1, dtype=torch.float64), (100, 100), 0.3)
    assert mask.dtype == torch.float64 and mask.shape == (100, 100)
    assert float((mask == 0).double().mean()) == pytest.approx(0.3, abs=0.02)
    assert float(mask.mean()) == pytest.approx(1.0, abs=0.03)
    assert torch.allclose(mask.unique(), torch.tensor([0.0, 1 / 0.7], dtype=torch.float64))


def test_features_are_dropped_at_all_steps_alike() -> None:
    out = RNNDropout(0.5)(torch.ones(8, 5, 40))
    assert torch.equal(out, out[:, :1].expand_as(out))
    assert 0.3 < float((out == 0).float().mean()) < 0.7
    assert not torch.equal(out[0], out[1])


def test_words_are_dropped_wherever_they_stand() -> None:
    embedding = nn.Embedding(50, 4)
    words = torch.arange(50).repeat(2, 2)
    out = EmbeddingDropout(embedding, 0.4)(words)
    is_dropped = (out == 0).all(-1)
    assert torch.equal(is_dropped[0, :50], is_dropped[1, 50:]) and 5 < int(is_dropped[0, :50].sum()) < 35
    kept = ~is_dropped
    assert torch.allclose(out[kept], embedding(words)[kept] / 0.6)


def test_evaluation_drops_nothing() -> None:
    lstm, x = nn.LSTM(3, 4, batch_first=True), torch.randn(2, 5, 3)
    wanted = lstm(x)[0]
    assert torch.equal(WeightDropout(lstm, 0.9).eval()(x)[0], wanted)
    assert torch.equal(RNNDropout(0.9).eval()(x), x)
    embedding = nn.Embedding(5, 2)
    assert torch.equal(EmbeddingDropout(embedding, 0.9).eval()(torch.arange(5)), embedding.weight)


def test_dropped_weights_get_no_gradient_and_the_raw_ones_learn() -> None:
    dropped = WeightDropout(nn.LSTM(3, 8), 0.5)
    assert {name for name, _ in dropped.named_parameters()} == {
        "weight_hh_l0_raw", "module.weight_ih_l0", "module.bias_ih_l0", "module.bias_hh_l0"
    }  # fmt: skip
    out, _ = dropped(torch.randn(6, 2, 3))
    out.square().sum().backward()
    used, raw = dropped.module.weight_hh_l0, dropped.weight_hh_l0_raw
    assert 0.3 < float((used == 0).float().mean()) < 0.7
    assert (raw.grad[used == 0] == 0).all() and (raw.grad[used != 0] != 0).any()


def test_a_layer_with_dropped_weights_can_be_copied_after_training() -> None:
    dropped, x = WeightDropout(nn.GRU(3, 4), 0.5), torch.randn(2, 1, 3)
    dropped(x)[0].sum().backward()
    twin = copy.deepcopy(dropped).eval()
    assert torch.equal(twin(x)[0], dropped.eval()(x)[0])


def test_a_weight_that_is_not_there_is_named() -> None:
    with pytest.raises(ArgumentError, match="Linear has no weight 'weight_hh_l0'; it has weight, bias"):
        WeightDropout(nn.Linear(2, 2), 0.5)
