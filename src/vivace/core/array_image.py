"""Pictures with any number of channels and all their bits: satellite, microscope and depth images."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageSequence, UnidentifiedImageError
from torch import Tensor

from .errors import ArgumentTypeError, DataError, MissingPackageError
from .image import PILImage, load_image
from .types import TensorChannels

__all__ = ["ArrayImage"]

Floats = npt.NDArray[np.float32]
_HIGHEST = {"u1": 255.0, "u2": 65535.0, "b1": 1.0}  # what becomes 1


class ArrayImage(PILImage):
    """A picture as float32 channels of one size, whatever their number and depth.

    Bytes and 16-bit numbers become 0..1; floats (heights, reflectances) stay what they are. It is cut, resized, padded
    and flipped as any picture, channel by channel; in batches it is a `TensorChannels` `(n, channels, height, width)`.
    """

    tensor_type = TensorChannels
    open_mode = None
    bands: tuple[Image.Image, ...]
    show_options: ClassVar[dict[str, Any]] = {}

    @classmethod
    def create(cls, fn: Any, **kwargs: Any) -> Self:
        """Open a picture with all its channels.

        Args:
            fn: a path or bytes of a `.npy` file, of a TIFF (pages of one size are channels; other layouts than
                Pillow's are read by the package tifffile), or of any picture that Pillow reads; an array
                `(height, width)`, `(height, width, channels)` or `(channels, height, width)` (the smaller end is the
                channels), a tensor, or a Pillow image.
            kwargs: none; `create` of other pictures takes some.

        Raises:
            DataError: the file is missing, broken, or no picture.
            ArgumentTypeError: the array has no shape of a picture.
            MissingPackageError: a TIFF needs tifffile.
        """
        if kwargs:
            raise ArgumentTypeError(f"ArrayImage.create knows no {next(iter(kwargs))!r}.")
        if isinstance(fn, cls):
            return fn.copy()
        if isinstance(fn, Tensor):
            return cls._of_array(_channels_last(fn.detach().cpu().as_subclass(Tensor).numpy()))
        if isinstance(fn, np.ndarray):
            return cls._of_array(_channels_last(fn))
        return cls._of_array(_of_picture(fn) if isinstance(fn, Image.Image) else _read(fn))

    @classmethod
    def from_pixels(cls, value: Any) -> Any:
        """Return an array `(height, width[, channels])` as such a picture; anything else as it is."""
        return cls._of_array(value) if isinstance(value, np.ndarray) else value

    @classmethod
    def _of_array(cls, value: npt.NDArray[Any]) -> Self:
        pixels = _as_floats(value if value.ndim == 3 else value[..., None])
        return cls._stacked([Image.fromarray(np.ascontiguousarray(pixels[..., i])) for i in range(pixels.shape[-1])])

    @classmethod
    def _stacked(cls, bands: list[Image.Image]) -> Self:
        made = cls._of(bands[0])
        made.bands = tuple(bands)
        return made

    # Pillow's own methods, for each channel
    def resize(self, *args: Any, **kwargs: Any) -> Self:
        return self._stacked([band.resize(*args, **kwargs) for band in self.bands])

    def crop(self, *args: Any, **kwargs: Any) -> Self:
        return self._stacked([band.crop(*args, **kwargs) for band in self.bands])

    def transpose(self, *args: Any, **kwargs: Any) -> Self:
        return self._stacked([band.transpose(*args, **kwargs) for band in self.bands])

    def rotate(self, *args: Any, **kwargs: Any) -> Self:
        return self._stacked([band.rotate(*args, **kwargs) for band in self.bands])

    def transform(self, *args: Any, **kwargs: Any) -> Self:
        return self._stacked([band.transform(*args, **kwargs) for band in self.bands])

    def copy(self) -> Self:
        return self._stacked([band.copy() for band in self.bands])

    def getbands(self) -> tuple[str, ...]:
        return tuple(f"channel {i}" for i in range(len(self.bands)))

    @property
    def pixels(self) -> Floats:
        """The values, `(height, width, channels)`."""
        return np.stack([np.asarray(band) for band in self.bands], axis=-1)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        pixels = self.pixels
        return {"shape": pixels.shape, "typestr": pixels.dtype.str, "version": 3, "data": pixels.tobytes()}

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]
        """Draw the first three channels, stretched to what they hold, on `ctx`, and return the axes."""
        return TensorChannels(self.pixels.transpose(2, 0, 1)).show(ctx=ctx, **kwargs)

    def __repr__(self) -> str:
        return f"ArrayImage of {len(self.bands)} channels, size={self.size[0]}x{self.size[1]}"


def _as_floats(pixels: npt.NDArray[Any]) -> Floats:
    highest = _HIGHEST.get(pixels.dtype.str[1:])
    floats = pixels.astype(np.float32)
    return floats if highest is None else floats / np.float32(highest)


def _channels_last(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pixels.ndim not in (2, 3) or pixels.dtype.kind not in "buif" or not pixels.size:
        raise ArgumentTypeError(
            f"An array of shape {pixels.shape} and type {pixels.dtype} is no picture: numbers (height, width), "
            "(height, width, channels) or (channels, height, width) are needed."
        )
    return pixels.transpose(1, 2, 0) if pixels.ndim == 3 and pixels.shape[0] < pixels.shape[-1] else pixels


def _of_picture(image: Image.Image) -> npt.NDArray[Any]:
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    pixels = np.asarray(image)
    is_16_bit = image.mode == "I" and pixels.min(initial=0) >= 0 and pixels.max(initial=0) <= _HIGHEST["u2"]
    return pixels.astype(np.uint16) if is_16_bit else pixels  # so Pillow opens some 16-bit files


def _read(fn: Any) -> npt.NDArray[Any]:
    name = os.fspath(fn) if isinstance(fn, (str, os.PathLike)) else ""
    head = _head(fn, name)
    if head.startswith(b"\x93NUMPY"):
        try:
            return _channels_last(np.load(_source(fn), allow_pickle=False))
        except (ValueError, OSError, EOFError) as error:
            raise DataError(f"{name or 'The array'} is damaged or holds no numbers ({error}).") from error
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _read_tiff(fn, name)
    return _of_picture(load_image(fn))


def _head(fn: Any, name: str) -> bytes:
    if isinstance(fn, (bytes, bytearray)):
        return bytes(fn[:8])
    if not name:
        raise ArgumentTypeError(
            f"A picture is opened from a path, bytes, an array or a tensor, not {type(fn).__name__}."
        )
    try:
        with open(name, "rb") as file:
            return file.read(8)
    except FileNotFoundError as error:
        raise DataError(f"There is no file {name}.") from error
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error}") from error


def _source(fn: Any) -> Any:
    return io.BytesIO(fn) if isinstance(fn, (bytes, bytearray)) else Path(fn)


def _read_tiff(fn: Any, name: str) -> npt.NDArray[Any]:
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(_source(fn)) as image:  # about tags nobody needs
            if getattr(image, "n_frames", 1) == 1 and image.mode in ("RGB", "RGBA", "CMYK"):
                image.load()  # Pillow cuts 16-bit colours off to 8
                bits = image.tag_v2.get(258, (8,))  # type: ignore[attr-defined]
                if max(bits if isinstance(bits, tuple) else (bits,)) > 8:
                    return _with_tifffile(fn, name)
            pages = [_of_picture(page) for page in ImageSequence.Iterator(image)]
    except UnidentifiedImageError as error:
        try:
            return _with_tifffile(fn, name)
        except MissingPackageError as missing:
            raise DataError(f"{name or 'The TIFF'} is damaged, unless this helps: {missing}") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise DataError(f"{name or 'The TIFF'} is damaged or incomplete ({error}).") from error
    if len({page.shape[:2] for page in pages}) > 1:
        pages = pages[:1]  # the others are smaller versions of the first
    return np.concatenate([page if page.ndim == 3 else page[..., None] for page in pages], axis=-1)


def _with_tifffile(fn: Any, name: str) -> npt.NDArray[Any]:
    try:
        import tifffile  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise MissingPackageError(
            f"{name or 'This TIFF'} has a layout that Pillow cannot read (more than 4 channels in a pixel, or 16-bit "
            "colours): pip install tifffile, or save it as .npy or with a page for each channel."
        ) from error
    try:
        return _channels_last(np.asarray(tifffile.imread(_source(fn))))
    except (ValueError, OSError) as error:
        raise DataError(f"{name or 'The TIFF'} is damaged or incomplete ({error}).") from error
