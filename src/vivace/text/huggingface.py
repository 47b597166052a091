"""Tokenizers of Hugging Face models: a text to the numbers that its model knows, and back."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any, Self

import torch

from vivace.core.errors import ArgumentError, DataError, MissingPackageError
from vivace.core.types import TitledStr

from .cache import kept_or_made, key_of_texts
from .sources import FrameTexts
from .tokenizer import TextTransform
from .tokens import TokenizedTexts, Tokens
from .types import TensorText
from .words import rust_tokenizers

__all__ = ["HFTokenizer"]

_BATCH = 1000
_NO_LIMIT = 1_000_000  # transformers writes 1e30 where a model has none


class HFTokenizer(TextTransform):
    """Turn a text into a `TensorText` `(n_tokens,)` of a Hugging Face model's numbers, special ones included, and back.

    Args:
        name: the model, by its name or the folder it is in; not needed with `tokenizer`.
        max_length: longer texts are cut; None: to what the model can read.
        tokenizer: the tokenizer itself as JSON, as `tokenizers.Tokenizer.to_str` gives it.
        pad_idx: the number of the padding token; None: what `name` says.
        frame: the columns of a table that hold the texts, see `from_df`.
        encoding: of files.

    Attributes:
        vocab: the tokens; their places are their numbers.

    Raises:
        MissingPackageError: transformers is not installed.
        DataError: there is no such model here, or it has no fast tokenizer.
        ArgumentError: neither `name` nor `tokenizer` is given.
    """

    def __init__(
        self,
        name: str | os.PathLike[str] | None = None,
        max_length: int | None = None,
        *,
        tokenizer: str | None = None,
        pad_idx: int | None = None,
        frame: FrameTexts | dict[str, Any] | None = None,
        encoding: str = "utf8",
    ) -> None:
        super().__init__(FrameTexts(**frame) if isinstance(frame, dict) else frame, encoding)
        if tokenizer is None:
            if name is None:
                raise ArgumentError("HFTokenizer needs the name of a model, or the folder it is in.")
            tokenizer, its_pad_idx, its_length = _from_pretrained(name)
            pad_idx = its_pad_idx if pad_idx is None else pad_idx
            max_length = its_length if max_length is None else max_length
        self.name_or_folder, self.max_length = None if name is None else os.fspath(name), max_length
        self.tokenizer, self.pad_idx = tokenizer, pad_idx or 0
        self._made: Any = None
        made = self._rust()
        self.vocab: list[str] = [made.id_to_token(i) or "" for i in range(_size_of(made))]

    @classmethod
    def from_df(
        cls,
        text_cols: Any,
        name: str | os.PathLike[str] | HFTokenizer,
        max_length: int | None = None,
        tok_text_col: str = "text",
    ) -> Self:
        """Return one for the rows of a table, which are all split when a data set is made of it.

        Args:
            text_cols: the column of texts, or several, which are joined by spaces.
            name: as for `HFTokenizer`, or one that is made.
            max_length: as for `HFTokenizer`.
            tok_text_col: the column that the tokens go to, for `ColReader`.
        """
        frame = FrameTexts(text_cols, mark_fields=False, tok_text_col=tok_text_col)
        if not isinstance(name, HFTokenizer):
            return cls(name, max_length, frame=frame)
        length = name.max_length if max_length is None else max_length
        return cls(name.name_or_folder, length, tokenizer=name.tokenizer, pad_idx=name.pad_idx, frame=frame)

    def _rust(self) -> Any:
        if self._made is None:
            made = rust_tokenizers().Tokenizer.from_str(self.tokenizer)
            made.no_padding()
            if self.max_length is None:
                made.no_truncation()
            else:
                made.enable_truncation(self.max_length)
            self._made = made
        return self._made

    def settings(self) -> str:
        return json.dumps([hashlib.sha256(self.tokenizer.encode()).hexdigest(), self.max_length])

    def split_all(self, texts: Sequence[str]) -> TokenizedTexts:
        return kept_or_made(key_of_texts(texts, self.settings()), lambda: self._encode_all(texts))

    def _encode_all(self, texts: Sequence[str]) -> TokenizedTexts:
        made, ids = self._rust(), list[list[int]]()
        for begin in range(0, len(texts), _BATCH):
            ids += [encoding.ids for encoding in made.encode_batch_fast(list(texts[begin : begin + _BATCH]))]
        return TokenizedTexts.from_ids(self.vocab, ids)

    def split_one(self, text: str) -> TensorText:
        return TensorText(torch.tensor(self._rust().encode(text).ids, dtype=torch.int64))

    def split_of(self, tokens: Sequence[str]) -> TensorText:
        if isinstance(tokens, Tokens):
            return TensorText(torch.from_numpy(tokens.ids.astype("int64")))
        made = self._rust()
        return TensorText(torch.tensor([made.token_to_id(token) for token in tokens], dtype=torch.int64))

    def decodes(self, o: TensorText) -> TitledStr:
        return TitledStr(self._rust().decode(o.tolist(), skip_special_tokens=True))

    def config(self) -> dict[str, Any]:
        return {
            "name": self.name_or_folder,
            "max_length": self.max_length,
            "tokenizer": self.tokenizer,
            "pad_idx": self.pad_idx,
            "frame": None if self.frame is None else dict(vars(self.frame)),
            "encoding": self.encoding,
        }

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_made": None}

    def __repr__(self) -> str:
        return f"HFTokenizer({self.name_or_folder!r}, {len(self.vocab)} tokens)"


def _size_of(tokenizer: Any) -> int:
    return max(tokenizer.get_vocab().values(), default=-1) + 1


def _from_pretrained(name: str | os.PathLike[str]) -> tuple[str, int, int | None]:
    """The tokenizer of a model as JSON, the number of its padding token, and the most tokens it can read."""
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MissingPackageError('Hugging Face models need transformers: pip install "vivace[text]".') from error
    try:
        found = AutoTokenizer.from_pretrained(os.fspath(name))
    except (OSError, ValueError) as error:
        raise DataError(
            f"There is no tokenizer {os.fspath(name)!r} here, and it could not be fetched ({str(error)[:300]}): give a "
            "folder that save_pretrained wrote, or the name of a model on the hub."
        ) from error
    backend = getattr(found, "backend_tokenizer", None)
    if backend is None:
        raise DataError(f"The tokenizer of {os.fspath(name)!r} is written in Python; a fast one (Rust) is needed.")
    pad = found.pad_token_id if found.pad_token_id is not None else found.eos_token_id
    length = found.model_max_length
    return backend.to_str(), int(pad or 0), int(length) if length and length < _NO_LIMIT else None
