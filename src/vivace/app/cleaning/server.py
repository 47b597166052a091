"""The web server of `vivace clean`: this machine only, and only with the token of its address."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from vivace.core.errors import VivaceError
from vivace.core.lazy import require

from .folder import FolderCleaning

__all__ = ["HOST", "create_app"]

HOST = "127.0.0.1"
_COOKIE = "vivace_clean"
_PAGE = Path(__file__).parent / "page"
_SHARED = Path(__file__).parents[2] / "vision" / "cleaning"
_FILES = {
    "page.js": (_PAGE, "text/javascript"),
    "page.css": (_PAGE, "text/css"),
    "cleaner.js": (_SHARED, "text/javascript"),
    "cleaner.css": (_SHARED, "text/css"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def create_app(cleaning: FolderCleaning, token: str) -> Any:
    """Return the ASGI application.

    Who opens `/?token=…` gets a cookie; everything else needs it. A request under another host name than this machine's
    is refused, so that a page on the internet cannot reach in through a name that it points here.

    Args:
        cleaning: the folder at work.
        token: the secret of the address.

    Raises:
        MissingPackageError: the extra `serve` is not installed.
    """
    require("starlette", "serve", "vivace clean")
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.requests import Request
    from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
    from starlette.routing import Route

    def refused(reason: str, status: int = 403) -> JSONResponse:
        return JSONResponse({"detail": reason}, status)

    async def guard(request: Request, call_next: Any) -> Response:
        host = (request.url.hostname or "").lower()
        if host not in ("127.0.0.1", "localhost"):
            return refused("This page is for this machine only.")
        given = request.query_params.get("token") or request.cookies.get(_COOKIE) or ""
        if not secrets.compare_digest(given.encode(), token.encode()):
            return refused("Open the address that `vivace clean` printed, with its token.")
        if request.method == "POST" and request.headers.get("content-type") != "application/json":
            return refused("Expected JSON.", 415)
        response: Response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    def index(request: Request) -> Response:
        if "token" in request.query_params:
            there = RedirectResponse("/", 303)
            there.set_cookie(_COOKIE, token, httponly=True, samesite="strict")
            return there
        return HTMLResponse((_PAGE / "index.html").read_text("utf-8"))

    def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            return refused("There is no such file.", 404)
        folder, kind = _FILES[name]
        return FileResponse(folder / name, media_type=kind)

    def picture(request: Request) -> Response:
        data = cleaning.thumbnail(request.path_params["key"])
        return refused("The picture cannot be read.", 404) if data is None else Response(data, media_type="image/jpeg")

    def state(_: Request) -> Response:
        return JSONResponse(cleaning.state())

    async def command(request: Request) -> Response:
        try:
            body = await request.json()
        except (ValueError, RecursionError) as error:
            return refused(f"The command is no JSON: {error}.", 400)
        if not isinstance(body, dict):
            return refused("The command is no object.", 400)
        return JSONResponse(await run_in_threadpool(cleaning.handle, body))

    def apply(_: Request) -> Response:
        return JSONResponse(cleaning.apply())

    def undo_apply(_: Request) -> Response:
        return JSONResponse(cleaning.undo_apply())

    def sorry(_: Request, error: Exception) -> Response:
        return refused(str(error), 400)

    routes = [
        Route("/", index),
        Route("/files/{name}", file),
        Route("/state", state),
        Route("/picture/{key}", picture),
        Route("/command", command, methods=["POST"]),
        Route("/apply", apply, methods=["POST"]),
        Route("/undo-apply", undo_apply, methods=["POST"]),
    ]
    guards = [Middleware(BaseHTTPMiddleware, dispatch=guard)]
    return Starlette(routes=routes, middleware=guards, exception_handlers={VivaceError: sorry})
