"""Reading archives: one stream of members for tar, zip and single compressed files, bounded from the first byte."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

from vivace.core.errors import ArchiveError, UnsafeFileError, VivaceError
from vivace.core.report import SilentReporter, make_reporter

__all__ = ["Limits", "Member", "damage_named", "read_members"]

MEGABYTE = 2**20
# Headers and padding of a tar come on top of the content, which is bounded exactly.
OVERHEAD_BYTES = 64 * MEGABYTE
# Long names are kept in headers that `tarfile` reads into memory as a whole; the longest path of any system is 32 KB.
MAX_HEADER_BYTES = MEGABYTE
MAX_LINK_BYTES = 4096
_HEADER_TYPES = frozenset(
    {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
)
_DECOMPRESSORS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
_TAR_SUFFIXES = (".tgz", ".tbz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
_FOREIGN_KINDS = {
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive; unpack it with 7-Zip, or pack it as .zip",
    b"Rar!": "a RAR archive; unpack it by hand, or pack it as .zip",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard; unpack it with `tar --zstd -xf`, or pack it as .tgz",
}


@dataclass(frozen=True)
class Limits:
    """How much may come out of an archive.

    Args:
        max_bytes: Of content, unpacked.
        max_members: Files, folders and links.
        reason: Where `max_bytes` comes from, for the message.
        error_type: What exceeding it raises.
    """

    max_bytes: int
    max_members: int
    reason: str
    error_type: type[VivaceError]

    def check(self, n_bytes: int, allowance: int = 0) -> None:
        """Raise if `n_bytes` are too many."""
        if n_bytes > self.max_bytes + allowance:
            raise self.error_type(f"It unpacks to at least {n_bytes:,} bytes, but {self.reason}.")


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    Args:
        name: As it stands in the archive; nothing about it is checked yet.
        kind: Devices, pipes and the like never get here.
        link_target: Of a link: relative to the link for a symbolic one, to the archive for a hard one.
        open: Gives the content of a file; only before the next member is asked for.
    """

    name: str
    kind: Literal["file", "folder", "symlink", "hardlink"]
    link_target: str = ""
    open: Callable[[], AbstractContextManager[IO[bytes]]] = io.BytesIO


@contextlib.contextmanager
def damage_named(archive: Path) -> Iterator[None]:
    """Put the archive's path into errors, and turn those of the decoders into `ArchiveError`."""
    try:
        yield
    except (ArchiveError, UnsafeFileError) as error:
        raise type(error)(f"{archive.absolute()} was not unpacked. {error}") from error
    except NotImplementedError as error:
        raise ArchiveError(f"{archive.absolute()} uses a compression that Python cannot read: {error}.") from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RecursionError) as error:
        raise _damaged(archive, error) from error
    except (OSError, ValueError) as error:
        # The decoders of gzip and bzip2 raise it without a number, and broken numbers in headers are `ValueError`.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _damaged(archive, error) from error


def _damaged(archive: Path, error: Exception) -> ArchiveError:
    detail = str(error).rstrip(".") or type(error).__name__
    return ArchiveError(
        f"{archive.absolute()} is damaged or cut off ({detail}). Delete it and download it again; nothing was unpacked."
    )


