"""Preparing data frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from vivace.core.errors import DataError
from vivace.tabular.frames import (
    add_datepart,
    add_elapsed_times,
    cont_cat_split,
    df_shrink,
    df_shrink_dtypes,
    emb_sz_rule,
    make_date,
)


def test_a_date_becomes_its_parts():
    df = add_datepart(pd.DataFrame({"saledate": ["2019-12-04", "2020-02-29", None]}), "saledate")
    assert list(df.columns)[:2] == ["saleYear", "saleMonth"] and "saledate" not in df
    assert df.saleDayofweek.iloc[0] == 2 and df.saleIs_month_end.iloc[1] and df.saleWeek.iloc[0] == 49
    assert df.saleElapsed.iloc[0] == pd.Timestamp("2019-12-04").timestamp()
    assert np.isnan(df.saleYear.iloc[2]) and np.isnan(df.saleElapsed.iloc[2])


def test_parts_of_dates_that_are_all_there_are_whole_numbers():
    df = add_datepart(pd.DataFrame({"day": ["2019-12-04", "2020-01-01"]}), "day")
    assert all(pd.api.types.is_integer_dtype(df[f"day{part}"]) for part in ("Year", "Month", "Week", "Dayofyear"))
    assert df.dayWeek.tolist() == [49, 1]


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(DataError, match="no column 'sale'.*'saledate'"):
        make_date(pd.DataFrame({"saledate": ["2019-12-04"]}), "sale")
    with pytest.raises(DataError, match="'saledate' holds what is no date.*soon"):
        make_date(pd.DataFrame({"saledate": ["2019-12-04", "soon"]}), "saledate")
    days = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=2), "shop": 1, "promo": True})
    with pytest.raises(DataError, match="no column 'promos'. Did you mean 'promo'"):
        add_elapsed_times(days, "promos", "day", "shop")


@pytest.mark.parametrize("kind", ["polars", "arrow"])
def test_tables_of_other_kinds_are_taken_too(kind):
    df = pd.DataFrame({"day": ["2019-12-04"] * 30, "many": range(30), "real": np.linspace(0, 1, 30)})
    table = (
        pytest.importorskip("polars").from_pandas(df)
        if kind == "polars"
        else pytest.importorskip("pyarrow").Table.from_pandas(df)
    )
    assert cont_cat_split(table, dep_var="day") == (["many", "real"], [])
    assert df_shrink(table).many.dtype == np.int8
    assert add_datepart(table, "day").dayYear.tolist() == [2019] * 30


def test_days_since_and_until_an_event():
    days = pd.date_range("2020-01-01", periods=4)
    df = pd.DataFrame({"day": days, "shop": 1, "promo": [False, True, False, False]})
    out = add_elapsed_times(df, "promo", "day", "shop")
    assert out.Afterpromo.tolist() == [0, 0, 1, 2] and out.Beforepromo.tolist() == [-1, 0, 0, 0]
    assert "Afterpromo" not in df


def test_events_are_counted_in_seven_rows_of_each_base():
    days = pd.date_range("2020-01-01", periods=10)
    df = pd.DataFrame({"day": [*days, *days], "shop": [1] * 10 + [2] * 10, "promo": [True] * 10 + [False] * 10})
    out = add_elapsed_times(df.sample(frac=1, random_state=0), ["promo"], "day", "shop").sort_index()
    assert out.promo_bw.tolist() == [1, 2, 3, 4, 5, 6, 7, 7, 7, 7] + [0] * 10
    assert out.promo_fw.tolist() == [7, 7, 7, 7, 6, 5, 4, 3, 2, 1] + [0] * 10


def test_columns_are_told_apart_by_type_and_number_of_values():
    df = pd.DataFrame({"many": range(50), "few": [1, 2] * 25, "real": np.linspace(0, 1, 50), "text": list("xy") * 25})
    assert cont_cat_split(df, max_card=10) == (["many", "real"], ["few", "text"])
    assert cont_cat_split(df, max_card=10, dep_var="many") == (["real"], ["few", "text"])


def test_shrunk_columns_hold_the_same_values():
    df = pd.DataFrame({"i": [1, -2], "big": [10**10, 1], "f": [0.5, 1.5], "o": ["a", "b"], "u": [200, 1]})
    small = df_shrink(df)
    assert set(df_shrink_dtypes(df)) == {"i", "f", "o", "u"} and small.i.dtype == np.int8 and small.u.dtype == np.int16
    assert df_shrink(df, int2uint=True).u.dtype == np.uint8 and str(df_shrink_dtypes(df)["f"]) == "float32"
    for name in df:
        assert small[name].tolist() == df[name].tolist()


def test_embeddings_grow_slowly_and_end_at_600():
    assert emb_sz_rule(10) == round(1.6 * 10**0.56) and emb_sz_rule(10**7) == 600
