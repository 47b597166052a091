"""Loaders of ratings: a table with a user, an item and a rating in each row."""

from __future__ import annotations

import os
from typing import Any, Self, Unpack

import torch

from vivace.core.errors import DataError
from vivace.data.blocks import RegressionBlock
from vivace.data.columns import as_frame, check_columns
from vivace.data.options import LoaderOptions, names_unknown_keywords
from vivace.data.splits import RandomSplitter
from vivace.data.tables import read_csv
from vivace.tabular.core import TabularPandas
from vivace.tabular.data import TabularDataLoaders
from vivace.tabular.procs import Categorify

__all__ = ["CollabDataLoaders", "TabularCollab"]


class TabularCollab(TabularPandas):
    """A table of ratings. A sample is `(numbers of user and item, rating)`; there are no continuous columns."""

    with_cont = False


class CollabDataLoaders(TabularDataLoaders):
    """Loaders of ratings. `classes` has the names of users and items, under the names of their columns."""

    @classmethod
    @names_unknown_keywords
    def from_df(  # type: ignore[override]  # other arguments: the columns of ratings have roles
        cls,
        ratings: Any,
        valid_pct: float = 0.2,
        user_name: Any = None,
        item_name: Any = None,
        rating_name: Any = None,
        seed: int | None = None,
        path: str | os.PathLike[str] = ".",
        *,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: torch.device | str | None = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Make loaders from a table of ratings. Who or what is not among the training rows is "#na#", number 0.

        Args:
            ratings: a frame of pandas or polars, or an Arrow table.
            valid_pct: the fraction of the ratings that validates, chosen at random.
            user_name, item_name, rating_name: the columns; None: the first, the second and the third.
            seed: fixes split and order; None: `set_seed` does.
            path: where a `Learner` on these loaders writes.
            bs: ratings in a batch; `val_bs` those of validation (None: the same).
            shuffle: bring the training rows into a new order in every epoch.
            device: where batches go; None: the default device.
            options: less common settings, see `LoaderOptions`.

        Raises:
            DataError: a column is missing, or the ratings are no numbers.
            ArgumentTypeError: an unknown keyword.
        """
        frame = as_frame(ratings)
        names = [user_name, item_name, rating_name]
        if len(frame.columns) < len(names) and None in names:
            raise DataError(
                f"Ratings have a user, an item and a rating in each row, and this table has the columns "
                f"{', '.join(map(str, frame.columns))} only."
            )
        user, item, rating = (frame.columns[i] if name is None else name for i, name in enumerate(names))
        for role, name in (("user_name", user), ("item_name", item), ("rating_name", rating)):
            check_columns(frame, [name], role)
        splits = RandomSplitter(valid_pct, seed)(range(len(frame)))
        to = TabularCollab(
            frame, [Categorify], [user, item], y_names=[rating], y_block=RegressionBlock(), splits=splits
        )
        dls = to.dataloaders(bs, None, shuffle, path, device, val_bs, seed=seed, **options)
        return cls(*dls.loaders, path=path)

    @classmethod
    @names_unknown_keywords
    def from_csv(  # type: ignore[override]
        cls,
        csv: Any,
        valid_pct: float = 0.2,
        user_name: Any = None,
        item_name: Any = None,
        rating_name: Any = None,
        seed: int | None = None,
        path: str | os.PathLike[str] = ".",
        *,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: torch.device | str | None = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Make loaders from a CSV file of ratings (a path, an address or an open file); all else as `from_df`.

        Raises:
            DataError: there is no such file, or see `from_df`.
        """
        return cls.from_df(
            read_csv(csv),
            valid_pct,
            user_name,
            item_name,
            rating_name,
            seed,
            path,
            bs=bs,
            val_bs=val_bs,
            shuffle=shuffle,
            device=device,
            **options,
        )
