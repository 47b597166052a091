"""A socket to serve on, taken before anything slow is done, so that a mistake shows at once."""

from __future__ import annotations

import socket

from vivace.core.errors import ArgumentError

__all__ = ["listen"]


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there.

    Raises:
        ArgumentError: host and port cannot be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise ArgumentError(f"There is no host {host!r}: {error.strerror}.") from error
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(address)
        made.listen(256)
    except OSError as error:
        made.close()
        reason = error.strerror
        raise ArgumentError(f"{host} port {port} cannot be used ({reason}); --port 0 takes a free one.") from error
    return made
