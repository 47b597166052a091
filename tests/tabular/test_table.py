"""Preparing a table: what is learnt from training rows, what new rows get, what people see again."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.core.errors import ArgumentError, ArgumentTypeError, DataError
from vivace.core.files import load_pickle, save_pickle
from vivace.data.blocks import CategoryBlock, MultiCategoryBlock, RegressionBlock
from vivace.data.loader import DataWarning
from vivace.tabular.columns import classes_of, codes_of, labels_of
from vivace.tabular.core import TabularPandas
from vivace.tabular.procs import Categorify, FillMissing, FillStrategy, TabularProc

NUMBERS = ["age", "weight", "hours"]


def test_the_given_table_and_lists_stay_as_they_are(people: pd.DataFrame) -> None:
    before, categories = people.copy(deep=True), ["work", "school"]
    TabularPandas(people, [Categorify, FillMissing], categories, NUMBERS, "pay")
    pd.testing.assert_frame_equal(people, before)
    assert categories == ["work", "school"]


def test_inplace_writes_into_the_given_frame(people: pd.DataFrame) -> None:
    to = TabularPandas(people, [Categorify, FillMissing], ["work"], NUMBERS, "pay", inplace=True)
    assert to.items is people and people.work.dtype.kind == "i"


def test_training_rows_come_first(make_table: Any, people: pd.DataFrame) -> None:
    to = make_table(splits=([9, 3, 5], [1, 0]))
    assert list(to.items.index) == [9, 3, 5, 1, 0] and to.split == 3
    assert list(to.valid.items.index) == [1, 0] and len(to.train) == 3


def test_categories_come_from_training_rows_alone(make_table: Any, people: pd.DataFrame) -> None:
    people.loc[people.index[-1], "work"] = "only in validation"
    to = make_table()
    assert list(to.classes["work"]) == ["#na#", "field", "home", "office"]
    assert to.items.work.iloc[-1] == 0


def test_a_categorical_column_keeps_its_order_and_unused_categories(make_table: Any, people: pd.DataFrame) -> None:
    order = ["middle", "never", "basic", "high"]
    people["school"] = pd.Categorical(people.school, categories=order, ordered=True)
    assert list(make_table().classes["school"]) == ["#na#", *order]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=30), st.sampled_from(["object", "str"]))
def test_codes_and_classes_undo_each_other(values: list[str | None], dtype: str) -> None:
    column = pd.Series(values, dtype=dtype, name="x")
    classes = classes_of(column)
    codes = codes_of(classes, *labels_of(column), unknown=0)
    read = [None if code == 0 else classes[code] for code in codes]
    assert read == [None if pd.isna(value) else value for value in column]


@pytest.mark.parametrize("n", [127, 128, 129, 32768])
def test_every_number_of_categories_has_room(n: int) -> None:
    to = TabularPandas(pd.DataFrame({"x": np.arange(n)}), [Categorify], ["x"])
    assert to.items.x.tolist() == list(range(1, n + 1))
    assert to.decode().items.x.tolist() == list(range(n))


@pytest.mark.parametrize(
    "trained, new, said",
    [
        ([3, 5, 3], ["3", "5"], r"'shop' holds texts like '3', and was trained with numbers like 3: .*astype\(int\)"),
        ([3, 5, "n/a"], ["3", "5"], r"holds texts like '3', .* with numbers like 3: .*astype\(int\)"),
        (["3", "5", "3"], [3, 5], r"holds numbers like 3, .* with texts like '3': .*astype\(str\)"),
        ([True, False, True], ["False", "True"], r"like 'False', .* with true or false like False: .*in training\.$"),
    ],
)
def test_a_column_that_was_read_differently_is_named(trained: list[Any], new: list[Any], said: str) -> None:
    column = pd.Series(trained, dtype=object if len({*map(type, trained)}) > 1 else None)
    to = TabularPandas(pd.DataFrame({"shop": column, "kind": list("aba")}), [Categorify], ["shop", "kind"])
    with pytest.warns(DataWarning, match=said) as heard:
        table = to.new_items(pd.DataFrame({"shop": new, "kind": ["b", "c"]}))
    assert len(heard) == 1 and table.items.shop.tolist() == [0, 0] and table.items.kind.tolist() == [2, 0]


@pytest.mark.parametrize("values", [[3.0, 9.0], [7], [True, None], [None, None], [], ["3", 3]])
def test_a_column_with_something_known_or_of_the_same_kind_is_taken_as_it_is(values: list[Any]) -> None:
    to = TabularPandas(pd.DataFrame({"shop": [3, 5, 1]}), [Categorify], ["shop"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to.new_items(pd.DataFrame({"shop": pd.Series(values, dtype=object)}))


class LooksTwice(Categorify):
    """Learns and encodes in two steps, as every subclass does."""


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from([None, "a", "b", "#na#", "c", 1, 2.5]), min_size=2, max_size=30),
    st.integers(1, 29),
    st.sampled_from(["object", "category"]),
)
def test_learning_and_encoding_in_one_go_is_the_same_as_one_after_the_other(
    values: list[Any], n_train: int, dtype: str
) -> None:
    frame = pd.DataFrame({"x": pd.Series(values, dtype=dtype)})
    splits = [list(range(len(values)))[:n_train], list(range(len(values)))[n_train:]]
    one, two = (TabularPandas(frame, [proc], ["x"], [], splits=splits) for proc in (Categorify, LooksTwice))
    assert list(one.classes["x"]) == list(two.classes["x"])
    pd.testing.assert_frame_equal(one.items, two.items)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_normalised_numbers_decode_to_what_they_were(values: list[float]) -> None:
    from vivace.data.transforms import Normalize

    to = TabularPandas(pd.DataFrame({"x": values}), [Normalize], None, ["x"], reduce_memory=False)
    assert np.allclose(to.decode().items.x, values, rtol=1e-9, atol=1e-3)


def test_missing_numbers_get_the_training_median_and_a_flag(make_table: Any, people: pd.DataFrame) -> None:
    to = make_table(procs=[Categorify, FillMissing])
    missing = people.index[people.weight.isna()]
    median = people.weight.iloc[: to.split].median()
    assert np.allclose(to.items.weight[missing], median)
    assert list(to.cat_names) == ["work", "school", "weight_na"]
    flag = to.classes["weight_na"]
    assert {flag[code] for code in to.items.weight_na[missing]} == {True}
    assert to.na_dict == {"weight": pytest.approx(median)}


@pytest.mark.parametrize(
    "strategy, wanted",
    [
        ("median", lambda c: c.median()),
        (FillStrategy.mode, lambda c: c.value_counts().idxmax()),
        (FillStrategy.constant, lambda c: -7.0),
        (lambda column, fill: column.max(), lambda c: c.max()),
    ],
)
def test_strategies_fill_what_they_say(make_table: Any, people: pd.DataFrame, strategy: Any, wanted: Any) -> None:
    people["weight"] = people.weight.round()
    to = make_table(procs=[Categorify, FillMissing(strategy, fill_vals={"weight": -7.0})])
    assert to.items.weight[people.index[people.weight.isna()][0]] == pytest.approx(wanted(people.weight[: to.split]))


def test_new_rows_without_a_number_that_training_always_had_are_filled_with_a_warning(
    make_table: Any, people: pd.DataFrame
) -> None:
    to, new = make_table(), people.iloc[:3].assign(hours=[np.nan, 20, 30])
    with pytest.warns(DataWarning, match=r"'hours' in 1 row \(0\)"):
        cats, conts, *_ = to.new_items(new).as_columns()
    assert cats.shape == (3, 3) and np.isfinite(conts.numpy()).all()


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "arrow types", "nullable types"])
def test_tables_of_all_kinds_are_prepared_alike(make_table: Any, people: pd.DataFrame, kind: str) -> None:
    pa = pytest.importorskip("pyarrow")
    table: Any = people
    if kind == "polars":
        table = pytest.importorskip("polars").from_pandas(people)
    elif kind == "arrow":
        table = pa.Table.from_pandas(people)
    elif kind == "arrow types":
        table = people.convert_dtypes(dtype_backend="pyarrow")
    elif kind == "nullable types":
        table = people.convert_dtypes()
    wanted, found = make_table().as_columns(), make_table(table).as_columns()
    assert all(bool((a == b).all()) for a, b in zip(wanted, found, strict=True))


def test_new_rows_are_prepared_as_training_was(make_table: Any, people: pd.DataFrame) -> None:
    to = make_table()
    new = to.new(people.iloc[:5])
    new.process()
    assert np.allclose(new.xs.to_numpy(dtype=float), to.items.loc[people.index[:5], list(to.x_names)].to_numpy(float))


def test_a_column_that_is_missing_is_named_with_the_nearest_one(make_table: Any, people: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"no column 'wrk' \(in cat_names\).*Did you mean 'work'"):
        make_table(cat_names=["wrk"])
    with pytest.raises(DataError, match="no column 'age'"):
        make_table().new_items(people.drop(columns="age"))


def test_infinite_numbers_are_named_with_their_rows(make_table: Any, people: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"'age' holds infinite numbers in 1 row \(7\): repair"):
        make_table(people.assign(age=people.age.where(people.index != 7, np.inf)))
    with pytest.raises(DataError, match=r"'hours' must hold numbers, and in 200 rows .*y_block=CategoryBlock\(\)"):
        make_table(people.assign(hours="many"), cont_names=["age"], y_names="hours", y_block=RegressionBlock())


def test_a_column_has_one_role_and_one_place(make_table: Any, people: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="'hours' is the target and an input"):
        make_table(y_names="hours")
    with pytest.raises(DataError, match="'work' is in cat_names and in cont_names"):
        make_table(cont_names=["work", "age"])
    with pytest.raises(DataError, match="2 columns called 'age'"):
        make_table(pd.concat([people, people[["age"]]], axis=1))


def test_text_among_numbers_is_named_with_its_row(make_table: Any, people: pd.DataFrame) -> None:
    people["hours"] = people.hours.astype(object)
    people.loc[4, "hours"] = "many"
    with pytest.raises(DataError, match=r"'hours' must hold numbers.*1 row \(4\).*'many'"):
        make_table()


def test_dates_are_pointed_to_add_datepart(make_table: Any, people: pd.DataFrame) -> None:
    people["age"] = pd.Timestamp("2020-01-01")
    with pytest.raises(DataError, match="add_datepart"):
        make_table()


def test_a_table_that_is_not_prepared_gives_no_batches(make_table: Any) -> None:
    with pytest.raises(DataError, match="'work'.*Categorify"):
        make_table(procs=[FillMissing]).as_columns()
    with pytest.raises(DataError, match="'weight'.*FillMissing"):
        make_table(procs=[Categorify]).as_columns()


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(ArgumentTypeError, match="got a int"):
        TabularPandas(7)


def test_splits_outside_the_table_are_refused(make_table: Any) -> None:
    with pytest.raises(DataError, match="row 200, but there are 200"):
        make_table(splits=([0, 1], [200]))


def test_numbers_are_regression_and_labels_classes_unless_said_otherwise(make_table: Any, people: pd.DataFrame) -> None:
    assert make_table().kind == "category" and list(make_table().vocab) == ["high", "low"]
    people["target"] = (people.age > 40).astype(int)
    assert make_table(y_names="target").kind == "regression"
    as_class = make_table(y_names="target", y_block=CategoryBlock())
    assert list(as_class.vocab) == [0, 1] and as_class.as_columns()[2].shape == (200, 1)


def test_several_numbers_are_one_target(make_table: Any, people: pd.DataFrame) -> None:
    people["b"] = people.age * 3
    to = make_table(y_names=["age", "b"], cont_names=["hours"], y_block=RegressionBlock())
    target = to.as_columns()[2]
    assert to.c == 2 and target.shape == (200, 2) and bool((target[:, 1] == 3 * target[:, 0]).all())


def test_several_labels_come_as_columns_or_as_lists(make_table: Any, people: pd.DataFrame) -> None:
    people["old"], people["busy"] = people.age > 50, people.hours > 40
    encoded = make_table(y_names=["old", "busy"], y_block=MultiCategoryBlock(encoded=True, vocab=["old", "busy"]))
    people["tags"] = [
        [n for n, on in (("old", o), ("busy", b)) if on] for o, b in zip(people.old, people.busy, strict=True)
    ]
    listed = make_table(y_names="tags", y_block=MultiCategoryBlock(vocab=["old", "busy"]))
    assert encoded.kind == listed.kind == "multi_category" and encoded.c == listed.c == 2
    assert bool((encoded.as_columns()[2] == listed.as_columns()[2]).all())
    assert list(encoded.decode().items.old) == list(people.old)


def test_a_picture_block_is_no_target_of_a_table(make_table: Any) -> None:
    from vivace.data.blocks import TransformBlock

    with pytest.raises(ArgumentError, match="CategoryBlock, MultiCategoryBlock or RegressionBlock"):
        make_table(y_block=TransformBlock())


def test_a_missing_target_is_named_when_batches_are_made(make_table: Any, people: pd.DataFrame) -> None:
    people.loc[3, "pay"] = None
    with pytest.raises(DataError, match=r"target 'pay' is missing in 1 row \(3\)"):
        make_table().as_columns()


def test_a_label_of_validation_alone_is_named(make_table: Any, people: pd.DataFrame) -> None:
    people.loc[people.index[-1], "pay"] = "medium"
    with pytest.raises(DataError, match=r"'pay', 1 row \(199\).*'medium'"):
        make_table()


def test_a_table_without_target_has_inputs(make_table: Any) -> None:
    to = make_table(y_names=None)
    assert [tuple(part.shape) for part in to.as_columns()] == [(200, 3), (200, 3), (200, 0)]
    with pytest.raises(DataError, match="y_names"):
        _ = to.y


class Clip(TabularProc):
    """Cut numbers off above a bound, which is learnt."""

    order = 0.5

    def __init__(self, highest: float | None = None) -> None:
        super().__init__()
        self.highest = highest

    def setups(self, to: Any) -> None:
        self.highest = float(to.items["age"].quantile(0.5))

    def encodes(self, to: Any) -> None:
        to.transform("age", lambda column: column.clip(upper=self.highest))


def test_a_step_of_ones_own_learns_from_training_rows(make_table: Any, people: pd.DataFrame) -> None:
    to = make_table(procs=[Categorify, FillMissing, Clip])
    assert to.items.age.max() == pytest.approx(people.age.iloc[: to.split].quantile(0.5))


def test_a_step_of_ones_own_writes_whole_parts(make_table: Any, people: pd.DataFrame) -> None:
    class Scale(TabularProc):
        order = 5

        def setups(self, to: Any) -> None:
            self.highest = to.conts.max()

        def encodes(self, to: Any) -> None:
            to.conts = to.conts / self.highest

        def decodes(self, to: Any) -> None:
            to.conts = to.conts * self.highest

    to = make_table(people, procs=[Categorify, FillMissing, Scale])
    assert to.train.conts.max().tolist() == [1.0] * len(to.cont_names)
    assert to.procs.scale.highest is to.procs.fs[-1].highest
    plain = make_table(people, procs=[Categorify, FillMissing])
    assert np.allclose(to.decode().conts, plain.conts, rtol=1e-5)


def test_steps_are_found_by_their_names(make_table: Any) -> None:
    to = make_table()
    assert to.procs.normalize.means == to.means and to.procs.categorify["work"] == to.classes["work"]
    assert to.procs.fill_missing.na_dict == to.na_dict


def test_the_table_survives_a_pickle(make_table: Any, tmp_path: Any) -> None:
    to = make_table()
    save_pickle(tmp_path / "to.pkl", to)
    again = load_pickle(tmp_path / "to.pkl")
    pd.testing.assert_frame_equal(again.items, to.items)


def test_a_sample_is_a_row_of_each_part(make_table: Any) -> None:
    to = make_table()
    cats, conts, targets = to.as_columns()
    sample = to[5]
    assert bool((sample[0] == cats[5]).all()) and bool((sample[1] == conts[5]).all()) and sample[2] == targets[5]
    assert to["age"].equals(to.items["age"])
