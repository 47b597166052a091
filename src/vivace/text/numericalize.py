"""Vocabularies: which tokens there are, and tokens to their numbers and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from vivace.core.collection import L
from vivace.core.errors import DataError
from vivace.data.transform import Transform

from .rules import special_tokens
from .tokens import Tokens, count_tokens
from .types import TensorText

__all__ = ["Numericalize", "make_vocab"]

_FAKE = "xxfake"
_MULTIPLE = 8  # sizes that tensor cores like


def make_vocab(
    count: Counter[str], min_freq: int = 3, max_vocab: int = 60000, special_toks: Sequence[str] | None = None
) -> list[str]:
    """Return a vocabulary: special tokens, then the others, the most frequent first.

    Args:
        count: how often each token comes; of equally frequent ones the first in it stands first.
        min_freq: how often a token must come.
        max_vocab: how many tokens at most, special ones included.
        special_toks: None: `defaults.text_spec_tok`.

    Returns:
        The tokens, and `xxfake` until their number is a multiple of 8.
    """
    special = special_tokens() if special_toks is None else list(special_toks)
    frequent = [token for token, times in count.most_common(max_vocab) if times >= min_freq and token not in special]
    vocab = [*special, *frequent][:max_vocab]
    return vocab + [_FAKE] * (-len(vocab) % _MULTIPLE)


class _Numbers(dict[str, int]):
    """Token to number; of unknown ones 0."""

    def __missing__(self, token: str) -> int:
        return 0


class Numericalize(Transform):
    """Turn tokens into a `TensorText` `(n_tokens,)` int64 of their numbers, unknown ones into 0, and back.

    Args:
        vocab: the tokens; None: those of the training texts, found at set-up.
        min_freq, max_vocab, special_toks: as for `make_vocab`.

    Raises:
        DataError: (when called) there is no vocabulary yet.
    """

    uses_global_random = False

    def __init__(
        self,
        vocab: Sequence[str] | None = None,
        min_freq: int = 3,
        max_vocab: int = 60000,
        special_toks: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.min_freq, self.max_vocab, self.special_toks = min_freq, max_vocab, special_toks
        self.vocab: list[str] | None = None
        self.o2i: dict[str, int] = _Numbers()
        self._of_table: tuple[list[str], npt.NDArray[np.int64]] | None = None  # the last table, and its numbers
        if vocab is not None:
            self._use(list(vocab))

    def _use(self, vocab: list[str]) -> None:
        self.vocab, self._of_table = vocab, None
        self.o2i = _Numbers({token: number for number, token in enumerate(vocab) if token != _FAKE})

    def setups(self, dsets: Any) -> None:
        if self.vocab is None and dsets is not None:
            special = self.special_toks if self.special_toks is not None else getattr(dsets, "special_toks", None)
            self._use(make_vocab(count_tokens(dsets), self.min_freq, self.max_vocab, special))

    def encodes(self, o: Any) -> TensorText:
        if self.vocab is None:
            raise DataError("Numericalize has no vocabulary yet: give `vocab`, or set it up on training texts.")
        if isinstance(o, Tokens):
            return TensorText(torch.from_numpy(self._numbers_of(o.table)[o.ids]))
        return TensorText(torch.tensor([self.o2i[token] for token in o], dtype=torch.int64))

    def _numbers_of(self, table: list[str]) -> npt.NDArray[np.int64]:
        known = self._of_table
        if known is None or known[0] is not table:
            known = table, np.array([self.o2i[token] for token in table], np.int64)
            self._of_table = known  # one assignment: threads share this object
        return known[1]

    def decodes(self, o: TensorText) -> L[str]:
        if self.vocab is None:
            raise DataError("Numericalize has no vocabulary yet: give `vocab`, or set it up on training texts.")
        return L([self.vocab[i] for i in o.tolist()], use_list=True)

    def config(self) -> dict[str, Any]:
        return {
            "vocab": self.vocab,
            "min_freq": self.min_freq,
            "max_vocab": self.max_vocab,
            "special_toks": self.special_toks,
        }

    def __repr__(self) -> str:
        known = "no vocabulary yet" if self.vocab is None else f"{len(self.vocab)} tokens"
        return f"Numericalize({known})"
