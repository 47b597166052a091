"""Decoded pictures, kept: in memory as long as they fit, or on disk for all processes. What is kept is never stale.

A picture is known by its file's path, size and time of change, by how it was decoded, and by what was done to it then
(the part of the first transform that is the same every time). Random transforms come later, so a kept picture gives
exactly what the file would.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import struct
import threading
import time
import weakref
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import PIL
from PIL import Image

from .array_backed import ArrayBacked, Pixels, twin_of
from .errors import ArgumentError
from .files import atomic_write, vivace_home
from .memory import available_memory

__all__ = ["CacheSetting", "DiskCache", "LookOnly", "MemoryCache", "PictureCache", "PictureKey", "make_cache"]

CacheSetting = Literal["auto", "memory", "disk"] | None

MEMORY_SHARE = 0.25  # of the memory that is free, at most
DISK_SHARE = 0.5  # of the disk space that is free, at most
_UNUSED_SECONDS = 30 * 24 * 3600.0  # after which a picture on disk is removed
_LOOK_EVERY = 32 << 20  # bytes kept between two looks at what is free
_ABOUT = struct.Struct("<4sIII")  # of a picture on disk: mode, width, height, check sum of the pixels
_MAGIC = b"vivace picture 1\n"
_PLAIN_MODES = {"L": 1, "RGB": 3, "RGBA": 4}  # what is kept on disk, with its bytes for each pixel


class PictureKey(NamedTuple):
    """What a decoded picture was made from.

    Attributes:
        path: the file.
        size: its bytes.
        changed: its time of change, in nanoseconds.
        mode: the mode it was converted to; None: as stored.
        needed: the (width, height) that was enough; None: its own.
        then: what was done to it after decoding; None: nothing.
    """

    path: str
    size: int
    changed: int
    mode: str | None
    needed: tuple[int, int] | None
    then: str | None = None


class PictureCache(Protocol):
    """A place where decoded pictures are kept."""

    def find(self, key: PictureKey) -> Image.Image | None:
        """Return the picture, or None. Drawing on what is returned does not change what is kept."""

    def keep(self, key: PictureKey, picture: Image.Image) -> None:
        """Keep a picture, if there is room."""


class _Ledger:
    """What all caches of this process hold, against what is free."""

    def __init__(self) -> None:
        self.lock, self.held, self.limit, self.looked_at = threading.Lock(), 0, 0, -_LOOK_EVERY

    def reserve(self, n_bytes: int, share: float) -> bool:
        with self.lock:
            if abs(self.held - self.looked_at) >= _LOOK_EVERY:
                self.limit, self.looked_at = available_memory() + self.held, self.held
            if self.held + n_bytes > share * self.limit:
                return False
            self.held += n_bytes
            return True

    def give_back(self, n_bytes: int) -> None:
        with self.lock:
            self.held -= n_bytes


_ledger = _Ledger()


class MemoryCache:
    """Pictures in the memory of this process. The first ones stay: in a random order that is as good as any choice.

    Args:
        share: of the memory that is free, how much all caches of this process may hold together.
    """

    def __init__(self, share: float = MEMORY_SHARE) -> None:
        self.share = share
        self._pictures: dict[PictureKey, Image.Image] = {}
        self._by_path: dict[tuple[Any, ...], PictureKey] = {}
        self._held = [0]
        weakref.finalize(self, lambda held: _ledger.give_back(held[0]), self._held)

    def __len__(self) -> int:
        return len(self._pictures)

    @property
    def n_bytes(self) -> int:
        """What the pictures take."""
        return self._held[0]

    def find(self, key: PictureKey) -> Image.Image | None:
        kept = self._pictures.get(key)
        return None if kept is None else twin_of(kept)

    def keep(self, key: PictureKey, picture: Image.Image) -> None:
        place = (key.path, key.mode, key.needed, key.then)
        stale = self._by_path.get(place)
        if stale is not None and stale != key:
            self._drop(stale)
        n_bytes = _bytes_in_memory(picture)
        if key in self._pictures or not _ledger.reserve(n_bytes, self.share):
            return
        self._held[0] += n_bytes
        self._by_path[place] = key
        self._pictures[key] = twin_of(picture)

    def _drop(self, key: PictureKey) -> None:
        dropped = self._pictures.pop(key, None)
        if dropped is not None:
            self._held[0] -= _bytes_in_memory(dropped)
            _ledger.give_back(_bytes_in_memory(dropped))

    def __reduce__(self) -> tuple[type[MemoryCache], tuple[float]]:  # another process begins its own
        return MemoryCache, (self.share,)


def _bytes_in_memory(picture: Image.Image) -> int:
    backing: Pixels | None = getattr(picture, "backing", None)
    if backing is not None:
        return backing.nbytes
    return picture.width * picture.height * (1 if picture.mode in ("L", "P", "1") else 4)


class DiskCache:
    """Pictures in a folder, one file each, written whole or not at all: many processes may share it.

    Args:
        folder: where; by default `decoded` in vivace's home (`$VIVACE_HOME` or `~/.vivace`).
        share: of the disk space that is free, how much they may take. Pictures that nobody has asked for in 30 days
            are removed.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, share: float = DISK_SHARE) -> None:
        self.folder, self.share = vivace_home() / "decoded" if folder is None else Path(folder), share
        self.folder.mkdir(parents=True, exist_ok=True)
        self._held = self._tidy()
        self._lock = threading.Lock()

    def _tidy(self) -> int:
        """Remove what nobody has used for long; return how many bytes are left."""
        held, oldest = 0, time.time() - _UNUSED_SECONDS
        for file in self.folder.glob("??/*"):
            try:
                status = file.stat()
                if status.st_mtime < oldest:
                    file.unlink()
                else:
                    held += status.st_size
            except FileNotFoundError:  # another process was quicker
                continue
        return held

    def find(self, key: PictureKey) -> Image.Image | None:
        file, head = self._place(key)
        try:
            with open(file, "rb") as handle:
                _mark_used(file, os.fstat(handle.fileno()).st_mtime)
                with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    return _read(content, head)
        except (OSError, ValueError):  # not there, not to be read, or empty
            return None

    def keep(self, key: PictureKey, picture: Image.Image) -> None:
        if picture.mode not in _PLAIN_MODES:
            return
        pixels = picture.tobytes()
        file, head = self._place(key)
        about = _ABOUT.pack(picture.mode.encode(), picture.width, picture.height, zlib.crc32(pixels))
        with suppress(OSError):  # the folder is gone or may not be written to, the disk is full: it works without, too
            file.parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                free = shutil.disk_usage(self.folder).free
                if self._held + len(pixels) > self.share * (free + self._held):
                    return
                self._held += len(pixels)
            with atomic_write(file, is_durable=False) as out:  # the check sum finds what a power cut left half written
                out.writelines((head, about, pixels))

    def _place(self, key: PictureKey) -> tuple[Path, bytes]:
        """The file of a picture, and how it begins: the key itself, so that no other picture is taken for it."""
        text = repr((*key, PIL.__version__)).encode("utf-8", "surrogateescape")
        name = hashlib.sha256(text).hexdigest()
        return self.folder / name[:2] / name[2:], _MAGIC + struct.pack("<I", len(text)) + text

    def __reduce__(self) -> tuple[type[DiskCache], tuple[Path, float]]:
        return DiskCache, (self.folder, self.share)


