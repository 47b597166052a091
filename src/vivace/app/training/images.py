"""What the tasks on pictures share: samples found, loaders that resize and augment, figures of the validation set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from .settings import Option, TrainSettings
from .task import Task

__all__ = ["IMAGE_OPTIONS", "ImageTask", "Sample", "file_of", "standard_drawings", "target_of"]

IMAGE_OPTIONS: frozenset[Option] = frozenset({"arch", "size", "pretrained", "flip"})


class Sample(NamedTuple):
    """A picture and what is to be learned of it: a label, several, numbers, or the file of a mask."""

    file: Path
    target: Any


def file_of(sample: Sample) -> Path:
    """Return the picture's file."""
    return sample.file


def target_of(sample: Sample) -> Any:
    """Return what is to be learned."""
    return sample.target


class ImageTask(Task):
    """A task on pictures. A subclass finds `samples`, and the numbers of those that validate if that is given."""

    noun: ClassVar[str] = "images"
    options: ClassVar[frozenset[Option]] = IMAGE_OPTIONS

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings)
        self.arch = settings.arch or "resnet34"
        self.size = settings.size or 224
        self.samples: Sequence[Sample] = []
        self.valid_indices: Sequence[int] | None = None

    def loaders_of(
        self,
        block: Any,
        resize_method: str,
        num_workers: int | None,
        get_y: Callable[[Sample], Any] = target_of,
    ) -> Any:
        """Return loaders of the samples.

        Args:
            block: the block of the target.
            resize_method: of `Resize`: "crop" or "squish".
            num_workers: threads that read; None: chosen.
            get_y: makes the target of a sample.
        """
        from vivace.vision.all import DataBlock, ImageBlock, IndexSplitter, RandomSplitter, Resize, aug_transforms

        if self.valid_indices is None:
            splitter: Any = RandomSplitter(self.settings.valid_pct, self.settings.seed)
        else:
            splitter = IndexSplitter(self.valid_indices)
        described = DataBlock(
            blocks=(ImageBlock, block),
            splitter=splitter,
            get_x=file_of,
            get_y=get_y,
            item_tfms=Resize(self.size, method=resize_method),
            batch_tfms=aug_transforms(do_flip=self.settings.flip is not False, max_warp=0.1, max_lighting=0.1),
        )
        return described.dataloaders(
            self.samples,
            bs=self.settings.batch_size,
            device=self.settings.device,
            num_workers=num_workers,
            on_error="skip",
        )

    def unreadable(self, dls: Any) -> list[Path]:
        return sorted({dl.items[failure.index].file for dl in dls.loaders for failure in dl.skipped})


def standard_drawings(
    learn: Any, n_results: int = 9, results_size: tuple[float, float] = (7.5, 9)
) -> dict[str, Callable[[], object]]:
    """Return what draws a batch, results on the validation set, and the losses.

    Args:
        learn: the trained Learner.
        n_results: how many results are drawn.
        results_size: width and height of that picture in inches.
    """
    return {
        "batch.png": lambda: learn.dls.show_batch(max_n=9),
        "results.png": lambda: learn.show_results(max_n=n_results, figsize=results_size),
        "losses.png": learn.recorder.plot_loss,
    }
