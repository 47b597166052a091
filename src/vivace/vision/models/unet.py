"""U-Nets under the name that scripts know."""

from __future__ import annotations

from vivace.vision.unet import (
    DynamicUnet,
    ResizeToOrig,
    UnetBlock,
)

__all__ = [
    "DynamicUnet",
    "ResizeToOrig",
    "UnetBlock",
]
