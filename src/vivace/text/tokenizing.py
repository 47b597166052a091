"""Texts to tokens: rules, tokenizer, rules for tokens. One text, many, and those of tables and folders."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, ArgumentTypeError, DataError
from vivace.core.files import atomic_write
from vivace.data.items import get_files

from .cache import kept_or_made, key_of_texts
from .parallel import apply_rules_to_all
from .rules import Rule, apply_rules, default_post_rules, default_rules, rule_names
from .sources import FrameTexts, read_text
from .subwords import SubwordTokenizer
from .tokens import TokenizedTexts, count_tokens
from .words import BaseTokenizer, WordTokenizer

__all__ = [
    "TokenizeWithRules",
    "as_tokenizer",
    "load_tokenized_csv",
    "parallel_tokenize",
    "tokenize1",
    "tokenize_all",
    "tokenize_csv",
    "tokenize_df",
    "tokenize_files",
    "tokenize_folder",
    "tokenize_texts",
    "tokenizer_spec",
]

PathLike = str | os.PathLike[str]
_COUNTER, _LENGTHS = "counter.json", "lengths.json"
_BY_NAME: dict[str, type[Any]] = {c.__name__: c for c in (BaseTokenizer, SubwordTokenizer, WordTokenizer)}


def as_tokenizer(tok: Any) -> Any:
    """Return a tokenizer: a `WordTokenizer` for None, made if it is a class or what `tokenizer_spec` returned.

    Raises:
        ArgumentError: a specification names no tokenizer of vivace.
        ArgumentTypeError: it cannot be called.
    """
    if tok is None:
        return WordTokenizer()
    if isinstance(tok, dict):
        if tok.get("name") not in _BY_NAME:
            raise ArgumentError(f"There is no tokenizer {tok.get('name')!r}; known are {sorted(_BY_NAME)}.")
        return _BY_NAME[tok["name"]](**tok.get("args", {}))
    made = tok() if isinstance(tok, type) else tok
    if not callable(made):
        raise ArgumentTypeError(f"A tokenizer takes a list of texts and yields the tokens of each, got {tok!r:.60}.")
    return made


def tokenizer_spec(tok: Any) -> dict[str, Any] | None:
    """Return how to make a tokenizer again, as JSON; None if it is not vivace's."""
    name = type(tok).__name__
    return {"name": name, "args": tok.config()} if _BY_NAME.get(name) is type(tok) else None


class TokenizeWithRules:
    """A tokenizer with the rules before and after it.

    Args:
        tok: takes a list of texts, yields the tokens of each.
        rules: what each text goes through before; None: `defaults.text_proc_rules`.
        post_rules: what each token goes through after; None: `defaults.text_postproc_rules`.
    """

    def __init__(self, tok: Any, rules: Sequence[Rule] | None = None, post_rules: Sequence[Rule] | None = None) -> None:
        self.tok = tok
        self.rules = default_rules() if rules is None else list(rules)
        self.post_rules = default_post_rules() if post_rules is None else list(post_rules)

    def __call__(self, batch: Iterable[str]) -> Iterator[L[str]]:
        """Yield the tokens of each text."""
        for tokens in self.tok([apply_rules(self.rules, text) for text in batch]):
            yield L([apply_rules(self.post_rules, token) for token in tokens], use_list=True)

    def encode_all(self, texts: Sequence[str]) -> TokenizedTexts:
        """Return the tokens of all texts, in all cores if the tokenizer can."""
        ruled = apply_rules_to_all(self.rules, texts)
        encode_all = getattr(self.tok, "encode_all", None)
        split = TokenizedTexts.from_tokens(self.tok(ruled)) if encode_all is None else encode_all(ruled)
        return split.with_tokens(lambda token: apply_rules(self.post_rules, token))

    def settings(self) -> str | None:
        """Return what decides on the tokens of a text, as JSON; None if some of it is not vivace's."""
        parts = tokenizer_spec(self.tok), rule_names(self.rules), rule_names(self.post_rules)
        pattern = getattr(self.tok, "pattern", None)
        return None if any(part is None for part in parts) else json.dumps([*parts, pattern])


def tokenize1(text: str, tok: Any = None, *, rules: Any = None, post_rules: Any = None) -> L[str]:
    """Return the tokens of one text; see `TokenizeWithRules`."""
    return next(TokenizeWithRules(as_tokenizer(tok), rules, post_rules)([text]))


def tokenize_all(texts: Sequence[str], with_rules: TokenizeWithRules) -> TokenizedTexts:
    """Return the tokens of texts, from the disk if many texts have been split before."""
    return kept_or_made(key_of_texts(texts, with_rules.settings()), lambda: with_rules.encode_all(texts))


def parallel_tokenize(
    items: Iterable[str], tok: Any = None, rules: Any = None, n_workers: int = 2
) -> Iterator[tuple[int, L[str]]]:
    """Yield the number and the tokens of each text.

    Args:
        items: the texts.
        tok: see `TokenizeWithRules`; None: words.
        rules: see `TokenizeWithRules`.
        n_workers: accepted because scripts pass it: tokenizers use the cores by themselves.
    """
    return enumerate(tokenize_texts(list(items), n_workers, rules, tok))


def tokenize_texts(texts: Sequence[str], n_workers: int = 2, rules: Any = None, tok: Any = None) -> L[L[str]]:
    """Return the tokens of each text; see `parallel_tokenize`."""
    split = tokenize_all(list(texts), TokenizeWithRules(as_tokenizer(tok), rules))
    return L([L(list(tokens), use_list=True) for tokens in split], use_list=True)


