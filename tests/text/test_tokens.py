"""Tokens of many texts in one array."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from vivace.text.tokens import TokenizedTexts, count_tokens

TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "cc", "d e", "é", ""]), max_size=6), max_size=8)


@given(TEXTS)
def test_compact_texts_are_the_lists_they_were_made_of(texts):
    compact = TokenizedTexts.from_tokens(texts)
    assert [list(text) for text in compact] == texts
    assert all(made == text and text == made for made, text in zip(compact, texts, strict=True))
    assert compact.lengths.tolist() == [len(text) for text in texts]


@given(TEXTS)
def test_counting_compact_texts_gives_the_counts_and_the_order_of_first_use(texts):
    expected = Counter(token for text in texts for token in text)
    found = count_tokens(TokenizedTexts.from_tokens(texts))
    assert found == expected and list(found) == list(expected)
    assert list(count_tokens(texts)) == list(expected)


@given(TEXTS)
def test_a_token_can_be_split_further(texts):
    compact = TokenizedTexts.from_tokens(texts)
    parts = TokenizedTexts.from_tokens([token.split(" ") for token in compact.table])
    assert [list(t) for t in compact.in_parts(parts)] == [
        [p for token in text for p in token.split(" ")] for text in texts
    ]


def test_tokens_are_sliced_and_compared_like_lists():
    tokens = TokenizedTexts.from_tokens([["a", "b", "a"]])[0]
    assert tokens[1] == "b" and tokens[-1] == "a" and tokens[:2] == ["a", "b"]
    assert tokens.count("a") == 2 and "b" in tokens and tokens != ["a"] and repr(tokens) == "['a', 'b', 'a']"
