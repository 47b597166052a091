"""Decoding a photo no larger than its pipeline needs: a JPEG can be read at a half, a quarter or an eighth of its size.

Only where it cannot change what a sample means: the sample holds one picture, opened by its type, whose first item
transform says how large a picture it needs, and no points, boxes or masks that are given in the file's pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vivace.core.image import PILBase

if TYPE_CHECKING:
    from .loader import DataLoader

__all__ = ["decode_size"]

_FREE_OF_PIXELS = {None, "category", "multi_category", "regression"}


def decode_size(dl: DataLoader) -> tuple[int, int] | None:
    """Return the (width, height) that a picture of this loader must at least have when decoded; None: its own size."""
    parts = list(getattr(dl.dataset, "tls", ()))
    first = next(iter(dl.after_item.fs), None)
    if not parts or first is None or sum(_opens_pictures(part) for part in parts) != 1:
        return None
    if not all(part.kind in _FREE_OF_PIXELS for part in parts if not _opens_pictures(part)):
        return None
    return first.decode_size(dl.split_idx)


def _opens_pictures(part: Any) -> bool:
    owners = [getattr(getattr(t, "enc", None), "__self__", None) for t in part.tfms.fs]
    return any(isinstance(owner, type) and issubclass(owner, PILBase) for owner in owners)
