"""The HTTP interface: predictions, health, the model's description, and a page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vivace import __version__
from vivace.core.lazy import require

from .batching import MicroBatcher, QueueFullError
from .service import BadPictureError, PictureModel, Prediction

__all__ = ["ServeLimits", "create_app"]

_PAGE = Path(__file__).parent / "page"
_FILES = {"app.js": "text/javascript", "docs.js": "text/javascript", "style.css": "text/css"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class ServeLimits:
    """What one server takes.

    Attributes:
        max_batch: pictures that go through the model together at most; 1: no micro-batching.
        max_wait_ms: how long a picture waits for others, in ms.
        max_queue: pictures that wait for the model at most; more are answered with 503.
        timeout_seconds: how long a request may take; longer ones are answered with 504.
        max_bytes: of a request.
        max_files: pictures in a request.
        n_openers: threads that open pictures.
    """

    max_batch: int = 16
    max_wait_ms: float = 2.0
    max_queue: int = 128
    timeout_seconds: float = 30.0
    max_bytes: int = 20_000_000
    max_files: int = 32
    n_openers: int = 4


class _Refused(Exception):
    """A request that is answered with a status and a reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def create_app(model: PictureModel, limits: ServeLimits = ServeLimits(), hosts: tuple[str, ...] | None = None) -> Any:
    """Return the ASGI application. No upload touches the disk.

    Args:
        model: what predicts.
        limits: what is taken.
        hosts: names under which the server may be addressed; any by default. A server on this machine names itself
            only, so that a page on the internet cannot reach it through a name that it points here.

    Raises:
        MissingPackageError: the extra `serve` is not installed.
    """
    fastapi = require("fastapi", "serve", "vivace serve")
    require("python_multipart", "serve", "vivace serve")
    from fastapi.responses import FileResponse, JSONResponse, Response

    from .schemas import Health, ModelInfo, Predictions, Problem

    batcher: MicroBatcher[Any, Prediction] = MicroBatcher(
        model.predict, limits.max_batch, limits.max_wait_ms / 1e3, limits.max_queue
    )
    openers = ThreadPoolExecutor(limits.n_openers, "vivace-open", initializer=_compute_alone)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        yield
        batcher.close()
        openers.shutdown(cancel_futures=True)

    app = fastapi.FastAPI(
        title="vivace serve",
        version=__version__,
        description="Predictions of one model for pictures.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load scripts from elsewhere; ours works without the internet
        redoc_url=None,
    )

    def refused(status: int, reason: str) -> JSONResponse:
        headers = {"Retry-After": "1"} if status == 503 else None
        return JSONResponse({"detail": reason}, status, headers=headers)

    async def guard(request: Any, call_next: Any) -> Any:
        if hosts is not None and (request.url.hostname or "").lower() not in hosts:
            response = refused(403, "This server does not answer under that name.")
        else:
            response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    async def predict(request: Any) -> Any:
        try:
            async with asyncio.timeout(limits.timeout_seconds):
                uploads = await _read_uploads(request, limits)
                return {"predictions": await _predict(uploads, model, batcher, openers)}
        except TimeoutError:
            return refused(504, f"The prediction took longer than {limits.timeout_seconds:g} s.")
        except QueueFullError as error:
            return refused(503, str(error))
        except _Refused as error:
            return refused(error.status, error.reason)

    def health() -> Any:
        return {"status": "ok", "waiting": batcher.n_waiting}

    def describe() -> Any:
        manifest = model.manifest
        spec = manifest.get("model") or {}
        return {
            "task": model.kind,
            "labels": model.labels,
            "model": str(spec.get("builder") or spec.get("class") or "layers of torch.nn"),
            "metrics": manifest.get("metrics") or {},
            "versions": manifest.get("versions") or {},
        }

    def page() -> Any:
        return FileResponse(_PAGE / "index.html", media_type="text/html")

    def docs() -> Any:
        return FileResponse(_PAGE / "docs.html", media_type="text/html")

    def file(name: str) -> Any:
        if name not in _FILES:
            return refused(404, "There is no such file.")
        return FileResponse(_PAGE / name, media_type=_FILES[name])

    def icon() -> Any:
        return Response(status_code=204)

    # Annotations are text here (`from __future__`); FastAPI looks for the class itself.
    predict.__annotations__ = {"request": fastapi.Request}
    problems = {status: {"model": Problem, "description": text} for status, text in _PROBLEMS.items()}
    app.middleware("http")(guard)
    app.post(
        "/predict",
        response_model=Predictions,
        responses=problems,
        summary="Predict one or several pictures",
        openapi_extra={"requestBody": _BODY},
    )(predict)
    app.get("/health", response_model=Health, summary="Whether the server is up, and how many pictures wait")(health)
    app.get("/model", response_model=ModelInfo, summary="What the model is")(describe)
    for path, function in (("/", page), ("/docs", docs), ("/files/{name}", file), ("/favicon.ico", icon)):
        app.get(path, include_in_schema=False)(function)
    return app


