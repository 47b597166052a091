"""Work on image files under the name that scripts know."""

from __future__ import annotations

from vivace.vision.files import (
    download_images,
    resize_image,
    resize_images,
    resize_to,
    verify_image,
    verify_images,
)

__all__ = [
    "download_images",
    "resize_image",
    "resize_images",
    "resize_to",
    "verify_image",
    "verify_images",
]
