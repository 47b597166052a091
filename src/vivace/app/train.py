"""From a folder of images to a trained, saved and explained model: what `vivace train` and `vivace demo` do."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vivace.core.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from vivace.training.stages import StageReport

__all__ = ["ImageFolder", "TrainReport", "TrainSettings", "bench_folder", "check_folder", "free_folder", "train_folder"]

Say = Callable[[str], None]
_SPLIT_NAMES = ("train", "valid")
_PICTURES = ("batch.png", "results.png", "confusion.png", "losses.png")


@dataclass(frozen=True)
class ImageFolder:
    """What a folder of images holds.

    Attributes:
        path: the folder.
        counts: images of each class, by name.
        has_splits: whether the classes are below `train/` and `valid/`.
    """

    path: Path
    counts: dict[str, int]
    has_splits: bool

    @property
    def n_images(self) -> int:
        """Images in all classes together."""
        return sum(self.counts.values())


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """What to train on and how.

    Attributes:
        folder: holds one folder of images per class, or `train/` and `valid/` that do.
        out: where pictures, history and model go.
        arch: name of the network: one of torchvision's ResNets, or any that timm knows.
        epochs: how many times all training images are seen.
        size: side of the square that the network sees, in pixels.
        valid_pct: share of the images put aside to check with, in 0..1; unused if the folder is split already.
        seed: fixes the split, the initial weights, the order and the augmentation.
        device: such as "cpu", "cuda:1" or "mps"; the best there is by default.
        batch_size: images in a training step.
        learning_rate: highest learning rate; None: 5e-3 from scratch, 2e-3 (for the head) from pretrained weights.
        pretrained: start from weights learned on ImageNet and fine-tune them, else from random ones.
        flip: whether a mirrored image is still of its class (false for digits and letters).
    """

    folder: Path
    out: Path
    arch: str = "resnet34"
    epochs: int = 3
    size: int = 224
    valid_pct: float = 0.2
    seed: int = 42
    device: str | None = None
    batch_size: int = 64
    learning_rate: float | None = None
    pretrained: bool = True
    flip: bool = True


@dataclass(frozen=True)
class TrainReport:
    """What came out.

    Attributes:
        accuracy: share of the validation images whose class was predicted rightly, in 0..1.
        n_valid: how many images that was measured on.
        skipped: the images that could not be read.
        model: the exported model, for `load_learner`.
        seconds: time from opening the folder to the last saved file.
    """

    accuracy: float
    n_valid: int
    skipped: list[Path]
    model: Path
    seconds: float


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
    counts = Counter(file.parent.name for file in files)
    if len(counts) < 2:
        only = next(iter(counts))
        raise DataError(
            f"All {len(files)} images of {folder} are of one class ({only}), and a classifier needs two or more. "
            "Put the images of each class into a folder of its own."
        )
    return ImageFolder(folder, dict(sorted(counts.items())), has_splits)


def free_folder(wanted: Path) -> Path:
    """Return `wanted`, or `wanted-2`, `wanted-3`, … if there is something already."""
    folder, number = wanted, 2
    while folder.exists():
        folder, number = wanted.with_name(f"{wanted.name}-{number}"), number + 1
    return folder


def train_folder(settings: TrainSettings, say: Say = print) -> TrainReport:
    """Train a classifier on a folder of images and save it with its pictures and history in `settings.out`.

    Images that cannot be read are left out and named. Files of an earlier run in `settings.out` are replaced.

    Args:
        settings: what to train on and how.
        say: called with each line of text for the person who waits.

    Raises:
        DataError: the folder cannot be trained on; the message says why.
        ArgumentError: a setting has a value that cannot work.
    """
    started = time.perf_counter()
    _check_settings(settings)
    found = check_folder(settings.folder)
    say(f"{settings.folder}: {found.n_images} images of {len(found.counts)} classes ({_listed(found.counts)})")

    import matplotlib as mpl

    mpl.use("Agg")  # pictures go to files; there may be no display

    from vivace.core.randomness import set_seed

    set_seed(settings.seed)
    with _skips_reported_at_the_end():
        dls = _make_loaders(settings, found)
        learn = _make_learner(settings, dls)
        _make_folder(settings.out)
        _fit(settings, learn)
        accuracy, n_valid = _save_pictures(learn, settings.out)
    model = (settings.out / "export.pkl").resolve()
    learn.export(model)
    skipped = sorted({Path(dl.items[failure.index]) for dl in dls.loaders for failure in dl.skipped})
    report = TrainReport(accuracy, n_valid, skipped, settings.out / model.name, time.perf_counter() - started)
    _tell(report, settings.out, say)
    return report


def bench_folder(
    settings: TrainSettings, n_batches: int = 8, n_workers: int | None = None, say: Say = print
) -> StageReport:
    """Measure the stages of what `train_folder` would do with these settings; nothing is written.

    Args:
        settings: what would be trained on and how.
        n_batches: how many batches to measure with.
        n_workers: threads that read; None: one for each core.
        say: called with each line of text for the person who waits.

    Raises:
        DataError, ArgumentError: as for `train_folder`.
    """
    _check_settings(settings)
    found = check_folder(settings.folder)
    say(f"{settings.folder}: {found.n_images} images; {settings.arch} at {settings.size} px")

    from vivace.training.stages import measure_stages
    from vivace.vision.all import vision_learner

    dls = _make_loaders(settings, found, num_workers=n_workers)
    return measure_stages(vision_learner(dls, settings.arch, pretrained=False), n_batches)


def _check_settings(settings: TrainSettings) -> None:
    import torch

    if not 0 < settings.valid_pct < 1:
        raise ArgumentError(
            f"valid-pct is the share of images to check with, between 0 and 1; got {settings.valid_pct}."
        )
    for name, value in (("epochs", settings.epochs), ("size", settings.size), ("bs", settings.batch_size)):
        if value < 1:
            raise ArgumentError(f"{name} must be 1 or more; got {value}.")
    if settings.learning_rate is not None and settings.learning_rate <= 0:
        raise ArgumentError(f"lr must be above 0; got {settings.learning_rate}.")
    if settings.device is not None:
        try:
            torch.empty(1, device=settings.device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).splitlines()[0]
            raise ArgumentError(f"The device {settings.device!r} cannot be used here: {reason}") from error


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"The results cannot go to {out}: {error.strerror}. Choose another --out.") from error


@contextmanager
def _skips_reported_at_the_end() -> Iterator[None]:
    """Silence the loader's warning about left-out images: the report names them once."""
    from vivace.data.loader import DataWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        yield


