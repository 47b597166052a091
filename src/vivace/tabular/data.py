"""Loaders over tables: a batch is one indexed read of each of its parts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Self, Unpack

import torch

from vivace.data.columns import as_frame, names_of
from vivace.data.loader import TfmdDL
from vivace.data.loaders import DataLoaders
from vivace.data.options import LoaderOptions, names_unknown_keywords
from vivace.data.splits import IndexSplitter, RandomSplitter
from vivace.data.tables import read_csv

__all__ = ["TabDataLoader", "TabularDataLoaders"]


class TabDataLoader(TfmdDL):
    """A `DataLoader` over a `TabularPandas`: batches are `(codes, numbers, targets)`, read by columns."""

    @property
    def xs(self) -> Any:
        """The frame of the inputs, prepared."""
        return self.dataset.xs

    @property
    def ys(self) -> Any:
        """The frame of the targets, encoded."""
        return self.dataset.ys


class TabularDataLoaders(DataLoaders):
    """Loaders over the rows of a table."""

    @classmethod
    @names_unknown_keywords
    def from_df(
        cls,
        df: Any,
        path: str | os.PathLike[str] = ".",
        procs: Any = None,
        cat_names: Any = None,
        cont_names: Any = None,
        y_names: Any = None,
        y_block: Any = None,
        valid_idx: Iterable[int] | None = None,
        *,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle_train: bool | None = None,
        shuffle: bool = True,
        device: torch.device | str | None = None,
        seed: int | None = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Make loaders from a table.

        Args:
            df: a frame of pandas or polars, or an Arrow table.
            path: where a `Learner` on these loaders writes.
            procs: what prepares the columns, usually `[Categorify, FillMissing, Normalize]`; see `TabularPandas`.
            cat_names: the categorical columns.
            cont_names: the continuous ones; None: all that are neither categorical nor the target.
            y_names: the target, or several.
            y_block: what the target is; None: numbers if it holds numbers, else classes.
            valid_idx: positions of the validation rows; None: a fifth, at random.
            bs: rows in a batch; `val_bs` those of validation (None: the same).
            shuffle_train: another name for `shuffle`.
            shuffle: bring the training rows into a new order in every epoch.
            device: where batches go; None: the default device.
            seed: fixes split and order; None: `set_seed` does.
            options: less common settings, see `LoaderOptions`.

        Raises:
            DataError: a column is missing or cannot be what it is named as.
            ArgumentTypeError: an unknown keyword.
        """
        from .core import TabularPandas  # which names this class as its loaders

        frame = as_frame(df)
        if cont_names is None:
            taken = {*names_of(cat_names), *names_of(y_names)}
            cont_names = [name for name in frame.columns if name not in taken]
        splitter = RandomSplitter(seed=seed) if valid_idx is None else IndexSplitter(valid_idx)
        to = TabularPandas(frame, procs, cat_names, cont_names, y_names, y_block, splits=splitter(range(len(frame))))
        dls = to.dataloaders(bs, shuffle_train, shuffle, path, device, val_bs, seed=seed, **options)
        return cls(*dls.loaders, path=path)

    @classmethod
    @names_unknown_keywords
    def from_csv(
        cls,
        csv: Any,
        skipinitialspace: bool = True,
        *,
        path: str | os.PathLike[str] = ".",
        procs: Any = None,
        cat_names: Any = None,
        cont_names: Any = None,
        y_names: Any = None,
        y_block: Any = None,
        valid_idx: Iterable[int] | None = None,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle_train: bool | None = None,
        shuffle: bool = True,
        device: torch.device | str | None = None,
        seed: int | None = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Make loaders from a CSV file (a path, an address or an open file); all else as `from_df`.

        Args:
            csv: the file.
            skipinitialspace: ignore spaces after the commas.

        Raises:
            DataError: there is no such file, or see `from_df`.
        """
        return cls.from_df(
            read_csv(csv, skipinitialspace=skipinitialspace),
            path,
            procs,
            cat_names,
            cont_names,
            y_names,
            y_block,
            valid_idx,
            bs=bs,
            val_bs=val_bs,
            shuffle_train=shuffle_train,
            shuffle=shuffle,
            device=device,
            seed=seed,
            **options,
        )

    @property
    def cat_names(self) -> Any:
        """The categorical columns, those that say where numbers were missing included."""
        return self.train_ds.cat_names

    @property
    def cont_names(self) -> Any:
        """The continuous columns."""
        return self.train_ds.cont_names

    @property
    def y_names(self) -> Any:
        """The target columns."""
        return self.train_ds.y_names

    @property
    def classes(self) -> dict[Any, Any]:
        """The categories of each categorical column, "#na#" first."""
        return self.train_ds.classes  # type: ignore[no-any-return]

    @property
    def procs(self) -> Any:
        """What prepares the columns."""
        return self.train_ds.procs

    @property
    def items(self) -> Any:
        """The frame of the training rows, prepared."""
        return self.train_ds.items

    @property
    def xs(self) -> Any:
        """The frame of the training rows' inputs, prepared."""
        return self.train_ds.xs

    @property
    def ys(self) -> Any:
        """The frame of the training rows' targets, encoded."""
        return self.train_ds.ys