def _compute_alone() -> None:
    """Let this thread do its small tensor operations by itself: the cores are for other pictures and the model."""
    import torch

    torch.set_num_threads(1)


_PROBLEMS = {
    400: "The request is no multipart form with pictures.",
    413: "The request, or a picture, is too large.",
    415: "A file is no picture.",
    422: "A picture is damaged, or there is none.",
    503: "Too many pictures are waiting.",
    504: "The prediction took too long.",
}
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["files"],
                "properties": {
                    "files": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
                },
            }
        }
    },
}


async def _read_uploads(request: Any, limits: ServeLimits) -> list[tuple[str, bytes]]:
    """Name and content of each file in a form, read in memory and no further than the limits."""
    from starlette.formparsers import MultiPartException, MultiPartParser

    class InMemory(MultiPartParser):
        spool_max_size = limits.max_bytes + 1  # never to a file

    declared = request.headers.get("content-length", "0")
    too_large = _Refused(413, f"The request is larger than {limits.max_bytes / 1e6:g} MB.")
    if declared.isdigit() and int(declared) > limits.max_bytes:
        raise too_large
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise _Refused(400, "Send the pictures as multipart/form-data, in fields called `files`.")

    async def counted() -> AsyncGenerator[bytes, None]:
        n_bytes = 0
        async for chunk in request.stream():
            n_bytes += len(chunk)
            if n_bytes > limits.max_bytes:
                raise too_large
            yield chunk

    parser = InMemory(request.headers, counted(), max_files=limits.max_files, max_fields=16)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        reason = getattr(error, "message", None) or str(error) or "it is malformed"
        raise _Refused(400, f"The form cannot be read: {reason}") from error
    except _Refused:
        for file in parser._files_to_close_on_error:
            file.close()
        raise
    try:
        uploads = []
        for value in form.getlist("files"):
            if isinstance(value, str):
                raise _Refused(422, "The field `files` holds a text instead of a file.")
            uploads.append((value.filename or "picture", await value.read()))
    finally:
        await form.close()
    if not uploads:
        raise _Refused(422, "There is no picture in the form: send it in a field called `files`.")
    return uploads


async def _predict(
    uploads: list[tuple[str, bytes]], model: PictureModel, batcher: MicroBatcher[Any, Prediction], openers: Any
) -> list[dict[str, Any]]:
    loop = asyncio.get_running_loop()
    opened = await asyncio.gather(
        *(loop.run_in_executor(openers, model.open, data) for _, data in uploads), return_exceptions=True
    )
    futures = []
    try:
        for (name, _), picture in zip(uploads, opened, strict=True):
            if isinstance(picture, BadPictureError):
                raise _Refused(picture.status, f"{name[:100]}: {picture}")
            if isinstance(picture, BaseException):
                raise picture
            futures.append(asyncio.wrap_future(batcher.submit(picture)))
        found = await asyncio.gather(*futures)
    finally:
        for future in futures:
            future.cancel()
    return [
        {"name": name, "labels": p.labels, "probabilities": p.probabilities, "values": p.values}
        for (name, _), p in zip(uploads, found, strict=True)
    ]
