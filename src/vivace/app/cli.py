"""The `vivace` command. Its subcommands are in `commands/`, a file each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from vivace import __version__
from vivace.core.errors import VivaceError

from .commands.bench import bench
from .commands.check import check
from .commands.clean import clean
from .commands.demo import demo
from .commands.export import export
from .commands.inspect import inspect
from .commands.predict import predict
from .commands.serve import serve
from .commands.train import train

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


app.command()(bench)
app.command()(check)
app.command()(clean)
app.command()(demo)
app.command()(export)
app.command()(inspect)
app.command()(predict)
app.command()(serve)
app.command()(train)
