"""`vivace train SOURCE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vivace.core.errors import ArgumentError

__all__ = ["train"]


def train(
    source: Annotated[
        Path, typer.Argument(help="A folder (of a folder per class, for instance) or a table (.csv, …).")
    ],
    task: Annotated[
        str | None,
        typer.Option(
            help="classify, several-labels, segment, regress, tabular, collab or text; told by the source by default."
        ),
    ] = None,
    target: Annotated[list[str] | None, typer.Option(help="Column to predict; may be given several times.")] = None,
    input_: Annotated[
        list[str] | None, typer.Option("--input", help="Column to predict from; may be given several times.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the images that a table names; found near it.")] = None,
    delim: Annotated[str | None, typer.Option(help="Stands between several labels; found out by default.")] = None,
    arch: Annotated[
        str | None, typer.Option(help="Network: resnet18 … resnet152, or any that timm knows. [default: resnet34]")
    ] = None,
    epochs: Annotated[int, typer.Option(help="How many times all training samples are seen.")] = 3,
    size: Annotated[
        int | None, typer.Option(help="Side of the square the network sees, in pixels. [default: 224]")
    ] = None,
    valid_pct: Annotated[float, typer.Option(help="Share of the samples to check with, in 0..1.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Fixes split, weights, order and augmentation.")] = 42,
    device: Annotated[str | None, typer.Option(help="Such as cpu, cuda:0, mps; the best by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where results go; runs/SOURCE's name by default.")] = None,
    bs: Annotated[int, typer.Option(help="Samples in a training step.")] = 64,
    lr: Annotated[float | None, typer.Option(help="Highest learning rate; chosen by default.")] = None,
    pretrained: Annotated[
        bool | None,
        typer.Option("--pretrained/--no-pretrained", help="Start from weights learned on ImageNet. [default: do]"),
    ] = None,
    flip: Annotated[
        bool | None, typer.Option("--flip/--no-flip", help="A mirrored image means the same. [default: it does]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the results in --out.")] = False,
) -> None:
    """Train a model on a folder or a table; save model, results and history."""
    from vivace.app.training import run
    from vivace.app.training.settings import TrainSettings, free_folder

    if out is None:
        out = free_folder(Path("runs") / source.resolve().stem)
    elif out.exists() and not overwrite and (not out.is_dir() or any(out.iterdir())):
        raise ArgumentError(f"{out} is not empty. Choose another --out, or say --overwrite to replace its results.")
    settings = TrainSettings(
        source=source,
        out=out,
        task=task,
        epochs=epochs,
        valid_pct=valid_pct,
        seed=seed,
        device=device,
        batch_size=bs,
        learning_rate=lr,
        arch=arch,
        size=size,
        pretrained=pretrained,
        flip=flip,
        inputs=tuple(input_ or ()),
        targets=tuple(target or ()),
        images=images,
        label_delim=delim,
    )
    run.train(settings, say=typer.echo)
