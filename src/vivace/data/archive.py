"""Unpacking archives that come from outside: nothing leaves the target folder, and half an archive is never a result.

`archive_members` reads what an archive holds; this module decides what of it may be written, and where.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from vivace.core.errors import ArchiveError, ArgumentError, UnsafeFileError

from .archive_members import Limits, Member, damage_named, read_members
from .locks import locked

__all__ = ["extract", "name_without_suffixes"]

MAX_BYTES = 200 * 10**9
MAX_RATIO = 1000.0
MAX_MEMBERS = 5_000_000
# Highly compressible small archives are no danger: the ratio counts from here on.
RATIO_COUNTS_FROM_BYTES = 100 * 10**6
DISK_RESERVE_BYTES = 500 * 10**6
_COPY_BYTES = 2**20
_SUFFIXES = re.compile(r"(\.tar)?\.(tar|tgz|tbz2?|txz|zip|gz|bz2|xz)$", re.IGNORECASE)


def name_without_suffixes(name: str) -> str:
    """Return an archive's file name without its endings: `"pets"` for `"pets.tgz"` and `"pets.tar.gz"`."""
    return _SUFFIXES.sub("", name) or name


def extract(
    archive: str | Path,
    target: str | Path,
    *,
    overwrite: bool = False,
    max_bytes: int | None = None,
    max_ratio: float = MAX_RATIO,
    max_members: int = MAX_MEMBERS,
    show_progress: bool = False,
) -> Path:
    """Unpack an archive to the folder `target`, wholly or not at all, and return the folder.

    The content goes to a hidden folder beside `target` that is renamed at the end; what a killed run left there is
    deleted by the next call. If all of it lies in one folder, that folder becomes `target`. `__MACOSX` is left out.
    Files get the permissions of any new file. Symbolic and hard links stay if they lead to a place inside.

    Args:
        archive: A `.tar`, plain or compressed by gzip, bzip2 or xz, a `.zip`, or one compressed file (`.gz`, …). The
            content decides, not the name.
        target: The folder to make.
        overwrite: Replace `target` if it exists, once the new content is complete.
        max_bytes: How much it may hold, unpacked; 200 GB or what fits on the disk by default.
        max_ratio: How many times its own size it may unpack to, beyond the first 100 MB.
        max_members: How many files, folders and links it may hold.
        show_progress: Show a bar, in megabytes of the archive.

    Raises:
        UnsafeFileError: A member has an absolute path or one that leads out, is a device or a pipe, is a link that
            leads out, or a bound is exceeded. Nothing is left behind.
        ArchiveError: It is damaged, encrypted, empty, of an unknown kind, or cannot be written.
        ArgumentError: `archive` does not exist, `target` does and `overwrite` is not set, or it holds the archive.
    """
    archive, target = Path(archive), Path(os.path.abspath(Path(target).expanduser()))
    if not archive.is_file():
        raise ArgumentError(f"There is no archive at {archive.absolute()}.")
    if archive.resolve().is_relative_to(target.resolve()):
        raise ArgumentError(f"{archive.absolute()} cannot be unpacked over itself to {target}; choose another target.")
    with locked(target.with_name(f"{target.name}.unpacking")):
        _remove_leftovers(target)
        if os.path.lexists(target) and not overwrite:
            raise ArgumentError(f"{target} exists already; pass `overwrite=True` to replace it, or another target.")
        limits = _limits(archive, target.parent, max_bytes, max_ratio, max_members)
        folder = target.with_name(f".{target.name}.unpacking-{secrets.token_hex(4)}")
        folder.mkdir()
        try:
            with damage_named(archive):
                content = _unpack_all(archive, folder, limits, show_progress)
            _move_into_place(content, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return target


def _remove_leftovers(target: Path) -> None:
    """Delete what killed runs left; the lock is held, so nobody is at work there."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.(unpacking|replaced)-[0-9a-f]{{8}}")
    for path in target.parent.iterdir():
        if pattern.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


def _limits(archive: Path, parent: Path, max_bytes: int | None, max_ratio: float, max_members: int) -> Limits:
    bound = MAX_BYTES if max_bytes is None else max_bytes
    by_ratio = max(RATIO_COUNTS_FROM_BYTES, int(max_ratio * archive.stat().st_size))
    room = max(0, shutil.disk_usage(parent).free - DISK_RESERVE_BYTES)
    candidates = [
        (bound, f"the bound is {bound:,} bytes (`max_bytes`)", UnsafeFileError),
        (by_ratio, f"that is more than {max_ratio:g} times its own size (`max_ratio`), as in a bomb", UnsafeFileError),
        (room, f"{parent} has room for {room:,} bytes", ArchiveError),
    ]
    n_bytes, reason, error_type = min(candidates, key=lambda candidate: candidate[0])
    return Limits(n_bytes, max_members, reason, error_type)


def _unpack_all(archive: Path, folder: Path, limits: Limits, show_progress: bool) -> Path:
    """Fill `folder` and return it, or the one folder in it that holds everything."""
    unpacker = _Unpacker(folder, limits)
    for member in read_members(archive, folder, limits, show_progress=show_progress):
        unpacker.add(member)
    return unpacker.finish()


def _move_into_place(content: Path, target: Path) -> None:
    if not os.path.lexists(target):
        content.rename(target)
        return
    replaced = target.with_name(f".{target.name}.replaced-{secrets.token_hex(4)}")
    target.rename(replaced)
    try:
        content.rename(target)
    except OSError:
        replaced.rename(target)
        raise
    if replaced.is_symlink() or replaced.is_file():
        replaced.unlink()
    else:
        shutil.rmtree(replaced)


class _Unpacker:
    """Writes members below `folder`.

    Links are made last: while files are written there is none through which one could lead out.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self.n_members = 0
        self.n_bytes = 0
        self.known_folders: set[tuple[str, ...]] = {()}
        self.top_names: set[str] = set()
        self.symlinks: dict[tuple[str, ...], str] = {}
        self.hardlinks: dict[tuple[str, ...], tuple[str, ...]] = {}

    def add(self, member: Member) -> None:
        """Write one member, or put it off if it is a link."""
        self.n_members += 1
        if self.n_members > self.limits.max_members:
            raise UnsafeFileError(f"It holds more than {self.limits.max_members:,} members (`max_members`).")
        parts = _safe_parts(member.name)
        if not parts and member.kind != "folder":
            raise UnsafeFileError(f"Its member {member.name!r} has no name.")
        if not parts or parts[0] == "__MACOSX":
            return
        self.top_names.add(parts[0])
        with _write_errors_named(member.name):
            if member.kind == "folder":
                self._make_folder(parts)
            elif member.kind == "file":
                self._write_file(parts, member)
            elif member.kind == "symlink":
                self.symlinks[parts] = _safe_link(member)
            else:
                self.hardlinks[parts] = _safe_parts(member.link_target)

    def finish(self) -> Path:
        """Make the links, and return the folder that is the result."""
        if not self.top_names:
            raise ArchiveError("It holds no files.")
        for parts, source in self.hardlinks.items():
            with _write_errors_named("/".join(parts)):
                self._make_hardlink(parts, source)
        only = self.folder / next(iter(self.top_names))
        content = only if len(self.top_names) == 1 and only.is_dir() else self.folder
        self._make_symlinks(content)
        return content

    def _make_folder(self, parts: tuple[str, ...]) -> None:
        if parts not in self.known_folders:
            self.folder.joinpath(*parts).mkdir(parents=True, exist_ok=True)
            self.known_folders.add(parts)

    def _write_file(self, parts: tuple[str, ...], member: Member) -> None:
        self._make_folder(parts[:-1])
        path = self.folder.joinpath(*parts)
        if os.path.lexists(path) and not path.is_dir():
            path.unlink()  # archives that were appended to hold a file twice; the last one counts
        with path.open("xb") as handle, member.open() as content:
            while piece := content.read(_COPY_BYTES):
                self.n_bytes += len(piece)
                self.limits.check(self.n_bytes)
                handle.write(piece)

    def _make_hardlink(self, parts: tuple[str, ...], source_parts: tuple[str, ...]) -> None:
        name, source = "/".join(parts), self.folder.joinpath(*source_parts)
        if source_parts in self.symlinks or not source.is_file():
            raise UnsafeFileError(f"Its member {name!r} is a hard link to {'/'.join(source_parts)!r}, no file of it.")
        if parts == source_parts:
            return
        self._make_folder(parts[:-1])
        path = self.folder.joinpath(*parts)
        if os.path.lexists(path) and not path.is_dir():
            path.unlink()
        try:
            os.link(source, path)
        except OSError:
            self.n_bytes += source.stat().st_size
            self.limits.check(self.n_bytes)
            shutil.copyfile(source, path)

    def _make_symlinks(self, content: Path) -> None:
        for parts in self.symlinks:
            with _write_errors_named("/".join(parts)):
                self._make_folder(parts[:-1])
        root = os.path.realpath(self.folder)
        for parts, link_target in self.symlinks.items():
            name, path = "/".join(parts), self.folder.joinpath(*parts)
            if os.path.realpath(path.parent) != os.path.join(root, *parts[:-1]):
                raise UnsafeFileError(f"Its member {name!r} lies behind another link of it.")
            with _write_errors_named(name):
                if path.is_file() and not path.is_symlink():
                    path.unlink()
                path.symlink_to(link_target)
        # Only when all are there is it known where each leads.
        inside = os.path.realpath(content)
        for parts, link_target in self.symlinks.items():
            leads_to = os.path.realpath(self.folder.joinpath(*parts))
            if leads_to != inside and not leads_to.startswith(inside + os.sep):
                raise UnsafeFileError(f"Its member {'/'.join(parts)!r} is a link that leads out: {link_target!r}.")


def _safe_parts(name: str) -> tuple[str, ...]:
    """The folders and the file name in a member's name, or an error if they could lead anywhere but inside."""
    if "\0" in name:
        raise UnsafeFileError(f"Its member {name!r} has a zero byte in its name.")
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        raise UnsafeFileError(f"Its member {name!r} has an absolute path.")
    # A backslash separates folders on Windows only, but no honest archive has ".." behind one.
    if ".." in re.split(r"[/\\]", name):
        raise UnsafeFileError(f"Its member {name!r} leads out of the target folder.")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if os.name == "nt" and any(":" in part or "\\" in part for part in parts):
        raise UnsafeFileError(f"Its member {name!r} has a name that means something else on Windows.")
    return parts


def _safe_link(member: Member) -> str:
    """The target of a symbolic link if it looks harmless; where it truly leads is checked when all links are made."""
    target = member.link_target
    if not target or "\0" in target or target.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", target):
        raise UnsafeFileError(f"Its member {member.name!r} is a link that leads out: {target!r}.")
    return target


@contextlib.contextmanager
def _write_errors_named(name: str) -> Iterator[None]:
    """Name the member that cannot be written. Errors without a number come from reading: they mean damage."""
    try:
        yield
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ArchiveError(f"Its member {name!r} is both a file and a folder.") from error
    except OSError as error:
        if error.errno is None:
            raise
        raise ArchiveError(f"Its member {name!r} cannot be written: {error.strerror}.") from error
    except UnicodeEncodeError as error:
        raise ArchiveError(f"Its member {name!r} has a name that this system cannot store.") from error
