"""Tokens under the name that scripts know."""

from __future__ import annotations

from vivace.text.rules import (
    BOS,
    EOS,
    FLD,
    PAD,
    TK_MAJ,
    TK_REP,
    TK_UP,
    TK_WREP,
    UNK,
    fix_html,
    lowercase,
    replace_all_caps,
    replace_maj,
    replace_rep,
    replace_space,
    replace_wrep,
    rm_useless_spaces,
    spec_add_spaces,
)
from vivace.text.subwords import (
    SentencePieceTokenizer,
    SubwordTokenizer,
)
from vivace.text.tokenizer import (
    Tokenizer,
)
from vivace.text.tokenizing import (
    TokenizeWithRules,
    load_tokenized_csv,
    parallel_tokenize,
    tokenize1,
    tokenize_csv,
    tokenize_df,
    tokenize_files,
    tokenize_folder,
    tokenize_texts,
)
from vivace.text.words import (
    BaseTokenizer,
    SpacyTokenizer,
    WordTokenizer,
)

__all__ = [
    "BOS",
    "BaseTokenizer",
    "EOS",
    "FLD",
    "PAD",
    "SentencePieceTokenizer",
    "SpacyTokenizer",
    "SubwordTokenizer",
    "TK_MAJ",
    "TK_REP",
    "TK_UP",
    "TK_WREP",
    "TokenizeWithRules",
    "Tokenizer",
    "UNK",
    "WordTokenizer",
    "fix_html",
    "load_tokenized_csv",
    "lowercase",
    "parallel_tokenize",
    "replace_all_caps",
    "replace_maj",
    "replace_rep",
    "replace_space",
    "replace_wrep",
    "rm_useless_spaces",
    "spec_add_spaces",
    "tokenize1",
    "tokenize_csv",
    "tokenize_df",
    "tokenize_files",
    "tokenize_folder",
    "tokenize_texts",
]
