"""Loaders of texts made in one call, and the block that they are made of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, Unpack

import torch

from vivace.core.errors import ArgumentError
from vivace.data.block import CategoryBlock, DataBlock, TransformBlock
from vivace.data.columns import as_frame
from vivace.data.items import check_folders, get_text_files
from vivace.data.labels import ColReader, parent_label
from vivace.data.loaders import DataLoaders
from vivace.data.options import LoaderOptions, names_unknown_keywords
from vivace.data.splits import ColSplitter, GrandparentSplitter, RandomSplitter
from vivace.data.tables import block_of_columns, read_table

from .huggingface import HFTokenizer
from .lm_loader import LMDataLoader
from .numericalize import Numericalize
from .padding import Pad_Chunk, Pad_Input, ReverseText
from .sorted_loader import SortedDL
from .tokenizer import Tokenizer

__all__ = ["TextBlock", "TextDataLoaders"]

PathLike = str | os.PathLike[str]
Device = torch.device | str | None


class TextBlock(TransformBlock):
    """The block of a text: tokens, their numbers, and loaders that suit.

    For classification `SortedDL` with `Pad_Chunk`; for a language model `LMDataLoader`.

    Args:
        tok_tfm: a `Tokenizer`, or an `HFTokenizer`, which has its own vocabulary and is padded after the text.
        vocab: the tokens; None: those of the training texts.
        is_lm: for a language model.
        seq_len: tokens that the model reads at a time.
        backwards: read texts from their end.
        min_freq, max_vocab, special_toks: as for `make_vocab`.
    """

    def __init__(
        self,
        tok_tfm: Any,
        vocab: Sequence[str] | None = None,
        is_lm: bool = False,
        seq_len: int = 72,
        backwards: bool = False,
        min_freq: int = 3,
        max_vocab: int = 60000,
        special_toks: Sequence[str] | None = None,
    ) -> None:
        type_tfms = [tok_tfm]
        has_vocab = isinstance(tok_tfm, HFTokenizer)
        if not has_vocab:
            type_tfms.append(Numericalize(vocab, min_freq, max_vocab, special_toks))
        if backwards:
            type_tfms.append(ReverseText())
        padding = Pad_Input(tok_tfm.pad_idx) if has_vocab else Pad_Chunk(seq_len=seq_len)
        super().__init__(
            type_tfms=type_tfms,
            dl_type=LMDataLoader if is_lm else SortedDL,
            dls_kwargs={"seq_len": seq_len} if is_lm else {"before_batch": padding},
        )

    @classmethod
    def from_df(
        cls,
        text_cols: Any,
        vocab: Sequence[str] | None = None,
        is_lm: bool = False,
        seq_len: int = 72,
        backwards: bool = False,
        min_freq: int = 3,
        max_vocab: int = 60000,
        *,
        tok: Any = None,
        rules: Any = None,
        sep: str = " ",
        n_workers: int = 2,
        mark_fields: bool | None = None,
        tok_text_col: str = "text",
    ) -> Self:
        """Return the block of texts in a table; its tokens are in the column `tok_text_col`, for `ColReader`.

        Args:
            text_cols: the column of texts, or several, which are joined.
            vocab, is_lm, seq_len, backwards, min_freq, max_vocab: as for `TextBlock`.
            tok, rules, sep, n_workers, mark_fields, tok_text_col: as for `Tokenizer.from_df`; `tok` may also be an
                `HFTokenizer`.
        """
        if isinstance(tok, HFTokenizer):
            made: Any = HFTokenizer.from_df(text_cols, tok, tok_text_col=tok_text_col)
        else:
            made = Tokenizer.from_df(
                text_cols, tok, rules, sep, n_workers=n_workers, mark_fields=mark_fields, tok_text_col=tok_text_col
            )
        return cls(made, vocab, is_lm, seq_len, backwards, min_freq, max_vocab)

    @classmethod
    def from_folder(
        cls,
        path: PathLike,
        vocab: Sequence[str] | None = None,
        is_lm: bool = False,
        seq_len: int = 72,
        backwards: bool = False,
        min_freq: int = 3,
        max_vocab: int = 60000,
        *,
        tok: Any = None,
        rules: Any = None,
        extensions: Any = None,
        folders: Any = None,
        output_dir: PathLike | None = None,
        skip_if_exists: bool = True,
        output_names: Any = None,
        n_workers: int = 2,
        encoding: str = "utf8",
    ) -> Self:
        """Return the block of texts in files below `path`.

        Args:
            path: the folder.
            vocab, is_lm, seq_len, backwards, min_freq, max_vocab: as for `TextBlock`.
            tok, rules, extensions, folders, output_dir, skip_if_exists, output_names, n_workers, encoding: as for
                `Tokenizer.from_folder`; `tok` may also be an `HFTokenizer`.
        """
        made: Any = tok
        if not isinstance(tok, HFTokenizer):
            made = Tokenizer(tok, rules, mode="folder", encoding=encoding)
        return cls(made, vocab, is_lm, seq_len, backwards, min_freq, max_vocab)


class TextDataLoaders(DataLoaders):
    """Loaders of texts, made in one call.

    All `from_…` share these arguments:
        path: where a `Learner` on the loaders writes; for `from_folder` and `from_csv` also where the data is.
        valid_pct: the fraction of the texts that validates, chosen at random.
        seed: of that choice; None: `set_seed` governs it.
        text_vocab: the tokens, such as those of the language model that a classifier begins with; None: those of the
            training texts.
        is_lm: for a language model: no targets but the texts themselves.
        tok_tfm: the transform that splits texts, such as `Tokenizer.from_df("text", SubwordTokenizer())`; None: words.
        tokenizer: instead of that, a Hugging Face tokenizer by the name or folder of its model.
        seq_len: tokens that the model reads at a time.
        backwards: read texts from their end.
        min_freq, max_vocab: how often a token must come in the training texts, and how many there are at most.
        bs: samples in a batch; `val_bs`: in one of the validation loader (None: the same).
        shuffle: bring the training texts into a new order in every epoch.
        device: where batches go; None: the default device.
        options: less common settings, see `LoaderOptions`.
    """

    @classmethod
    @names_unknown_keywords
    def from_folder(
        cls,
        path: PathLike,
        train: str = "train",
        valid: str = "valid",
        valid_pct: float | None = None,
        seed: int | None = None,
        vocab: Any = None,
        text_vocab: Sequence[str] | None = None,
        is_lm: bool = False,
        tok_tfm: Any = None,
        seq_len: int = 72,
        splitter: Any = None,
        backwards: bool = False,
        *,
        tokenizer: PathLike | HFTokenizer | None = None,
        min_freq: int = 3,
        max_vocab: int = 60000,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: Device = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Return loaders of text files (`.txt`) that are in a folder for each class.

        Args:
            train: the folder in `path` with the training texts.
            valid: the folder in `path` with the validation texts.
            valid_pct: None: use these two; otherwise this fraction of all texts in `path` validates.
            vocab: the classes; None: those of the training texts.
            splitter: divides the files in another way.

        Raises:
            DataError: a folder is missing, or has no texts.
        """
        by_folder = valid_pct is None and splitter is None
        if by_folder:
            check_folders(Path(path), train, valid, kind="texts")
        if splitter is None:
            splitter = GrandparentSplitter(train, valid) if valid_pct is None else RandomSplitter(valid_pct, seed)
        if tok_tfm is None:
            tok_tfm = _hf(tokenizer) or Tokenizer(mode="folder")
        block = TextBlock(tok_tfm, text_vocab, is_lm, seq_len, backwards, min_freq, max_vocab)
        dblock = DataBlock(
            blocks=[block] if is_lm else [block, CategoryBlock(vocab=vocab)],
            get_items=partial(get_text_files, folders=[train, valid]) if by_folder else get_text_files,
            splitter=splitter,
            get_y=None if is_lm else parent_label,
        )
        return cls.from_dblock(dblock, path, path=path, bs=bs, val_bs=val_bs, shuffle=shuffle, device=device, **options)

    @classmethod
    @names_unknown_keywords
    def from_df(
        cls,
        df: Any,
        path: PathLike = ".",
        valid_pct: float = 0.2,
        seed: int | None = None,
        text_col: Any = 0,
        label_col: Any = 1,
        label_delim: str | None = None,
        y_block: Any = None,
        text_vocab: Sequence[str] | None = None,
        is_lm: bool = False,
        valid_col: Any = None,
        tok_tfm: Any = None,
        tok_text_col: str = "text",
        seq_len: int = 72,
        backwards: bool = False,
        *,
        splitter_col: Any = None,
        tokenizer: PathLike | HFTokenizer | None = None,
        min_freq: int = 3,
        max_vocab: int = 60000,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: Device = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Return loaders of texts in a table.

        Args:
            df: a frame of pandas or polars, or an Arrow table.
            text_col: number or name of the column of texts, or several; `xxfld n` stands before the n-th then.
            label_col: number or name of the column of labels, or a list of them.
            label_delim: several labels stand in the column, with this between them.
            y_block: the block of the target; None: one label, several labels (a list of columns or `label_delim`), or
                numbers (a list of columns of floats).
            valid_col: a column that is true for the rows that validate; None: `valid_pct` of them at random.
            tok_text_col: the column that the tokens go to.
            splitter_col: another name for `valid_col`.

        Raises:
            DataError: there is no such column.
            ArgumentError: `valid_col` and `splitter_col` are both given.
        """
        if valid_col is not None and splitter_col is not None:
            raise ArgumentError("`splitter_col` is another name for `valid_col`: give one of them.")
        df, by_column = as_frame(df), valid_col if splitter_col is None else splitter_col
        if tok_tfm is None:
            hf = _hf(tokenizer)
            tok_tfm = (
                Tokenizer.from_df(text_col, tok_text_col=tok_text_col)
                if hf is None
                else HFTokenizer.from_df(text_col, hf, tok_text_col=tok_text_col)
            )
        block = TextBlock(tok_tfm, text_vocab, is_lm, seq_len, backwards, min_freq, max_vocab)
        target = None if is_lm else y_block or block_of_columns(df, label_col, label_delim)
        dblock = DataBlock(
            blocks=[block] if target is None else [block, target],
            get_x=ColReader(tok_text_col),
            get_y=None if target is None else ColReader(label_col, label_delim=label_delim),
            splitter=RandomSplitter(valid_pct, seed) if by_column is None else ColSplitter(by_column),
        )
        return cls.from_dblock(dblock, df, path=path, bs=bs, val_bs=val_bs, shuffle=shuffle, device=device, **options)

    @classmethod
    @names_unknown_keywords
    def from_csv(
        cls,
        path: PathLike,
        csv_fname: PathLike = "labels.csv",
        header: Any = "infer",
        delimiter: str | None = None,
        quoting: int = 0,
        *,
        valid_pct: float = 0.2,
        seed: int | None = None,
        text_col: Any = 0,
        label_col: Any = 1,
        label_delim: str | None = None,
        y_block: Any = None,
        text_vocab: Sequence[str] | None = None,
        is_lm: bool = False,
        valid_col: Any = None,
        tok_tfm: Any = None,
        tok_text_col: str = "text",
        seq_len: int = 72,
        backwards: bool = False,
        splitter_col: Any = None,
        tokenizer: PathLike | HFTokenizer | None = None,
        min_freq: int = 3,
        max_vocab: int = 60000,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: Device = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Return loaders of texts in a CSV file in `path`; see `from_df`.

        Args:
            csv_fname: the file.
            header, delimiter, quoting: as for `pandas.read_csv`.

        Raises:
            DataError: there is no such file, or no such column in it.
        """
        return cls.from_df(
            read_table(path, csv_fname, header=header, delimiter=delimiter, quoting=quoting),
            path,
            valid_pct,
            seed,
            text_col,
            label_col,
            label_delim,
            y_block,
            text_vocab,
            is_lm,
            valid_col,
            tok_tfm,
            tok_text_col,
            seq_len,
            backwards,
            splitter_col=splitter_col,
            tokenizer=tokenizer,
            min_freq=min_freq,
            max_vocab=max_vocab,
            bs=bs,
            val_bs=val_bs,
            shuffle=shuffle,
            device=device,
            **options,
        )


def _hf(tokenizer: PathLike | HFTokenizer | None) -> HFTokenizer | None:
    return tokenizer if tokenizer is None or isinstance(tokenizer, HFTokenizer) else HFTokenizer(tokenizer)
