"""The shape that all tasks have: look at the source, make loaders and a learner, fit, and say what came out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from .settings import Option, TaskName, TrainSettings, check_settings

__all__ = ["Results", "Task"]


@dataclass(frozen=True)
class Results:
    """What a trained model does on the validation set.

    Attributes:
        measures: figures by name, the main one first; what ends in "accuracy" is a share.
        n_valid: how many samples they were measured on.
        drawings: file name to what draws it on matplotlib's current figure.
        tables: file name to a pandas data frame.
    """

    measures: dict[str, float]
    n_valid: int
    drawings: dict[str, Callable[[], object]] = field(default_factory=dict)
    tables: dict[str, Any] = field(default_factory=dict)


class Task(ABC):
    """One kind of training. Making one looks at the settings and the source; nothing is loaded or written yet.

    Args:
        settings: what to train on and how.

    Attributes:
        name: what `--task` calls it.
        noun: what its samples are called.
        options: the optional settings that mean something to it.
        learning_rate: the highest, from random weights.
        learning_rate_pretrained: the highest for the head, from pretrained weights.

    Raises:
        ArgumentError: a setting cannot work.
        DataError: the source cannot be trained on.
    """

    name: ClassVar[TaskName]
    noun: ClassVar[str] = "rows"
    options: ClassVar[frozenset[Option]] = frozenset()
    learning_rate: ClassVar[float] = 5e-3
    learning_rate_pretrained: ClassVar[float] = 2e-3

    def __init__(self, settings: TrainSettings) -> None:
        check_settings(settings, self.name, self.options)
        self.settings = settings

    @property
    def is_pretrained(self) -> bool:
        """Whether the network starts from pretrained weights."""
        return "pretrained" in self.options and self.settings.pretrained is not False

    @abstractmethod
    def summary(self) -> str:
        """What the source holds, in a few words."""

    @abstractmethod
    def make_loaders(self, num_workers: int | None = None) -> Any:
        """Return the `DataLoaders`."""

    @abstractmethod
    def make_learner(self, dls: Any) -> Any:
        """Return the `Learner` with its metrics, which writes to `settings.out`."""

    @abstractmethod
    def results(self, learn: Any) -> Results:
        """Return what the trained model does on the validation set."""

    def fit(self, learn: Any) -> None:
        """Train: pretrained weights are fine-tuned, random ones learn in one cycle."""
        epochs, rate = self.settings.epochs, self.settings.learning_rate
        if self.is_pretrained:
            learn.fine_tune(epochs, rate or self.learning_rate_pretrained)
        else:
            learn.fit_one_cycle(epochs, rate or self.learning_rate)

    def unreadable(self, dls: Any) -> list[Path]:
        """The files that were left out because they could not be read."""
        return []
