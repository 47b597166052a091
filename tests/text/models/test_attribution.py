"""Which words decide: the parts add up, and the words that were planted are found."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from vivace.core.errors import ArgumentError
from vivace.text.attribution import TokenAttributions, find_embedding, integrated_gradients, log_odds
from vivace.text.interpret import TextInterpretation, token_attributions
from vivace.text.learner import TextLearner


def test_log_odds_are_those_of_the_probability() -> None:
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    p = logits.softmax(1)[:, 2]
    assert torch.allclose(log_odds(logits, 2), (p / (1 - p)).log(), atol=1e-5)


def test_of_a_linear_model_each_word_gets_its_own_part() -> None:
    torch.manual_seed(0)
    embedding, head = nn.Embedding(9, 4), nn.Linear(4, 1)

    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.head = embedding, head

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.head(self.embedding(ids)).sum(1)

    ids = torch.tensor([3, 5, 3])
    found = integrated_gradients(Bag(), embedding, ids, lambda out: out[:, 0], n_steps=3)
    assert torch.allclose(found, (embedding(ids) @ head.weight[0]), atol=1e-6)


@pytest.mark.parametrize("seq_len", [3, 72])
def test_the_parts_add_up_to_the_change_of_the_score(make_classifier: Callable[..., TextLearner], seq_len: int) -> None:
    learn = make_classifier(seq_len=seq_len)
    ids = torch.tensor([2, 5, 9, 14, 11, 10, 12, 9])
    embedding = find_embedding(learn.encoder)
    found = integrated_gradients(learn.model, embedding, ids, lambda out: log_odds(out, 1), n_steps=200)
    model = learn.model.eval()
    whole = log_odds(model(ids[None]), 1)
    hook = embedding.register_forward_hook(lambda module, given, out: out * 0)
    nothing = log_odds(model(ids[None]), 1)
    hook.remove()
    assert found.shape == (8,) and float(found.sum()) == pytest.approx(float((whole - nothing).detach()), abs=1e-3)
    assert learn.model[0].bptt == seq_len


@pytest.mark.slow
def test_the_words_that_decide_are_found(
    make_classifier: Callable[..., TextLearner], capsys: pytest.CaptureFixture[str]
) -> None:
    learn = make_classifier(drop_mult=0.2)
    with learn.no_logging():
        learn.fit_one_cycle(10, 3e-2)
    found = token_attributions(learn, "This film was really boring.")
    assert found.label == "neg" and found.top(1)[0][0] == "boring"
    opposite = token_attributions(learn, "This film was really boring.", target="pos")
    assert torch.allclose(opposite.scores, -found.scores, atol=1e-4)
    interpretation = TextInterpretation.from_learner(learn)
    capsys.readouterr()
    shown = interpretation.plot_attributions(2)
    printed = capsys.readouterr().out
    assert len(shown) == 2 and "prediction" in printed and "\x1b" not in printed and shown[0].to_text() in printed
    interpretation.plot_top_losses(2)
    printed = capsys.readouterr().out
    assert "probability" in printed and "xxbos" in printed and ("pos" in printed or "neg" in printed)
    with pytest.raises(ArgumentError, match="There is no class 'poss'; there are neg, pos. Did you mean 'pos'"):
        token_attributions(learn, "This film", target="poss")
    with pytest.raises(ArgumentError, match="There is no class number 2"):
        token_attributions(learn, "This film", target=2)
    with pytest.raises(ArgumentError, match="nothing to show"):
        interpretation.plot_attributions(0)


def test_words_are_shown_in_the_colour_of_what_they_say() -> None:
    found = TokenAttributions(["a", "<b>", "c"], torch.tensor([1.0, -2.0, 0.0]), "pos")
    assert "rgba(46,160,67,0.50)" in found.to_html() and "rgba(218,54,51,1.00)" in found.to_html()
    assert "&lt;b&gt;" in found.to_html() and "<b>" not in found.to_html()
    assert str(found) == "pos: a(+1.00) <b>(-2.00) c"
    assert found.to_text(is_coloured=True).count("\x1b[0m") == 2


def test_a_model_without_words_is_refused() -> None:
    with pytest.raises(ArgumentError, match="Linear has no embedding"):
        find_embedding(nn.Linear(2, 2))
    with pytest.raises(ArgumentError, match="n_steps must be 1 or more, got 0"):
        integrated_gradients(nn.Linear(2, 2), nn.Embedding(2, 2), torch.tensor([0]), lambda out: out, 0)
