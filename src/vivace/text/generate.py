"""Writing on: drawing the next word of a language model again and again, and turning words back into a text."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError
from vivace.training.evaluation import shared_evaluation

from .rules import TK_MAJ, TK_REP, TK_UP, TK_WREP

__all__ = ["decode_spec_tokens", "generate", "next_word_probabilities"]


def next_word_probabilities(
    scores: Tensor, *, banned: Collection[int] = (), min_p: float | None = None, temperature: float = 1.0
) -> Tensor:
    """Return from which distribution the next word is drawn, `(vocab,)`, on the CPU.

    Args:
        scores: `(vocab,)`, the model's, before softmax.
        banned: words that may not come, by number.
        min_p: words that are less probable than this may not come either.
        temperature: below 1 probable words become more probable, above 1 less.

    Raises:
        ArgumentError: the temperature is not above 0, or no word is left.
    """
    if temperature <= 0:
        raise ArgumentError(f"temperature must be above 0, got {temperature}; a very small one takes the best word.")
    log_probabilities = scores.detach().float().cpu().log_softmax(-1)
    is_out = torch.zeros(len(log_probabilities), dtype=torch.bool)
    is_out[list(banned)] = True
    if min_p is not None:
        is_rare = log_probabilities.exp() < min_p
        if (is_out | is_rare).all():
            warnings.warn(
                f"No word has a probability of min_p={min_p} or more, so all may come: try a lower one.", stacklevel=2
            )
        else:
            is_out |= is_rare
    if is_out.all():
        raise ArgumentError("All words are banned, so none can come next.")
    return (log_probabilities.masked_fill(is_out, float("-inf")) / temperature).softmax(-1)


def generate(
    model: nn.Module,
    ids: Sequence[int],
    n_words: int,
    *,
    device: torch.device,
    only_last_word: bool = False,
    max_len: int | None = None,
    banned: Collection[int] = (),
    min_p: float | None = None,
    temperature: float = 1.0,
) -> list[int]:
    """Return `ids` and `n_words` more, each drawn from what the model makes of those before it.

    Draws come from torch's global generator on the CPU, so that one seed gives one text on any device.

    Args:
        model: word numbers `(1, steps)` to scores `(1, steps, vocab)`. One with a `reset()` keeps its state and is
            given each word once; others are given all words each time.
        ids: the beginning; at least one word.
        n_words: how many words to add.
        device: the model's.
        only_last_word: draw each word from the one before alone.
        max_len: how many words the model can read at once; None: any number.
        banned: see `next_word_probabilities`, as are all that follow.

    Raises:
        ArgumentError: there is no beginning, or see `next_word_probabilities`.
    """
    if not len(ids):
        raise ArgumentError("The text to go on from has no words.")
    reset = getattr(model, "reset", None)
    words, new = [int(i) for i in ids], [int(i) for i in ids]
    try:
        with shared_evaluation(model), torch.inference_mode():
            for step in range(n_words):
                if reset is not None and (only_last_word or step == 0):
                    reset()
                context = words[-1:] if only_last_word else new if reset is not None else words
                scores: Any = model(torch.tensor([context if max_len is None else context[-max_len:]], device=device))
                chances = next_word_probabilities(scores[0, -1], banned=banned, min_p=min_p, temperature=temperature)
                new = [int(torch.multinomial(chances, 1))]
                words += new
    finally:
        if reset is not None:
            reset()
    return words


def decode_spec_tokens(tokens: Iterable[str]) -> list[str]:
    """Return words without the special tokens that say how they were written: `xxmaj the` is `The`.

    `xxup` gives capitals, `xxrep n c` the character n times, `xxwrep n word` the word n times.
    """
    words: list[str] = []
    rest = list(tokens)
    while rest:
        token, *rest = rest
        if token == TK_MAJ and rest:
            words.append(rest.pop(0).capitalize())
        elif token == TK_UP and rest:
            words.append(rest.pop(0).upper())
        elif token in (TK_REP, TK_WREP) and len(rest) > 1 and rest[0].isdecimal():
            times, repeated = int(rest.pop(0)), rest.pop(0)
            words += [repeated * times] if token == TK_REP else [repeated] * times
        else:
            words.append(token)
    return words
