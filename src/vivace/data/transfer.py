"""Fetching one file: streamed, resumed after an interruption, retried, checked, and renamed only when complete."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from vivace.core.errors import ArgumentError, DownloadError
from vivace.core.files import atomic_write
from vivace.core.report import SilentReporter, make_reporter

from .web import Interrupted, open_web, readable_errors, version_of

__all__ = ["Fetched", "check_file", "fetch_file", "local_path", "name_in_url"]

CHUNK_BYTES = 2**18
MEGABYTE = 2**20
# Request timeout, too early, too many requests, and what a server says when it is ill or busy.
PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Fetched:
    """A file that was fetched.

    Args:
        path: Where it is.
        content_type: What the server called it, such as `"image/jpeg"`; None if it did not say.
    """

    path: Path
    content_type: str | None = None


# ---------------------------------------------------------------- addresses


def local_path(url: str | Path) -> Path | None:
    """Return the path that `url` names if it is a path or a `file://` address, None if it is on the web.

    Raises:
        DownloadError: It is neither: another protocol, a file on another machine, not an address.
    """
    if isinstance(url, Path):
        return url.expanduser()
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise DownloadError(f"{url!r} is not an address: {error}.") from error
    if parts.scheme in ("http", "https"):
        if not host:
            raise DownloadError(f"{url!r} names no server; an address looks like https://example.org/file.tgz.")
        return None
    if parts.scheme == "file":
        if host not in (None, "localhost"):
            raise DownloadError(f"{url!r} is a file on another machine ({host}); copy it here first.")
        return Path(url2pathname(parts.path))
    path = Path(url).expanduser()
    # One letter is a drive of Windows, not a protocol.
    if len(parts.scheme) > 1 and not path.exists():
        raise DownloadError(f"Cannot fetch {url!r}: only http, https, file and plain paths are, not {parts.scheme!r}.")
    return path


def name_in_url(url: str | Path) -> str:
    """Return the file name at the end of an address or path, safe to use as one: no folders, no control characters.

    Raises:
        ArgumentError: It ends with no name.
    """
    path = local_path(url)
    last = path.name if path is not None else unquote(urlsplit(str(url)).path.rsplit("/", 1)[-1])
    name = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", last).strip(" .")[-200:] if path is None else last
    if not name:
        raise ArgumentError(f"{str(url)!r} ends with no file name; say where the file shall go.")
    return name


# ---------------------------------------------------------------- one file


def fetch_file(
    url: str | Path,
    dest: Path,
    *,
    timeout_seconds: float = 30.0,
    show_progress: bool = False,
    n_retries: int = 4,
    expected_bytes: int | None = None,
    sha256: str | None = None,
    md5: str | None = None,
    max_bytes: int | None = None,
) -> Fetched:
    """Fetch `url` to the file `dest`, which changes only when all of it is there and right.

    Until then the content is in `<dest>.part`, beside a note of which version of the file it belongs to. A later call
    goes on from there if the server still has that version and can send a part of it, else it starts again.

    Args:
        url: http, https, `file://` or a plain path.
        dest: Where the file shall be; replaced if it exists. Its folder is made if missing.
        timeout_seconds: How long to wait for a connection, or for the next piece.
        show_progress: Show a bar, counted in megabytes.
        n_retries: How often to try again, in a row without a megabyte of progress, after a dropped connection or a
            passing fault of the server. Waits grow from half a second to half a minute.
        expected_bytes: The size that the file must have.
        sha256: Its checksum, as hexadecimal digits.
        md5: The same, for old publishers; guards against accidents only.
        max_bytes: The size it may have at most; what fits on the disk by default.

    Raises:
        DownloadError: It cannot be had, or is not what was expected; the message says why, in one sentence.
    """
    dest.parent.mkdir(parents=True, exist_ok=True)
    source = local_path(url)
    if source is not None:
        _copy(source, dest, max_bytes)
        check_file(dest, expected_bytes=expected_bytes, sha256=sha256, md5=md5, delete_wrong=True)
        return Fetched(dest)
    transfer = _Transfer(str(url), dest, timeout_seconds, show_progress, max_bytes)
    content_type = transfer.run(n_retries)
    try:
        check_file(transfer.part, expected_bytes=expected_bytes, sha256=sha256, md5=md5)
    except DownloadError:
        transfer.forget()
        raise
    transfer.part.replace(dest)
    transfer.note.unlink(missing_ok=True)
    return Fetched(dest, content_type)


def check_file(
    path: Path,
    *,
    expected_bytes: int | None = None,
    sha256: str | None = None,
    md5: str | None = None,
    delete_wrong: bool = False,
) -> None:
    """Raise `DownloadError` unless the file has that size and those checksums; with `delete_wrong`, delete it first."""
    problem = None
    if expected_bytes is not None and path.stat().st_size != expected_bytes:
        problem = f"it has {path.stat().st_size:,} bytes instead of {expected_bytes:,}"
    for kind, expected in (("sha256", sha256), ("md5", md5)):
        if expected is None or problem is not None:
            continue
        with path.open("rb") as handle:
            found = hashlib.file_digest(handle, kind).hexdigest()
        if found != expected.strip().lower():
            problem = f"its {kind} is {found} instead of {expected}"
    if problem is not None:
        if delete_wrong:
            path.unlink()
        raise DownloadError(f"this is not the file that was expected: {problem}")


def _copy(source: Path, dest: Path, max_bytes: int | None) -> None:
    if not source.is_file():
        what = "is a folder" if source.is_dir() else "does not exist"
        raise DownloadError(f"{source} {what}")
    if max_bytes is not None and source.stat().st_size > max_bytes:
        raise DownloadError(f"it has {source.stat().st_size:,} bytes, more than the {max_bytes:,} allowed")
    if dest.exists() and source.samefile(dest):
        return
    with source.open("rb") as handle, atomic_write(dest) as copy:
        shutil.copyfileobj(handle, copy, CHUNK_BYTES)


class _Transfer:
    """The way of one web file into its `.part` file."""

    def __init__(self, url: str, dest: Path, timeout_seconds: float, show_progress: bool, max_bytes: int | None):
        self.url = url
        self.part = dest.with_name(f"{dest.name}.part")
        self.note = dest.with_name(f"{dest.name}.part.json")
        self.timeout_seconds = timeout_seconds
        self.max_bytes = max_bytes
        self.name = dest.name
        self.reporter = make_reporter() if show_progress else SilentReporter()

    def run(self, n_retries: int) -> str | None:
        """Try until all is there; return the content type."""
        n_failures, most_bytes = 0, self._n_bytes()
        try:
            while True:
                try:
                    return self._try_once()
                except Interrupted as problem:
                    if self._n_bytes() >= most_bytes + MEGABYTE:
                        n_failures, most_bytes = 0, self._n_bytes()
                    n_failures += 1
                    if n_failures > n_retries:
                        tried = f" (tried {n_failures} times)" if n_failures > 1 else ""
                        raise DownloadError(f"{problem}{tried}") from problem
                    backoff = FIRST_WAIT_SECONDS * 2 ** (n_failures - 1)
                    wait = backoff if problem.wait_seconds is None else problem.wait_seconds
                    time.sleep(min(wait, LONGEST_WAIT_SECONDS))
        finally:
            self.reporter.close()

    def forget(self) -> None:
        """Delete what there is of the file."""
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _n_bytes(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _try_once(self) -> str | None:
        offset, version = self._resume_point()
        try:
            response = open_web(self.url, timeout_seconds=self.timeout_seconds, offset=offset, version=version)
        except HTTPError as error:
            with error:
                self._explain_status(error, offset)
            return None
        with response:
            return self._receive(response, offset, version)

    def _resume_point(self) -> tuple[int, str | None]:
        """How many bytes are there and the version they belong to; `(0, None)` to start at the beginning."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            same = note["url"] == self.url and isinstance(note["version"], str)
        except (OSError, ValueError, KeyError, TypeError):
            same = False
        if not same or not self._n_bytes():
            self.forget()
            return 0, None
        return self._n_bytes(), note["version"]

    def _explain_status(self, error: HTTPError, offset: int) -> None:
        """Raise what an answer other than 2xx means; return if it means that nothing is missing."""
        if error.code == 416 and offset:
            if (error.headers.get("Content-Range") or "").strip() == f"bytes */{offset}":
                return
            self.forget()
            raise Interrupted("the server refused to go on in the middle of the file", wait_seconds=0)
        reason = f"the server answered HTTP {error.code} ({error.reason})"
        if error.code in PASSING_STATUSES:
            asked = error.headers.get("Retry-After") or ""
            raise Interrupted(reason, float(asked) if asked.isdecimal() else None) from error
        raise DownloadError(reason) from error

    def _receive(self, response: http.client.HTTPResponse, offset: int, version: str | None) -> str | None:
        current = version_of(response)
        if response.status == 206:
            start = re.match(r"\s*bytes (\d+)-", response.headers.get("Content-Range") or "")
            # Some servers send the part without looking whether the file is still the same.
            is_other = current is not None and current != version
            if start is None or int(start[1]) != offset or is_other:
                self.forget()
                raise Interrupted("the file on the server changed in between", wait_seconds=0)
        else:
            offset = 0
        length = response.headers.get("Content-Length") or ""
        total = offset + int(length) if length.isdecimal() else None
        self._check_room(total, offset)
        if offset == 0:
            self._start_again(current)
        n_bytes = self._write(response, offset, total)
        if total is not None and n_bytes < total:
            raise Interrupted(f"the connection broke off after {n_bytes:,} of {total:,} bytes")
        content_type = response.headers.get("Content-Type")
        return content_type.split(";")[0].strip().lower() if content_type else None

    def _check_room(self, total: int | None, offset: int) -> None:
        if total is None:
            return
        if self.max_bytes is not None and total > self.max_bytes:
            raise DownloadError(f"it has {total:,} bytes, more than the {self.max_bytes:,} allowed")
        free = shutil.disk_usage(self.part.parent).free
        if total - offset > free:
            raise DownloadError(f"it needs {total - offset:,} bytes, but {self.part.parent} has {free:,} free")

    def _start_again(self, version: str | None) -> None:
        self.forget()
        if version is not None:
            with atomic_write(self.note, "w") as handle:
                json.dump({"url": self.url, "version": version}, handle)

    def _write(self, response: http.client.HTTPResponse, offset: int, total: int | None) -> int:
        n_bytes = offset
        with self.part.open("ab") as handle:
            while True:
                with readable_errors(self.timeout_seconds):
                    piece = response.read1(CHUNK_BYTES)
                if not piece:
                    break
                n_bytes += len(piece)
                if self.max_bytes is not None and n_bytes > self.max_bytes:
                    handle.close()
                    self.forget()
                    raise DownloadError(f"it has more than the {self.max_bytes:,} bytes allowed")
                try:
                    handle.write(piece)
                except OSError as error:
                    raise DownloadError(f"{self.part} cannot be written: {error.strerror}") from error
                if total is not None and total >= MEGABYTE:
                    self.reporter.bar(n_bytes // MEGABYTE, total // MEGABYTE, f"MB {self.name}")
            handle.flush()
            os.fsync(handle.fileno())
        return n_bytes
