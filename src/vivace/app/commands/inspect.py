"""`vivace inspect MODEL`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["inspect"]


def inspect(
    model: Annotated[Path, typer.Argument(help="An exported model, or the folder of a run that holds one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as it is in the file.")] = False,
) -> None:
    """Say what is in an exported model, without loading it."""
    from vivace.inference.bundle import read_manifest
    from vivace.inference.inspect import describe_bundle, find_bundle

    if as_json:
        typer.echo(json.dumps(read_manifest(find_bundle(model)), indent=1))
    else:
        typer.echo(describe_bundle(model))
