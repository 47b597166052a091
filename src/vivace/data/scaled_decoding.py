"""Decoding a photo no larger than its pipeline needs: a JPEG can be read at a half, a quarter or an eighth of its size.

Only where it cannot change what a sample means: the sample holds one picture, opened by its type, whose first item
transform says how large a picture it needs, and no points, boxes or masks that are given in the file's pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vivace.core.image import PILBase, PILMask

if TYPE_CHECKING:
    from .loader import DataLoader
    from .transform import Transform

__all__ = ["first_of_one_picture"]

_FREE_OF_PIXELS = {None, "category", "multi_category", "regression"}


def first_of_one_picture(dl: DataLoader) -> Transform | None:
    """Return the first item transform, where a sample holds one picture and nothing that is given in its pixels.

    It says how large the picture must be when decoded, and what can be done to it before anything random.
    """
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
