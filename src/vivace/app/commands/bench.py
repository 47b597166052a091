"""`vivace bench FOLDER`."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["bench"]


def bench(
    folder: Annotated[Path, typer.Argument(help="Holds a folder of images per class, or train/ and valid/ that do.")],
    arch: Annotated[str, typer.Option(help="Network: resnet18 … resnet152, or any name that timm knows.")] = "resnet34",
    size: Annotated[int, typer.Option(help="Side of the square the network sees, in pixels.")] = 224,
    bs: Annotated[int, typer.Option(help="Images in a training step.")] = 64,
    workers: Annotated[int | None, typer.Option(help="Threads that read; one for each core by default.")] = None,
    device: Annotated[str | None, typer.Option(help="Such as cpu, cuda:0, mps; the best by default.")] = None,
    batches: Annotated[int, typer.Option(help="How many batches to measure with.", min=1)] = 8,
    json: Annotated[Path | None, typer.Option(help="Write the figures for programs to this file.")] = None,
) -> None:
    """Say how many images a second each stage of training gets through, which is the limit, and what to change."""
    from vivace.app.training import run
    from vivace.app.training.settings import TrainSettings
    from vivace.core.files import atomic_write

    settings = TrainSettings(
        source=folder,
        out=Path(),
        task="classify",
        arch=arch,
        size=size,
        batch_size=bs,
        device=device,
        pretrained=False,
    )
    report = run.bench(settings, batches, workers, say=typer.echo)
    typer.echo(str(report))
    if json is not None:
        with atomic_write(json, "w") as out:
            json_format.dump(report.to_dict(), out, indent=1)
