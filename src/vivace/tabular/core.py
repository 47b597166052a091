"""`TabularPandas`: a table that is prepared for training, and back; the rules for it are learnt from training rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from vivace.core.collection import L
from vivace.core.errors import BundleError, DataError
from vivace.data.columns import as_frame, check_columns, names_of
from vivace.data.loader import DataLoader
from vivace.data.loaders import DataLoaders
from vivace.data.portable import PortableInputs
from vivace.data.showing import show_frame
from vivace.data.subsets import Subsets
from vivace.data.transform import Pipeline, Transform

from .columns import floats_of
from .data import TabDataLoader, TabularDataLoaders
from .procs import Categorify, FillMissing, NormalizeColumns, TabularProc, as_procs
from .reading import ReadTabBatch
from .targets import Target, target_of

__all__ = ["TabularPandas"]


class TabularPandas(Subsets, PortableInputs):
    """A table whose columns are prepared by `procs`, in the order of its splits (training rows first).

    `items` is the prepared frame; `train` and `valid` are the same for their rows. The frame that was given stays as it
    is. A sample, `to[3]`, is `(codes of categories, numbers, targets)`; `to["age"]` is a column.

    Args:
        df: a frame of pandas or polars, or an Arrow table.
        procs: what prepares the columns: `Categorify`, `FillMissing`, `Normalize`, or a `TabularProc` of your own.
        cat_names: the categorical columns.
        cont_names: the continuous ones.
        y_names: the target, or several.
        y_block: what the target is: `CategoryBlock()`, `RegressionBlock()`, `MultiCategoryBlock(...)`; None: numbers if
            all target columns hold numbers, else classes.
        splits: positions of the training rows, the validation rows, …; None: all train.
        do_setup: learn from the training rows and prepare all; False: `setup` and `process` do it later.
        device: where the loaders put batches; None: the default device.
        inplace: write the prepared columns into `df` itself (a pandas frame, and no splits), to save memory.
        reduce_memory: keep prepared numbers as float32 instead of float64.

    Raises:
        DataError: a column is missing or cannot be what it is named as, or `splits` names a row that is not there.
    """

    with_cont: bool = True  # whether samples have a part of numbers; a subclass for codes alone says False
    item_tfms = ()  # samples are tensors already
    dl_type: type[DataLoader] | None = TabDataLoader
    dls_type: type[DataLoaders] = TabularDataLoaders

    def __init__(
        self,
        df: Any,
        procs: Any = None,
        cat_names: Any = None,
        cont_names: Any = None,
        y_names: Any = None,
        y_block: Any = None,
        splits: Sequence[Sequence[int]] | None = None,
        do_setup: bool = True,
        device: torch.device | str | None = None,
        inplace: bool = False,
        reduce_memory: bool = True,
    ) -> None:
        frame = as_frame(df)
        self.cat_names: L[Any] = L(names_of(cat_names))
        self.cont_names: L[Any] = L(names_of(cont_names))
        check_columns(frame, self.cat_names, "in cat_names")
        check_columns(frame, self.cont_names, "in cont_names")
        check_columns(frame, names_of(y_names), "in y_names")
        self._check_roles(names_of(y_names))
        self.procs = Pipeline(as_procs(procs))
        self.target = target_of(frame, names_of(y_names), y_block)
        self.device = device
        self.inplace, self.reduce_memory = inplace, reduce_memory
        self.items, self.splits = _in_order(frame, splits, inplace)
        self._arrays: tuple[Any, tuple[Tensor, ...]] | None = None  # the columns of `items`, when one row was asked for
        if do_setup:
            self.setup()

    def _check_roles(self, y_names: Sequence[Any]) -> None:
        for name in self.x_names:
            if name in y_names:
                raise DataError(f"The column {name!r} is the target and an input: the model would see the answer.")
            if name in self.cat_names and name in self.cont_names:
                raise DataError(f"The column {name!r} is in cat_names and in cont_names: it can be one of them.")

    # ------------------------------------------------------------------ preparing
    def setup(self) -> None:
        """Let each step learn from the training rows, and prepare all rows."""
        if not len(self.items if self.splits is None else self.splits[0]):
            raise DataError("There are no training rows to learn from: the table, or its first split, is empty.")
        self._to_numbers()
        for proc in self.procs:
            if isinstance(proc, TabularProc):
                proc.prepare(self)
            else:
                proc.setup(self, True)
                proc(self)
        self.target.setup(self.train.items)
        self._finish()

    def process(self) -> None:
        """Prepare the rows as training was; for a table from `new`. Columns of the target may be missing."""
        check_columns(self.items, self._raw_names(), "needed by the model")
        self._to_numbers()
        for proc in self.procs:
            proc(self)
        self._finish()

    def _raw_names(self) -> list[Any]:
        """The input columns that a new table must have: those that no step adds."""
        added = {f"{name}_na" for p in self.procs if isinstance(p, FillMissing) and p.add_col for name in p.missing}
        return [name for name in self.x_names if name not in added or name in self.items.columns]

    def _to_numbers(self) -> None:
        for name in self.cont_names:
            column = self.items[name]
            numbers = floats_of(column)
            if column.dtype != numbers.dtype:
                self.items[name] = numbers

    def _finish(self) -> None:
        if self.has_targets:
            self.target.encode(self.items)
        if self.reduce_memory:
            for name in self.cont_names:
                self.items[name] = self.items[name].astype(np.float32)

    def decode(self) -> Self:
        """Return the table with the values that people read: names of categories and numbers in their own units."""
        table = self._with(self.items.copy())
        for proc in reversed(self.procs):
            proc.decode(table)
        table.target.decode(table.items)
        return table

    def decode_row(self, row: Any) -> Any:
        """Return a prepared row (a Series) with the values that people read."""
        return self._with(as_frame(row)).decode().items.iloc[0]

    def transform(self, cols: Any, f: Callable[..., Any], all_col: bool = True) -> None:
        """Change columns by a function of a column; with `all_col=False` those that are not there are passed over."""
        for name in names_of(cols):
            if all_col or name in self.items.columns:
                self.items[name] = f(self.items[name])

    # ------------------------------------------------------------------ other rows, same rules
    def _with(self, items: Any, splits: L[Any] | None = None) -> Self:
        """The same rules over a frame that is prepared already, or will be by `process`."""
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__)
        new.cat_names, new.cont_names = L(list(self.cat_names)), L(list(self.cont_names))
        new.items, new.splits, new._arrays = items, splits, None
        return new

    def new(self, df: Any, inplace: bool = False) -> Self:
        """Return a table of new rows, not yet prepared: call its `process`."""
        frame = as_frame(df)
        return self._with(frame if inplace else frame.copy())

    def new_empty(self) -> Self:
        """Return the same without rows."""
        return self._with(self.items.iloc[:0].copy())

    def new_items(self, items: Any, with_labels: bool = False, rm_tfms: int = 0) -> Self:
        """Return new rows, prepared as training was; `test_dl` calls it.

        Args:
            items: a table, or rows.
            with_labels: the target must be there; otherwise it is used where the table has all of it.
            rm_tfms: accepted since all data sets take it.

        Raises:
            DataError: a column is missing.
        """
        new = self.new(items)
        names = self.target.names
        if with_labels:
            check_columns(new.items, names, "the target")
        elif not self.target.fits(new.items):
            new.items = new.items.drop(columns=names, errors="ignore")
        new.process()
        return new

    def copy(self) -> Self:
        """Return a copy with a frame of its own."""
        return self._with(self.items.copy(), self.splits)

    def subset(self, i: int) -> Self:
        """Return the rows of one split; without splits, 0 is all of them and 1 none."""
        if self.splits is None:
            return self._with(self.items if i == 0 else self.items.iloc[:0])
        if not 0 <= i < len(self.splits):
            raise DataError(f"There is no subset {i}: the rows are in {len(self.splits)}.")
        rows = self.splits[i]
        return self._with(self.items.iloc[rows.start : rows.stop])

    def take(self, indices: Sequence[int]) -> Self:
        """Return the rows at these positions."""
        return self._with(self.items.iloc[list(indices)])

    # ------------------------------------------------------------------ looking
    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        """Return a sample by position, or columns by name (a list of them: a frame)."""
        if not isinstance(index, (int, np.integer)) or index in self.items.columns:
            return self.items[index]
        if self._arrays is None or self._arrays[0] is not self.items:
            self._arrays = self.items, self.as_columns()
        return tuple(part[int(index)] for part in self._arrays[1])

    def __setitem__(self, name: Any, values: Any) -> None:
        self.items[name] = values

    @property
    def has_targets(self) -> bool:
        """Whether the rows have all columns of the target; new rows may have none."""
        return all(name in self.items.columns for name in self.target.names)

    @property
    def iloc(self) -> _Rows:
        """Rows by position, as a table: `to.iloc[:10]`."""
        return _Rows(self)

    @property
    def loc(self) -> Any:
        """What the frame's `loc` gives."""
        return self.items.loc

    @property
    def split(self) -> int:
        """How many rows train: they come first."""
        return len(self) if self.splits is None else len(self.splits[0])

    @property
    def y_names(self) -> L[Any]:
        """The target columns."""
        return L(self.target.names)

    @property
    def x_names(self) -> L[Any]:
        """The input columns: categories, then numbers."""
        return L([*self.cat_names, *self.cont_names])

    @property
    def all_col_names(self) -> L[Any]:
        """Input columns and those of the target that the table has."""
        return L([*self.x_names, *(name for name in self.target.names if name in self.items.columns)])

    @property
    def all_cols(self) -> Any:
        """The frame of all columns that are used."""
        return self.items[list(self.all_col_names)]

    @all_cols.setter
    def all_cols(self, values: Any) -> None:
        self.items[list(self.all_col_names)] = values

    @property
    def xs(self) -> Any:
        """The frame of the inputs."""
        return self.items[list(self.x_names)]

    @xs.setter
    def xs(self, values: Any) -> None:
        self.items[list(self.x_names)] = values

    @property
    def cats(self) -> Any:
        """The frame of the categories."""
        return self.items[list(self.cat_names)]

    @cats.setter
    def cats(self, values: Any) -> None:
        self.items[list(self.cat_names)] = values

    @property
    def conts(self) -> Any:
        """The frame of the numbers."""
        return self.items[list(self.cont_names)]

    @conts.setter
    def conts(self, values: Any) -> None:
        self.items[list(self.cont_names)] = values

    @property
    def ys(self) -> Any:
        """The frame of the targets."""
        return self.items[self.target.names]

    @ys.setter
    def ys(self, values: Any) -> None:
        self.items[self.target.names] = values

    targ = ys

    @property
    def y(self) -> Any:
        """The first target, as a Series."""
        if not self.target.names:
            raise DataError("This table has no target: give y_names.")
        return self.items[self.target.names[0]]

    @property
    def classes(self) -> dict[Any, Any]:
        """The categories of each categorical column, "#na#" first."""
        return next((p.classes for p in self.procs if isinstance(p, Categorify)), {})

    @property
    def na_dict(self) -> dict[Any, float]:
        """What fills the missing numbers of each column that lacked some in training."""
        return next((p.na_dict for p in self.procs if isinstance(p, FillMissing)), {})

    @property
    def means(self) -> dict[Any, float]:
        """The mean of each continuous column."""
        return next((p.means for p in self.procs if isinstance(p, NormalizeColumns)), {})

    @property
    def stds(self) -> dict[Any, float]:
        """The deviation of each continuous column."""
        return next((p.stds for p in self.procs if isinstance(p, NormalizeColumns)), {})

    @property
    def vocab(self) -> Any:
        """The classes of the target; None for numbers."""
        return self.target.vocab

    @property
    def c(self) -> int | None:
        """How many outputs the target needs."""
        return self.target.c

    @property
    def kind(self) -> str | None:
        """What the target is: "category", "multi_category", "regression" or None."""
        return self.target.kind

    @property
    def n_inp(self) -> int:
        """How many parts of a sample go into the model."""
        return 2 if self.with_cont else 1

    # ------------------------------------------------------------------ batches
    def as_columns(self) -> tuple[Tensor, ...]:
        """Return all rows as tensors: codes `(n, n_cat)` int64, numbers `(n, n_cont)` float32, targets `(n, n_y)`."""
        return ReadTabBatch(self).encodes(self)

    def decode_table(self, batch: Sequence[Tensor]) -> Any:
        """Return a batch as a frame that people can read."""
        return ReadTabBatch(self).decodes(batch).decode().all_cols

    def decode_target(self, prediction: Any, batch: Any = None) -> Any:
        """Return a prediction for one row as people read it."""
        return self.target.decode_one(prediction)

    def show(self, max_n: int = 10) -> None:
        """Show the first rows as a table, decoded."""
        show_frame(self.iloc[:max_n].decode().all_cols)

    def to_device(self, d: torch.device | str | None = None) -> Self:
        """Let loaders over this table put batches on `d`."""
        self.device = d
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} rows: {', '.join(map(str, self.all_col_names))})"

    # ------------------------------------------------------------------ in an exported model
    def config(self) -> dict[str, Any]:
        """Return what is needed to prepare new rows alike.

        Raises:
            BundleError: categories are neither texts nor numbers, so that no file can hold them.
        """
        for name, classes in self.classes.items():
            odd = [label for label in classes if not isinstance(label, (str, int, float, bool))]
            if odd:
                raise BundleError(
                    f"The column {name!r} has categories of the type {type(odd[0]).__name__}, which a file cannot "
                    f"hold: make texts of them before training, df[{name!r}] = df[{name!r}].astype(str)."
                )
        return {
            "procs": list(self.procs),
            "cat_names": list(self.cat_names),
            "cont_names": list(self.cont_names),
            "y_names": list(self.target.names),
            "target": self.target.transform,
            "reduce_memory": self.reduce_memory,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return an empty table with these rules."""
        import pandas as pd

        if not all(isinstance(p, Transform) for p in [*config["procs"], *filter(None, [config["target"]])]):
            raise TypeError("procs and target must be transforms")
        names = [*config["cat_names"], *config["cont_names"], *config["y_names"]]
        made = cls(
            pd.DataFrame(columns=names),
            list(config["procs"]),
            config["cat_names"],
            config["cont_names"],
            do_setup=False,
            reduce_memory=bool(config["reduce_memory"]),
        )
        made.target = Target(config["y_names"], config["target"])
        return made

    def empty_loaders(self, *, bs: int, after_item: Any = None, after_batch: Any = None) -> DataLoaders:
        """Return loaders over no rows, to prepare new ones with."""
        make = self.dl_type or TabDataLoader
        empty = self.new_empty()
        settings = {"bs": bs, "after_item": after_item, "after_batch": after_batch, "split_idx": 1}
        return self.dls_type(*(make(empty, **settings) for _ in range(2)))


class _Rows:
    """Rows of a table by position."""

    def __init__(self, table: TabularPandas) -> None:
        self.table = table

    def __getitem__(self, index: Any) -> TabularPandas:
        rows = [index] if isinstance(index, (int, np.integer)) else index
        return self.table._with(self.table.items.iloc[rows])


def _in_order(frame: Any, splits: Sequence[Sequence[int]] | None, inplace: bool) -> tuple[Any, L[range] | None]:
    """The rows of the splits, one split after the other, as a new frame; and where each split lies in it."""
    if splits is None:
        return (frame if inplace else frame.copy()), None
    positions = [np.asarray(list(split), dtype=np.int64) for split in splits]
    order = np.concatenate(positions)
    outside = order[(order < -len(frame)) | (order >= len(frame))]
    if len(outside):
        raise DataError(
            f"The split names row {outside[0]}, but there are {len(frame)} rows. Splits hold positions, not labels of "
            "the index."
        )
    ends = np.cumsum([len(split) for split in positions]).tolist()
    bounds = [range(end - len(split), end) for end, split in zip(ends, positions, strict=True)]
    return frame.iloc[order], L(bounds, use_list=True)
