"""Targets: labels to indices and back, several labels, numbers; and what an unknown label says."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vivace.core.errors import DataError
from vivace.core.types import Category, MultiCategory, TensorCategory, TensorMultiCategory
from vivace.data.category import (
    Categorize,
    CategoryMap,
    EncodedMultiCategorize,
    MultiCategorize,
    OneHotEncode,
    RegressionSetup,
)
from vivace.data.datasets import TfmdLists


def set_up(transform: Categorize | MultiCategorize, labels: list[object]) -> Categorize | MultiCategorize:
    transform.setup(labels)
    return transform


# ---------------------------------------------------------------------- CategoryMap
def test_classes_are_sorted_without_repeats() -> None:
    classes = CategoryMap(["b", "a", "b", "c"])
    assert classes == ["a", "b", "c"] and classes.o2i == {"a": 0, "b": 1, "c": 2}
    assert CategoryMap(["b", "a", "b"], sort=False) == ["b", "a"]


def test_missing_labels_are_no_class() -> None:
    assert CategoryMap(pd.Series(["b", np.nan, "a", None])) == ["a", "b"]
    assert CategoryMap(["a", float("nan")], add_na=True) == ["#na#", "a"]


def test_categories_of_pandas_keep_their_order() -> None:
    column = pd.Series(pd.Categorical(["m", "l"], categories=["s", "m", "l"], ordered=True))
    assert CategoryMap(column) == ["s", "m", "l"]
    assert CategoryMap(column, strict=True) == ["m", "l"]


def test_labels_keep_their_type() -> None:
    assert CategoryMap([True, False, True]) == [False, True]
    assert CategoryMap(np.array([7, 3, 7])).o2i[7] == 1
    assert CategoryMap(torch.tensor([7, 3])) == [3, 7]
    assert CategoryMap(["b", 2, "a", 1]) == [1, 2, "a", "b"]


def test_maps_go_both_ways() -> None:
    classes = CategoryMap("cab")
    assert classes.map_objs(["b", "c"]) == [1, 2]
    assert classes.map_ids(torch.tensor([2, 0])) == ["c", "a"]
    assert classes[torch.tensor([0, 2])] == ["a", "c"]
    assert pickle.loads(pickle.dumps(classes)).o2i == classes.o2i


# ---------------------------------------------------------------------- Categorize
@given(st.lists(st.text(max_size=4), min_size=1))
def test_categorize_round_trip(labels: list[str]) -> None:
    transform = set_up(Categorize(), list(labels))
    assert [transform.decode(transform(label)) for label in labels] == labels
    assert transform.c == len(set(labels))


def test_categorize_gives_a_typed_scalar_and_a_category_back() -> None:
    transform = set_up(Categorize(), ["b", "a"])
    index = transform("b")
    assert type(index) is TensorCategory and index.shape == () and index.dtype == torch.int64
    assert isinstance(transform.decode(index), Category) and transform.decode(torch.tensor(1)) == "b"


def test_a_given_vocabulary_stays_whatever_the_items_are() -> None:
    transform = set_up(Categorize(vocab=["z", "a"], sort=False), ["a", "q"])
    assert transform.vocab == ["z", "a"] and int(transform("a")) == 1


def test_setting_up_anew_replaces_classes_that_came_from_items() -> None:
    transform = set_up(set_up(Categorize(), ["a"]), ["b", "c"])
    assert transform.vocab == ["b", "c"]


def test_with_a_class_for_missing_labels_unknown_ones_are_that_class() -> None:
    transform = set_up(Categorize(add_na=True), ["b", "a"])
    assert [int(transform(o)) for o in ("zz", "a", None)] == [0, 1, 0]
    assert transform.vocab == ["#na#", "a", "b"]


def test_an_unknown_label_names_itself_and_the_classes() -> None:
    transform = set_up(Categorize(), ["grizzly", "teddy"])
    with pytest.raises(DataError, match=r"label 'grizly' .* 'grizzly', 'teddy'\. Did you mean 'grizzly'\?.*vocab="):
        transform("grizly")
    with pytest.raises(DataError, match=r"It is missing: .*add_na=True"):
        transform(float("nan"))
    with pytest.raises(DataError, match=r"Several labels of one item need MultiCategoryBlock"):
        transform(["grizzly", "teddy"])


def test_many_classes_are_not_all_listed() -> None:
    transform = set_up(Categorize(), list(range(100)))
    with pytest.raises(DataError, match=r"8, 9 and 90 more"):
        transform(1000)


def test_before_set_up_it_says_so() -> None:
    with pytest.raises(DataError, match="Categorize has no classes yet"):
        Categorize()("a")


@pytest.mark.parametrize("add_na", [False, True])
def test_configuration_makes_the_same_transform_again(add_na: bool) -> None:
    for transform in (
        set_up(Categorize(add_na=add_na), list("cab")),
        set_up(MultiCategorize(add_na=add_na), [["c"], ["a", "b"]]),
    ):
        again = type(transform)(**transform.config())
        assert again.vocab == transform.vocab and again.c == transform.c


# ---------------------------------------------------------------------- several labels
def test_several_labels_become_a_one_hot_vector_and_come_back() -> None:
    lists = TfmdLists([["b"], ["a", "c"], []], [MultiCategorize(), OneHotEncode()])
    assert lists.vocab == ["a", "b", "c"] and lists.c == 3 and lists.kind == "multi_category"
    value = lists[1]
    assert type(value) is TensorMultiCategory and value.dtype == torch.float32 and value.tolist() == [1.0, 0.0, 1.0]
    decoded = lists.decode(value)
    assert isinstance(decoded, MultiCategory) and decoded == ["a", "c"]
    assert lists.decode(lists[2]) == [] and lists.decode(torch.tensor([0, 1, 0])) == ["b"]


def test_a_tuple_holds_the_labels_of_one_item() -> None:
    transform = set_up(MultiCategorize(), [("a",), ("b", "c")])
    assert transform(("c", "a")).tolist() == [2, 0]


def test_given_classes_keep_their_order() -> None:
    assert MultiCategorize(vocab=["red", "green"]).vocab == ["red", "green"]


def test_a_text_in_place_of_a_list_is_an_error_with_advice() -> None:
    with pytest.raises(DataError, match=r"'red green' is a str: split a text.*label_delim=' '"):
        MultiCategorize().setup(["red green"])
    with pytest.raises(DataError, match="3 is a int"):
        MultiCategorize(vocab=[3])(3)


def test_an_unknown_label_that_is_a_fraction_points_to_regression() -> None:
    with pytest.raises(DataError, match="label 0.5 is none of the known classes 1.5, 2.5.*y_block=RegressionBlock"):
        set_up(Categorize(), [1.5, 2.5])(0.5)


def test_an_unknown_one_of_several_labels_is_named() -> None:
    with pytest.raises(DataError, match="label 'c' is none of the known classes 'a', 'b'"):
        MultiCategorize(vocab=["a", "b"])(["a", "c"])


def test_one_hot_needs_to_know_how_many_classes() -> None:
    assert OneHotEncode(3)([0, 2]).tolist() == [1.0, 0.0, 1.0]
    with pytest.raises(DataError, match="give `c`"):
        OneHotEncode()(torch.tensor([1]))


def test_encoded_targets_are_taken_as_they_are() -> None:
    transform = EncodedMultiCategorize(["b", "a"])
    value = transform([0, 1])
    assert type(value) is TensorMultiCategory and value.tolist() == [0.0, 1.0] and value.dtype == torch.float32
    assert transform.decode(value) == ["a"] and transform.c == 2
    with pytest.raises(DataError, match="3 numbers, and there are 2 classes"):
        transform([0, 1, 1])


# ---------------------------------------------------------------------- numbers
@pytest.mark.parametrize("target", [3, 3.0, np.float64(3), np.int64(3), torch.tensor(3), True])
def test_a_number_becomes_a_float_scalar(target: object) -> None:
    value = RegressionSetup()(target)
    assert value.shape == () and value.dtype == torch.float32 and float(value) == float(target)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", [[1, 2], (1, 2), np.array([1, 2]), torch.tensor([1, 2])])
def test_several_numbers_become_a_vector(target: object) -> None:
    transform = RegressionSetup()
    transform.setup([target])
    assert transform.c == 2 and transform(target).tolist() == [1.0, 2.0] and transform(target).dtype == torch.float32


def test_numbers_are_shown_as_numbers() -> None:
    assert RegressionSetup().decode(torch.tensor(2.5)) == 2.5
    assert RegressionSetup().decode(torch.tensor([1.0, 2.0])) == (1.0, 2.0)


def test_a_target_of_another_length_is_an_error() -> None:
    transform = RegressionSetup()
    transform.setup([[1, 2], [3]])
    with pytest.raises(DataError, match="1 number, 2 expected: all targets need the same count"):
        transform([3])


@pytest.mark.parametrize("target", [float("nan"), np.float32("nan"), float("inf"), torch.tensor(torch.nan)])
def test_a_missing_number_is_refused(target: object) -> None:
    with pytest.raises(DataError, match="target is (nan|inf).*leave the item out"):
        RegressionSetup()(target)
    assert RegressionSetup()([1.0, float("nan")]).isnan().tolist() == [False, True]  # a loss may skip one of several


def test_a_name_is_no_number() -> None:
    with pytest.raises(DataError, match="'cat' is no number, which regression needs.*CategoryBlock"):
        RegressionSetup()("cat")
