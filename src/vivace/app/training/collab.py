"""`--task collab`: ratings of items by users, from a table with a rating in each row."""

from __future__ import annotations

from typing import Any, ClassVar

from vivace.app.rows import table_of_predictions
from vivace.app.tables import check_column, number_columns, read_table
from vivace.core.errors import ArgumentError, DataError
from vivace.data.columns import listed_names

from .learners import history_in
from .numbers import number_results, padded_range
from .settings import Option, TaskName, TrainSettings
from .task import Results, Task

__all__ = ["CollabTask", "find_rating_columns"]

_USERS, _RATINGS = ("user", "customer", "reader"), ("rating", "score", "stars")
_ITEMS = ("item", "title", "movie", "film", "book", "product")
_N_RECOMMENDED, _MAX_USERS = 10, 1000  # in recommendations.csv


def find_rating_columns(names: list[str]) -> list[str] | None:
    """Return the columns that are called like a user, an item and a rating (`userId` is); None if one is missing."""
    found = [next((n for n in names if n.lower().startswith(words)), None) for words in (_USERS, _ITEMS, _RATINGS)]
    return None if None in found else [name for name in found if name is not None]


class CollabTask(Task):
    """The rating that a user would give an item."""

    name: ClassVar[TaskName] = "collab"
    noun: ClassVar[str] = "ratings"
    options: ClassVar[frozenset[Option]] = frozenset({"inputs", "targets"})

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings)
        self.table = read_table(settings.source)
        self.user, self.item, self.rating = self._find_columns()
        ratings = number_columns(self.table, [self.rating], settings.source)
        self.low, self.high = float(ratings.min()), float(ratings.max())
        if self.low == self.high:
            raise DataError(f"{settings.source}: all ratings are {self.low:g}; there is nothing to learn.")

    def _find_columns(self) -> list[str]:
        settings, names = self.settings, [str(name) for name in self.table.columns]
        if len(settings.inputs) not in (0, 2) or len(settings.targets) > 1:
            raise ArgumentError(
                "Ratings have two --input columns, user and item, and one --target: give them all, or none. "
                f"{settings.source} has {listed_names(self.table.columns)}."
            )
        if len(names) < 3:
            raise DataError(
                f"Ratings need a user, an item and a rating; {settings.source} has "
                f"{listed_names(self.table.columns)} only."
            )
        user, item, rating = find_rating_columns(names) or names[:3]
        inputs = settings.inputs or (user, item)
        target = settings.targets[0] if settings.targets else rating
        return [
            *(check_column(self.table, name, settings.source, "--input") for name in inputs),
            check_column(self.table, target, settings.source, "--target"),
        ]

    def summary(self) -> str:
        n_users, n_items = self.table[self.user].nunique(), self.table[self.item].nunique()
        return (
            f"{len(self.table):,} ratings ({self.rating}, {self.low:g} to {self.high:g}) of {n_items:,} items "
            f"({self.item}) by {n_users:,} users ({self.user})"
        )

    def make_loaders(self, num_workers: int | None = None) -> Any:
        from vivace.collab import CollabDataLoaders

        return CollabDataLoaders.from_df(
            self.table,
            self.settings.valid_pct,
            self.user,
            self.item,
            self.rating,
            self.settings.seed,
            bs=self.settings.batch_size,
            device=self.settings.device,
            num_workers=num_workers,
        )

    def make_learner(self, dls: Any) -> Any:
        from vivace.collab import collab_learner, mae, rmse

        return collab_learner(
            dls,
            y_range=padded_range(self.low, self.high),
            wd=0.1,
            metrics=[mae, rmse],
            path=self.settings.out,
            cbs=history_in(self.settings),
        )

    def results(self, learn: Any) -> Results:
        found = number_results(learn, [self.rating])
        train, valid = (learn.dls.train_ds.ys[self.rating], learn.dls.valid_ds.ys[self.rating])
        baseline = float(((valid - train.mean()) ** 2).mean() ** 0.5)
        measures = {**found.measures, "rmse of the mean rating": baseline}
        tables = {
            "results.csv": table_of_predictions(learn, learn.dls.valid, self.table.loc[learn.dls.valid_ds.items.index]),
            "recommendations.csv": self._recommendations(learn),
        }
        return Results(measures, found.n_valid, {**found.drawings, "losses.png": learn.recorder.plot_loss}, tables)

    def _recommendations(self, learn: Any) -> Any:
        import pandas as pd

        users = list(learn.dls.classes[self.user])[1 : _MAX_USERS + 1]
        rows = [(user, item, rating) for user in users for item, rating in learn.recommend(user, _N_RECOMMENDED)]
        return pd.DataFrame(rows, columns=[self.user, self.item, f"predicted_{self.rating}"])
