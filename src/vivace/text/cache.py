"""Tokens kept on disk, below vivace's home, so that the same texts are split once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from vivace.core.files import atomic_write, vivace_home

from .tokens import TokenizedTexts

__all__ = ["kept_or_made", "key_of_files", "key_of_texts"]

_LEAST_CHARACTERS = 2_000_000  # fewer are split again in less time than it takes a person to notice
_UNUSED_SECONDS = 30 * 24 * 3600.0  # after which tokens are removed
_FORMAT = "vivace tokens 1"


def key_of_texts(texts: Sequence[str], settings: str | None) -> str | None:
    """Return the key of texts; None where nothing should be kept: few texts, or `settings` that nobody can name."""
    if settings is None or sum(map(len, texts)) < _LEAST_CHARACTERS:
        return None
    return _digest(settings, (part for text in texts for part in (str(len(text)), text)))


def key_of_files(files: Sequence[Path], settings: str | None) -> str | None:
    """Return the key of files by path, size and time of change; None where nothing should be kept."""
    if settings is None:
        return None
    states = [os.stat(file) for file in files]
    if sum(state.st_size for state in states) < _LEAST_CHARACTERS:
        return None
    described = (f"{file.absolute()}\0{s.st_size}\0{s.st_mtime_ns}" for file, s in zip(files, states, strict=True))
    return _digest(settings, described)


def _digest(settings: str, parts: Iterable[str]) -> str:
    digest = hashlib.sha256(f"{_FORMAT}\n{settings}\n".encode())
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def kept_or_made(key: str | None, make: Callable[[], TokenizedTexts]) -> TokenizedTexts:
    """Return what is kept under `key`, or make and keep it."""
    if key is None:
        return make()
    folder = vivace_home() / "tokens"
    file = folder / f"{key}.npz"
    found = _read(file)
    if found is not None:
        return found
    made = make()
    _remove_unused(folder)
    table = np.frombuffer(json.dumps(made.table).encode("utf-8", "surrogatepass"), np.uint8)
    with atomic_write(file, is_durable=False) as out:  # zip's check sums find what a power cut left half written
        np.savez(out, table=table, ids=made.ids, ends=made.ends)
    return made


def _read(file: Path) -> TokenizedTexts | None:
    try:
        with open(file, "rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            table = json.loads(arrays["table"].tobytes().decode("utf-8", "surrogatepass"))
            found = TokenizedTexts(table, arrays["ids"], arrays["ends"])
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError):  # damaged: it is made again
        return None
    if time.time() - file.stat().st_mtime > 24 * 3600:
        os.utime(file)  # in use
    return found


def _remove_unused(folder: Path) -> None:
    oldest = time.time() - _UNUSED_SECONDS
    for file in folder.glob("*.npz"):
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            if file.stat().st_mtime < oldest:
                file.unlink()