def _make_loaders(settings: TrainSettings, found: ImageFolder, **options: Any) -> Any:
    from vivace.vision.all import (
        CategoryBlock,
        DataBlock,
        GrandparentSplitter,
        ImageBlock,
        RandomSplitter,
        Resize,
        aug_transforms,
        get_image_files,
        parent_label,
    )

    splitter = (
        GrandparentSplitter(*_SPLIT_NAMES) if found.has_splits else RandomSplitter(settings.valid_pct, settings.seed)
    )
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_items=lambda path: get_image_files(path, folders=list(_SPLIT_NAMES) if found.has_splits else None),
        splitter=splitter,
        get_y=parent_label,
        item_tfms=Resize(settings.size),
        batch_tfms=aug_transforms(do_flip=settings.flip, max_warp=0.1, max_lighting=0.1),
    )
    return block.dataloaders(
        settings.folder, bs=settings.batch_size, device=settings.device, on_error="skip", **options
    )


def _make_learner(settings: TrainSettings, dls: Any) -> Any:
    from vivace.vision.all import CSVLogger, accuracy, vision_learner

    history = CSVLogger(fname=(settings.out / "history.csv").resolve())
    return vision_learner(
        dls, settings.arch, pretrained=settings.pretrained, metrics=accuracy, path=settings.out, cbs=history
    )


def _fit(settings: TrainSettings, learn: Any) -> None:
    if settings.pretrained:
        learn.fine_tune(settings.epochs, settings.learning_rate or 2e-3)
    else:
        learn.fit_one_cycle(settings.epochs, settings.learning_rate or 5e-3)


def _save_pictures(learn: Any, out: Path) -> tuple[float, int]:
    """Save what the model saw, said and confused; return its accuracy and on how many images."""
    import matplotlib.pyplot as plt

    from vivace.vision.all import ClassificationInterpretation

    with learn.no_bar():
        interpretation = ClassificationInterpretation.from_learner(learn)
        confusion = interpretation.confusion_matrix()
        side = min(max(5, len(confusion) * 0.6), 20)
        draw: dict[str, Callable[[], Any]] = {
            "batch.png": lambda: learn.dls.show_batch(max_n=9),
            "results.png": lambda: learn.show_results(max_n=9, figsize=(7.5, 9)),
            "confusion.png": lambda: interpretation.plot_confusion_matrix(figsize=(side, side)),
            "losses.png": learn.recorder.plot_loss,
        }
        for name in _PICTURES:
            plt.close("all")
            draw[name]()
            _save_figure(out / name)
        plt.close("all")
    return float(confusion.trace() / confusion.sum()), int(confusion.sum())


def _save_figure(file: Path) -> None:
    import matplotlib.pyplot as plt

    from vivace.core.files import atomic_write

    with atomic_write(file) as unfinished:
        plt.gcf().savefig(unfinished, format="png", dpi=100, bbox_inches="tight")


def _tell(report: TrainReport, out: Path, say: Say) -> None:
    say(f"accuracy {report.accuracy:.2%} on {report.n_valid} validation images")
    if report.skipped:
        say(f"left out, could not be read ({len(report.skipped)}):")
        for file in report.skipped:
            say(f"  {file}")
    say(f"saved in {out}: {', '.join(_PICTURES)}, history.csv, {report.model.name} ({report.seconds:.0f} s)")


def _listed(counts: dict[str, int]) -> str:
    names = [f"{name} {count}" for name, count in counts.items()]
    return ", ".join(names if len(names) <= 12 else [*names[:10], f"and {len(names) - 10} more"])
