"""Decoding JPEG files straight into an array, by libjpeg-turbo: the same bytes as Pillow's, a third sooner.

Pillow opens the file and decides (size, orientation, colours, scale), and decodes whatever is not a sound colour JPEG:
so it alone says what is wrong with a file.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

from .array_backed import Pixels

__all__ = ["decode_jpeg"]

_PARTS = (1, 2, 4, 8)


@cache
def _decoder() -> ModuleType | None:
    try:
        import simplejpeg
    except ImportError:  # a machine for which there is none; Pillow gives the same bytes
        return None
    return simplejpeg  # type: ignore[no-any-return, unused-ignore]


def decode_jpeg(content: bytes, size: tuple[int, int]) -> Pixels | None:
    """Return the colours `(height, width, 3)` of a JPEG file.

    Args:
        content: the file.
        size: the (width, height) wanted: its own, or a half, quarter or eighth of it, rounded up.

    Returns:
        The bytes, or None if that cannot be had: the file is damaged, or there is no decoder.
    """
    decoder = _decoder()
    if decoder is None:
        return None
    try:
        height, width = decoder.decode_jpeg_header(content)[:2]
        if not any((-(-width // part), -(-height // part)) == size for part in _PARTS):
            return None  # not what Pillow read in the file: no memory is taken for that
        pixels: Pixels = decoder.decode_jpeg(content, min_width=size[0], min_height=size[1])
    except (ValueError, OverflowError):
        return None
    return pixels if pixels.shape == (size[1], size[0], 3) else None