def tokenize_df(
    df: Any,
    text_cols: Any,
    n_workers: int = 2,
    rules: Any = None,
    mark_fields: bool | None = None,
    tok: Any = None,
    tok_text_col: str = "text",
) -> tuple[Any, Counter[str]]:
    """Return a table with the tokens of its texts, and how often each token comes.

    Args:
        df: the table.
        text_cols: the column of texts, or several, by name or number; several are joined.
        n_workers: accepted because scripts pass it.
        rules: see `TokenizeWithRules`.
        mark_fields: put `xxfld n` before the text of the n-th column; None: if there are several.
        tok: see `TokenizeWithRules`; None: words.
        tok_text_col: the column for the tokens. Their number goes to `<tok_text_col>_length`; the text columns go.

    Raises:
        DataError: there is no such column.
    """
    source = FrameTexts(text_cols, mark_fields, tok_text_col)
    names = source.columns_in(df)
    split = tokenize_all(source.texts_of(df), TokenizeWithRules(as_tokenizer(tok), rules))
    tokens: list[L[str]] = [L(list(one), use_list=True) for one in split]
    return source.with_tokens(df.drop(columns=names), tokens), count_tokens(split)


def tokenize_csv(
    fname: PathLike,
    text_cols: Any,
    outname: PathLike | None = None,
    n_workers: int = 4,
    rules: Any = None,
    mark_fields: bool | None = None,
    tok: Any = None,
    header: Any = "infer",
    chunksize: int = 50000,
) -> None:
    """Write the table of a CSV file with its tokens, joined by spaces, to another; see `tokenize_df`.

    Args:
        fname: the file.
        outname: the other; None: with `_tok` in its name. The numbers of tokens go beside it.
        header: as for `pandas.read_csv`.
        chunksize: accepted because scripts pass it.
    """
    import pandas as pd

    target = Path(fname).with_name(f"{Path(fname).stem}_tok.csv") if outname is None else Path(outname)
    table, counter = tokenize_df(pd.read_csv(fname, header=header), text_cols, n_workers, rules, mark_fields, tok)
    table["text"] = [" ".join(tokens) for tokens in table["text"]]
    with atomic_write(target, "w") as out:
        table.to_csv(out, index=False)
    _write_json(target.with_suffix(".json"), counter)


def load_tokenized_csv(fname: PathLike) -> tuple[Any, Counter[str]]:
    """Return the table that `tokenize_csv` wrote, tokens as lists, and how often each token comes."""
    import pandas as pd

    table = pd.read_csv(fname)
    counter = Counter(json.loads(Path(fname).with_suffix(".json").read_text(encoding="utf-8")))
    table["text"] = [str(text).split(" ") for text in table["text"]]
    return table, counter


def tokenize_folder(
    path: PathLike,
    extensions: Any = None,
    folders: Any = None,
    output_dir: PathLike | None = None,
    skip_if_exists: bool = True,
    *,
    output_names: Sequence[PathLike] | None = None,
    n_workers: int = 2,
    rules: Any = None,
    tok: Any = None,
    encoding: str = "utf8",
) -> Path:
    """Write the tokens of the texts in a folder to another folder, see `tokenize_files`; return that.

    Args:
        path: the folder.
        extensions: of the files; None: `.txt`.
        folders: look only into these folders of `path`.
        output_dir: the other; None: `<path>_tok`.
    """
    files = get_files(path, extensions=[".txt"] if extensions is None else extensions, folders=folders)
    target = Path(path).parent / f"{Path(path).name}_tok" if output_dir is None else Path(output_dir)
    return tokenize_files(
        files, path, target, output_names, n_workers=n_workers, rules=rules, tok=tok, encoding=encoding,
        skip_if_exists=skip_if_exists,
    )  # fmt: skip


def tokenize_files(
    files: Sequence[PathLike],
    path: PathLike,
    output_dir: PathLike,
    output_names: Sequence[PathLike] | None = None,
    *,
    n_workers: int = 2,
    rules: Any = None,
    tok: Any = None,
    encoding: str = "utf8",
    skip_if_exists: bool = False,
) -> Path:
    """Write the tokens of each file, joined by spaces, to a file in `output_dir`; return that folder.

    `counter.json` there holds how often each token comes, `lengths.json` how many tokens each file has.

    Args:
        files: the texts.
        path: the folder to which their names in `output_dir` are relative.
        output_dir: where they go.
        output_names: other names there.
        n_workers: accepted because scripts pass it.
        rules, tok: see `TokenizeWithRules`.
        encoding: of the texts.
        skip_if_exists: do nothing if `counter.json` is there, which is written last.

    Raises:
        DataError: a file cannot be read, or there are more names than files.
    """
    target = Path(output_dir)
    if skip_if_exists and (target / _COUNTER).exists():
        return target
    names = [Path(f).relative_to(path) for f in files] if output_names is None else [Path(n) for n in output_names]
    if len(names) != len(files):
        raise DataError(f"There are {len(files)} files and {len(names)} names for them: one for each is needed.")
    split = tokenize_all([read_text(f, encoding) for f in files], TokenizeWithRules(as_tokenizer(tok), rules))
    for name, tokens in zip(names, split, strict=True):
        with atomic_write(target / name, "w", is_durable=False) as out:
            out.write(" ".join(tokens))
    _write_json(target / _LENGTHS, {n.as_posix(): int(k) for n, k in zip(names, split.lengths, strict=True)})
    _write_json(target / _COUNTER, count_tokens(split))
    return target


def _write_json(file: Path, value: dict[str, int]) -> None:
    with atomic_write(file, "w") as out:
        json.dump(value, out, ensure_ascii=False)
