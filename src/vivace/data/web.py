"""Talking to web servers: which addresses are opened, and what their failures mean."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import IO, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
    getproxies,
)

from vivace import __version__
from vivace.core.errors import DownloadError

__all__ = ["Interrupted", "has_address", "open_web", "readable_errors", "version_of"]

# Some servers answer only to what calls itself a browser.
USER_AGENT = f"Mozilla/5.0 (compatible; vivace/{__version__}; python-urllib)"


class Interrupted(Exception):
    """A try failed in a way that another try may not; the message is the reason.

    Args:
        reason: Why.
        wait_seconds: How long the server asks to wait; None if it does not say.
    """

    def __init__(self, reason: str, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


def has_address(host: str) -> bool:
    """Return whether `host` can be found from here; True behind a proxy, which may know hosts that we do not.

    It is asked before libraries that would try again and again for most of a minute.
    """
    if getproxies():
        return True
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True


def open_web(
    url: str, *, timeout_seconds: float, offset: int = 0, version: str | None = None
) -> http.client.HTTPResponse:
    """Ask for a web address, and for the rest from `offset` on only if the file still has that `version`.

    Raises:
        HTTPError: The server answered with an error.
        Interrupted: There was no answer, and trying again may help.
        DownloadError: There was none, and it will not.
    """
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
    if version is not None:
        headers |= {"Range": f"bytes={offset}-", "If-Range": version}
    with readable_errors(timeout_seconds):
        response: http.client.HTTPResponse = _opener().open(
            Request(_quoted(url), headers=headers), timeout=timeout_seconds
        )
    return response


class _WebRedirects(HTTPRedirectHandler):
    """Follow a redirect to another web address only: never to a file of this machine or to ftp."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Request | None:
        """Return the request to follow with."""
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise DownloadError(f"the server sends on to {newurl!r}, which is not a web address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> OpenerDirector:
    # Built by hand: `build_opener` would add handlers for ftp, file and data addresses.
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        UnknownHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        _WebRedirects(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _quoted(url: str) -> str:
    """Escape what may not stand in an address (spaces, accents) and leave what is escaped already."""
    return quote(url.strip(), safe="%/:=&?~#+!$,;'@()*[]")


def version_of(response: http.client.HTTPResponse) -> str | None:
    """Return what names this version of the file: a strong ETag, or when it was last changed."""
    tag: str = response.headers.get("ETag") or ""
    if tag.startswith('"'):
        return tag
    return response.headers.get("Last-Modified")


@contextlib.contextmanager
def readable_errors(timeout_seconds: float) -> Iterator[None]:
    """Turn errors of the connection into `Interrupted`, or into `DownloadError` where trying again is no use."""
    try:
        yield
    except (HTTPError, DownloadError):
        raise
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, URLError) else error
        reason, outlook = _diagnosis(cause, timeout_seconds)
        if outlook == "hopeless":
            raise DownloadError(reason) from error
        raise Interrupted(reason) from error


def _diagnosis(cause: object, timeout_seconds: float) -> tuple[str, Literal["hopeless", "passing"]]:
    if isinstance(cause, socket.gaierror):
        return "the server's name cannot be looked up (no internet connection, or a wrong name)", "hopeless"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted ({cause.verify_message})", "hopeless"
    if isinstance(cause, http.client.InvalidURL):
        return f"the address is not valid ({cause})", "hopeless"
    if isinstance(cause, TimeoutError):
        return f"no answer for {timeout_seconds:g} seconds", "passing"
    if isinstance(cause, ConnectionRefusedError):
        return "the server refuses the connection", "passing"
    if isinstance(cause, http.client.RemoteDisconnected | http.client.IncompleteRead | ConnectionError):
        return "the connection broke off", "passing"
    return f"the connection failed ({cause})", "passing"
