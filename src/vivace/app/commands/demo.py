"""`vivace demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(help="Where the results go (replaced if there).")] = Path("runs/demo"),
    epochs: Annotated[int, typer.Option(help="How many times all digits are seen.")] = 7,
    seed: Annotated[int, typer.Option(help="Fixes split, weights, order and augmentation.")] = 42,
) -> None:
    """Train on handwritten digits that need no download, and save the results."""
    from vivace.app.demo import run_demo

    run_demo(out, epochs=epochs, seed=seed, say=typer.echo)
