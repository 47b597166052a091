"""A small table with all that tables have: texts, whole and broken numbers, flags, and values that are missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from vivace.data.splits import EndSplitter
from vivace.data.transforms import Normalize
from vivace.tabular.core import TabularPandas
from vivace.tabular.procs import Categorify, FillMissing


@pytest.fixture
def people() -> pd.DataFrame:
    """200 people: `work`, `school` (missing some), `age`, `weight` (missing some), `hours`, target `pay`."""
    rng, n = np.random.default_rng(4), 200
    age, weight = rng.integers(17, 80, n).astype(float), rng.normal(70, 12, n)
    weight[::9] = np.nan
    work = rng.choice(["office", "field", "home"], n).astype(object)
    school = rng.choice(["basic", "middle", "high"], n).astype(object)
    school[5::31] = None
    pay = np.where(age + 8 * (work == "office") + rng.normal(size=n) > 45, "high", "low")
    return pd.DataFrame(
        {"work": work, "school": school, "age": age, "weight": weight, "hours": rng.integers(10, 60, n), "pay": pay}
    )


@pytest.fixture
def columns() -> dict[str, Any]:
    """What the columns of `people` are, as arguments of `TabularPandas` and `TabularDataLoaders`."""
    procs = [Categorify, FillMissing, Normalize]
    numbers = ["age", "weight", "hours"]
    return {"procs": procs, "cat_names": ["work", "school"], "cont_names": numbers, "y_names": "pay"}


@pytest.fixture
def make_table(people: pd.DataFrame, columns: dict[str, Any]) -> Any:
    """A function that makes a table of `people`, the last fifth for validation; any argument can be changed."""

    def make(df: Any = None, **changes: Any) -> TabularPandas:
        df = people if df is None else df
        splits = EndSplitter(valid_pct=0.2)(range(len(df)))
        return TabularPandas(df, **{**columns, "splits": splits, **changes})

    return make
