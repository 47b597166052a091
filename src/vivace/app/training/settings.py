"""What `vivace train` is told: the settings, and which of them cannot work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vivace.core.errors import ArgumentError

__all__ = ["OPTION_NAMES", "Option", "Say", "TaskName", "TrainSettings", "check_settings", "free_folder"]

Say = Callable[[str], None]
TaskName = Literal["classify", "several-labels", "segment", "regress", "tabular", "collab", "text"]
Option = Literal["arch", "size", "pretrained", "flip", "inputs", "targets", "images", "label_delim"]

OPTION_NAMES: dict[Option, str] = {
    "arch": "--arch",
    "size": "--size",
    "pretrained": "--pretrained/--no-pretrained",
    "flip": "--flip/--no-flip",
    "inputs": "--input",
    "targets": "--target",
    "images": "--images",
    "label_delim": "--delim",
}


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """What to train on and how. An option that means nothing to a task is refused by it.

    Attributes:
        source: a folder, or a table (.csv, .tsv or .parquet); what it must hold depends on the task.
        out: where pictures, history and model go.
        task: what to learn, a `TaskName`; None: told by the source.
        epochs: how many times all training samples are seen.
        valid_pct: share of the samples put aside to check with, in 0..1; unused if the source is split already.
        seed: fixes the split, the initial weights, the order and the augmentation.
        device: such as "cpu", "cuda:1" or "mps"; the best there is by default.
        batch_size: samples in a training step.
        learning_rate: the highest; None: the task's own.
        arch: name of the network, one of torchvision's ResNets or any that timm knows; None: resnet34.
        size: side of the square that the network sees, in pixels; None: 224.
        pretrained: start from weights learned on ImageNet and fine-tune them (None: do), else from random ones.
        flip: whether a mirrored image means the same (None: it does; not so for digits and letters).
        inputs: columns of a table to predict from.
        targets: columns of a table to predict.
        images: the folder that file names in a table are relative to; None: found near the table.
        label_delim: what stands between several labels; None: found out.
    """

    source: Path
    out: Path
    task: str | None = None
    epochs: int = 3
    valid_pct: float = 0.2
    seed: int = 42
    device: str | None = None
    batch_size: int = 64
    learning_rate: float | None = None
    arch: str | None = None
    size: int | None = None
    pretrained: bool | None = None
    flip: bool | None = None
    inputs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    images: Path | None = None
    label_delim: str | None = None


def check_settings(settings: TrainSettings, task: TaskName, options: frozenset[Option]) -> None:
    """Refuse values that cannot work, before anything is loaded.

    Args:
        settings: what the person asked for.
        task: what will be trained.
        options: those that mean something to it.

    Raises:
        ArgumentError: a value cannot work, or has no effect on this task.
    """
    import torch

    for name, spelling in OPTION_NAMES.items():
        if name not in options and getattr(settings, name) not in (None, ()):
            raise ArgumentError(f"{spelling} has no effect on --task {task}: leave it out.")
    if not 0 < settings.valid_pct < 1:
        raise ArgumentError(
            f"valid-pct is the share of samples to check with, between 0 and 1; got {settings.valid_pct}."
        )
    for name, value in (("epochs", settings.epochs), ("size", settings.size), ("bs", settings.batch_size)):
        if value is not None and value < 1:
            raise ArgumentError(f"{name} must be 1 or more; got {value}.")
    if settings.learning_rate is not None and settings.learning_rate <= 0:
        raise ArgumentError(f"lr must be above 0; got {settings.learning_rate}.")
    if settings.device is not None:
        try:
            torch.empty(1, device=settings.device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).splitlines()[0]
            raise ArgumentError(f"The device {settings.device!r} cannot be used here: {reason}") from error


def free_folder(wanted: Path) -> Path:
    """Return `wanted`, or `wanted-2`, `wanted-3`, … if there is something already."""
    folder, number = wanted, 2
    while folder.exists():
        folder, number = wanted.with_name(f"{wanted.name}-{number}"), number + 1
    return folder
