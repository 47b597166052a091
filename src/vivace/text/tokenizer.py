"""Transforms from texts to tokens: all texts of a table or folder at once, and single ones for prediction."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from vivace.core.collection import L
from vivace.core.errors import BundleError, DataError
from vivace.core.types import TitledStr
from vivace.data.items import get_files
from vivace.data.sources import take
from vivace.data.transform import Transform

from .cache import kept_or_made, key_of_files
from .rules import Rule, apply_rules, default_post_rules, default_rules, rule_names, rules_named
from .sources import FrameTexts, is_tokens, plain_text, read_text
from .tokenizing import TokenizeWithRules, as_tokenizer, tokenize_all, tokenizer_spec
from .tokens import TokenizedTexts

__all__ = ["TextTransform", "Tokenizer"]

PathLike = str | os.PathLike[str]


class TextTransform(Transform):
    """What the transforms share that begin with texts: where these come from, and that all are read in one go.

    A subclass splits: `split_all(texts)` many, `split_one(text)` one; `prepare(texts)` sees those of training first.

    Args:
        frame: the columns of a table that hold the texts; None: there is no table.
        encoding: of files.
    """

    uses_global_random = False
    begins_with = (str,)

    def __init__(self, frame: FrameTexts | None = None, encoding: str = "utf8") -> None:
        super().__init__()
        self.frame, self.encoding = frame, encoding
        self._split: TokenizedTexts | None = None  # of files
        self._place: dict[str, int] = {}  # of a file in them

    def settings(self) -> str | None:
        """Return what decides on the tokens of a text, as JSON; None: nobody can say."""
        raise NotImplementedError

    def split_all(self, texts: Sequence[str]) -> TokenizedTexts:
        """Return the tokens of texts."""
        raise NotImplementedError

    def split_one(self, text: str) -> Any:
        """Return the tokens of one text."""
        raise NotImplementedError

    def prepare(self, texts: Sequence[str]) -> None:
        """Learn from the texts of training how to split, where there is something to learn."""

    def prepare_items(self, items: Any, train: Sequence[int] | None = None) -> Any:
        if self.frame is not None and hasattr(items, "columns"):
            return self._prepare_frame(self.frame, items, train)
        if len(items) and all(isinstance(item, os.PathLike) for item in items):
            self._prepare_files(items, train)
        return items

    def _prepare_frame(self, frame: FrameTexts, df: Any, train: Sequence[int] | None) -> Any:
        if not len(df) or frame.has_tokens(df):
            return df
        texts = frame.texts_of(df)
        self.prepare(texts if train is None else [texts[i] for i in train])
        return frame.with_tokens(df, self.split_all(texts))

    def _prepare_files(self, files: Sequence[Path], train: Sequence[int] | None) -> None:
        self.prepare_from(files if train is None else take(files, train))
        try:
            key = key_of_files(files, self.settings())
        except FileNotFoundError as error:
            raise DataError(f"There is no file {error.filename}.") from error
        self._split = kept_or_made(key, lambda: self.split_all([read_text(f, self.encoding) for f in files]))
        self._place = {os.fspath(file): place for place, file in enumerate(files)}

    def prepare_from(self, files: Sequence[Path]) -> None:
        """Like `prepare`, with the files of training, which are read only if there is something to learn."""

    def encodes(self, o: Any) -> Any:
        if isinstance(o, os.PathLike):
            place = self._place.get(os.fspath(o))
            if place is not None and self._split is not None:
                return self.split_of(self._split[place])
            return self.split_one(read_text(o, self.encoding))
        if hasattr(o, "iloc") and self.frame is not None:
            o = self.frame.text_of(o)
        return self.split_of(o) if is_tokens(o) else self.split_one(plain_text(o))

    def split_of(self, tokens: Sequence[str]) -> Any:
        """Return what a text is made into that has been split."""
        return tokens


class Tokenizer(TextTransform):
    """Turn a text, a file of one, or the row of a table into tokens, and back into a `TitledStr`.

    Args:
        tok: takes a list of texts, yields the tokens of each; a class is made; None: `WordTokenizer()`.
        rules: what each text goes through before; None: `defaults.text_proc_rules`. Those of vivace also by name.
        counter, lengths: accepted because scripts pass them.
        mode: "df": texts in a table (see `from_df`), "folder": in files; None: the texts themselves.
        sep: stands between the tokens of a decoded text, unless the tokenizer can `join` them.
        post_rules: what each token goes through after; None: `defaults.text_postproc_rules`.
        frame: the columns of a table that hold the texts.
        encoding: of files.

    Raises:
        BundleError: (when exported) tokenizer or rules are not vivace's.
    """

    def __init__(
        self,
        tok: Any = None,
        rules: Sequence[Rule | str] | None = None,
        counter: Any = None,
        lengths: Any = None,
        mode: str | None = None,
        sep: str = " ",
        *,
        post_rules: Sequence[Rule | str] | None = None,
        frame: FrameTexts | dict[str, Any] | None = None,
        encoding: str = "utf8",
    ) -> None:
        super().__init__(FrameTexts(**frame) if isinstance(frame, dict) else frame, encoding)
        self.tok, self.counter, self.lengths, self.mode, self.sep = as_tokenizer(tok), counter, lengths, mode, sep
        self.rules = default_rules() if rules is None else rules_named(rules)
        self.post_rules = default_post_rules() if post_rules is None else rules_named(post_rules)

    @classmethod
    def from_df(
        cls,
        text_cols: Any,
        tok: Any = None,
        rules: Sequence[Rule] | None = None,
        sep: str = " ",
        *,
        n_workers: int = 2,
        mark_fields: bool | None = None,
        tok_text_col: str = "text",
    ) -> Self:
        """Return one for the rows of a table, which are all split when a data set is made of it.

        Args:
            text_cols: the column of texts, or several, which are joined.
            tok, rules, sep: as for `Tokenizer`.
            n_workers: accepted because scripts pass it: tokenizers use the cores by themselves.
            mark_fields: put `xxfld n` before the text of the n-th column; None: if there are several.
            tok_text_col: the column that the tokens go to, for `ColReader`.
        """
        return cls(tok, rules, mode="df", sep=sep, frame=FrameTexts(text_cols, mark_fields, tok_text_col))

    @classmethod
    def from_folder(
        cls,
        path: PathLike,
        tok: Any = None,
        rules: Sequence[Rule] | None = None,
        *,
        extensions: Any = None,
        folders: Any = None,
        output_dir: PathLike | None = None,
        skip_if_exists: bool = True,
        output_names: Any = None,
        n_workers: int = 2,
        encoding: str = "utf8",
    ) -> Self:
        """Return one for the files in a folder, which are all split when a data set is made of them.

        Tokens are kept in vivace's home; `tokenize_folder` writes them to a folder of yours.

        Args:
            path: the folder.
            tok, rules: as for `Tokenizer`.
            extensions: of the files; None: `.txt`.
            folders: look only into these folders of `path`.
            output_dir, skip_if_exists, output_names, n_workers: accepted because scripts pass them.
            encoding: of the files.

        Raises:
            DataError: there is no such folder.
        """
        made = cls(tok, rules, mode="folder", encoding=encoding)
        files = get_files(path, extensions=[".txt"] if extensions is None else extensions, folders=folders)
        if getattr(made.tok, "is_trained", True):
            made._prepare_files(files, None)
        return made

    def _with_rules(self) -> TokenizeWithRules:
        return TokenizeWithRules(self.tok, self.rules, self.post_rules)

    def settings(self) -> str | None:
        return self._with_rules().settings()

    def split_all(self, texts: Sequence[str]) -> TokenizedTexts:
        return tokenize_all(texts, self._with_rules())

    def split_one(self, text: str) -> L[str]:
        return next(self._with_rules()([text]))

    def setups(self, dsets: Any) -> None:
        """Let a tokenizer that has something to learn see the training texts."""
        if self._has_to_learn() and dsets is not None:
            self.prepare([text for text in dsets if isinstance(text, str)])

    def prepare(self, texts: Sequence[str]) -> None:
        if self._has_to_learn():
            self.tok = copy.copy(self.tok)  # another data set learns anew
            self.tok.setup([apply_rules(self.rules, text) for text in texts])

    def prepare_from(self, files: Sequence[Path]) -> None:
        if self._has_to_learn():
            self.prepare([read_text(file, self.encoding) for file in files])

    def _has_to_learn(self) -> bool:
        return hasattr(self.tok, "setup") and not getattr(self.tok, "is_trained", False)

    def decodes(self, o: Any) -> TitledStr:
        join = getattr(self.tok, "join", self.sep.join)
        return TitledStr(o if isinstance(o, str) else join(o))

    def config(self) -> dict[str, Any]:
        tok, rules, post_rules = tokenizer_spec(self.tok), rule_names(self.rules), rule_names(self.post_rules)
        for what, spec in (("tokenizer", tok), ("rules", rules), ("post_rules", post_rules)):
            if spec is None:
                raise BundleError(f"The {what} of this Tokenizer are not vivace's, so a bundle cannot hold them.")
        frame = None if self.frame is None else dict(vars(self.frame))
        return {
            "tok": tok,
            "rules": rules,
            "mode": self.mode,
            "sep": self.sep,
            "post_rules": post_rules,
            "frame": frame,
            "encoding": self.encoding,
        }

    def __repr__(self) -> str:
        return f"Tokenizer({type(self.tok).__name__}, {len(self.rules)} rules)"
