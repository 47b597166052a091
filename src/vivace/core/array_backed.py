"""A Pillow image whose bytes lie in an array, as decoders and PyTorch's kernels want them, until Pillow is asked.

Pillow keeps colour pictures with four bytes for each pixel, in memory of its own. Copying there and back took half as
long as decoding a photo, and held Python's lock meanwhile.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["ArrayBacked", "Pixels"]

Pixels = npt.NDArray[np.uint8]


class ArrayBacked(Image.Image):
    """A Pillow image that may begin as bytes `(height, width, 3)`; Pillow's methods work on it as on any other.

    The first of them copies the bytes to Pillow's memory and lets go of the array, which is never written to: several
    images may share it.
    """

    _pixels: Pixels | None = None  # what `backing` returns

    @classmethod
    def around(cls, pixels: Pixels, info: dict[Any, Any] | None = None) -> Self:
        """Return a colour picture of these bytes `(height, width, 3)`, which must not change from here on.

        Args:
            pixels: contiguous bytes.
            info: what Pillow keeps there: colour profile, EXIF, resolution.
        """
        image = cls.__new__(cls)
        Image.Image.__init__(image)
        image._pixels, image._mode = pixels, "RGB"
        image._size = pixels.shape[1], pixels.shape[0]
        image.info = {} if info is None else info
        return image

    @classmethod
    def _of(cls, image: Image.Image) -> Self:
        new = cls.__new__(cls)
        new.__dict__.update(image.__dict__)
        return new

    def _new(self, im: Any) -> Self:  # Pillow makes the results of its operations with this
        return self._of(super()._new(im))

    @property
    def backing(self) -> Pixels | None:
        """The bytes `(height, width, 3)`, not to be written to; None: they are in Pillow's memory."""
        return self._pixels

    @property
    def im(self) -> Any:
        """Pillow's memory."""
        if self._pixels is not None:
            self._move_to_pillow(self._pixels)
        return super().im

    @im.setter
    def im(self, im: Any) -> None:
        self._pixels = None
        self._im = im

    def _move_to_pillow(self, pixels: Pixels) -> None:
        self.im = Image.frombuffer("RGB", self.size, pixels, "raw", "RGB", 0, 1).im

    def load(self) -> Any:
        """Have the pixels in Pillow's memory, and return Pillow's access to them."""
        if self._pixels is not None:
            self._move_to_pillow(self._pixels)
        return super().load()

    def close(self) -> None:
        """Let go of the pixels."""
        self._pixels = None
        super().close()

    def twin(self) -> Self:
        """Return another image of the same bytes; drawing on one of them does not change the other."""
        if self._pixels is not None:
            return self.around(self._pixels, dict(self.info))
        self.readonly = 1  # Pillow copies before it changes such pixels
        other = self._new(self.im)
        other.readonly = 1
        return other

    def crop(self, box: tuple[float, float, float, float] | None = None) -> Self:
        """Return the part in the box (left, top, right, bottom)."""
        if self._pixels is not None and box is not None:
            left, top, right, bottom = (round(side) for side in box)
            if 0 <= left < right <= self.size[0] and 0 <= top < bottom <= self.size[1]:
                return self.around(self._pixels[top:bottom, left:right].copy(), dict(self.info))
        return super().crop(box)  # type: ignore[return-value]

    @property
    def __array_interface__(self) -> dict[str, Any]:
        if self._pixels is None:
            return super().__array_interface__
        read_only = self._pixels.data.toreadonly()  # the array made from it keeps the bytes alive
        return {"shape": self._pixels.shape, "typestr": "|u1", "version": 3, "data": read_only}
