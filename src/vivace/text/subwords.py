"""Tokenizers that split texts into pieces of words, learnt from the texts themselves by the Rust trainers."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError

from .rules import Rule, apply_rules, special_tokens
from .tokens import TokenizedTexts
from .words import rust_tokenizers

__all__ = ["SentencePieceTokenizer", "SubwordTokenizer"]

_SPACE = "▁"
_BATCH = 5000
_ESTIMATES = 4


class SubwordTokenizer:
    """Split texts into the pieces that a model of `vocab_sz` pieces learnt from them; `▁` marks where a word begins.

    The same texts give the same pieces, whatever the number of threads.

    Args:
        lang: accepted because scripts pass it.
        special_toks: texts that are never split; None: `defaults.text_spec_tok`.
        sp_model: a trained model, as `to_str()` gave it; None: `setup` trains one.
        vocab_sz: how many pieces; None: a quarter of the number of different words, `max_vocab_sz` at most.
        max_vocab_sz: see `vocab_sz`.
        model_type: "unigram" (Kudo 2018, arxiv.org/abs/1804.10959) or "bpe" (Sennrich et al. 2016,
            arxiv.org/abs/1508.07909).

    Raises:
        ArgumentError: there is no such `model_type`.
    """

    def __init__(
        self,
        lang: str = "en",
        special_toks: Sequence[str] | None = None,
        sp_model: str | None = None,
        vocab_sz: int | None = None,
        max_vocab_sz: int = 30000,
        model_type: Literal["unigram", "bpe"] = "unigram",
    ) -> None:
        if model_type not in ("unigram", "bpe"):
            raise ArgumentError(f'model_type must be "unigram" or "bpe", got {model_type!r}.')
        self.lang, self.sp_model, self.model_type = lang, sp_model, model_type
        self.vocab_sz, self.max_vocab_sz = vocab_sz, max_vocab_sz
        self.special_toks = special_tokens() if special_toks is None else list(special_toks)
        self._tokenizer: Any = None

    @property
    def is_trained(self) -> bool:
        """Whether there is a model to split with."""
        return self.sp_model is not None

    def setup(self, items: Iterable[str], rules: Sequence[Rule] | None = None) -> None:
        """Learn the pieces from these texts, after these rules; a model that is there is kept.

        Raises:
            DataError: there are no words in the texts.
        """
        if self.is_trained:
            return
        rust = rust_tokenizers()
        special = re.compile("|".join(rf"(?<!\w){re.escape(t)}(?!\w)" for t in self.special_toks) or r"(?!)")
        texts = [special.sub(" ", apply_rules(rules or (), text)) for text in items]
        size = self.vocab_sz or self._size_for(texts)
        added = [rust.AddedToken(t, single_word=True, lstrip=True, rstrip=True) for t in self.special_toks]
        common = {"vocab_size": size, "special_tokens": added, "show_progress": False}
        if self.model_type == "bpe":
            tokenizer = rust.Tokenizer(rust.models.BPE(unk_token=self.special_toks[0]))
            trainer = rust.trainers.BpeTrainer(**common)
        else:
            tokenizer = rust.Tokenizer(rust.models.Unigram())
            trainer = rust.trainers.UnigramTrainer(unk_token=self.special_toks[0], **common)
        tokenizer.pre_tokenizer = rust.pre_tokenizers.Metaspace(replacement=_SPACE, prepend_scheme="always")
        tokenizer.train_from_iterator(texts, trainer)
        trained = tokenizer.to_str()
        self.sp_model = trained if self.model_type == "bpe" else _rescored(trained, len(added), texts)
        self._tokenizer = None

    def _size_for(self, texts: Iterable[str]) -> int:
        n_words = len({word for text in texts for word in text.split()})
        if not n_words:
            raise DataError("There are no words in these texts to learn pieces from.")
        return -(-max(min(n_words // 4, self.max_vocab_sz), 64) // 8) * 8

    def _made(self) -> Any:
        if self.sp_model is None:
            raise DataError("This SubwordTokenizer has learnt no pieces yet: call setup(texts), or give `sp_model`.")
        if self._tokenizer is None:
            self._tokenizer = rust_tokenizers().Tokenizer.from_str(self.sp_model)
        return self._tokenizer

    def to_str(self) -> str:
        """Return the trained model as JSON, for `sp_model`."""
        return str(self._made().to_str())

    def __call__(self, items: Iterable[str]) -> Iterator[L[str]]:
        """Yield the pieces of each text."""
        tokenizer = self._made()
        ids = (tokenizer.encode(text, add_special_tokens=False).ids for text in items)
        return (L([tokenizer.id_to_token(i) for i in one], use_list=True) for one in ids)

    def encode_all(self, texts: Sequence[str]) -> TokenizedTexts:
        """Return the pieces of all texts; the work is spread over the cores."""
        tokenizer = self._made()
        table = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
        ids: list[list[int]] = []
        for begin in range(0, len(texts), _BATCH):
            part = texts[begin : begin + _BATCH]
            ids += [e.ids for e in tokenizer.encode_batch_fast(part, add_special_tokens=False)]
        return TokenizedTexts.from_ids(table, ids)

    def join(self, tokens: Iterable[str]) -> str:
        """Return the text that these pieces make, special tokens as words of their own."""
        special = set(self.special_toks)
        spaced = (f"{_SPACE}{t}{_SPACE}" if t in special else t for t in tokens)
        return re.sub(f" *{_SPACE}+", " ", "".join(spaced)).strip()

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as JSON."""
        names = ("lang", "special_toks", "sp_model", "vocab_sz", "max_vocab_sz", "model_type")
        return {name: getattr(self, name) for name in names}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_tokenizer": None}


def _rescored(model: str, n_special: int, texts: Iterable[str]) -> str:
    """Return a unigram model with the same pieces, and how likely each is estimated anew from the texts.

    The Rust trainer sums in an order that changes from run to run, so the last digits of its estimates do, too. Here
    each word is split in its likeliest way and the pieces are counted; from equal odds on, that is exact.
    """
    rust, described = rust_tokenizers(), json.loads(model)
    words = sorted(Counter(word for text in texts for word in text.split(" ") if word).items())
    vocab = described["model"]["vocab"]
    special, pieces = vocab[:n_special], sorted(piece for piece, _ in vocab[n_special:])
    scores = dict.fromkeys(pieces, math.log(1 / max(len(pieces), 1)))
    for _ in range(_ESTIMATES):
        described["model"]["vocab"] = [*special, *sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))]
        tokenizer = rust.Tokenizer.from_str(json.dumps(described))
        counts = dict.fromkeys(pieces, 0.5)  # what is never used stays possible
        encoded = tokenizer.encode_batch_fast([word for word, _ in words], add_special_tokens=False)
        for (_, times), encoding in zip(words, encoded, strict=True):
            for token in map(tokenizer.id_to_token, encoding.ids):
                if token in counts:
                    counts[token] += times
        total = math.fsum(counts.values())
        scores = {piece: math.log(count / total) for piece, count in counts.items()}
    described["model"]["vocab"] = [*special, *sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))]
    return json.dumps(described, ensure_ascii=False)


SentencePieceTokenizer = SubwordTokenizer
