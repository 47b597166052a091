"""`--task tabular`: one column of a table from the others."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from vivace.app.tables import check_column, filled_column, read_table
from vivace.core.errors import ArgumentError, DataError
from vivace.data.columns import listed_names

from .classes import classification_results
from .learners import history_in
from .numbers import number_results, padded_range
from .report import listed
from .settings import Option, TaskName, TrainSettings
from .task import Results, Task

__all__ = ["TabularTask", "is_number"]

_MAX_CLASSES = 20  # whole numbers with more values than this are numbers, with fewer they are classes
_MAX_IMPORTANCE_ROWS = 10_000


def is_number(column: Any) -> bool:
    """Whether a target column is a number to come near, not a class to hit: floats, or more than 20 whole numbers."""
    kind = column.dtype.kind
    return kind == "f" or (kind in "iu" and column.nunique() > _MAX_CLASSES)


class TabularTask(Task):
    """A class or a number for each row of a table."""

    name: ClassVar[TaskName] = "tabular"
    options: ClassVar[frozenset[Option]] = frozenset({"inputs", "targets"})
    learning_rate: ClassVar[float] = 1e-2

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings)
        self.table = read_table(settings.source)
        self.target = self._find_target()
        column = filled_column(self.table, self.target, settings.source)
        self.kind: Literal["number", "class"] = "number" if is_number(column) else "class"
        if column.nunique() < 2:
            raise DataError(f"{settings.source}: the column {self.target!r} is {column.iloc[0]!r} in all rows.")
        self.n_classes = column.nunique()
        self.y_range = padded_range(float(column.min()), float(column.max())) if self.kind == "number" else None
        self.left_out: list[str] = []
        self.cat_names, self.cont_names = self._find_inputs()

    def _find_target(self) -> str:
        settings = self.settings
        if len(settings.targets) != 1:
            given = f"{len(settings.targets)} were given" if settings.targets else "none was given"
            raise ArgumentError(
                f"--task tabular predicts one column, and {given}: --target COLUMN. {settings.source} has "
                f"{listed_names(self.table.columns)}."
            )
        return check_column(self.table, settings.targets[0], settings.source, "--target")

    def _find_inputs(self) -> tuple[list[str], list[str]]:
        """The categorical and the continuous columns; texts that differ in each row tell nothing and are left out."""
        from vivace.tabular.frames import cont_cat_split

        settings, table = self.settings, self.table
        if settings.inputs:
            names = [check_column(table, name, settings.source, "--input") for name in settings.inputs]
            if self.target in names:
                raise ArgumentError(f"The column {self.target!r} is to be predicted: it cannot be an --input, too.")
        else:
            names = [name for name in table.columns if name != self.target]
            self.left_out = [n for n in names if table[n].dtype.kind not in "fiub" and table[n].nunique() == len(table)]
            names = [name for name in names if name not in self.left_out and table[name].notna().any()]
        if not names:
            raise DataError(f"{settings.source} has no column to predict {self.target!r} from.")
        continuous, categorical = cont_cat_split(table[[*names, self.target]], dep_var=self.target)
        return list(categorical), list(continuous)

    def summary(self) -> str:
        what = f"{self.n_classes} classes" if self.kind == "class" else "a number"
        left_out = f", without {listed(self.left_out)} (differs in each row)" if self.left_out else ""
        return (
            f"{len(self.table):,} rows; {self.target} ({what}) from {len(self.cat_names)} categorical and "
            f"{len(self.cont_names)} continuous columns{left_out}"
        )

    def make_loaders(self, num_workers: int | None = None) -> Any:
        from vivace.tabular.all import (
            Categorify,
            CategoryBlock,
            FillMissing,
            Normalize,
            RandomSplitter,
            RegressionBlock,
            TabularDataLoaders,
        )

        return TabularDataLoaders.from_df(
            self.table,
            procs=[Categorify, FillMissing, Normalize],
            cat_names=self.cat_names,
            cont_names=self.cont_names,
            y_names=self.target,
            y_block=CategoryBlock() if self.kind == "class" else RegressionBlock(),
            valid_idx=RandomSplitter(self.settings.valid_pct, self.settings.seed)(range(len(self.table)))[1],
            bs=self.settings.batch_size,
            device=self.settings.device,
            num_workers=num_workers,
        )

    def make_learner(self, dls: Any) -> Any:
        from vivace.tabular.all import accuracy, mae, rmse, tabular_learner

        return tabular_learner(
            dls,
            y_range=self.y_range,
            metrics=accuracy if self.kind == "class" else [mae, rmse],
            path=self.settings.out,
            cbs=history_in(self.settings),
        )

    def results(self, learn: Any) -> Results:
        from vivace.app.rows import table_of_predictions

        found = classification_results(learn) if self.kind == "class" else number_results(learn, [self.target])
        rows = learn.dls.valid_ds
        sample = learn.dls.valid.new(rows.take(range(min(len(rows), _MAX_IMPORTANCE_ROWS))))
        importance = learn.feature_importance(dl=sample)
        drawings = {**found.drawings, "importance.png": importance.plot, "losses.png": learn.recorder.plot_loss}
        tables = {
            "results.csv": table_of_predictions(learn, learn.dls.valid, self.table.loc[rows.items.index]),
            "importance.csv": importance.table,
        }
        return Results(found.measures, found.n_valid, drawings, tables)
