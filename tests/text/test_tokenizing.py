"""From texts to tokens: words, pieces of words, rules, tables, folders, and what is kept on disk."""

from __future__ import annotations

import json
import os
from pydoc_data.topics import topics

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivace.core.errors import ArgumentError, DataError
from vivace.text import cache, parallel
from vivace.text.all import (
    BaseTokenizer,
    SubwordTokenizer,
    Tokenizer,
    TokenizeWithRules,
    WordTokenizer,
    defaults,
    load_tokenized_csv,
    parallel_tokenize,
    tokenize1,
    tokenize_csv,
    tokenize_df,
    tokenize_folder,
    tokenize_texts,
)

WORDS = WordTokenizer()
PROSE = [line for text in list(topics.values())[:8] for line in text.split("\n")]


@pytest.mark.parametrize(
    "text, tokens",
    [
        ("The U.S. dollar $1 is $1.00.", "The|U.S.|dollar|$|1|is|$|1.00|."),
        ("don't can't I'm it's we've John's cannot", "do|n't|ca|n't|I|'m|it|'s|we|'ve|John|'s|can|not"),
        ("well-known, 10% of 3.5kg (1,000,000)!", "well|-|known|,|10|%|of|3.5|kg|(|1,000,000|)|!"),
        ("see http://example.com/a?b=c or me@x.org.", "see|http://example.com/a?b=c|or|me@x.org|."),
        ("yes... no -- a/b :-)", "yes|...|no|--|a|/|b|:-)"),
        ("one\n\ntwo\tthree", "one|\n\n|two|\t|three"),
        ("xxbos xxmaj o'neil e.g. 1st", "xxbos|xxmaj|o'neil|e.g.|1st"),
        ("日本語 café ❤️ 👩‍👧", "日本語|café|❤️|👩‍👧"),
        ("", ""),
    ],
)
def test_texts_are_split_into_words_and_signs(text, tokens):
    assert list(next(WORDS([text]))) == [t for t in tokens.split("|") if t]


@given(st.lists(st.text(max_size=40), max_size=5))
def test_words_lose_nothing_but_white_space_and_many_texts_are_split_like_one(texts):
    tokenizer = WORDS
    one_by_one = [list(tokens) for tokens in tokenizer(texts)]
    assert [list(tokens) for tokens in tokenizer.encode_all(texts)] == one_by_one
    for text, tokens in zip(texts, one_by_one, strict=True):
        assert "".join("".join(tokens).split()) == "".join(text.split()), text


def test_special_tokens_of_ones_own_stay_whole():
    assert list(next(WordTokenizer(special_toks=["<tag>"])(["a <tag> b <c>"]))) == ["a", "<tag>", "b", "<", "c", ">"]
    with pytest.raises(ArgumentError, match="holds a space"):
        WordTokenizer(special_toks=["two words"])


def test_rules_mark_capitals_repeats_and_the_beginning():
    expected = "xxbos xxup great ! xxmaj really xxwrep 3 very xxrep 4 o , \n a xxup nasa film".split(" ")
    assert list(Tokenizer()("GREAT! Really very very very oooo,<br />a NASA film")) == expected


def test_users_rules_and_tokenizers_are_used(monkeypatch):
    assert list(tokenize1("A B", rules=[str.lower])) == ["a", "b"]
    assert list(Tokenizer(BaseTokenizer(","), rules=[])("a,b c")) == ["a", "b▁c"]
    assert list(Tokenizer(lambda texts: (t.split("-") for t in texts), rules=[])("a-b")) == ["a", "b"]
    monkeypatch.setattr(defaults, "text_proc_rules", [lambda t: t.replace("x", "y")])
    assert list(Tokenizer()("xx")) == ["yy"]


def test_many_texts_one_after_the_other():
    texts = ["This is one", "That TWO"]
    wanted = [["xxbos", "xxmaj", "this", "is", "one"], ["xxbos", "xxmaj", "that", "xxup", "two"]]
    assert [list(t) for t in tokenize_texts(texts)] == wanted
    assert [(i, list(t)) for i, t in parallel_tokenize(texts)] == list(enumerate(wanted))


def test_columns_are_joined_and_marked():
    df = pd.DataFrame({"title": ["Some Title", None], "text": ["The text", "Two"], "label": ["a", "b"]}, index=[5, 9])
    out, counts = tokenize_df(df, ["title", "text"])
    assert list(out.columns) == ["label", "text", "text_length"] and list(out.index) == [5, 9]
    assert " ".join(out.text[5]) == "xxbos xxfld 1 xxmaj some xxmaj title xxfld 2 xxmaj the text"
    assert list(out.text[9]) == ["xxbos", "xxfld", "1", "xxfld", "2", "xxmaj", "two"]  # what is missing is empty
    assert counts["xxfld"] == 4 and out.text_length.tolist() == [12, 7]
    assert "xxfld" not in tokenize_df(df, "text")[1] and "xxfld" in tokenize_df(df, "text", mark_fields=True)[1]
    with pytest.raises(DataError, match="no column 'tixt'.*Did you mean 'text'"):
        tokenize_df(df, "tixt")


