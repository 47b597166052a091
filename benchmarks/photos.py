"""Photos for the benchmarks that are given none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_photos(folder: Path, n: int, size: tuple[int, int] = (500, 375), quality: int = 75) -> list[Path]:
    """Write JPEG files with the size (width, height) and roughness of photos; a name begins with its class."""
    rng = np.random.default_rng(0)
    for number in range(n):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        file = folder / f"{'Aa'[number % 2]}_{number:05d}.jpg"
        coarse.resize(size, Image.Resampling.BICUBIC).save(file, quality=quality)
    return sorted(folder.glob("*.jpg"))


def open_square(file: Path, size: int) -> Image.Image:
    """Open a photo as a PyTorch tutorial does: whole, the middle square resized."""
    image = Image.open(file).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=box)
