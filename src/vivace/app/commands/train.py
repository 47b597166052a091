"""`vivace train FOLDER`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vivace.core.errors import ArgumentError

__all__ = ["train"]


def train(
    folder: Annotated[Path, typer.Argument(help="Holds a folder of images per class, or train/ and valid/ that do.")],
    arch: Annotated[str, typer.Option(help="Network: resnet18 … resnet152, or any name that timm knows.")] = "resnet34",
    epochs: Annotated[int, typer.Option(help="How many times all training images are seen.")] = 3,
    size: Annotated[int, typer.Option(help="Side of the square the network sees, in pixels.")] = 224,
    valid_pct: Annotated[float, typer.Option(help="Share of the images to check with, in 0..1.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Fixes split, weights, order and augmentation.")] = 42,
    device: Annotated[str | None, typer.Option(help="Such as cpu, cuda:0, mps; the best by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where results go; runs/FOLDER's name by default.")] = None,
    bs: Annotated[int, typer.Option(help="Images in a training step.")] = 64,
    lr: Annotated[float | None, typer.Option(help="Highest learning rate; chosen by default.")] = None,
    pretrained: Annotated[bool, typer.Option(help="Start from weights learned on ImageNet.")] = True,
    flip: Annotated[bool, typer.Option(help="A mirrored image is still of its class.")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the results in --out.")] = False,
) -> None:
    """Train a classifier on a folder of images; save model, pictures and history."""
    from vivace.app.train import TrainSettings, check_folder, free_folder, train_folder

    check_folder(folder)
    if out is None:
        out = free_folder(Path("runs") / folder.resolve().name)
    elif out.exists() and not overwrite and (not out.is_dir() or any(out.iterdir())):
        raise ArgumentError(f"{out} is not empty. Choose another --out, or say --overwrite to replace its results.")
    settings = TrainSettings(
        folder=folder,
        out=out,
        arch=arch,
        epochs=epochs,
        size=size,
        valid_pct=valid_pct,
        seed=seed,
        device=device,
        batch_size=bs,
        learning_rate=lr,
        pretrained=pretrained,
        flip=flip,
    )
    train_folder(settings, say=typer.echo)
