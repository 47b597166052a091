"""`--task regress`: numbers for each picture, from a table of names and numbers."""

from __future__ import annotations

from typing import Any, ClassVar

from vivace.core.errors import DataError

from .image_tables import TABLE_OPTIONS, read_image_table
from .images import IMAGE_OPTIONS, ImageTask, Sample, standard_drawings
from .learners import history_in
from .numbers import number_results, padded_range
from .report import listed
from .settings import Option, TaskName, TrainSettings
from .task import Results

__all__ = ["RegressTask"]


class RegressTask(ImageTask):
    """Pictures with one number or several."""

    name: ClassVar[TaskName] = "regress"
    options: ClassVar[frozenset[Option]] = IMAGE_OPTIONS | TABLE_OPTIONS

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings)
        table = read_image_table(settings)
        self.columns = table.target_columns(settings.targets)
        numbers = table.numbers(self.columns)
        low, high = float(numbers.min()), float(numbers.max())
        if low == high:
            raise DataError(f"{settings.source}: all numbers to learn are {low:g}; there is nothing to tell apart.")
        self.y_range = padded_range(low, high)
        self.samples = [Sample(file, row) for file, row in zip(table.files, numbers.tolist(), strict=True)]

    def summary(self) -> str:
        return f"{len(self.samples):,} images with numbers ({listed(self.columns)})"

    def make_loaders(self, num_workers: int | None = None) -> Any:
        from vivace.vision.all import RegressionBlock

        return self.loaders_of(RegressionBlock(n_out=len(self.columns)), "crop", num_workers)

    def make_learner(self, dls: Any) -> Any:
        from vivace.vision.all import mae, rmse, vision_learner

        return vision_learner(
            dls,
            self.arch,
            n_out=len(self.columns),
            y_range=self.y_range,
            pretrained=self.is_pretrained,
            metrics=[mae, rmse],
            path=self.settings.out,
            cbs=history_in(self.settings),
        )

    def results(self, learn: Any) -> Results:
        found = number_results(learn, self.columns)
        return Results(found.measures, found.n_valid, {**standard_drawings(learn), **found.drawings})
