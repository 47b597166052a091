"""Decoding a photo no larger than its pipeline needs: a JPEG can be read at a half, a quarter or an eighth of its size.

Only where it cannot change what a sample means: the sample holds one picture, opened by its type, whose first item
transform says how large a picture it needs, and no points, boxes or masks that are given in the file's pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vivace.core.image import PILBase, PILMask

if TYPE_CHECKING:
    from .loader import DataLoader
    from .transform import Transform

__all__ = ["alike_for_all", "decode_size"]

_FREE_OF_PIXELS = {None, "category", "multi_category", "regression"}


def decode_size(dl: DataLoader) -> tuple[int, int] | None:
    """Return the (width, height) that a picture of this loader must at least have when decoded; None: its own size."""
    first = _first_of_one_picture(dl)
    return None if first is None else first.decode_size(dl.split_idx)


def alike_for_all(dl: DataLoader) -> Callable[[Any], Any] | None:
    """Return what the loader's first transform does to every picture alike (see `Transform.alike_for_all`)."""
    first = _first_of_one_picture(dl)
    return None if first is None else first.alike_for_all(dl.split_idx)


def _first_of_one_picture(dl: DataLoader) -> Transform | None:
    """The first item transform, where a sample holds one picture and nothing that is given in its pixels."""
    parts = list(getattr(dl.dataset, "tls", ()))
    first = next(iter(dl.after_item.fs), None)
    opened = [kind for part in parts if (kind := _picture_class(part)) is not None]
    if first is None or len(opened) != 1 or issubclass(opened[0], PILMask):
        return None
    if not all(part.kind in _FREE_OF_PIXELS for part in parts if _picture_class(part) is None):
        return None
    return first


def _picture_class(part: Any) -> type[PILBase] | None:
    """As what a part opens pictures; None: it opens none."""
    owners = [getattr(getattr(t, "enc", None), "__self__", None) for t in part.tfms.fs]
    return next((owner for owner in owners if isinstance(owner, type) and issubclass(owner, PILBase)), None)
