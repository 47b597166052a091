"""From a model file to a running server."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Callable
from pathlib import Path

from vivace.app.listening import listen
from vivace.core.lazy import require

from .api import ServeLimits, create_app
from .service import PictureModel

__all__ = ["run_serve"]


def run_serve(
    model: Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    limits: ServeLimits = ServeLimits(),  # noqa: B008
    max_megapixels: float = 50,
    device: str | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve a model until it is interrupted.

    Args:
        model: a bundle, or the folder of a run that holds one.
        host: where to listen; by default this machine alone can reach it.
        port: 0 takes any that is free.
        limits: what is taken.
        max_megapixels: larger pictures are refused before they are decoded.
        device: such as "cpu"; the best by default.
        say: called with each line for the person.

    Raises:
        ArgumentError: host and port cannot be used.
        DataError, BundleError, UnsafeFileError: the model cannot be served.
        MissingPackageError: the extra `serve` is not installed.
    """
    uvicorn = require("uvicorn", "serve", "vivace serve")
    with listen(host, port) as listening, contextlib.suppress(KeyboardInterrupt):
        found = PictureModel.load(model, int(max_megapixels * 1e6), device)
        is_local = host == "localhost" or ipaddress.ip_address(listening.getsockname()[0]).is_loopback
        app = create_app(found, limits, ("127.0.0.1", "localhost", "::1") if is_local else None)
        shown = f"[{host}]" if ":" in host else host
        say(f"http://{shown}:{listening.getsockname()[1]}/ (Ctrl-C ends it; the interface is described at /docs)")
        if not is_local:
            say("Everybody who can reach this machine on the network can use it.")
        uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_keep_alive=10)).run(sockets=[listening])
