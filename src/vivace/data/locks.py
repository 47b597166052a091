"""One process at a time: a lock that ends with the process, so that a killed run blocks nobody."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["locked"]

if sys.platform == "win32":
    import msvcrt

    def _acquire(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
else:
    import fcntl

    def _acquire(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other thread or process is at work on `path`, and keep them out until the `with` block ends.

    The lock is a hidden file beside `path`, gone afterwards. The ranks of a distributed run that all ask for one data
    set so fetch it once. On a file system without locks there is no waiting.

    Args:
        path: What is worked on; it need not exist. Its folder is made if missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock_file = path.with_name(f".{path.name}.lock")
    descriptor = _open_locked(lock_file)
    try:
        yield
    finally:
        # Unlink while still holding it: whoever waits sees that its file is gone, and opens a new one.
        with contextlib.suppress(OSError):
            lock_file.unlink()
        os.close(descriptor)


def _open_locked(lock_file: Path) -> int:
    while True:
        descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _acquire(descriptor)
        except OSError:
            return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), lock_file.stat()):
                return descriptor
        os.close(descriptor)
