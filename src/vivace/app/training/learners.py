"""What the learners of all tasks are given."""

from __future__ import annotations

from typing import Any

from .settings import TrainSettings

__all__ = ["history_in"]


def history_in(settings: TrainSettings) -> Any:
    """Return the callback that keeps the epoch table in `history.csv`."""
    from vivace.training.callbacks.logging import CSVLogger

    return CSVLogger(fname=(settings.out / "history.csv").resolve())
