"""From a model and a folder to the open page."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from pathlib import Path

from vivace.app.listening import listen
from vivace.core.lazy import require

from .folder import open_folder
from .server import HOST, create_app

__all__ = ["run_clean"]


def run_clean(
    model: Path,
    folder: Path,
    *,
    port: int = 0,
    page_size: int = 30,
    open_browser: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Predict the pictures of a folder, and serve the page on which they are cleaned until it is interrupted.

    Args:
        model: a bundle, or the folder of a run that holds one.
        folder: holds the pictures, in a folder per class.
        port: of this machine; 0: any that is free.
        page_size: how many pictures are shown at once.
        open_browser: open the page.
        say: called with each line for the person who waits.

    Raises:
        ArgumentError: the port is taken.
        MissingPackageError: the extra `serve` is not installed.
        DataError, BundleError, UnsafeFileError: see `open_folder`.
    """
    uvicorn = require("uvicorn", "serve", "vivace clean")
    listening = listen(HOST, port)
    cleaning = open_folder(model, folder, page_size)
    for file in cleaning.unreadable:
        say(f"left out, cannot be read: {file}")
    token = secrets.token_urlsafe(24)
    address = f"http://{HOST}:{listening.getsockname()[1]}/?token={token}"
    say(f"{len(cleaning.session.pictures)} pictures. Clean them at {address}")
    say("Ctrl-C ends it; marks are kept for the next time.")
    if open_browser:
        import webbrowser

        threading.Timer(0.5, webbrowser.open, [address]).start()
    server = uvicorn.Server(uvicorn.Config(create_app(cleaning, token), log_level="warning"))
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()
