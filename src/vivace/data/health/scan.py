"""Looking at picture files: is each readable, how large, in which mode, and what does it look like."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from vivace.core.errors import DataError
from vivace.core.image import PILImageBW, load_image

__all__ = ["FileFacts", "Source", "perceptual_hash", "scan_files"]

SIDE = 32  # of the small grey copy that pictures are compared by
_HASH_SIDE = 8


@dataclass(frozen=True)
class Source:
    """A file and its place in the data.

    Attributes:
        path: the file.
        label: its class; several joined by ";"; None without labels.
        split: the data set it is in, such as "train"; None if there is one only.
    """

    path: Path
    label: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class FileFacts:
    """What a file turned out to be.

    Attributes:
        source: the file and its place.
        error: why it cannot be read; empty if it can.
        n_bytes: its size.
        digest: SHA-256 of its content.
        width: in pixels, upright.
        height: in pixels, upright.
        mode: Pillow's name: "RGB", "L", "CMYK", ….
        format: Pillow's name: "JPEG", "PNG", ….
        n_frames: more than one in an animation.
        hashes: perceptual hashes of the picture and of its mirror image.
        small: grey copy of `SIDE` × `SIDE` pixels, uint8.
    """

    source: Source
    error: str = ""
    n_bytes: int = 0
    digest: str = ""
    width: int = 0
    height: int = 0
    mode: str = ""
    format: str = ""
    n_frames: int = 1
    hashes: tuple[int, int] = (0, 0)
    small: npt.NDArray[np.uint8] | None = None


def scan_files(sources: Sequence[Source], n_workers: int | None = None) -> list[FileFacts]:
    """Read every file once, in threads, and return what each is, in the same order.

    Every picture is decoded to its end, so that a truncated one is noticed. One picture for each thread is in memory.

    Args:
        sources: the files.
        n_workers: threads; as many as there are cores by default.
    """
    with ThreadPoolExecutor(n_workers or os.cpu_count() or 1) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's about odd files: ours are in the report
        return list(pool.map(_look, sources))


def _look(source: Source) -> FileFacts:
    try:
        content = Path(source.path).read_bytes()
    except OSError as error:
        return FileFacts(source, error=error.strerror or str(error))
    known: dict[str, Any] = {"n_bytes": len(content), "digest": hashlib.sha256(content).hexdigest()}
    try:
        known |= _header(content)
        picture = load_image(content)
        small = np.asarray(PILImageBW.create(_on_white(picture)).resize((SIDE, SIDE), Image.Resampling.BOX))
    except (DataError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).removeprefix("<bytes> ").partition(": remove it")[0]
        return FileFacts(source, error="is empty (0 bytes)" if not content else reason, **known)
    hashes = perceptual_hash(small), perceptual_hash(small[:, ::-1])
    return FileFacts(source, width=picture.width, height=picture.height, hashes=hashes, small=small, **known)


def _header(content: bytes) -> dict[str, Any]:
    """Mode, format and frames as the file says; a broken header shows again when the picture is decoded."""
    import io

    try:
        with Image.open(io.BytesIO(content)) as image:
            return {"mode": image.mode, "format": image.format or "", "n_frames": getattr(image, "n_frames", 1)}
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return {}


def _on_white(picture: Image.Image) -> Image.Image:
    """What a transparent picture looks like on a page, so that its hidden colours do not count."""
    if picture.mode not in ("RGBA", "LA", "PA") and "transparency" not in picture.info:
        return picture
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)


@cache
def _cosines(side: int) -> npt.NDArray[np.float64]:
    """Rows of the discrete cosine transform (type II)."""
    positions = (np.arange(side) + 0.5) * np.pi / side
    return np.asarray(np.cos(np.outer(np.arange(_HASH_SIDE), positions)))


def perceptual_hash(grey: npt.NDArray[Any]) -> int:
    """Return 64 bits that hardly change when a picture is resized, recompressed or made a little brighter.

    Each bit says whether one of the 64 lowest frequencies is above their median (Zauner 2010, "Implementation and
    benchmarking of perceptual image hash functions"). The number of bits in which two hashes differ is their distance.

    Args:
        grey: `(side, side)`.
    """
    cosines = _cosines(grey.shape[0])
    frequencies = (cosines @ grey.astype(np.float64) @ cosines.T).ravel()
    bits = frequencies > np.median(frequencies[1:])  # the first is the mean brightness
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
