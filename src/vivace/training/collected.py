"""Values of batches, joined as they come: one block of memory instead of a small tensor for each batch.

Small tensors that are kept while the loader's threads make pictures lie scattered between those, whose memory can then
not be used for the next batch: interpreting 16,000 photos of 96 pixels took 300 MB more so.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vivace.core.types import plain_tensor

__all__ = ["Collected"]


class Collected:
    """The values of batches: tensors along their first dimension, tuples part by part.

    Args:
        n_expected: how many rows there will be, if that is known.
        dim: the dimension along which tensors are joined.
    """

    def __init__(self, n_expected: int | None = None, dim: int = 0) -> None:
        self.n_expected, self.dim = n_expected or 0, dim
        self._rows: Tensor | None = None
        self._n_rows = 0
        self._members: list[Collected] = []
        self._others: list[Any] = []

    def __bool__(self) -> bool:
        return self._rows is not None or bool(self._members) or bool(self._others)

    def add(self, value: Any) -> None:
        """Keep the values of one more batch."""
        if isinstance(value, (tuple, list)):
            if not self._members:
                self._members = [Collected(self.n_expected, self.dim) for _ in value]
            for member, part in zip(self._members, value, strict=True):
                member.add(part)
        elif isinstance(value, Tensor):
            rows = plain_tensor(value)
            self._add_rows(rows if rows.ndim else rows[None])
        else:
            self._others.append(value)

    def _add_rows(self, rows: Tensor) -> None:
        kept = self._rows
        fits = self.dim == 0 and (kept is None or (kept.shape[1:] == rows.shape[1:] and kept.dtype == rows.dtype))
        if not fits or self._others:
            # another dimension, or rows of another shape, on which `torch.cat` has the last word
            self._others += [rows] if kept is None else [kept[: self._n_rows], rows]
            self._rows = None
            return
        needed = self._n_rows + len(rows)
        if kept is None or needed > len(kept):
            grown = rows.new_empty(max(needed, 2 * self._n_rows, self.n_expected), *rows.shape[1:])
            if kept is not None:
                grown[: self._n_rows] = kept[: self._n_rows]
            kept = self._rows = grown
        kept[self._n_rows : needed] = rows
        self._n_rows = needed

    def joined(self) -> Any:
        """Return all values: a tensor, a tuple of them, or a list of what is neither; None if there are none."""
        if self._members:
            return tuple(member.joined() for member in self._members)
        if self._rows is not None:
            return self._rows if len(self._rows) == self._n_rows else self._rows[: self._n_rows].clone()
        if self._others and isinstance(self._others[0], Tensor):
            return torch.cat(self._others, self.dim)
        return self._others or None
