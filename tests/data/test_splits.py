"""Splitters: every item on one side at most, the same seed the same split, and errors that say what to do."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError
from vivace.core.randomness import set_seed
from vivace.data.splits import (
    ColSplitter,
    EndSplitter,
    FileSplitter,
    FuncSplitter,
    GrandparentSplitter,
    IndexSplitter,
    MaskSplitter,
    RandomSplitter,
    RandomSubsetSplitter,
    TrainTestSplitter,
)

PATHS = [Path(f"{side}/{c}/{i}.png") for side in ("train", "valid", "test") for c in "37" for i in range(3)]
fractions = st.floats(0, 1)
sizes = st.integers(0, 300)
seeds = st.integers(0, 2**40)


def sides(splits: tuple[L[int], L[int]]) -> tuple[list[int], list[int]]:
    train, valid = splits
    assert isinstance(train, L) and isinstance(valid, L)
    assert all(type(i) is int for i in [*train, *valid])
    return list(train), list(valid)


@given(n=sizes, pct=fractions, seed=seeds)
def test_random_splitter_puts_each_item_on_one_side(n: int, pct: float, seed: int) -> None:
    train, valid = sides(RandomSplitter(pct, seed=seed)(range(n)))
    assert sorted(train + valid) == list(range(n))
    assert len(valid) == int(pct * n)


@given(n=st.integers(30, 200), seed=seeds)
def test_random_splitter_is_a_function_of_its_seed(n: int, seed: int) -> None:
    splitter = RandomSplitter(0.5, seed=seed)
    assert splitter(range(n)) == splitter(list("x" * n))
    assert splitter(range(n)) != RandomSplitter(0.5, seed=seed + 1)(range(n))


def test_a_seeded_split_leaves_global_generators_alone() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    RandomSplitter(seed=1)(range(50))
    RandomSubsetSplitter(0.5, 0.2, seed=1)(range(50))
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])


def test_an_unseeded_split_follows_set_seed_and_differs_from_the_next() -> None:
    set_seed(3)
    first, second = RandomSplitter()(range(100)), RandomSplitter()(range(100))
    set_seed(3)
    assert RandomSplitter()(range(100)) == first != second


def test_every_item_validates_equally_often() -> None:
    counts = np.zeros(20)
    for seed in range(400):
        counts[list(RandomSplitter(0.25, seed=seed)(range(20))[1])] += 1
    assert counts.min() > 65 and counts.max() < 140  # 100 on average, standard deviation 8.7


@given(n=sizes, pct=fractions, last=st.booleans())
def test_end_splitter_cuts_once(n: int, pct: float, last: bool) -> None:
    train, valid = sides(EndSplitter(pct, valid_last=last)(range(n)))
    assert (train + valid if last else valid + train) == list(range(n))
    assert len(valid) == int(n * pct)


@given(n=st.integers(4, 300), a=st.floats(0.01, 0.49), b=st.floats(0.01, 0.49), seed=seeds)
def test_random_subset_splitter_has_the_sizes_asked_for_and_no_overlap(n: int, a: float, b: float, seed: int) -> None:
    train, valid = sides(RandomSubsetSplitter(a, b, seed=seed)(range(n)))
    assert (len(train), len(valid)) == (int(n * a), int(n * b))
    assert len({*train, *valid}) == len(train) + len(valid)


@given(mask=st.lists(st.booleans(), max_size=50))
def test_mask_splitter_validates_where_the_mask_is_true(mask: list[bool]) -> None:
    train, valid = sides(MaskSplitter(mask)(range(len(mask))))
    assert [i in set(valid) for i in range(len(mask))] == mask
    assert sorted(train + valid) == list(range(len(mask)))


@given(st.data())
def test_index_splitter_trains_on_the_rest_in_order(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 60))
    wanted = data.draw(st.lists(st.integers(-n, n - 1)))
    train, valid = sides(IndexSplitter(wanted)(range(n)))
    assert set(valid) == {i % n for i in wanted} and len(valid) == len(set(valid))
    assert train == sorted(set(range(n)) - set(valid))


def test_index_splitter_names_an_index_that_is_not_there() -> None:
    assert sides(IndexSplitter(np.array([3, 1]))(list("abcde"))) == ([0, 2, 4], [3, 1])
    with pytest.raises(DataError, match="index 9, but there are 5 items"):
        IndexSplitter([1, 9])(list("abcde"))


def test_train_test_splitter_keeps_proportions() -> None:
    y = [0] * 80 + [1] * 20
    train, valid = sides(TrainTestSplitter(test_size=0.25, random_state=0, stratify=y)(range(100)))
    assert len(valid) == 25 and sum(y[i] for i in valid) == 5
    assert sorted(train + valid) == list(range(100))
    assert sides(TrainTestSplitter(test_size=2, shuffle=False)(range(6))) == ([0, 1, 2, 3], [4, 5])
    with pytest.raises(DataError, match="100 classes for 7 items"):
        TrainTestSplitter(stratify=y)(range(7))


def test_grandparent_splitter_reads_the_folder_two_levels_up() -> None:
    assert sides(GrandparentSplitter()(PATHS)) == (list(range(6)), list(range(6, 12)))
    assert sides(GrandparentSplitter("valid", "train")([str(p) for p in PATHS])) == (list(range(6, 12)), list(range(6)))
    train, valid = sides(GrandparentSplitter(["train", "valid"], "test")(PATHS))
    assert train == list(range(12)) and valid == list(range(12, 18))


def test_grandparent_splitter_names_the_folders_it_saw() -> None:
    with pytest.raises(DataError, match=r"folder val; those folders are called test, train, valid\. Give valid_name=…"):
        GrandparentSplitter(valid_name="val")(PATHS)
    with pytest.raises(DataError, match=r"folder training.*Give train_name=….*RandomSplitter\(valid_pct=0.2"):
        GrandparentSplitter(train_name="training")(PATHS)


def test_func_splitter_asks_a_function_for_each_item_or_row() -> None:
    assert sides(FuncSplitter(lambda o: o.parent.name == "7")(PATHS[:6])) == ([0, 1, 2], [3, 4, 5])
    table = pd.DataFrame({"part": list("aba")})
    assert sides(FuncSplitter(lambda row: row["part"] == "b")(table)) == ([0, 2], [1])


def test_mask_splitter_needs_a_value_for_each_item() -> None:
    with pytest.raises(DataError, match="2 values for 3 items"):
        MaskSplitter([True, False])(list("abc"))


def test_file_splitter_validates_on_the_names_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text("7/1.png\n\n2.png \r\n")
    items = [Path(f"im/{i}.png") for i in range(4)]
    assert sides(FileSplitter(tmp_path / "valid.txt")(items)) == ([0, 3], [1, 2])


def test_file_splitter_says_when_nothing_fits(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file .*valid\.txt"):
        FileSplitter(tmp_path / "valid.txt")
    (tmp_path / "valid.txt").write_text("1.jpg")
    with pytest.raises(DataError, match=r"None of the 1 names.*holds 1\.jpg; the items are called 1\.png"):
        FileSplitter(tmp_path / "valid.txt")([Path("im/1.png")])


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame({"a": range(5), "is_valid": [False, True, False, True, False], "part": list("xyzyx")})


def test_col_splitter_reads_a_column(table: pd.DataFrame) -> None:
    assert sides(ColSplitter()(table)) == ([0, 2, 4], [1, 3])
    assert sides(ColSplitter(1)(table)) == ([0, 2, 4], [1, 3])
    assert sides(ColSplitter("part", on="y")(table)) == ([0, 2, 4], [1, 3])
    assert sides(ColSplitter("part", on=["y", "z"])(table)) == ([0, 4], [1, 2, 3])
    assert sides(ColSplitter("a", on=0)(table)) == ([1, 2, 3, 4], [0])
    assert sides(ColSplitter()(table.astype({"is_valid": int}))) == ([0, 2, 4], [1, 3])


def test_col_splitter_gives_positions_whatever_the_index(table: pd.DataFrame) -> None:
    assert sides(ColSplitter()(table.set_index(pd.Index([9, 8, 7, 6, 5])))) == ([0, 2, 4], [1, 3])


def test_col_splitter_says_what_is_wrong_with_a_column(table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no column 'valid' .*Did you mean 'is_valid'. It has a, is_valid, part"):
        ColSplitter("valid")(table)
    with pytest.raises(DataError, match=r"'part' holds texts \(x, y, z\).*ColSplitter\('part', on='z'\)"):
        ColSplitter("part")(table)
    with pytest.raises(DataError, match="needs a DataFrame, got list"):
        ColSplitter()([1, 2])
    with pytest.raises(DataError, match="'is_valid' is empty in 1 rows"):
        ColSplitter()(table.assign(is_valid=[True, False, None, True, False]))


@pytest.mark.parametrize("make", [RandomSplitter, EndSplitter])
def test_a_fraction_outside_zero_to_one_is_refused(make: type) -> None:
    with pytest.raises(ArgumentError, match=r"valid_pct is a fraction in 0\.\.1 \(0\.2 is a fifth\), got 20"):
        make(20)


@pytest.mark.parametrize("fractions", [(0.8, 0.3), (0.0, 0.5), (0.5, 1.0)])
def test_subset_fractions_that_cannot_be_are_refused(fractions: tuple[float, float]) -> None:
    with pytest.raises(ArgumentError, match="sum of 1 at most"):
        RandomSubsetSplitter(*fractions)


def is_odd(i: int) -> bool:
    return i % 2 == 1


@pytest.mark.parametrize(
    "splitter",
    [RandomSplitter(seed=1), EndSplitter(), IndexSplitter([1]), MaskSplitter([True, False]), FuncSplitter(is_odd)],
)
def test_splitters_pickle_and_say_what_they_are(splitter: object) -> None:
    again = pickle.loads(pickle.dumps(splitter))
    assert again == splitter and again([0, 1]) == splitter([0, 1])  # type: ignore[operator]
    assert repr(splitter).startswith(type(splitter).__name__ + "(")


def test_repr_shows_settings_but_not_long_lists() -> None:
    assert repr(RandomSplitter(0.3, 42)) == "RandomSplitter(valid_pct=0.3, seed=42)"
    assert repr(IndexSplitter(range(1000))) == "IndexSplitter(1000 indices)"
    assert repr(MaskSplitter([True] * 3 + [False])) == "MaskSplitter(3 of 4)"
    assert repr(FuncSplitter(is_odd)) == "FuncSplitter(is_odd)"
