"""`--task text`: a label for each text, from a table of texts and labels or a folder of text files per class."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from vivace.app.rows import table_of_predictions
from vivace.app.tables import check_column, filled_column, is_table, read_table
from vivace.core.errors import ArgumentError, DataError
from vivace.data.columns import listed_names

from .classes import classification_results
from .learners import history_in
from .report import listed
from .settings import Option, TaskName, TrainSettings
from .task import Results, Task

__all__ = ["LABEL", "TEXT", "TextTask"]

TEXT, LABEL = "text", "label"  # what the columns of a table of texts are usually called
_SPLIT_NAMES = ("train", "valid")
_HF_LEARNING_RATE = 5e-5  # Devlin et al., 2018 (BERT), section A.3


class TextTask(Task):
    """Texts of one class each: an LSTM from random or pretrained weights, or a model of Hugging Face (`--arch`)."""

    name: ClassVar[TaskName] = "text"
    noun: ClassVar[str] = "texts"
    options: ClassVar[frozenset[Option]] = frozenset({"inputs", "targets", "arch", "pretrained"})
    learning_rate: ClassVar[float] = 1e-2
    learning_rate_pretrained: ClassVar[float] = 2e-2

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings)
        self.label = LABEL
        if is_table(settings.source):
            self.table = read_table(settings.source, as_text=True)
            self.text, self.label = self._find_columns()
            filled_column(self.table, self.text, settings.source)
            labels = filled_column(self.table, self.label, settings.source)
        elif settings.inputs or settings.targets:
            raise ArgumentError("--input and --target name columns of a table, and this source is a folder.")
        else:
            self.files = _find_texts(settings.source)
            labels = [file.parent.name for file in self.files]
        self.counts = dict(sorted(Counter(labels).items()))
        if len(self.counts) < 2:
            raise DataError(
                f"All {len(labels)} texts of {settings.source} are of one class ({next(iter(self.counts))}), and a "
                "classifier needs two or more."
            )

    def _find_columns(self) -> tuple[str, str]:
        settings, names = self.settings, [str(name) for name in self.table.columns]
        if len(settings.inputs) > 1 or len(settings.targets) > 1:
            raise ArgumentError("Texts have one --input column and one --target.")
        by_name = {name.lower(): name for name in names}
        text = (*settings.inputs, by_name.get(TEXT, names[0]))[0]
        check_column(self.table, text, settings.source, "--input")
        others = [name for name in names if name != text]
        if not others:
            raise DataError(
                f"{settings.source} has one column only ({listed_names(self.table.columns)}): which is the label?"
            )
        label = (*settings.targets, by_name.get(LABEL, others[0]))[0]
        return text, check_column(self.table, label, settings.source, "--target")

    @property
    def is_pretrained(self) -> bool:
        """Models of Hugging Face are nothing without their weights; those of the LSTM are for English."""
        return self.settings.pretrained is True or (self.settings.arch is not None and self.settings.pretrained is None)

    def summary(self) -> str:
        return f"{sum(self.counts.values()):,} texts of {len(self.counts)} classes ({listed(self.counts)})"

    def make_loaders(self, num_workers: int | None = None) -> Any:
        from vivace.text.all import TextDataLoaders

        settings = self.settings
        options: dict[str, Any] = {
            "seed": settings.seed,
            "tokenizer": settings.arch,
            "bs": settings.batch_size,
            "device": settings.device,
            "num_workers": num_workers,
        }
        if is_table(settings.source):
            table = self.table[[self.text, self.label]]
            return TextDataLoaders.from_df(
                table, valid_pct=settings.valid_pct, text_col=self.text, label_col=self.label, **options
            )
        has_splits = _has_splits(settings.source)
        return TextDataLoaders.from_folder(
            settings.source, valid_pct=None if has_splits else settings.valid_pct, **options
        )

    def make_learner(self, dls: Any) -> Any:
        from vivace.text.all import AWD_LSTM, accuracy, text_classifier_learner

        return text_classifier_learner(
            dls,
            AWD_LSTM if self.settings.arch is None else self.settings.arch,
            pretrained=self.is_pretrained,
            metrics=accuracy,
            path=self.settings.out,
            cbs=history_in(self.settings),
        )

    def fit(self, learn: Any) -> None:
        if self.settings.arch is None:
            super().fit(learn)
        else:
            learn.unfreeze()
            learn.fit_one_cycle(self.settings.epochs, self.settings.learning_rate or _HF_LEARNING_RATE)

    def results(self, learn: Any) -> Results:
        import pandas as pd

        found = classification_results(learn)
        items = learn.dls.valid_ds.items
        if is_table(self.settings.source):
            rows = self.table.loc[items.index]
        else:
            rows = pd.DataFrame({"file": [str(file) for file in items], self.label: [f.parent.name for f in items]})
        table = table_of_predictions(learn, learn.dls.valid, rows, [self.label])
        drawings = {**found.drawings, "losses.png": learn.recorder.plot_loss}
        return Results(found.measures, found.n_valid, drawings, {"results.csv": table})


def _has_splits(folder: Path) -> bool:
    return all((folder / name).is_dir() for name in _SPLIT_NAMES)


def _find_texts(folder: Path) -> list[Path]:
    from vivace.data.items import get_text_files

    files = get_text_files(folder, folders=list(_SPLIT_NAMES) if _has_splits(folder) else None)
    if not files:
        raise DataError(f"{folder} holds no .txt files. Give the folder that holds one folder of texts per class.")
    return [Path(file) for file in files]
