"""`--task several-labels`: any number of labels for each picture, from a table of names and labels."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from vivace.core.errors import DataError

from .image_tables import TABLE_OPTIONS, read_image_table
from .images import IMAGE_OPTIONS, ImageTask, Sample, standard_drawings
from .learners import history_in
from .report import listed
from .settings import Option, TaskName, TrainSettings
from .task import Results

__all__ = ["LABEL_DELIMS", "SeveralLabelsTask", "find_delim"]

LABEL_DELIMS = (";", "|", ",", " ")


def find_delim(labels: list[str]) -> str | None:
    """Return what stands between labels: the first of ; | , space that occurs in one; None if none does."""
    return next((delim for delim in LABEL_DELIMS if any(delim in label.strip() for label in labels)), None)


class SeveralLabelsTask(ImageTask):
    """Pictures of several classes at once, or of none."""

    name: ClassVar[TaskName] = "several-labels"
    options: ClassVar[frozenset[Option]] = IMAGE_OPTIONS | TABLE_OPTIONS | {"label_delim"}

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings)
        table = read_image_table(settings)
        column = table.target_columns(settings.targets, n_most=1)[0]
        texts = table.table[column].fillna("").astype(str).tolist()  # an empty cell is a picture of none of the classes
        delim = settings.label_delim or find_delim(texts) or LABEL_DELIMS[0]
        labels = [[part.strip() for part in text.split(delim) if part.strip()] for text in texts]
        self.counts = dict(sorted(Counter(label for several in labels for label in several).items()))
        if not self.counts:
            raise DataError(f"{settings.source}: the column {column!r} holds no label at all.")
        self.samples = [Sample(file, several) for file, several in zip(table.files, labels, strict=True)]

    def summary(self) -> str:
        return f"{len(self.samples):,} images with {len(self.counts)} labels ({listed(self.counts)})"

    def make_loaders(self, num_workers: int | None = None) -> Any:
        from vivace.vision.all import MultiCategoryBlock

        return self.loaders_of(MultiCategoryBlock(vocab=list(self.counts)), "crop", num_workers)

    def make_learner(self, dls: Any) -> Any:
        from vivace.vision.all import accuracy_multi, vision_learner

        return vision_learner(
            dls,
            self.arch,
            pretrained=self.is_pretrained,
            metrics=accuracy_multi,
            path=self.settings.out,
            cbs=history_in(self.settings),
        )

    def results(self, learn: Any) -> Results:
        import pandas as pd

        _, targets, decided = learn.get_preds(with_decoded=True)
        actual, predicted = targets.bool(), decided.bool()
        n_right, n_actual, n_predicted = (actual & predicted).sum(0), actual.sum(0), predicted.sum(0)
        table = pd.DataFrame({"label": list(learn.dls.vocab), "images": n_actual.tolist()})
        table["precision"] = (n_right / n_predicted).tolist()  # empty where a label was never predicted
        table["recall"] = (n_right / n_actual).tolist()
        table["F1"] = (2 * n_right / (n_actual + n_predicted)).tolist()
        f1 = float(2 * n_right.sum() / (n_actual + n_predicted).sum().clamp(min=1))
        measures = {"F1": f1, "accuracy": float((actual == predicted).float().mean())}
        return Results(measures, len(targets), standard_drawings(learn), {"labels.csv": table})
