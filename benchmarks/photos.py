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
