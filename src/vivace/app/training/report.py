"""What a training leaves behind: its figures in words, its pictures and tables in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .settings import Say, TaskName
from .task import Results

__all__ = ["TrainReport", "listed", "save_results", "tell"]


@dataclass(frozen=True)
class TrainReport:
    """What came out of a training.

    Attributes:
        task: what was learned.
        measures: figures on the validation set by name, the main one first.
        n_valid: how many samples they were measured on.
        skipped: the files that could not be read.
        files: names of what was saved.
        model: the exported model, for `load_learner`.
        seconds: time from opening the source to the last saved file.
    """

    task: TaskName
    measures: dict[str, float]
    n_valid: int
    skipped: list[Path]
    files: list[str]
    model: Path
    seconds: float


def save_results(results: Results, out: Path) -> list[str]:
    """Write pictures and tables to the folder `out`, each whole or not at all; return their names."""
    import matplotlib.pyplot as plt

    from vivace.core.files import atomic_write

    for name, draw in results.drawings.items():
        plt.close("all")
        draw()
        with atomic_write(out / name) as unfinished:
            plt.gcf().savefig(unfinished, format="png", dpi=100, bbox_inches="tight")
    plt.close("all")
    for name, table in results.tables.items():
        with atomic_write(out / name) as unfinished:
            table.to_csv(unfinished, index=False)
    return [*results.drawings, *results.tables]


def tell(report: TrainReport, noun: str, out: Path, say: Say) -> None:
    """Say in a few lines what came out."""
    figures = ", ".join(f"{name} {_figure(name, value)}" for name, value in report.measures.items())
    say(f"{figures} on {report.n_valid:,} validation {noun}")
    if report.skipped:
        say(f"left out, could not be read ({len(report.skipped)}):")
        for file in report.skipped:
            say(f"  {file}")
    say(f"saved in {out}: {', '.join(report.files)} ({report.seconds:.0f} s)")


def _figure(name: str, value: float) -> str:
    return f"{value:.2%}" if name.endswith("accuracy") else f"{value:.4g}"


def listed(names: Mapping[Any, int] | Sequence[Any], n_most: int = 12) -> str:
    """Return names, with their counts if there are any, as a list of bearable length."""
    texts = [f"{k} {v}" for k, v in names.items()] if isinstance(names, Mapping) else [str(n) for n in names]
    return ", ".join(texts if len(texts) <= n_most else [*texts[: n_most - 2], f"and {len(texts) - n_most + 2} more"])
