"""`vivace serve MODEL`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["serve"]


def serve(
    model: Annotated[Path, typer.Argument(help="An exported model, or the folder of a run that holds one.")],
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 lets the network in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any that is free.", min=0, max=65535)] = 8000,
    max_batch: Annotated[int, typer.Option(help="Images that go through the model together; 1: singly.", min=1)] = 16,
    max_wait_ms: Annotated[float, typer.Option(help="How long an image waits for others.", min=0)] = 2.0,
    queue: Annotated[int, typer.Option(help="Images that wait at most; more get status 503.", min=1)] = 128,
    timeout: Annotated[float, typer.Option(help="Seconds a request may take; longer ones get 504.")] = 30.0,
    max_mb: Annotated[float, typer.Option(help="Of a request.")] = 20.0,
    max_megapixels: Annotated[float, typer.Option(help="Of an image.")] = 50.0,
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda:0; the best by default.")] = None,
) -> None:
    """Serve an exported model over HTTP, with a page to try it on."""
    from vivace.app.serving.api import ServeLimits
    from vivace.app.serving.run import run_serve

    limits = ServeLimits(max_batch, max_wait_ms, queue, timeout, int(max_mb * 1e6))
    run_serve(model, host, port, limits=limits, max_megapixels=max_megapixels, device=device, say=typer.echo)