def read_members(archive: Path, folder: Path, limits: Limits, *, show_progress: bool = False) -> Iterator[Member]:
    """Go through an archive once, from front to back.

    Args:
        archive: Its content decides what it is.
        folder: Where it will be unpacked to: what `tarfile`'s own filter judges paths by.
        limits: Checked before any content is read where the archive tells its size, and while reading.
        show_progress: Show a bar.

    Raises:
        ArchiveError: It is empty, encrypted, or of an unknown kind.
        UnsafeFileError: It holds a device, a pipe or the like, or too much.
    """
    n_bytes = archive.stat().st_size
    reporter = make_reporter() if show_progress and n_bytes >= MEGABYTE else SilentReporter()
    comment = f"MB unpacked of {archive.name}"
    try:
        with archive.open("rb") as raw:
            start = raw.read(tarfile.BLOCKSIZE)
            raw.seek(0)
            if start.startswith(b"PK") or zipfile.is_zipfile(archive):
                members = _zip_members(raw, limits)
            else:
                members = _stream_members(raw, start, archive.name, folder, limits)
            for member in members:
                yield member
                reporter.bar(min(raw.tell(), n_bytes) // MEGABYTE, n_bytes // MEGABYTE, comment)
    finally:
        reporter.close()


# ---------------------------------------------------------------- tar and single compressed files


def _stream_members(raw: IO[bytes], start: bytes, name: str, folder: Path, limits: Limits) -> Iterator[Member]:
    opener = next((opener for magic, opener in _DECOMPRESSORS.items() if start.startswith(magic)), None)
    if opener is None:
        if not (_is_tar(start) or _is_end_of_tar(start)):
            raise ArchiveError(f"It is {_kind_of(start)}.")
        yield from _tar_members(raw, folder, limits)
        return
    is_called_tar = name.lower().endswith(_TAR_SUFFIXES)
    with opener(raw) as content:
        inner_start = content.read(tarfile.BLOCKSIZE)
    raw.seek(0)
    with opener(raw) as content:
        if _is_tar(inner_start) or (is_called_tar and _is_end_of_tar(inner_start)):
            yield from _tar_members(content, folder, limits)
        elif is_called_tar:
            raise ArchiveError("It is compressed, but what is inside is no tar archive.")
        else:
            yield Member(Path(name).stem or name, "file", open=lambda: contextlib.nullcontext(content))


def _is_tar(start: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(start, tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _is_end_of_tar(block: bytes) -> bool:
    """Whether this is the block of zeros that ends a tar; an empty one begins with it."""
    return len(block) == tarfile.BLOCKSIZE and not block.strip(b"\0")


def _kind_of(start: bytes) -> str:
    if not start:
        return "empty: a file of zero bytes. Delete it and download it again"
    if start.lstrip().startswith(b"<"):
        return "a web page, not an archive. Open its address in a browser: it may ask for a login or be gone"
    for magic, kind in _FOREIGN_KINDS.items():
        if start.startswith(magic):
            return kind
    return "no archive of a known kind (tar, plain or with gzip, bzip2 or xz; zip). If it should be, download it again"


class _CheckedHeader(tarfile.TarInfo):
    """Refuses headers that `tarfile` would read into memory however long they are, or skip although broken."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _CheckedHeader:
        """Parse a header of 512 bytes."""
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if not buf or _is_end_of_tar(bytes(buf)):
                raise  # the regular end
            # `tarfile` takes a broken header for the end, and the files behind it would be missing silently.
            raise tarfile.ReadError(f"broken header: {error}") from error
        if header.type in _HEADER_TYPES and header.size > MAX_HEADER_BYTES:
            raise UnsafeFileError(f"It has a header of {header.size:,} bytes, as in a bomb.")
        return header


class _BoundedReader(io.RawIOBase):
    """What a decompressor gives, until it is too much: also what `tarfile` only skips is counted."""

    def __init__(self, content: IO[bytes], limits: Limits) -> None:
        self._content = content
        self._limits = limits
        self._n_bytes = 0

    def read(self, size: int = -1, /) -> bytes:
        piece = self._content.read(size)
        self._n_bytes += len(piece)
        self._limits.check(self._n_bytes, allowance=OVERHEAD_BYTES)
        return piece


def _tar_members(content: IO[bytes], folder: Path, limits: Limits) -> Iterator[Member]:
    reader = _BoundedReader(content, limits)
    with tarfile.open(fileobj=cast(IO[bytes], reader), mode="r|", tarinfo=_CheckedHeader, bufsize=MEGABYTE // 4) as tar:
        while (entry := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # else every header of a million files stays in memory
            yield _tar_member(tar, entry, folder, limits)
    # The checksum of gzip stands behind the end of the tar.
    while reader.read(MEGABYTE):
        pass


def _tar_member(tar: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path, limits: Limits) -> Member:
    if entry.isreg():
        limits.check(entry.size)
    elif not (entry.isdir() or entry.issym() or entry.islnk()):
        raise UnsafeFileError(f"Its member {entry.name!r} is a device, a pipe or the like.")
    try:
        # A second opinion; what it lets through is judged again when it is written.
        if hasattr(tarfile, "data_filter"):  # Python 3.11.0 to 3.11.3 lack it
            tarfile.data_filter(entry, os.fspath(folder))
    except tarfile.FilterError as error:
        raise UnsafeFileError(f"Its member {entry.name!r} is not harmless: {error}.") from error
    if entry.isdir():
        return Member(entry.name, "folder")
    if entry.issym():
        return Member(entry.name, "symlink", entry.linkname)
    if entry.islnk():
        return Member(entry.name, "hardlink", entry.linkname)

    def open_content() -> IO[bytes]:
        handle = tar.extractfile(entry)
        assert handle is not None  # it is a regular file
        return handle

    return Member(entry.name, "file", open=open_content)


# ---------------------------------------------------------------- zip


def _zip_members(raw: IO[bytes], limits: Limits) -> Iterator[Member]:
    with zipfile.ZipFile(raw) as archive:
        entries = archive.infolist()
        if len(entries) > limits.max_members:
            raise UnsafeFileError(
                f"It holds {len(entries):,} members, more than {limits.max_members:,} (`max_members`)."
            )
        # A zip tells all sizes in front, and no more than that comes out: refuse before anything is written.
        limits.check(sum(entry.file_size for entry in entries))
        for entry in entries:
            yield _zip_member(archive, entry)


def _zip_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Member:
    name = entry.orig_filename  # `filename` is cut at a zero byte
    if entry.flag_bits & 0x1:
        raise ArchiveError(f"Its member {name!r} is encrypted; unpack it by hand with the password.")
    file_type = stat.S_IFMT(entry.external_attr >> 16)
    if file_type == stat.S_IFLNK:
        if entry.file_size > MAX_LINK_BYTES:
            raise UnsafeFileError(f"Its member {name!r} is a link with a target of {entry.file_size:,} bytes.")
        return Member(name, "symlink", os.fsdecode(archive.read(entry)))
    if file_type not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeFileError(f"Its member {name!r} is a device, a pipe or the like.")
    if name.endswith("/") or file_type == stat.S_IFDIR:
        return Member(name, "folder")
    return Member(name, "file", open=lambda: archive.open(entry))