def _mark_used(file: Path, when: float) -> None:
    if time.time() - when > 24 * 3600:
        os.utime(file)


def _read(content: mmap.mmap, head: bytes) -> Image.Image | None:
    begin = len(head) + _ABOUT.size
    if len(content) < begin or content[: len(head)] != head:
        return None
    name, width, height, check_sum = _ABOUT.unpack(content[len(head) : begin])
    mode, pixels = name.rstrip(b"\0").decode("ascii", "replace"), bytearray(memoryview(content)[begin:])
    if len(pixels) != width * height * _PLAIN_MODES.get(mode, 0) or zlib.crc32(pixels) != check_sum:
        return None
    if mode == "RGB":
        return ArrayBacked.around(np.frombuffer(pixels, np.uint8).reshape(height, width, 3))
    return Image.frombytes(mode, (width, height), pixels)


class LookOnly:
    """What another cache holds, without adding to it.

    Args:
        cache: the other one.
    """

    def __init__(self, cache: PictureCache) -> None:
        self.find = cache.find

    def keep(self, key: PictureKey, picture: Image.Image) -> None:
        pass


def make_cache(setting: CacheSetting, n_processes: int = 0) -> PictureCache | None:
    """Return the cache that a loader asks for.

    Args:
        setting: "memory", "disk", None, or "auto": memory, unless worker processes read the pictures.
        n_processes: how many worker processes read; each has its part of the memory.

    Raises:
        ArgumentError: there is no such setting.
    """
    if setting not in ("auto", "memory", "disk", None):
        raise ArgumentError(f'cache must be "auto", "memory", "disk" or None, got {setting!r}.')
    if setting is None or (setting == "auto" and n_processes):
        return None
    return DiskCache() if setting == "disk" else MemoryCache(MEMORY_SHARE / max(1, n_processes))
