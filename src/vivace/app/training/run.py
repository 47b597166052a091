"""Train any task, and save what came out: what `vivace train`, `vivace demo` and `vivace bench` do."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vivace.core.errors import ArgumentError

from .choosing import make_task
from .report import TrainReport, save_results, tell
from .settings import Say, TrainSettings
from .task import Task

if TYPE_CHECKING:
    from vivace.training.stages import StageReport

__all__ = ["bench", "train"]


def train(settings: TrainSettings, say: Say = print) -> TrainReport:
    """Train on `settings.source` and save model, history and results in `settings.out`.

    Files that cannot be read are left out and named. Results of an earlier run in `settings.out` are replaced.

    Args:
        settings: what to train on and how.
        say: called with each line of text for the person who waits.

    Raises:
        DataError: the source cannot be trained on; the message says why.
        ArgumentError: a setting has a value that cannot work.
    """
    started = time.perf_counter()
    task = make_task(settings)
    guessed = "" if settings.task is not None else " (--task chooses another)"
    say(f"{settings.source}: {task.summary()}; task {task.name}{guessed}")

    import matplotlib as mpl

    mpl.use("Agg")  # pictures go to files; there may be no display

    from vivace.core.randomness import set_seed

    set_seed(settings.seed)
    with _skips_reported_at_the_end():
        dls = task.make_loaders()
        learn = task.make_learner(dls)
        _make_folder(settings)
        task.fit(learn)
        with learn.no_bar():
            results = task.results(learn)
            saved = save_results(results, settings.out)
    model = (settings.out / "export.pkl").resolve()
    learn.export(model)
    report = TrainReport(
        task=task.name,
        measures=results.measures,
        n_valid=results.n_valid,
        skipped=task.unreadable(dls),
        files=[*saved, "history.csv", model.name],
        model=settings.out / model.name,
        seconds=time.perf_counter() - started,
    )
    tell(report, task.noun, settings.out, say)
    return report


def bench(settings: TrainSettings, n_batches: int = 8, n_workers: int | None = None, say: Say = print) -> StageReport:
    """Measure the stages of what `train` would do with these settings; nothing is written.

    Args:
        settings: what would be trained on and how.
        n_batches: how many batches to measure with.
        n_workers: threads that read; None: one for each core.
        say: called with each line of text for the person who waits.

    Raises:
        DataError, ArgumentError: as for `train`.
    """
    task: Task = make_task(settings)
    say(f"{settings.source}: {task.summary()}; task {task.name}")

    from vivace.training.stages import measure_stages

    return measure_stages(task.make_learner(task.make_loaders(n_workers)), n_batches)


def _make_folder(settings: TrainSettings) -> None:
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(
            f"The results cannot go to {settings.out}: {error.strerror}. Choose another --out."
        ) from error


@contextmanager
def _skips_reported_at_the_end() -> Iterator[None]:
    """Silence the loader's warning about left-out files: the report names them once."""
    from vivace.data.loader import DataWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        yield
