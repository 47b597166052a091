"""Which words a prediction rests on: integrated gradients on the vectors of the words.

Sundararajan, Taly and Yan, *Axiomatic Attribution for Deep Networks*, 2017 (arXiv:1703.01365).
"""

from __future__ import annotations

import html
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError
from vivace.core.show import show_html
from vivace.training.evaluation import shared_evaluation

from .models.core import SentenceEncoder

__all__ = ["TokenAttributions", "find_embedding", "integrated_gradients", "log_odds"]

_STEPS_AT_ONCE = 8  # bounds the memory that a long text takes
_FOR, _AGAINST = (46, 160, 67), (218, 54, 51)


def log_odds(logits: Tensor, index: int) -> Tensor:
    """Return how much class `index` is ahead of all others together, `(batch,)`: log p / (1 - p)."""
    others = torch.cat([logits[:, :index], logits[:, index + 1 :]], 1)
    return logits[:, index] - others.logsumexp(1)


def find_embedding(encoder: nn.Module) -> nn.Embedding:
    """Return the embedding that turns word numbers into vectors.

    Raises:
        ArgumentError: there is none.
    """
    own = getattr(encoder, "get_input_embeddings", None)
    found = own() if own is not None else next((m for m in encoder.modules() if isinstance(m, nn.Embedding)), None)
    if not isinstance(found, nn.Embedding):
        raise ArgumentError(f"{type(encoder).__name__} has no embedding, so nothing can be said of its words.")
    return found


def integrated_gradients(
    model: nn.Module, embedding: nn.Embedding, ids: Tensor, score: Callable[[Tensor], Tensor], n_steps: int = 32
) -> Tensor:
    """Return what each word adds to `score(model(ids))`, compared with vectors of zeros: `(words,)`.

    The parts add up to the difference between the scores of the text and of zeros, the nearer the more steps there are.

    Args:
        model: word numbers `(batch, words)` to outputs; in evaluation while this runs.
        embedding: the part of it that gives words their vectors.
        ids: `(words,)`, one text.
        score: outputs to `(batch,)`.
        n_steps: points between zeros and the text.

    Raises:
        ArgumentError: `n_steps` is below 1.
    """
    if n_steps < 1:
        raise ArgumentError(f"n_steps must be 1 or more, got {n_steps}.")
    shares = (torch.arange(n_steps, device=ids.device) + 0.5) / n_steps
    readers = [(m, m.bptt) for m in model.modules() if isinstance(m, SentenceEncoder)]
    try:
        for reader, _ in readers:
            reader.bptt = len(ids)  # in one piece, as gradients end at the border of a piece
        with shared_evaluation(model):
            parts = [_added(model, embedding, ids, score, some) for some in shares.split(_STEPS_AT_ONCE)]
    finally:
        for reader, bptt in readers:
            reader.bptt = bptt
    return torch.stack(parts).sum(0) / n_steps


def _added(
    model: nn.Module, embedding: nn.Embedding, ids: Tensor, score: Callable[[Tensor], Tensor], shares: Tensor
) -> Tensor:
    """The sum over these points of vector times gradient, for each word."""
    scaled: list[Tensor] = []
    vectors: list[Tensor] = []

    def scale(_module: nn.Module, _inputs: Any, out: Tensor) -> Tensor:
        vectors.append(out.detach())
        scaled.append((out.detach() * shares[:, None, None].to(out.dtype)).requires_grad_())
        return scaled[-1]

    hook = embedding.register_forward_hook(scale)
    try:
        # cuDNN has no backward pass of recurrent layers in evaluation
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            total = score(model(ids.expand(len(shares), -1))).sum()
            gradients = torch.autograd.grad(total, scaled, allow_unused=True)
    finally:
        hook.remove()
    pieces = [
        (v * g).sum((0, 2)) if g is not None else v.new_zeros(v.shape[1])  # before the words that the head sees
        for v, g in zip(vectors, gradients, strict=True)
    ]
    return torch.cat(pieces)[: len(ids)]


@dataclass(frozen=True)
class TokenAttributions:
    """The words of a text with what each says for (above 0) or against a prediction; shows itself in colours.

    Args:
        tokens: the words.
        scores: `(words,)`.
        label: what they speak for.
    """

    tokens: Sequence[str]
    scores: Tensor
    label: str

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """Return the `k` words that say most for the label, and how much."""
        order = self.scores.argsort(descending=True)[:k].tolist()
        return [(self.tokens[i], float(self.scores[i])) for i in order]

    def _strengths(self) -> list[float]:
        """The scores as shares of the strongest, -1..1."""
        strongest = float(self.scores.abs().max()) if len(self.scores) else 0.0
        return (self.scores / (strongest or 1.0)).tolist()

    def to_html(self) -> str:
        """Return the text as HTML: green words speak for the label, red ones against it."""
        spans = []
        for token, score, strength in zip(self.tokens, self.scores.tolist(), self._strengths(), strict=True):
            red, green, blue = _FOR if strength > 0 else _AGAINST
            spans.append(
                f'<span style="background: rgba({red},{green},{blue},{abs(strength):.2f})" title="{score:+.3f}">'
                f"{html.escape(token)}</span>"
            )
        return " ".join(spans)

    def _repr_html_(self) -> str:
        return f"<b>{html.escape(self.label)}</b>: {self.to_html()}"

    def to_text(self, is_coloured: bool = False) -> str:
        """Return the text with colours of a terminal, or with the numbers of the stronger words in brackets."""
        if is_coloured:
            return " ".join(_painted(t, s) for t, s in zip(self.tokens, self._strengths(), strict=True))
        each = zip(self.tokens, self.scores.tolist(), self._strengths(), strict=True)
        return " ".join(f"{t}({score:+.2f})" if abs(strength) >= 0.2 else t for t, score, strength in each)

    def __str__(self) -> str:
        return f"{self.label}: {self.to_text()}"

    def show(self) -> None:
        """Show the text in colours: in a notebook as HTML, in a terminal with its colours, elsewhere with numbers."""
        show_html(self._repr_html_, lambda: f"{self.label}: {self.to_text(is_terminal())}")


def is_terminal() -> bool:
    """Return whether standard output can show colours."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and "NO_COLOR" not in os.environ


def _painted(token: str, strength: float) -> str:
    if abs(strength) < 0.1:
        return token
    red, green, blue = (round(255 + (c - 255) * abs(strength)) for c in (_FOR if strength > 0 else _AGAINST))
    return f"\x1b[48;2;{red};{green};{blue}m\x1b[30m{token}\x1b[0m"
