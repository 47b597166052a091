"""How long a large table takes to be prepared, and an epoch of its batches.

python benchmarks/tables.py [rows]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from vivace.data.splits import RandomSplitter
from vivace.data.transforms import Normalize
from vivace.tabular.core import TabularPandas
from vivace.tabular.procs import Categorify, FillMissing

N_ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000


def timed(what: str, work: Callable[[], Any]) -> Any:
    """Do `work`, say how long it took, and return its result."""
    start = time.perf_counter()
    result = work()
    print(f"{what:<40} {time.perf_counter() - start:6.2f} s")
    return result


rng = np.random.default_rng(0)
cats = {f"c{i}": rng.integers(0, (5, 50, 500, 5000, 20)[i % 5], N_ROWS).astype(str) for i in range(10)}
conts = {f"x{i}": rng.normal(size=N_ROWS) for i in range(10)}
df = pd.DataFrame({**cats, **conts})
df["x0"] = df["x0"].where(rng.random(N_ROWS) > 0.05)
df["y"] = np.where(df["x1"] > 0, "yes", "no")
print(f"{N_ROWS:,} rows, {len(cats)} columns of texts, {len(conts)} of numbers")
splits = timed("random split", lambda: RandomSplitter(seed=0)(range(N_ROWS)))
procs = [Categorify, FillMissing, Normalize]
to = timed("prepare", lambda: TabularPandas(df, procs, list(cats), list(conts), "y", splits=splits))
dls = to.dataloaders(bs=1024, seed=0)
timed("first batch (columns become tensors)", dls.one_batch)
timed("one epoch of batches", lambda: sum(1 for _ in dls.train))
