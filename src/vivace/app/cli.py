"""The `vivace` command: `vivace demo`, `vivace train FOLDER`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from vivace import __version__
from vivace.core.errors import ArgumentError, VivaceError

__all__ = ["app", "main"]

app = typer.Typer(
    name="vivace",
    help="Train, understand and ship deep-learning models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a mistake of the user ends it with one line and exit code 1, not with a traceback."""
    # Read when torch is first imported, later than this. Its threads then sleep while they wait, and leave the cores to
    # the threads that open images (and to other programs): on a busy machine training is several times faster.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        app(args=None if arguments is None else list(arguments), prog_name="vivace")
    except VivaceError as error:
        typer.echo(f"vivace: {' '.join(str(error).split())}", err=True)
        raise SystemExit(1) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vivace {__version__}")
        raise typer.Exit


@app.callback()
def _vivace(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Train, understand and ship deep-learning models."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where the results go (replaced if there).")] = Path("runs/demo"),
    epochs: Annotated[int, typer.Option(help="How many times all digits are seen.")] = 7,
    seed: Annotated[int, typer.Option(help="Fixes split, weights, order and augmentation.")] = 42,
) -> None:
    """Train on handwritten digits that need no download, and save the results."""
    from .demo import run_demo

    run_demo(out, epochs=epochs, seed=seed, say=typer.echo)


@app.command()
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
    from .train import TrainSettings, check_folder, free_folder, train_folder

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
