"""AWD_LSTM is a stack of LSTMs that remembers; what stands on it fits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vivace.core.errors import ArgumentError, ShapeError
from vivace.text.models.awdlstm import AWD_LSTM, awd_lstm_clas_split, awd_lstm_lm_split
from vivace.text.models.core import LinearDecoder, get_language_model, get_text_classifier


@pytest.fixture
def encoder() -> AWD_LSTM:
    torch.manual_seed(0)
    return AWD_LSTM(30, 8, 12, 2).eval()


@pytest.fixture
def words() -> torch.Tensor:
    return torch.randint(2, 30, (3, 10), generator=torch.Generator().manual_seed(1))


def test_it_is_torchs_lstms_one_on_the_other(encoder: AWD_LSTM, words: torch.Tensor) -> None:
    x = encoder.encoder(words)
    for wrapped in encoder.rnns:
        lstm = nn.LSTM(x.shape[2], wrapped.module.hidden_size, batch_first=True)
        state = {name: getattr(wrapped.module, name) for name in lstm.state_dict()}
        lstm.load_state_dict(state)
        x = lstm(x)[0]
    assert torch.allclose(encoder(words), x)


def test_a_batch_goes_on_where_the_last_one_ended(encoder: AWD_LSTM, words: torch.Tensor) -> None:
    whole = encoder(words)
    encoder.reset()
    assert torch.allclose(torch.cat([encoder(words[:, :4]), encoder(words[:, 4:])], 1), whole, atol=1e-6)


def test_it_forgets_when_it_is_reset(encoder: AWD_LSTM, words: torch.Tensor) -> None:
    first = encoder(words)
    assert not torch.allclose(encoder(words), first)
    encoder.reset()
    assert torch.equal(encoder(words), first)


def test_gradients_end_at_the_border_of_a_batch(encoder: AWD_LSTM, words: torch.Tensor) -> None:
    encoder(words)
    assert encoder.bs == 3 and len(encoder.hidden) == 2
    assert not any(state.requires_grad for layer in encoder.hidden for state in layer)
    encoder(words).sum().backward()


@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_another_number_of_rows_goes_on_with_those_that_are_left(
    encoder: AWD_LSTM, words: torch.Tensor, n_rows: int
) -> None:
    whole = encoder(words)
    encoder.reset()
    encoder(words[:, :4])
    later = torch.cat([words, words])[:n_rows, 4:]
    n_same = min(n_rows, 3)
    assert torch.allclose(encoder(later)[:n_same], whole[:n_same, 4:], atol=1e-6)


def test_vectors_of_words_can_be_given(encoder: AWD_LSTM, words: torch.Tensor) -> None:
    from_words = encoder(words)
    encoder.reset()
    assert torch.allclose(encoder(encoder.encoder(words), from_embeds=True), from_words)
    with pytest.raises(ShapeError, match=r"vectors \(batch, steps, emb_sz\), got a tensor of shape \(3, 10\)"):
        encoder(words, from_embeds=True)


def test_both_directions_are_read() -> None:
    both = AWD_LSTM(30, 8, 12, 2, bidir=True).eval()
    words = torch.randint(2, 30, (2, 6))
    out = both(words)
    both.reset()
    assert out.shape == (2, 6, 8)
    assert not torch.allclose(both(words[:, :5])[:, 0], out[:, 0])  # the first word has seen the last


def test_no_layers_are_refused() -> None:
    with pytest.raises(ArgumentError, match="n_layers of 1 or more, got 0"):
        AWD_LSTM(10, 4, 4, 0)


def test_a_language_model_scores_every_word_with_the_embeddings_weight(lm_config: dict[str, Any]) -> None:
    model = get_language_model(AWD_LSTM, 20, lm_config).eval()
    out = model(torch.randint(0, 20, (2, 7)))
    assert out.shape == (2, 7, 20) and model[1].decoder.weight is model[0].encoder.weight
    untied = get_language_model("AWD_LSTM", 20, {**lm_config, "tie_weights": False, "out_bias": False})
    assert untied[1].decoder.weight is not untied[0].encoder.weight and untied[1].decoder.bias is None


def test_in_training_features_come_with_the_scores(lm_config: dict[str, Any]) -> None:
    scores, raw, dropped = get_language_model(AWD_LSTM, 20, lm_config)(torch.randint(0, 20, (2, 7)))
    assert scores.shape == (2, 7, 20) and raw.shape == dropped.shape == (2, 7, 12) and not torch.equal(raw, dropped)


def test_a_decoder_is_a_linear_layer() -> None:
    x, decoder = torch.randn(2, 3, 4), LinearDecoder(10, 4, 0.5).eval()
    assert torch.allclose(decoder(x), F.linear(x, decoder.decoder.weight, decoder.decoder.bias))


def test_all_dropouts_are_multiplied(lm_config: dict[str, Any]) -> None:
    model = get_language_model(AWD_LSTM, 20, lm_config, drop_mult=0.5)
    assert model[0].input_dp.p == pytest.approx(lm_config["input_p"] / 2)
    assert model[0].rnns[0].weight_p == pytest.approx(lm_config["weight_p"] / 2)
    assert model[1].output_dp.p == pytest.approx(lm_config["output_p"] / 2)


def test_groups_hold_each_parameter_once(lm_config: dict[str, Any], clas_config: dict[str, Any]) -> None:
    language_model = get_language_model(AWD_LSTM, 20, lm_config)
    classifier = get_text_classifier(AWD_LSTM, 20, 2, config=clas_config)
    for model, split, n_groups in ((language_model, awd_lstm_lm_split, 3), (classifier, awd_lstm_clas_split, 4)):
        groups = split(model)
        assert len(groups) == n_groups
        assert sorted(id(p) for group in groups for p in group) == sorted(id(p) for p in model.parameters())
    assert awd_lstm_clas_split(classifier)[0] == [classifier[0].module.encoder.weight]


def test_an_unknown_encoder_is_named(lm_config: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="no encoder 'AWD_LSTN'.*Did you mean 'AWD_LSTM'"):
        get_language_model("AWD_LSTN", 20, lm_config)
    with pytest.raises(ArgumentError, match="of your own needs its settings"):
        get_language_model(nn.LSTM, 20)
