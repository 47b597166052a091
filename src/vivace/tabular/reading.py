"""From prepared rows of a table to tensors, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from vivace.core.errors import DataError

from .columns import rows_where

if TYPE_CHECKING:
    from .core import TabularPandas

__all__ = ["ReadTabBatch"]


class ReadTabBatch:
    """Turn rows of `to`, prepared, into `(codes, numbers, targets)`, and such tensors into rows."""

    def __init__(self, to: TabularPandas) -> None:
        self.to = to

    def encodes(self, to: TabularPandas) -> tuple[Tensor, ...]:
        """Return codes `(n, n_cat)` int64, numbers `(n, n_cont)` float32 and, where there are some, targets `(n, n_y)`.

        Raises:
            DataError: a column is not prepared: text among the categories, missing values among the numbers.
        """
        parts = [_codes(to.items, to.cat_names)]
        if to.with_cont:
            parts.append(_numbers(to.items, to.cont_names))
        if to.has_targets:
            parts.append(to.target.tensor(to.items))
        return tuple(parts)

    def decodes(self, batch: Sequence[Tensor]) -> TabularPandas:
        """Return the rows that a batch holds; they are still encoded. Without targets, the columns are left out."""
        import pandas as pd

        to, parts = self.to, [part.detach().cpu() for part in batch]
        columns = dict(zip(to.cat_names, parts[0].unbind(1), strict=True))
        if to.with_cont:
            columns |= dict(zip(to.cont_names, parts[1].unbind(1), strict=True))
        frame = pd.DataFrame({name: column.numpy() for name, column in columns.items()}, index=range(len(parts[0])))
        if len(parts) > to.n_inp:
            to.target.put(frame, parts[to.n_inp])
        return to._with(frame)


def _codes(items: Any, names: Sequence[Any]) -> Tensor:
    out = np.empty((len(items), len(names)), dtype=np.int64)
    for position, name in enumerate(names):
        column = items[name]
        if column.dtype.kind not in "iub":
            raise DataError(
                f"The categorical column {name!r} holds {column.dtype}, no codes: add Categorify to the procs."
            )
        out[:, position] = column
    return torch.from_numpy(out)


def _numbers(items: Any, names: Sequence[Any]) -> Tensor:
    out = np.empty((len(items), len(names)), dtype=np.float32)
    for position, name in enumerate(names):
        out[:, position] = items[name]
        bad = ~np.isfinite(out[:, position])
        if bad.any():
            what = "is missing" if np.isnan(out[bad, position]).all() else "is infinite or missing"
            raise DataError(
                f"A number {what} in the column {name!r}, {rows_where(items[name], bad)}: add FillMissing to procs, "
                "or repair these rows."
            )
    return torch.from_numpy(out)
