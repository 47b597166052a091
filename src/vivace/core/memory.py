"""Memory: how much is free, and freed memory that is kept for the next batch instead of being given back."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

__all__ = ["available_memory", "keep_freed_memory", "large_memory_given_back"]

# From malloc.h of the GNU C library.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_KEPT_BYTES = 1 << 30
_LARGE_BYTES = 32 << 20  # the largest threshold that the library takes
_MANY_PIECES = 1 << 16  # the library's own default
_GUESS = 4 << 30  # where nobody tells


@cache
def keep_freed_memory() -> bool:
    """Let this process keep up to 1 GiB of freed memory; return whether that could be set.

    By default the GNU C library asks the kernel for each large tensor anew, and the kernel hands its pages out one by
    one, filled with zeros: making the floats of a batch of 64 photos took 13 ms so, and 2 ms from kept memory; a
    training step of a ResNet on the CPU was 10 % quicker. Does nothing elsewhere, and nothing where the environment
    says `VIVACE_KEEP_MEMORY=0` or sets one of malloc's own variables.
    """
    own = any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ
    if not sys.platform.startswith("linux") or own or os.environ.get("VIVACE_KEEP_MEMORY") == "0":
        return False
    _set_malloc(_M_MMAP_THRESHOLD, _LARGE_BYTES)  # counts while there may be pieces that are given back
    return _set_malloc(_M_MMAP_MAX, 0) and _set_malloc(_M_TRIM_THRESHOLD, _KEPT_BYTES)


@contextmanager
def large_memory_given_back() -> Iterator[None]:
    """Keep only pieces of up to 32 MiB while this lasts: for training, which keeps tensors of all sizes for long.

    Where all are kept, large ones leave holes between those that stay, which the next ones do not fit into: an epoch of
    a ResNet-18 took 60 MB more for it, and was no quicker. Reading pictures alone is a fifth slower when their floats,
    38 MB for 64 of 224 pixels, are given back.
    """
    if not keep_freed_memory():
        yield
        return
    _training.count(1)
    try:
        yield
    finally:
        _training.count(-1)


class _Training:
    """How many trainings run now, one inside another or in several threads: the setting is that of the process."""

    def __init__(self) -> None:
        self.lock, self.n = threading.Lock(), 0

    def count(self, more: int) -> None:
        with self.lock:
            self.n += more
            _set_malloc(_M_MMAP_MAX, _MANY_PIECES if self.n else 0)


_training = _Training()


def _set_malloc(parameter: int, value: int) -> bool:
    try:
        return bool(ctypes.CDLL(None).mallopt(parameter, value))
    except (OSError, AttributeError):  # another C library
        return False


def available_memory() -> int:
    """Return how many bytes this process could still take without swapping, or what its container allows if less.

    Known on Linux, and elsewhere where `psutil` is installed; otherwise 4 GiB are assumed.
    """
    found = [n for n in (_of_machine(), _of_container(Path("/sys/fs/cgroup"))) if n is not None]
    return max(0, min(found)) if found else _GUESS


def _of_machine() -> int | None:
    try:
        with open("/proc/meminfo", "rb") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(b"MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:
        import psutil  # type: ignore[import-untyped]
    except ImportError:
        return None
    return int(psutil.virtual_memory().available)


def _of_container(folder: Path) -> int | None:
    """What the control group (version 2) leaves: pages of files are given back when memory runs short."""
    try:
        limit, used = (folder / "memory.max").read_text(), (folder / "memory.current").read_text()
        kept = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return None if limit.strip() == "max" else int(limit) - int(used) + int(kept.get("inactive_file", 0))
    except (OSError, ValueError):
        return None
