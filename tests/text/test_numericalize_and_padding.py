"""Vocabularies, numbers of tokens, and texts made equally long."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vivace.core.collection import L
from vivace.core.errors import DataError
from vivace.core.types import TensorCategory
from vivace.text.all import (
    Numericalize,
    Pad_Chunk,
    Pad_Input,
    TensorText,
    defaults,
    make_vocab,
    pad_chunk,
    pad_input,
    pad_input_chunk,
)
from vivace.text.tokens import TokenizedTexts

SPECIAL = list(defaults.text_spec_tok)


def test_a_vocabulary_begins_with_special_tokens_then_the_most_frequent():
    counts = Counter(["b", "c", "a", "a", "xxbos", "b", "d", "xxbos", "xxbos"])
    assert make_vocab(counts, min_freq=1) == [*SPECIAL, "b", "a", "c", "d", "xxfake", "xxfake", "xxfake"]
    assert make_vocab(counts, min_freq=2)[9:12] == ["b", "a", "xxfake"]
    assert make_vocab(counts, min_freq=1, max_vocab=10)[:11] == [*SPECIAL, "b", "xxfake"]
    assert make_vocab(counts, min_freq=1, special_toks=["xxunk"])[:3] == ["xxunk", "xxbos", "b"]


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 9)), st.integers(1, 5), st.integers(9, 40)
)
def test_vocabularies_have_sizes_that_gpus_like_and_no_token_twice(counts, min_freq, max_vocab):
    vocab = make_vocab(Counter(counts), min_freq=min_freq, max_vocab=max_vocab)
    real = [token for token in vocab if token != "xxfake"]
    assert len(vocab) % 8 == 0 and len(vocab) - len(real) < 8
    assert len(set(real)) == len(real) <= max_vocab
    assert all(counts[token] >= min_freq for token in real[9:])


def test_tokens_become_numbers_and_come_back():
    numericalize = Numericalize(min_freq=1)
    with pytest.raises(DataError, match="no vocabulary yet"):
        numericalize(["a"])
    texts = [["xxbos", "a", "b", "a"], ["xxbos", "c"]]
    numericalize.setup(L(texts, use_list=True))
    for text, compact in zip(texts, TokenizedTexts.from_tokens(texts), strict=True):
        numbers = numericalize(text)
        assert type(numbers) is TensorText and numbers.dtype == torch.int64
        assert [numericalize.vocab[i] for i in numbers.tolist()] == text == list(numericalize.decode(numbers))
        assert torch.equal(numericalize(compact), numbers)
    assert numericalize(["nobody", "a"]).tolist() == [0, 9] and numericalize.o2i["nobody"] == 0
    assert Numericalize(vocab=["xxunk", "a"])(["a", "q"]).tolist() == [1, 0]


# ------------------------------------------------------------------ padding
def samples(*texts):
    return [(TensorText(torch.tensor(text)), TensorCategory(0)) for text in texts]


def padded(batch):
    return [sample[0].tolist() for sample in batch]


def test_padding_stands_after_or_before_the_text():
    batch = samples([1, 2, 3], [4])
    assert padded(pad_input(batch, pad_idx=9)) == [[1, 2, 3], [4, 9, 9]]
    assert padded(pad_input(batch, pad_idx=9, pad_first=True)) == [[1, 2, 3], [9, 9, 4]]
    assert padded(pad_input(batch, pad_idx=9, backwards=True)) == [[3, 2, 1], [4, 9, 9]]
    assert type(pad_input(batch)[1][0]) is TensorText
    assert padded(Pad_Input(pad_idx=9)(batch)) == [[1, 2, 3], [4, 9, 9]]


def test_several_parts_can_be_padded():
    batch = [(TensorText([1, 2]), TensorText([1, 2, 3])), (TensorText([4]), TensorText([7]))]
    both = pad_input(batch, pad_fields=[0, 1])
    assert both[1][0].tolist() == [4, 1] and both[1][1].tolist() == [7, 1, 1]
    assert pad_input(batch, pad_fields=1)[1][0].tolist() == [4]


def test_whole_chunks_stand_before_the_text_and_the_rest_after_it():
    text = TensorText([1, 2, 3])
    assert pad_chunk(text, pad_idx=0, seq_len=4, pad_len=10).tolist() == [0, 0, 0, 0, 1, 2, 3, 0, 0, 0]
    assert pad_chunk(text, pad_idx=0, pad_first=False, seq_len=4, pad_len=5).tolist() == [1, 2, 3, 0, 0]
    batch = samples([1, 2, 3, 4, 5, 6], [1, 2, 3])
    wanted = [[1, 2, 3, 4, 5, 6], [9, 9, 1, 2, 3, 9]]
    assert padded(pad_input_chunk(batch, pad_idx=9, seq_len=2)) == wanted
    assert padded(Pad_Chunk(pad_idx=9, seq_len=2)(batch)) == wanted


@given(
    st.lists(st.lists(st.integers(2, 50), min_size=1, max_size=20), min_size=1, max_size=5),
    st.integers(1, 8),
    st.booleans(),
)
def test_padding_keeps_the_text_and_comes_off_again(texts, seq_len, pad_first):
    batch = samples(*texts)
    transform = Pad_Chunk(seq_len=seq_len, pad_first=pad_first)
    out = transform(batch)
    assert {len(sample[0]) for sample in out} == {max(map(len, texts))}
    assert padded(transform.decode(out)) == texts
    assert not pad_first or all(
        sample[0].tolist().index(text[0]) % seq_len == 0 for sample, text in zip(out, texts, strict=True)
    )
