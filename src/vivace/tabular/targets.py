"""The target columns of a table, encoded as a block of `vivace.data.blocks` says, a column at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vivace.core.errors import ArgumentError, DataError
from vivace.data.blocks import CategoryBlock, RegressionBlock, as_block
from vivace.data.category import Categorize, CategoryMap, EncodedMultiCategorize, MultiCategorize, RegressionSetup
from vivace.data.transform import Transform, as_transform

from .columns import classes_of, codes_of, floats_of, labels_of, rows_where

__all__ = ["Target", "target_of"]

_OF_CLASSES = "targets that are classes need y_block=CategoryBlock()"
_KNOWN = (Categorize, MultiCategorize, EncodedMultiCategorize, RegressionSetup)


class Target:
    """The target columns of a table.

    Args:
        names: the columns; none for a table without a target.
        transform: what encodes one target in a `DataBlock`; here it is applied to whole columns.
    """

    def __init__(self, names: Sequence[Any], transform: Transform | None) -> None:
        self.names, self.transform = list(names), transform

    @property
    def vocab(self) -> CategoryMap | None:
        """The classes; None for numbers."""
        return getattr(self.transform, "vocab", None)

    @property
    def kind(self) -> str | None:
        """What the target is: "category", "multi_category", "regression"; None without one."""
        return None if self.transform is None else self.transform.kind

    @property
    def c(self) -> int | None:
        """How many outputs it needs; None without a target."""
        return getattr(self.transform, "c", None) or None

    def setup(self, frame: Any) -> None:
        """Find the classes, or count the numbers, in the training rows."""
        transform = self.transform
        if isinstance(transform, Categorize) and not transform._is_given:
            columns = [frame[name] for name in self.names]
            if len(columns) > 1 or not transform.sort:
                labels = dict.fromkeys(label for column in columns for label in column.dropna().unique().tolist())
                transform.vocab = CategoryMap(labels, sort=transform.sort, add_na=transform.add_na)
            else:
                transform.vocab = classes_of(columns[0], add_na=transform.add_na)
        elif isinstance(transform, MultiCategorize):
            transform.setups(frame[self.names[0]])
        elif isinstance(transform, RegressionSetup) and transform.c is None:
            transform.c = len(self.names)

    def encode(self, frame: Any) -> None:
        """Replace the target columns of `frame` by codes or numbers; missing classes become -1.

        Raises:
            DataError: a label is no known class, or a number is none; the message names column and rows.
        """
        for name in self.names:
            if isinstance(self.transform, Categorize):
                frame[name] = self._codes(frame[name])
            elif not isinstance(self.transform, MultiCategorize):
                frame[name] = floats_of(frame[name], _OF_CLASSES).astype(np.float32)

    def _codes(self, column: Any) -> Any:
        transform = self.transform
        assert isinstance(transform, Categorize) and transform.vocab is not None
        codes = codes_of(transform.vocab, *labels_of(column), unknown=0 if transform.add_na else -1)
        unknown = (codes < 0) & column.notna().to_numpy()
        if unknown.any():
            try:
                transform.vocab.map_objs(column[unknown].iloc[:1])
            except DataError as error:
                raise DataError(f"The column {column.name!r}, {rows_where(column, unknown)}: {error}") from error
        return codes

    def tensor(self, frame: Any) -> Tensor:
        """Return the encoded targets of a table: `(n, n_columns)`, int64 for classes, otherwise float32.

        Raises:
            DataError: one is missing.
        """
        if isinstance(self.transform, MultiCategorize):
            return _one_hot(self.transform, frame[self.names[0]])
        dtype = np.int64 if self.kind == "category" else np.float32
        for name in self.names:
            column = frame[name]
            missing = (column < 0).to_numpy() if self.kind == "category" else column.isna().to_numpy()
            if missing.any():
                raise DataError(
                    f"The target {name!r} is missing in {rows_where(column, missing)}: leave these rows out, "
                    f"df.dropna(subset=[{name!r}])."
                )
        return torch.from_numpy(np.array(frame[self.names].to_numpy(dtype=dtype), order="C"))

    def fits(self, frame: Any) -> bool:
        """Whether a table that is not yet encoded has all of the target, with nothing missing or unknown."""
        if any(name not in frame.columns for name in self.names):
            return False
        columns = frame[self.names].copy()
        try:
            self.encode(columns)
            self.tensor(columns)
        except DataError:
            return False
        return True

    def put(self, frame: Any, values: Tensor) -> None:
        """Write targets, as `tensor` gives them, or predictions of the same kind, into the columns of `frame`."""
        values = values.detach().cpu().reshape(len(frame), -1)
        if isinstance(self.transform, MultiCategorize):
            rows: Any = [self.transform.decodes(row.nonzero().flatten()) for row in values]
            frame[self.names[0]] = np.fromiter(rows, dtype=object, count=len(frame))
            return
        for name, column in zip(self.names, values.unbind(1), strict=True):
            frame[name] = column.numpy()

    def decode(self, frame: Any) -> None:
        """Undo `encode`."""
        import pandas as pd

        for name in self.names:
            if name not in frame.columns:
                continue
            if isinstance(self.transform, Categorize):
                codes = frame[name].to_numpy(dtype=np.int64)
                frame[name] = pd.Index([*self.transform._known(), None]).take(np.where(codes < 0, self.c or 0, codes))
            elif isinstance(self.transform, EncodedMultiCategorize):
                frame[name] = frame[name].to_numpy() > 0

    def decode_one(self, prediction: Any) -> Any:
        """Return the prediction for one row as people read it: a label, a list of labels, a number, numbers."""
        if self.transform is None or not isinstance(prediction, Tensor):
            return prediction
        if self.kind == "category" and prediction.ndim:
            prediction = prediction.argmax() if prediction.numel() > 1 else prediction.reshape(())
        elif isinstance(self.transform, MultiCategorize):
            prediction = prediction.nonzero().flatten()
        elif self.kind == "regression" and prediction.numel() == 1:
            prediction = prediction.reshape(())
        return self.transform.decode(prediction)


def _one_hot(transform: MultiCategorize, column: Any) -> Tensor:
    out = torch.zeros(len(column), transform.c)
    for row, labels in enumerate(column):
        out[row, transform.encodes(labels)] = 1.0
    return out


def target_of(frame: Any, names: Sequence[Any], block: Any = None) -> Target:
    """Return what the target columns are: as `block` says, or else classes, or numbers where all columns hold numbers.

    Raises:
        ArgumentError: the block makes no target that a table can hold.
    """
    import pandas as pd

    if not names:
        return Target([], None)
    if block is None:
        is_number = [
            pd.api.types.is_numeric_dtype(frame[name].dtype) and not pd.api.types.is_bool_dtype(frame[name].dtype)
            for name in names
        ]
        block = RegressionBlock(n_out=len(names)) if all(is_number) else CategoryBlock()
    made = as_block(block)
    transform = as_transform(made.type_tfms[0]) if made.type_tfms else None
    if not isinstance(transform, _KNOWN):
        raise ArgumentError(
            f"The target of a table is a CategoryBlock, MultiCategoryBlock or RegressionBlock, got {made!r}."
        )
    if isinstance(transform, MultiCategorize) and len(names) > 1:
        raise ArgumentError(
            "MultiCategoryBlock takes one column, of lists of labels. Columns of 0 and 1, one for each label, need "
            "MultiCategoryBlock(encoded=True, vocab=y_names)."
        )
    return Target(names, transform)