def test_tokens_of_csv_files_come_back(tmp_path, reviews):
    reviews.to_csv(tmp_path / "r.csv", index=False)
    tokenize_csv(tmp_path / "r.csv", "text")
    table, counts = load_tokenized_csv(tmp_path / "r_tok.csv")
    assert table.text.tolist() == [list(t) for t in tokenize_texts(reviews.text)]
    assert sum(counts.values()) == table.text_length.sum()


def test_a_folder_is_written_as_tokens(review_folder):
    out = tokenize_folder(review_folder, folders="train")
    files = sorted(out.rglob("*.txt"))
    assert out.name == "reviews_tok" and len(files) == 45
    assert files[0].read_text().startswith("xxbos xxmaj this film was")
    lengths = json.loads((out / "lengths.json").read_text())
    assert lengths[files[0].relative_to(out).as_posix()] == len(files[0].read_text().split(" "))


def test_a_file_in_another_encoding_is_named(tmp_path):
    (tmp_path / "bad.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"bad.txt is not written in utf8.*encoding="):
        Tokenizer.from_folder(tmp_path)
    tokenizer = Tokenizer.from_folder(tmp_path, encoding="latin1")
    assert list(tokenizer(tmp_path / "bad.txt")) == ["xxbos", "café"]


# ------------------------------------------------------------------ what is kept, processes
def test_tokens_are_kept_on_disk_and_never_stale(monkeypatch, tmp_path, reviews):
    monkeypatch.setenv("VIVACE_HOME", str(tmp_path))
    monkeypatch.setattr(cache, "_LEAST_CHARACTERS", 10)
    texts = reviews.text.tolist()
    first = [list(t) for t in tokenize_texts(texts)]
    kept = list((tmp_path / "tokens").glob("*.npz"))
    assert len(kept) == 1
    with monkeypatch.context() as patch:
        patch.setattr(TokenizeWithRules, "encode_all", None)  # not called: they come from the disk
        assert [list(t) for t in tokenize_texts(texts)] == first
    assert list(tokenize_texts([*texts[:-1], "Another one"])[-1]) == ["xxbos", "xxmaj", "another", "one"]
    assert len(list((tmp_path / "tokens").glob("*.npz"))) == 2
    tokenize_texts(texts, rules=[lambda t: t])  # a rule that nobody can name is never kept
    assert len(list((tmp_path / "tokens").glob("*.npz"))) == 2
    kept[0].write_bytes(kept[0].read_bytes()[:100])
    assert [list(t) for t in tokenize_texts(texts)] == first  # damaged: made again


def test_a_changed_file_is_split_again(monkeypatch, tmp_path, review_folder):
    monkeypatch.setenv("VIVACE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(cache, "_LEAST_CHARACTERS", 10)
    file = next(review_folder.rglob("*.txt"))
    before = list(Tokenizer.from_folder(review_folder)(file))
    file.write_text("Changed")
    os.utime(file, ns=(1, 1))
    assert list(Tokenizer.from_folder(review_folder)(file)) == ["xxbos", "xxmaj", "changed"] != before


@pytest.mark.slow
def test_several_processes_give_the_same_tokens(monkeypatch, reviews):
    texts = reviews.text.tolist() * 20
    rules = [*defaults.text_proc_rules, lambda t: t.replace("film", "movie")]
    alone = tokenize_texts(texts, rules=rules)
    monkeypatch.setattr(parallel, "_LEAST_CHARACTERS", 10)
    monkeypatch.setattr(parallel, "_PART", 7)
    monkeypatch.setattr(parallel, "num_cpus", lambda: 3)
    assert tokenize_texts(texts, rules=rules) == alone and "movie" in alone[0]


# ------------------------------------------------------------------ pieces of words
@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_pieces_are_learnt_joined_again_and_written_down(model_type):
    tokenizer = SubwordTokenizer(vocab_sz=200, model_type=model_type)
    with pytest.raises(DataError, match="learnt no pieces"):
        next(tokenizer(["a"]))
    tokenizer.setup(PROSE)
    pieces = list(next(tokenizer(["xxbos xxmaj The value is bound."])))
    assert pieces[:2] == ["xxbos", "xxmaj"] and "▁T" in {p[:2] for p in pieces} and len(pieces) > 6
    assert tokenizer.join(pieces) == "xxbos xxmaj The value is bound."
    again = SubwordTokenizer(**json.loads(json.dumps(tokenizer.config())))
    assert list(next(again(["so objects"]))) == list(next(tokenizer(["so objects"])))
    assert [list(t) for t in again.encode_all(["so objects"])] == [list(next(again(["so objects"])))]


def test_an_unknown_kind_of_pieces_is_refused():
    with pytest.raises(ArgumentError, match='"unigram" or "bpe"'):
        SubwordTokenizer(model_type="wordpiece")


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_the_same_texts_give_the_same_pieces_with_and_without_threads(model_type, monkeypatch):
    made = set()
    for threads in ("true", "false", "true"):
        monkeypatch.setenv("TOKENIZERS_PARALLELISM", threads)
        tokenizer = SubwordTokenizer(vocab_sz=300, model_type=model_type)
        tokenizer.setup(PROSE)
        made.add(tokenizer.to_str())
    assert len(made) == 1
