"""`vivace clean MODEL FOLDER`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["clean"]


def clean(
    model: Annotated[Path, typer.Argument(help="An exported model, or the folder of a run that holds one.")],
    folder: Annotated[Path, typer.Argument(help="Holds a folder of images per class.")],
    port: Annotated[int, typer.Option(help="Of this machine; 0: any that is free.")] = 0,
    page_size: Annotated[int, typer.Option(help="Pictures shown at once.", min=1)] = 30,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Look through images, those with the most doubtful class first; mark, move or remove them on a local page."""
    from vivace.app.cleaning.run import run_clean

    run_clean(model, folder, port=port, page_size=page_size, open_browser=browser, say=typer.echo)
