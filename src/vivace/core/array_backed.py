"""A Pillow image whose bytes lie in an array, as decoders and PyTorch's kernels want them, until Pillow is asked.

Pillow keeps colour pictures with four bytes for each pixel, in memory of its own. Copying there and back took half as
long as decoding a photo, and held Python's lock meanwhile.
"""

from __future__ import annotations

from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from .errors import ArgumentError

__all__ = ["ArrayBacked", "Pixels", "twin_of"]

Pixels = npt.NDArray[np.uint8]


class ArrayBacked(Image.Image):
    """A Pillow image that may begin as bytes `(height, width, 3)`; Pillow's methods work on it as on any other.

    A method that needs Pillow's memory copies the bytes there first and lets go of the array. Only `backing` gives the
    array itself, so several images may share it.
    """

    _pixels: Pixels | None = None  # what `backing` returns

    @classmethod
    def around(cls, pixels: Pixels, info: dict[Any, Any] | None = None) -> Self:
        """Return a colour picture of these bytes `(height, width, 3)`, which must not change from here on.

        Args:
            pixels: contiguous bytes.
            info: what Pillow keeps there: colour profile, EXIF, resolution.

        Raises:
            ArgumentError: the array is something else.
        """
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.flags.c_contiguous:
            raise ArgumentError(f"Contiguous bytes (height, width, 3) are needed, not {pixels.dtype} {pixels.shape}.")
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
        self._move_to_pillow()
        return super().im

    @im.setter
    def im(self, im: Any) -> None:
        self._im = im  # first: another thread may be asking
        self._pixels = None

    def _move_to_pillow(self) -> None:
        pixels = self._pixels
        if pixels is not None:
            self.im = Image.frombuffer("RGB", self.size, pixels, "raw", "RGB", 0, 1).im

    def load(self) -> Any:
        """Have the pixels in Pillow's memory, and return Pillow's access to them."""
        self._move_to_pillow()
        return super().load()

    def close(self) -> None:
        """Let go of the pixels."""
        self._pixels = None
        super().close()

    def twin(self) -> Self:
        """Return another image of the same bytes; drawing on one of them does not change the other."""
        return twin_of(self)

    def crop(self, box: tuple[float, float, float, float] | None = None) -> Self:
        """Return the part in the box (left, top, right, bottom)."""
        pixels = self._pixels
        if pixels is not None and box is not None:
            left, top, right, bottom = (round(side) for side in box)
            if 0 <= left < right <= self.size[0] and 0 <= top < bottom <= self.size[1]:
                return self.around(pixels[top:bottom, left:right].copy(), dict(self.info))
        return super().crop(box)  # type: ignore[return-value]

    def tobytes(self, encoder_name: str = "raw", *args: Any) -> bytes:
        """Return the bytes as Pillow does; numpy asks for them, too.

        They are a copy for arrays as well: PyTorch writes to arrays that are marked as read-only.
        """
        pixels = self._pixels
        is_plain = pixels is not None and encoder_name == "raw" and not args
        return pixels.tobytes() if is_plain else super().tobytes(encoder_name, *args)  # type: ignore[union-attr]

    def to_array(self) -> npt.NDArray[Any]:
        """Return the values as an array of one's own, `(height, width[, channels])`."""
        pixels = self._pixels
        return np.array(self) if pixels is None else pixels.copy()


Picture = TypeVar("Picture", bound=Image.Image)


def twin_of(picture: Picture) -> Picture:
    """Return another image of the same pixels; Pillow copies them before it changes those of one of the two."""
    backing = getattr(picture, "backing", None)
    if backing is not None:
        return picture.around(backing, dict(picture.info))  # type: ignore[attr-defined, no-any-return]
    picture.readonly = 1
    other = picture._new(picture.im)  # type: ignore[no-untyped-call, unused-ignore]
    other.readonly = 1
    return other  # type: ignore[return-value, no-any-return, unused-ignore]
