"""Loaders over tables: batches, new rows, and how they are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from vivace.core.errors import ArgumentTypeError, DataError
from vivace.tabular.data import TabularDataLoaders
from vivace.tabular.procs import Categorify, FillMissing


def test_a_batch_is_codes_numbers_targets(make_table: Any) -> None:
    dls = make_table().dataloaders(bs=16)
    cats, conts, target = dls.one_batch()
    assert (cats.dtype, conts.dtype, target.dtype) == (torch.int64, torch.float32, torch.int64)
    assert (cats.shape, conts.shape, target.shape) == ((16, 3), (16, 3), (16, 1))
    assert isinstance(dls, TabularDataLoaders) and dls.n_inp == 2 and dls.c == 2 and dls.kind == "category"


@pytest.mark.parametrize("num_workers", [0, 2])
def test_one_seed_gives_one_order_whatever_the_workers(make_table: Any, num_workers: int) -> None:
    to = make_table()
    first = [b[1] for b in to.dataloaders(bs=32, seed=3).train]
    again = [b[1] for b in to.dataloaders(bs=32, seed=3, num_workers=num_workers).train]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_an_epoch_has_each_row_once(make_table: Any) -> None:
    to = make_table()
    seen = torch.cat([conts for _, conts, _ in to.dataloaders(bs=30, drop_last=False, shuffle=True).train])
    wanted = to.train.as_columns()[1]
    assert sorted(map(tuple, seen.tolist())) == sorted(map(tuple, wanted.tolist()))


def test_csv_and_frame_give_the_same_batches(people: pd.DataFrame, columns: dict[str, Any], tmp_path: Path) -> None:
    people.to_csv(tmp_path / "people.csv", index=False)
    rows = list(range(150, 200))
    a = TabularDataLoaders.from_csv(tmp_path / "people.csv", path=tmp_path, valid_idx=rows, seed=0, **columns)
    b = TabularDataLoaders.from_df(people, path=tmp_path, valid_idx=rows, seed=0, **columns)
    assert a.path == tmp_path and len(a.valid_ds) == 50
    with pytest.raises(DataError, match=r"Did you mean 'people.csv'\? There are people.csv"):
        TabularDataLoaders.from_csv(tmp_path / "peple.csv", **columns)
    assert all(torch.equal(x, y) for x, y in zip(a.one_batch(), b.one_batch(), strict=True))


def test_columns_that_are_nothing_else_are_numbers(people: pd.DataFrame, columns: dict[str, Any]) -> None:
    dls = TabularDataLoaders.from_df(people, **{**columns, "cont_names": None})
    assert list(dls.cont_names) == columns["cont_names"] and len(dls.valid_ds) == 40


def test_an_unknown_keyword_is_named(people: pd.DataFrame, columns: dict[str, Any]) -> None:
    with pytest.raises(ArgumentTypeError, match="shufle"):
        TabularDataLoaders.from_df(people, shufle=True, **columns)


def test_new_rows_have_targets_where_the_table_has_all_of_them(make_table: Any, people: pd.DataFrame) -> None:
    dls = make_table().dataloaders(bs=16)
    assert len(dls.test_dl(people.iloc[:4]).one_batch()) == 3
    assert len(dls.test_dl(people.iloc[:4].drop(columns="pay")).one_batch()) == 2
    assert len(dls.test_dl(people.iloc[:4].assign(pay=["high", None, "low", "low"])).one_batch()) == 2
    assert len(dls.test_dl(people.iloc[:4].assign(pay="a label that is new")).one_batch()) == 2


def test_a_category_never_seen_is_zero(make_table: Any, people: pd.DataFrame) -> None:
    new = people.iloc[:3].assign(work=["office", "moon", None])
    cats = make_table().dataloaders(bs=16).test_dl(new).one_batch()[0]
    assert cats[0, 0] > 0 and cats[1, 0] == cats[2, 0] == 0


def test_rows_can_come_as_dicts_or_polars(make_table: Any, people: pd.DataFrame) -> None:
    pl = pytest.importorskip("polars")
    dls = make_table().dataloaders(bs=16)
    wanted = dls.test_dl(people.iloc[:2]).one_batch()
    for rows in (people.iloc[:2].to_dict("records"), pl.from_pandas(people.iloc[:2])):
        assert all(torch.equal(a, b) for a, b in zip(wanted, dls.test_dl(rows).one_batch(), strict=True))


def test_a_batch_is_shown_as_people_read_it(make_table: Any, capsys: pytest.CaptureFixture[str]) -> None:
    dls = make_table().dataloaders(bs=16)
    dls.show_batch(max_n=4)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and all(name in lines[0] for name in ("work", "weight_na", "age", "pay"))
    assert {"high", "low"} & set(lines[1].split()) and {"office", "field", "home"} & set(lines[1].split())
    age = float(dls.show_batch(max_n=1, show=False).age.iloc[0])
    assert abs(age - round(age)) < 1e-3 and 17 <= age < 80


def test_loaders_over_text_say_what_is_missing(people: pd.DataFrame, columns: dict[str, Any]) -> None:
    dls = TabularDataLoaders.from_df(people, **{**columns, "procs": [FillMissing]})
    with pytest.raises(DataError, match="add Categorify"):
        dls.one_batch()


def test_codes_alone_make_a_sample_of_one_input(people: pd.DataFrame) -> None:
    from vivace.tabular.core import TabularPandas

    class Codes(TabularPandas):
        with_cont = False

    people["age"] = people.age.astype(np.float32)
    cats, target = Codes(people, [Categorify], ["work", "school"], [], "age").dataloaders(bs=8).one_batch()
    assert cats.shape == (8, 2) and target.shape == (8, 1)
