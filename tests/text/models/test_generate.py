"""Drawing the next word: the distribution is the one asked for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError
from vivace.text.generate import decode_spec_tokens, generate, next_word_probabilities

SCORES = torch.tensor([2.0, 1.0, 0.0, -1.0])


def test_temperature_sharpens_and_flattens() -> None:
    plain = next_word_probabilities(SCORES)
    assert torch.allclose(plain, SCORES.softmax(0))
    cold = next_word_probabilities(SCORES, temperature=0.5)
    assert torch.allclose(cold, plain**2 / (plain**2).sum())
    assert float(next_word_probabilities(SCORES, temperature=0.01)[0]) == pytest.approx(1.0)
    with pytest.raises(ArgumentError, match="above 0, got 0"):
        next_word_probabilities(SCORES, temperature=0)


def test_words_can_be_banned_by_number_and_by_probability() -> None:
    found = next_word_probabilities(SCORES, banned=[0], min_p=0.2)
    assert found.tolist() == [0.0, 1.0, 0.0, 0.0]
    with pytest.warns(UserWarning, match="No word has a probability of min_p=0.9"):
        assert (next_word_probabilities(SCORES, min_p=0.9) > 0).all()
    with pytest.raises(ArgumentError, match="All words are banned"):
        next_word_probabilities(SCORES, banned=range(4))


class Counting(nn.Module):
    """The next word is the number of words read since `reset`."""

    def __init__(self, keeps_state: bool) -> None:
        super().__init__()
        self.n_read, self.given = 0, []
        if keeps_state:
            self.reset = lambda: setattr(self, "n_read", 0)

    def forward(self, ids: Tensor) -> Tensor:
        self.given.append(ids[0].tolist())
        self.n_read = self.n_read + ids.shape[1] if hasattr(self, "reset") else ids.shape[1]
        return torch.nn.functional.one_hot(torch.full(ids.shape, self.n_read), 20).float() * 100


def test_a_model_with_a_state_reads_each_word_once() -> None:
    model = Counting(keeps_state=True)
    assert generate(model, [7, 8], 3, device=torch.device("cpu")) == [7, 8, 2, 3, 4]
    assert model.given == [[7, 8], [2], [3]]


def test_a_model_without_a_state_reads_all_words_that_it_can() -> None:
    model = Counting(keeps_state=False)
    assert generate(model, [7, 8], 3, device=torch.device("cpu"), max_len=3) == [7, 8, 2, 3, 3]
    assert model.given == [[7, 8], [7, 8, 2], [8, 2, 3]]


def test_only_the_last_word_can_count() -> None:
    model = Counting(keeps_state=True)
    assert generate(model, [7, 8], 3, device=torch.device("cpu"), only_last_word=True) == [7, 8, 1, 1, 1]
    with pytest.raises(ArgumentError, match="has no words"):
        generate(model, [], 3, device=torch.device("cpu"))


def test_special_tokens_say_how_words_are_written() -> None:
    tokens = "xxmaj the xxup tv was good xxrep 3 ! xxwrep 2 ha xxunk xxrep".split()
    assert decode_spec_tokens(tokens) == ["The", "TV", "was", "good", "!!!", "ha", "ha", "xxunk", "xxrep"]
