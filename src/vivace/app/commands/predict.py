"""`vivace predict MODEL INPUTS… -o TABLE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["predict"]


def predict(
    model: Annotated[Path, typer.Argument(help="An exported model, or the folder of a run that holds one.")],
    inputs: Annotated[list[Path], typer.Argument(help="Images, or folders of them.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The table: .csv or .parquet, printed if not given; a folder for masks."),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Throw away what an unfinished run has done.")] = False,
    bs: Annotated[int | None, typer.Option(help="Images predicted at once; the model's own by default.", min=1)] = None,
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda:0; the best by default.")] = None,
) -> None:
    """Predict with an exported model. A stopped run goes on when the same command is given again."""
    from vivace.app.predicting.run import run_predict

    run_predict(model, inputs, out, restart=restart, batch_size=bs, device=device, say=typer.echo)
