"""Make the README's picture: run the demo and put what it saved side by side.

make pictures
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image

from vivace.app.demo import run_demo

IMAGES = Path(__file__).parent / "images"
_HEIGHT_PIXELS, _MARGIN_PIXELS = 440, 32


def side_by_side(files: list[Path]) -> Image.Image:
    """Return one white picture with all of them, equally high."""
    pictures = [Image.open(file).convert("RGB") for file in files]
    pictures = [
        p.resize((p.width * _HEIGHT_PIXELS // p.height, _HEIGHT_PIXELS), Image.Resampling.LANCZOS) for p in pictures
    ]
    width = sum(p.width for p in pictures) + _MARGIN_PIXELS * (len(pictures) + 1)
    whole = Image.new("RGB", (width, _HEIGHT_PIXELS + 2 * _MARGIN_PIXELS), "white")
    left = _MARGIN_PIXELS
    for picture in pictures:
        whole.paste(picture, (left, _MARGIN_PIXELS))
        left += picture.width + _MARGIN_PIXELS
    return whole


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        run_demo(Path(folder))
        files = [Path(folder) / name for name in ("batch.png", "results.png", "confusion.png")]
        IMAGES.mkdir(exist_ok=True)
        side_by_side(files).quantize(64).save(IMAGES / "digits.png", optimize=True)
