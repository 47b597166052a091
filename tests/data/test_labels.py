"""Labels from folders, names and columns."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pandas as pd
import pytest

from vivace.core.basics import using_attr
from vivace.core.errors import ArgumentError, DataError
from vivace.data.labels import ColReader, RegexLabeller, parent_label


def test_parent_label_is_the_folder_of_a_path_or_text() -> None:
    assert parent_label(Path("images/train/dane_12.jpg")) == "train"
    assert parent_label("a/b/c.png") == "b"


def test_regex_labeller_returns_the_first_group() -> None:
    label = RegexLabeller(r"(.+)_\d+.jpg$")
    assert label("great_dane_12.jpg") == "great_dane"
    assert using_attr(label, "name")(Path("images/great_dane_12.jpg")) == "great_dane"


def test_regex_labeller_searches_unless_match_is_asked_for() -> None:
    assert RegexLabeller(r"/(\w+)/\d")("data/cat/1.jpg") == "cat"
    with pytest.raises(DataError, match=r"'b\(\.\)' is not in 'abc'"):
        RegexLabeller(r"b(.)", match=True)("abc")


def test_regex_labeller_names_pattern_and_item() -> None:
    with pytest.raises(DataError, match=r"\^\(\\\\d\+\)\$.*'abc'"):
        RegexLabeller(r"^(\d+)$")("abc")


def test_a_pattern_without_group_is_refused_when_made() -> None:
    with pytest.raises(ArgumentError, match="no group: put the label's part in parentheses"):
        RegexLabeller(r"\d+")
    with pytest.raises(ArgumentError, match="no regular expression"):
        RegexLabeller(r"(")


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame({"a": ["x", "y", "z"], "tags": ["p q", "", None], "n": [1.0, 2.0, 3.0]})


def test_col_reader_puts_prefix_and_suffix_around_a_value(table: pd.DataFrame) -> None:
    row = table.iloc[0]
    assert ColReader("a")(row) == "x"
    assert ColReader("a", pref="im/", suff=".png")(row) == "im/x.png"
    assert ColReader("a", pref=Path("d"), suff=".png")(row) == str(Path("d") / "x.png")


def test_col_reader_splits_labels_and_missing_ones_are_none(table: pd.DataFrame) -> None:
    read = ColReader("tags", label_delim=" ")
    assert [read(table.iloc[i]) for i in range(3)] == [["p", "q"], [], []]


def test_col_reader_takes_numbers_and_lists_of_columns(table: pd.DataFrame) -> None:
    assert ColReader(0)(table.iloc[1]) == "y"
    assert ColReader(-1)(table.iloc[1]) == 2.0
    assert list(ColReader(["a", "n"])(table.iloc[0])) == ["x", 1.0]


def test_a_number_that_is_a_column_name_is_that_column() -> None:
    assert ColReader(0)(pd.DataFrame({1: ["one"], 0: ["zero"]}).iloc[0]) == "zero"


def test_col_reader_reads_dicts_named_tuples_and_lists() -> None:
    Row = namedtuple("Row", "name label")
    assert ColReader("label")({"name": "a", "label": "b"}) == "b"
    assert ColReader("label")(Row("a", "b")) == "b"
    assert ColReader(1)(Row("a", "b")) == "b"
    assert ColReader(1)(["a", "b"]) == "b"


@pytest.mark.parametrize("row", [{"name": "a", "label": "b"}, pd.Series({"name": "a", "label": "b"})])
def test_an_unknown_column_names_those_there_are(row: object) -> None:
    with pytest.raises(DataError, match=r"no column 'lable'\. Did you mean 'label'\? It has name, label\."):
        ColReader("lable")(row)


def test_repr_says_what_is_read() -> None:
    assert repr(ColReader("a", suff=".png")) == "ColReader('a', suff='.png')"
    assert repr(RegexLabeller(r"(\d)")) == r"RegexLabeller('(\\d)')"
