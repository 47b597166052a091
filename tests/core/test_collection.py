"""`L`: what it holds, how it is indexed, and its methods."""

from __future__ import annotations

import copy
import json
import operator
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vivace.core.collection import L, is_indexer
from vivace.core.errors import ArgumentError, ShapeError

numbers = st.lists(st.integers(-5, 5))


@pytest.mark.parametrize(
    "given_items, held",
    [
        ((), []),
        ((None,), []),
        (("abc",), ["abc"]),
        ((b"abc",), [b"abc"]),
        ((3,), [3]),
        (((1, 2),), [1, 2]),
        ((1, 2, 3), [1, 2, 3]),
        ((None, 1), [None, 1]),
        (([1, 2], 3), [[1, 2], 3]),
        ((range(3),), [0, 1, 2]),
        (((i for i in range(2)),), [0, 1]),
        (({"a": 1},), [{"a": 1}]),
        (({"a": 1}.keys(),), ["a"]),
        ((Path("a"),), [Path("a")]),
        ((np.array([1, 2]),), [1, 2]),
        ((np.float32(3),), [3]),
        ((torch.arange(3),), [0, 1, 2]),
        ((torch.tensor(3),), [3]),
        ((pd.Series([1, 2], index=[5, 6]),), [1, 2]),
        ((L(1, 2),), [1, 2]),
    ],
)
def test_one_collection_is_taken_apart_and_anything_else_is_an_item(given_items: Any, held: list[Any]) -> None:
    assert list(L(*given_items)) == held


def test_a_table_is_one_item() -> None:
    table = pd.DataFrame({"a": [1, 2]})
    assert L(table)[0] is table
    assert len(L(table)) == 1


def test_use_list_takes_text_apart() -> None:
    assert list(L("ab", use_list=True)) == ["a", "b"]


def test_match_repeats_a_single_item_and_refuses_another_count() -> None:
    assert L(0, match="abc") == [0, 0, 0]
    with pytest.raises(ShapeError, match="asks for 3 items, got 2"):
        L([1, 2], match="abc")


def test_it_is_a_list_that_copies_pickles_and_serialises() -> None:
    items = L("a", "b")
    assert isinstance(items, list)
    assert json.dumps(items) == '["a", "b"]'
    for twin in (copy.copy(items), copy.deepcopy(items), pickle.loads(pickle.dumps(items)), items.copy()):
        assert type(twin) is L
        assert twin == items
        assert twin is not items


def test_repr_gives_the_count_and_ten_items_at_most() -> None:
    assert repr(L("black", "grizzly", "teddy")) == "(#3) ['black','grizzly','teddy']"
    assert str(L(range(12))) == "(#12) [0,1,2,3,4,5,6,7,8,9...]"


@pytest.mark.parametrize(
    "index",
    [(1, 3), [1, 3], L(1, 3), range(1, 4, 2), np.array([1, 3]), torch.tensor([1, 3])]
    + [[False, True, False, True], np.array([False, True, False, True]), torch.tensor([0, 1, 0, 1]).bool()],
)
def test_many_positions_or_a_mask_give_a_list(index: Any) -> None:
    got = L("a", "b", "c", "d")[index]
    assert type(got) is L
    assert got == ["b", "d"]


@pytest.mark.parametrize("index", [1, -3, np.int64(1), np.array(1), torch.tensor(1)])
def test_one_position_gives_the_item(index: Any) -> None:
    assert L("a", "b", "c", "d")[index] == "b"


def test_a_slice_and_no_positions_give_lists() -> None:
    assert type(L(1, 2, 3)[:2]) is L
    assert L(1, 2, 3)[:2] == [1, 2]
    assert L(1, 2, 3)[[]] == []


def test_a_mask_of_another_length_is_refused() -> None:
    with pytest.raises(ShapeError, match="expected 3, got 2"):
        L(1, 2, 3)[[True, False]]


