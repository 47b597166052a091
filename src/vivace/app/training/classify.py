"""`--task classify`: one label for each picture, from a folder per class or a table of names and labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from vivace.app.tables import is_table
from vivace.core.errors import DataError

from .classes import classification_results
from .image_tables import TABLE_OPTIONS, read_image_table
from .images import IMAGE_OPTIONS, ImageTask, Sample, standard_drawings
from .learners import history_in
from .report import listed
from .settings import Option, TaskName, TrainSettings
from .task import Results

__all__ = ["ClassifyTask", "ImageFolder", "check_folder"]

_SPLIT_NAMES = ("train", "valid")


class ImageFolder:
    """The pictures in a folder per class.

    Attributes:
        path: the folder.
        samples: each picture with its class, the name of its folder.
        counts: pictures of each class, by name.
        has_splits: whether the classes are below `train/` and `valid/`.
    """

    def __init__(self, path: Path, samples: list[Sample], has_splits: bool) -> None:
        self.path, self.samples, self.has_splits = path, samples, has_splits
        self.counts = dict(sorted(Counter(sample.target for sample in samples).items()))

    @property
    def valid_indices(self) -> list[int] | None:
        """The numbers of the samples below `valid/`; None without that folder."""
        if not self.has_splits:
            return None
        valid = self.path / _SPLIT_NAMES[1]
        return [number for number, sample in enumerate(self.samples) if sample.file.is_relative_to(valid)]


def check_folder(folder: Path) -> ImageFolder:
    """Look at a folder of images before anything is loaded or trained.

    Raises:
        DataError: there is no such folder, it holds no images, or fewer than two classes.
    """
    from vivace.data.items import get_image_files

    if not folder.exists():
        raise DataError(f"There is no folder {folder}. Give the folder that holds one folder of images per class.")
    if not folder.is_dir():
        raise DataError(f"{folder} is a file. Give the folder that holds one folder of images per class.")
    has_splits = all((folder / name).is_dir() for name in _SPLIT_NAMES)
    files = get_image_files(folder, folders=list(_SPLIT_NAMES) if has_splits else None)
    if not files:
        raise DataError(f"{folder} holds no images. Give the folder that holds one folder of images per class.")
    found = ImageFolder(folder, [Sample(Path(file), file.parent.name) for file in files], has_splits)
    _check_classes(folder, found.counts)
    return found


def _check_classes(source: Path, counts: dict[str, int]) -> None:
    if len(counts) < 2:
        only, n_images = next(iter(counts.items()))
        raise DataError(
            f"All {n_images} images of {source} are of one class ({only}), and a classifier needs two or more. "
            "Put the images of each class into a folder of its own."
        )


class ClassifyTask(ImageTask):
    """Pictures of one class each."""

    name: ClassVar[TaskName] = "classify"
    options: ClassVar[frozenset[Option]] = IMAGE_OPTIONS | TABLE_OPTIONS

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings)
        if is_table(settings.source):
            table = read_image_table(settings)
            column = table.target_columns(settings.targets, n_most=1)[0]
            labels = table.filled(column).astype(str)
            self.samples = [Sample(file, label) for file, label in zip(table.files, labels, strict=True)]
            self.counts = dict(sorted(Counter(labels).items()))
            _check_classes(settings.source, self.counts)
        else:
            found = check_folder(settings.source)
            self.samples, self.counts, self.valid_indices = found.samples, found.counts, found.valid_indices

    def summary(self) -> str:
        return f"{len(self.samples):,} images of {len(self.counts)} classes ({listed(self.counts)})"

    def make_loaders(self, num_workers: int | None = None) -> Any:
        from vivace.vision.all import CategoryBlock

        return self.loaders_of(CategoryBlock, "crop", num_workers)

    def make_learner(self, dls: Any) -> Any:
        from vivace.vision.all import accuracy, vision_learner

        return vision_learner(
            dls,
            self.arch,
            pretrained=self.is_pretrained,
            metrics=accuracy,
            path=self.settings.out,
            cbs=history_in(self.settings),
        )

    def results(self, learn: Any) -> Results:
        found = classification_results(learn)
        return Results(found.measures, found.n_valid, {**standard_drawings(learn), **found.drawings})
