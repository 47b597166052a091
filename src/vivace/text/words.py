"""Tokenizers that split texts into words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, MissingPackageError

from .rules import special_tokens
from .tokens import TokenizedTexts

__all__ = ["BaseTokenizer", "SpacyTokenizer", "WordTokenizer", "rust_tokenizers"]

_UNITS = "km|cm|mm|dm|m|kg|mg|g|lb|oz|ft|mph|kb|mb|gb|tb|am|pm"
_MAX_KNOWN = 200_000  # chunks whose tokens are remembered
_PARTS = (
    r"(?:https?://|www\.)[^\s<>\"]*[^\s<>\"'.,;:!?)\]]",  # addresses of pages
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",  # and of people
    r"(?<!\S)(?:[:;=]['-]?[()\[\]dpo|]|<3)(?!\w)",  # smileys
    r"(?<!\w)[^\W\d_](?:\.[^\W\d_])+\b\.?(?!\w)",  # U.S., e.g., p.m.
    r"(?<!\w)(?:mr|mrs|ms|dr|prof|vs|jr|sr)\.(?!\S)",
    r"\w+(?:\.\w+)*\.(?:com|org|net|edu|gov)\b",
    rf"\d+(?:[.,:/]\d+)*(?=(?:{_UNITS})\b)",  # the number of 3.5kg
    r"(?<!\w)\d+(?:[.,:/]\d+)+\b",  # 1,000.50, 5:30, 12/25
    r"(?<!\w)(?:can(?=not\b)|gon(?=na\b)|got(?=ta\b))",
    r"[^\W_]+(?=n['’]t\b)",  # do of don't
    r"n['’]t\b",
    r"['’](?:s|m|re|ve|ll|d)\b",
    r"[^\W_](?:\w*[^\W_])?(?:['’](?!(?:s|m|re|ve|ll|d)\b)[^\W_]+)*",  # words, also o'neil
    r"\.{2,}|-{2,}|\n+|\t+",
    r"(?:[^\w\s]|_)(?:\p{M}|\u200d[^\w\s])*",  # any other sign; signs that are joined stay together
)


class BaseTokenizer:
    """A tokenizer that splits at one character; what a tokenizer of your own looks like.

    Args:
        split_char: the character.
    """

    def __init__(self, split_char: str = " ") -> None:
        self.split_char = split_char

    def __call__(self, items: Iterable[str]) -> Iterator[L[str]]:
        """Yield the tokens of each text."""
        return (L(text.split(self.split_char), use_list=True) for text in items)

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as JSON."""
        return {"split_char": self.split_char}


class WordTokenizer:
    """Split texts into words and signs, as readers of English expect: `do n't`, `3.5 kg`, `U.S.`, `well - known`.

    What stands between two spaces is split by one pattern, once: of many texts, only what differs.

    Args:
        lang: accepted because scripts pass it: the rules are the same for all languages written with spaces.
        special_toks: texts that are never split; None: `defaults.text_spec_tok`.
        buf_sz: accepted because scripts pass it.

    Raises:
        ArgumentError: one of `special_toks` holds a space.
    """

    def __init__(self, lang: str = "en", special_toks: Sequence[str] | None = None, buf_sz: int = 5000) -> None:
        self.lang = lang
        self.special_toks = special_tokens() if special_toks is None else list(special_toks)
        for token in self.special_toks:
            if " " in token:
                raise ArgumentError(f"The special token {token!r} holds a space, where texts are always split.")
        # those that are words are words for the pattern, too
        unusual = [re.escape(t) for t in self.special_toks if not re.fullmatch(r"[^\W_]+", t)]
        self.pattern = "(?i)" + "|".join([*sorted(unusual, key=len, reverse=True), *_PARTS])
        self._splitter: Any = None
        self._known: dict[str, list[str]] = {}

    def _tokens_of(self, chunk: str) -> list[str]:
        """The tokens of what stands between two spaces."""
        tokens = self._known.get(chunk)
        if tokens is None:
            if self._splitter is None:
                rust = rust_tokenizers()
                self._splitter = rust.pre_tokenizers.Split(rust.Regex(self.pattern), "removed", invert=True)
            tokens = [token for token, _ in self._splitter.pre_tokenize_str(chunk)]
            if len(self._known) >= _MAX_KNOWN:
                self._known = {}
            self._known[chunk] = tokens
        return tokens

    def __call__(self, items: Iterable[str]) -> Iterator[L[str]]:
        """Yield the tokens of each text."""
        tokens_of = self._tokens_of
        return (L([t for chunk in text.split(" ") for t in tokens_of(chunk)], use_list=True) for text in items)

    def encode_all(self, texts: Sequence[str]) -> TokenizedTexts:
        """Return the tokens of all texts. Each different chunk is split once, which leaves little to do for threads."""
        by_chunk = TokenizedTexts.from_tokens(text.split(" ") for text in texts)
        return by_chunk.in_parts(TokenizedTexts.from_tokens(map(self._tokens_of, by_chunk.table)))

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as JSON."""
        return {"lang": self.lang, "special_toks": self.special_toks}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_splitter": None, "_known": {}}


SpacyTokenizer = WordTokenizer


def rust_tokenizers() -> Any:
    """Return the package `tokenizers`.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise MissingPackageError('Texts need the package tokenizers: pip install "vivace[text]".') from error
    return tokenizers