def test_positions_can_be_set() -> None:
    items = L(range(5))
    items[0] = "a"
    items[1, 2] = 9
    items[[False, False, False, True, True]] = [7, 8]
    assert items == ["a", 9, 9, 7, 8]
    items[1:] = []
    assert items == ["a"]
    with pytest.raises(ShapeError, match="2 positions to 3 values"):
        L(1, 2)[0, 1] = [1, 2, 3]


def test_equality_looks_at_items() -> None:
    assert L(1, 2) == [1, 2]
    assert L(1, 2) == (1, 2)
    assert L(1, 2) == np.array([1, 2])
    assert L(1, 2) != [1, 3]
    assert L(1, 2) != [1, 2, 3]
    assert L(1) != 1
    assert L("a") != "a"
    assert L(torch.ones(2), 1) == [torch.ones(2), 1]
    assert L([torch.ones(2)]) != [torch.zeros(2)]
    assert L([torch.ones(2)]) != [torch.zeros(3)]


@given(numbers, numbers)
def test_adding_is_joining(a: list[int], b: list[int]) -> None:
    assert list(L(a) + b) == a + b
    assert list(a + L(b)) == a + b
    joined = L(a)
    joined += b
    assert type(joined) is L
    assert list(joined) == a + b


def test_single_items_and_none_can_be_added() -> None:
    assert L(1) + 2 + "ab" + None == [1, 2, "ab"]
    assert 1 + L(2) == [1, 2]
    items = L("a")
    items += "bc"
    assert items == ["a", "bc"]
    assert L(1) * 2 == [1, 1]
    assert ~L(True, 0) == [False, True]


def test_map_takes_functions_formats_and_collections() -> None:
    assert L(1, 2).map(lambda x: x * 2) == [2, 4]
    assert L(1, 2).map(pow, 2) == [1, 4]
    assert L(5, 6).map(divmod, 4) == [(1, 1), (1, 2)]
    assert L("a", "b").map("{}-{v}", v=3) == ["a-3", "b-3"]
    assert L(1, 0).map(["no", "yes"]) == ["yes", "no"]
    assert L("x").map({"x": 7}) == [7]


def test_the_other_ways_to_map() -> None:
    assert L(1, 2).map_dict() == {1: 1, 2: 2}
    assert L(1, 2).map_dict(str) == {1: "1", 2: "2"}
    assert L((1, 2), (3, 4)).starmap(operator.add) == [3, 7]
    assert L((1, 2), (3, 4)).map_zip(operator.add) == [4, 6]
    assert L(1, 2).map_zipwith(operator.mul, [3, 4]) == [3, 8]
    assert L(1, 2, 3).map_filter(lambda x: x - 1) == [1, 2]
    assert L(1, 2, 3).map_first(lambda x: x * 10, lambda x: x > 10) == 20
    assert L(1).map_first(lambda x: x, lambda x: x > 10) is None


@given(numbers)
def test_filter_and_its_negation_part_the_items(items: list[int]) -> None:
    kept, others = L(items).partition(lambda x: x > 0)
    assert list(kept) == [x for x in items if x > 0]
    assert list(others) == [x for x in items if x <= 0]
    assert list(L(items).filter()) == [x for x in items if x]


def test_arguments_travel_to_the_condition() -> None:
    def is_above(x: int, limit: int) -> bool:
        return x > limit

    assert L(1, 2, 3).filter(is_above, limit=1) == [2, 3]
    assert L(1, 2, 3).argwhere(is_above, limit=1) == [1, 2]
    assert L(1, 2, 3).argwhere(is_above, negate=True, limit=1) == [0]


def test_looking_into_items() -> None:
    assert L((1, (2, 5)), (4, (5, 6))).itemgot(1, 0) == [2, 5]
    assert L({"a": 1}, {"a": 2}).itemgot("a") == [1, 2]
    assert L(Path("a/b.txt"), 3).attrgot("name", "none") == ["b.txt", "none"]
    assert L({"a": 1}, {}).attrgot("a", 0) == [1, 0]
    things = L(SimpleNamespace(), SimpleNamespace())
    things.setattrs("size", 3)
    assert things.attrgot("size") == [3, 3]


