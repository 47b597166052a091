"""`vivace check FOLDER`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["check"]


def check(
    folder: Annotated[Path, typer.Argument(help="Holds images; a folder per class, train/ and valid/, if there are.")],
    html: Annotated[Path | None, typer.Option(help="Write a report with small pictures to this file.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report for programs to this file.")] = None,
    near: Annotated[
        int, typer.Option(help="Bits of 64 in which near duplicates may differ; -1: exact ones only.", min=-1, max=16)
    ] = 6,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
) -> None:
    """Look for what is wrong with a folder of images; nothing is changed.

    Ends with 0 if nothing (or only warnings) was found, 2 if there are errors, 1 if it could not be done.
    """
    from vivace.data.health.sources import check_folder_files

    report = check_folder_files(folder, near)
    typer.echo(str(report))
    if html is not None:
        typer.echo(f"report: {report.to_html(html)}")
    if json is not None:
        report.to_json(json)
    if report.errors or (strict and not report.ok):
        raise typer.Exit(2)
