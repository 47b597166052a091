"""A classifier reads each text as if it were alone, however long, and whatever it is padded with."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from vivace.core.errors import ArgumentError
from vivace.text.models.awdlstm import AWD_LSTM, awd_lstm_clas_config
from vivace.text.models.core import PoolingLinearClassifier, SentenceEncoder, get_text_classifier, masked_concat_pool
from vivace.text.models.padding import is_padding, text_span

PAD = 1
torch.manual_seed(0)
ENCODER = AWD_LSTM(30, 6, 8, 2).eval()
lengths = st.lists(st.integers(1, 25), min_size=1, max_size=4)


def texts_of(n_words: list[int], seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(2, 30, (n,), generator=generator) for n in n_words]


def padded(texts: list[Tensor], n_before: list[int], width: int) -> Tensor:
    rows = torch.full((len(texts), width), PAD)
    for row, text, before in zip(rows, texts, n_before, strict=True):
        row[before : before + len(text)] = text
    return rows


def pooled(encoder: SentenceEncoder, ids: Tensor) -> Tensor:
    return masked_concat_pool(*encoder(ids))


@settings(max_examples=40, deadline=None)
@given(lengths, st.integers(1, 9), st.integers(0, 1000), st.data())
def test_neither_padding_nor_neighbours_matter(n_words: list[int], bptt: int, seed: int, data: st.DataObject) -> None:
    encoder, texts = SentenceEncoder(bptt, ENCODER, PAD).eval(), texts_of(n_words, seed)
    width = max(n_words) + data.draw(st.integers(0, 6))
    before = [data.draw(st.integers(0, width - n)) for n in n_words]
    together = pooled(encoder, padded(texts, before, width))
    alone = torch.cat([pooled(SentenceEncoder(100, ENCODER, PAD).eval(), text[None]) for text in texts])
    assert torch.allclose(together, alone, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(lengths, st.integers(1, 9), st.integers(1, 20), st.integers(0, 1000))
def test_the_head_sees_exactly_the_last_words(n_words: list[int], bptt: int, max_len: int, seed: int) -> None:
    texts, width = texts_of(n_words, seed), max(n_words)
    features, unseen = SentenceEncoder(bptt, ENCODER, PAD, max_len).eval()(
        padded(texts, [width - n for n in n_words], width)
    )
    assert features.shape[1] <= max_len + 2 * bptt
    for row, mask, text in zip(features, unseen, texts, strict=True):
        ENCODER.reset()
        assert torch.allclose(row[~mask], ENCODER(text[None])[0][-max_len:], atol=1e-5)


def test_words_before_the_last_ones_have_no_gradient() -> None:
    text, encoder = texts_of([20], 0)[0][None], SentenceEncoder(4, ENCODER, PAD, max_len=4).eval()
    for max_len, has_early in ((4, False), (None, True)):
        encoder.max_len = max_len
        vectors: list[Tensor] = []
        hook = ENCODER.encoder.register_forward_hook(lambda m, i, out: vectors.append(out) or out)  # noqa: B023
        pooled(encoder, text).sum().backward()
        hook.remove()
        assert vectors[-1].requires_grad and vectors[0].requires_grad is has_early


def test_two_threads_do_not_share_a_state() -> None:
    encoder, text = SentenceEncoder(4, ENCODER, PAD).eval(), texts_of([9], 3)[0][None]
    ENCODER.reset()
    encoder(text)
    assert ENCODER.hidden == []


def test_an_encoder_of_ones_own_keeps_its_state_itself() -> None:
    embedding, ids = nn.Embedding(5, 10), torch.randint(1, 5, (3, 15))
    ids[2, :5] = 0
    out, mask = SentenceEncoder(5, embedding, pad_idx=0)(ids)
    assert torch.equal(out[:2], embedding(ids)[:2]) and torch.equal(out[2, 5:], embedding(ids)[2, 5:])
    assert torch.equal(mask, ids == 0)


@settings(max_examples=30, deadline=None)
@given(lengths, st.integers(0, 1000))
def test_pooling_is_that_of_the_words_alone(n_words: list[int], seed: int) -> None:
    features = torch.randn(len(n_words), max(n_words), 4, generator=torch.Generator().manual_seed(seed))
    mask = torch.arange(max(n_words)) >= torch.tensor(n_words)[:, None]
    found = masked_concat_pool(features, mask, bptt=3)
    for row, one, n in zip(found, features, n_words, strict=True):
        wanted = torch.cat([one[n - 1], one[:n].amax(0), one[:n].mean(0)])
        assert torch.allclose(row, wanted, atol=1e-6)


def test_a_text_is_found_between_its_padding() -> None:
    ids = torch.tensor([[1, 1, 5, 1, 6], [7, 8, 1, 1, 1], [1, 1, 1, 1, 1], [2, 3, 4, 5, 6]])
    first, length = text_span(ids, PAD)
    assert first.tolist() == [2, 0, 0, 0] and length.tolist() == [3, 2, 1, 5]
    assert is_padding(ids, PAD)[:2].tolist() == [[True, True, False, False, False], [False, False, True, True, True]]


def test_a_row_of_padding_gives_a_finite_answer() -> None:
    model = get_text_classifier(AWD_LSTM, 30, 2, config=small()).eval()
    assert torch.isfinite(model(torch.full((2, 5), PAD))).all()


def small() -> dict[str, Any]:
    return {**awd_lstm_clas_config, "emb_sz": 6, "n_hid": 8, "n_layers": 1}


def test_outputs_stay_in_their_range() -> None:
    model = get_text_classifier(AWD_LSTM, 30, 1, config=small(), y_range=(1, 5), lin_ftrs=[7, 5], ps=[0.1, 0.2])
    out = model.eval()(torch.randint(2, 30, (8, 6)))
    assert out.shape == (8, 1) and (out > 1).all() and (out < 5).all()


def test_a_head_without_a_dropout_for_each_layer_is_refused() -> None:
    with pytest.raises(ArgumentError, match="3 sizes make 2 layers.*got 1"):
        PoolingLinearClassifier([12, 5, 2], [0.1])
    with pytest.raises(ArgumentError, match="1 or more, got 0"):
        SentenceEncoder(0, ENCODER)