def test_finding_items() -> None:
    assert L(1, 2, 3).argfirst(lambda x: x > 1) == 1
    assert L(1, 2, 3).argfirst(lambda x: x > 5) is None
    assert L(1, 2, 3).first() == 1
    assert L(1, 2, 3).last(lambda x: x < 3) == 2
    assert L().first() is None
    assert L("a", "b").val2idx() == {"a": 0, "b": 1}
    assert L(5).sole() == 5
    with pytest.raises(ArgumentError, match="got 2"):
        L(1, 2).sole()


def test_sorted_by_function_attribute_part_or_comparison() -> None:
    assert L(3, 1, 2).sorted() == [1, 2, 3]
    assert L("aaa", "b").sorted(len) == ["b", "aaa"]
    assert L(Path("x/b"), Path("y/a")).sorted("name") == [Path("y/a"), Path("x/b")]
    assert L((1, 3), (2, 1)).sorted(1, reverse=True) == [(1, 3), (2, 1)]
    assert L(3, 1, 2).sorted(cmp=lambda a, b: b - a) == [3, 2, 1]


@given(numbers)
def test_unique_keeps_each_item_once(items: list[int]) -> None:
    assert list(L(items).unique()) == list(dict.fromkeys(items))
    values, positions = L(items).unique(sort=True, bidir=True)
    assert list(values) == sorted(set(items))
    assert all(values[positions[x]] == x for x in items)


def test_unique_can_start_with_further_items() -> None:
    assert L("b", "a").unique(sort=True, start="#na#") == ["#na#", "a", "b"]


def test_groups() -> None:
    pairs = L((1, "a"), (2, "b"), (1, "c"))
    assert pairs.groupby(0, 1) == {1: ["a", "c"], 2: ["b"]}
    assert L("aa", "b").groupby(len) == {2: ["aa"], 1: ["b"]}


def test_zipping_and_counting() -> None:
    assert L((1, 2), (3, 4, 5)).zip() == [(1, 3), (2, 4)]
    assert L((1, 2, 3), (4,)).zip(cycled=True) == [(1, 4), (2, 4), (3, 4)]
    assert L(1, 2).zipwith([3, 4], "ab") == [(1, 3, "a"), (2, 4, "b")]
    assert L("a", "b").enumerate() == [(0, "a"), (1, "b")]
    assert L("a", "b").renumerate() == [("a", 0), ("b", 1)]
    cycle = L(1, 2).cycle()
    assert [next(cycle) for _ in range(3)] == [1, 2, 1]
    assert next(L().cycle()) is None


@given(numbers)
def test_folding(items: list[int]) -> None:
    product = 1
    for x in items:
        product *= x
    assert L(items).sum() == sum(items)
    assert L(items).product() == product
    assert L(items).reduce(operator.add, 10) == 10 + sum(items)


@given(numbers)
def test_shuffle_gives_the_same_items(items: list[int]) -> None:
    shuffled = L(items).shuffle()
    assert sorted(shuffled) == sorted(items)


def test_making_and_joining() -> None:
    assert L.range(3) == [0, 1, 2]
    assert L.range(1, 6, 2) == [1, 3, 5]
    assert L.range("ab") == [0, 1]
    assert L.split("a,b", ",") == ["a", "b"]
    assert L([1], (2, 3), 4, "ab").concat() == [1, 2, 3, 4, "ab"]
    assert L(1, 2).items == [1, 2]


def test_items_as_tensors() -> None:
    assert torch.equal(L(1, 2).tensor(), torch.tensor([1, 2]))
    assert torch.equal(L([1, 2], [3, 4]).stack(), torch.tensor([[1, 2], [3, 4]]))
    assert torch.equal(L([1, 2], [3]).cat(), torch.tensor([1, 2, 3]))


def test_an_indexer_names_one_position() -> None:
    assert all(is_indexer(i) for i in (1, np.int32(1), np.array(1), torch.tensor(1)))
    assert not any(is_indexer(i) for i in (1.0, [1], np.array([1]), torch.tensor([1]), "a", None))
