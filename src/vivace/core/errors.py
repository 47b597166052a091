"""Every error that a person can cause: what was wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ArchiveError",
    "ArgumentError",
    "ArgumentTypeError",
    "BundleError",
    "DataError",
    "DownloadError",
    "ItemError",
    "LossError",
    "MetricError",
    "MissingPackageError",
    "ShapeError",
    "UnsafeFileError",
    "VivaceError",
    "suggest",
]


class VivaceError(Exception):
    """Root of all errors that vivace raises on purpose."""


class DataError(VivaceError, ValueError):
    """The data cannot be used as given: a folder, a split, a label, a file."""


class ItemError(DataError):
    """One item failed on its way into a batch; the message names the item, its index and the step."""


class ShapeError(VivaceError, ValueError):
    """Tensors do not fit together."""


class ArgumentError(VivaceError, ValueError):
    """An argument has a value that cannot work."""


class ArgumentTypeError(VivaceError, TypeError):
    """An argument is of the wrong type, or its name is unknown."""


class MissingPackageError(VivaceError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""


class DownloadError(VivaceError, OSError):
    """A file could not be fetched."""


class ArchiveError(VivaceError, ValueError):
    """An archive is damaged or not an archive."""


class UnsafeFileError(VivaceError, ValueError):
    """A file from outside would do what data must not do; nothing of it was used."""


class BundleError(VivaceError, ValueError):
    """An exported model cannot be written or read."""


class LossError(VivaceError, ValueError):
    """The loss does not fit the model's output or the targets."""


class MetricError(VivaceError, RuntimeError):
    """A metric raised; the message names it."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""
