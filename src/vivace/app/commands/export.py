"""`vivace export MODEL --onnx`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vivace.core.errors import ArgumentError

__all__ = ["export"]


def export(
    model: Annotated[Path, typer.Argument(help="An exported model, or the folder of a run that holds one.")],
    onnx: Annotated[bool, typer.Option("--onnx", help="Write an ONNX file.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file; MODEL.onnx by default.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Images, or a folder of them, to compare the file with the model on.")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="Largest difference of a probability that passes.")] = 1e-3,
    limit: Annotated[int, typer.Option(help="Compare so many images at most.", min=1)] = 200,
) -> None:
    """Write an exported model in another format. With --check it fails if that predicts something else."""
    from vivace.app.exporting import run_export_onnx

    if not onnx:
        raise ArgumentError("Say into which format: --onnx.")
    run_export_onnx(model, out, check, tolerance=tolerance, limit=limit, say=typer.echo)
