"""Pictures: opened from anything, upright, in the mode that the model wants, decoded no larger than needed."""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Callable
from struct import error as struct_error
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from .array_backed import ArrayBacked
from .errors import ArgumentTypeError, DataError
from .jpeg import decode_jpeg
from .picture_cache import PictureCache, PictureKey
from .types import TensorImage, TensorImageBase, TensorImageBW, TensorMask

if TYPE_CHECKING:
    from PIL import ImageFile

__all__ = [
    "PILBase",
    "PILImage",
    "PILImageBW",
    "PILImageRGBA",
    "PILMask",
    "decode_at_least",
    "image2tensor",
    "load_image",
    "to_image",
]

MAX_PIXELS = 250_000_000  # a picture beyond that is refused before it is decoded
_ORIENTATION_TAG = 0x0112
# EXIF orientation (as stored) to the operation that brings the picture upright
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PILBase(ArrayBacked):
    """A picture that knows which tensor it becomes and how it is shown."""

    open_mode: ClassVar[str | None] = "RGB"
    tensor_type: ClassVar[type[TensorImageBase]] = TensorImage
    show_options: ClassVar[dict[str, Any]] = {}
    kind: ClassVar[str] = "image"  # what it is as a target

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Also understand how such classes are written for fastai: `_open_args`, `_show_args`, `_tensor_cls`."""
        super().__init_subclass__(**kwargs)
        own = vars(cls)
        cls.open_mode = own.get("_open_args", {}).get("mode", cls.open_mode)
        cls.show_options = own.get("_show_args", cls.show_options)
        cls.tensor_type = own.get("_tensor_cls", cls.tensor_type)

    @classmethod
    def create(cls, fn: Any, **kwargs: Any) -> Self:
        """Open a picture.

        Args:
            fn: a path, bytes, a file object, an array `(height, width[, channels])` of bytes, 16-bit numbers or floats
                in 0..1, a tensor (`(channels, height, width)` or an array's shape), or a Pillow image.
            kwargs: `mode` overrides the class's.

        Raises:
            DataError: the file is missing, empty, truncated, no picture, or larger than 250 million pixels.
            ArgumentTypeError: `fn` is none of these.
        """
        mode = kwargs.pop("mode", cls.open_mode)
        if isinstance(fn, Image.Image):
            _load_opened(fn)
            return cls._of(_converted(fn, mode) if fn.mode != mode or not isinstance(fn, cls) else fn.copy())
        if isinstance(fn, Tensor):
            fn = _channels_last(fn)
        if isinstance(fn, np.ndarray):
            return cls._of(_converted(_from_array(fn), mode))
        return cls._of(load_image(fn, mode))

    @classmethod
    def from_pixels(cls, value: Any) -> Any:
        """Return an array or a plain Pillow image as such a picture; anything else as it is."""
        if isinstance(value, np.ndarray) and value.ndim in (2, 3) and value.dtype != object:
            return cls._of(_from_array(value))
        return cls._of(value) if type(value) in (Image.Image, ArrayBacked) else value

    def transform(self, *args: Any, **kwargs: Any) -> Self:
        """Pillow's `transform`, which alone does not make its result with `_new`."""
        return type(self)._of(super().transform(*args, **kwargs))

    def as_plain(self) -> Image.Image:
        """Return the same pixels as a plain Pillow image, for code that asks for exactly that class."""
        self.load()
        plain = Image.Image.__new__(Image.Image)
        plain.__dict__.update(self.__dict__)
        return plain

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.size[1], self.size[0]

    @property
    def aspect(self) -> float:
        """Width divided by height."""
        return self.size[0] / self.size[1]

    @property
    def n_px(self) -> int:
        """How many pixels."""
        return self.size[0] * self.size[1]

    def reshape(self, h: int, w: int, resample: int = 0) -> Self:
        """Resize to height and width."""
        return self.resize((w, h), resample=resample)  # type: ignore[return-value]

    def to_bytes_format(self, format: str = "png") -> bytes:
        """Return the picture as a file of this format, in memory."""
        out = io.BytesIO()
        self.save(out, format=format)
        return out.getvalue()

    def to_thumb(self, h: int, w: int | None = None) -> Self:
        """Return a copy that fits into `h` by `w` pixels (`w`: the same as `h`)."""
        new = self.copy()
        new.thumbnail((h if w is None else w, h))
        return new  # type: ignore[return-value]

    def resize_max(
        self, resample: int = 0, max_px: int | None = None, max_h: int | None = None, max_w: int | None = None
    ) -> Self:
        """Return it shrunk so that it has at most this many pixels, this height and this width."""
        h, w = self.shape
        factor = 1.0
        if max_px and h * w > max_px:
            factor = min(factor, (max_px / (h * w)) ** 0.5)
        if max_h and h > max_h:
            factor = min(factor, max_h / h)
        if max_w and w > max_w:
            factor = min(factor, max_w / w)
        return self if factor == 1.0 else self.reshape(round(h * factor), round(w * factor), resample)

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]
        """Draw the picture on `ctx` (matplotlib axes, made when missing) and return the axes."""
        from .show import show_image

        return show_image(self, ctx=ctx, **{**self.show_options, **kwargs})

    def __repr__(self) -> str:
        return f"{type(self).__name__} mode={self.mode} size={self.size[0]}x{self.size[1]}"


class PILImage(PILBase):
    """A colour picture."""


class PILImageBW(PILImage):
    """A grey picture."""

    open_mode = "L"
    tensor_type = TensorImageBW
    show_options: ClassVar[dict[str, Any]] = {"cmap": "Greys_r"}


class PILImageRGBA(PILImage):
    """A colour picture with transparency as its fourth channel."""

    open_mode = "RGBA"


class PILMask(PILBase):
    """A mask: its values are class indices and are kept exactly."""

    open_mode = "L"
    tensor_type = TensorMask
    kind = "mask"
    filename: str = ""
    show_options: ClassVar[dict[str, Any]] = {"alpha": 0.5, "cmap": "tab20", "interpolation": "nearest"}

    @classmethod
    def create(cls, fn: Any, **kwargs: Any) -> Self:
        """Open a mask; a palette image gives its indices, not its colours. Its `filename` is kept for messages."""
        if not (isinstance(fn, (str, os.PathLike, bytes, bytearray)) or hasattr(fn, "read")):
            return super().create(fn, **kwargs)
        image = load_image(fn, None)
        if image.mode == "P":
            image = _from_array(np.array(image))
        elif image.mode in ("I", "I;16"):
            image = _from_array(np.array(image).clip(0, 255).astype(np.uint8))
        mask = cls._of(image if image.mode == "L" else image.convert("L"))
        mask.filename = os.fspath(fn) if isinstance(fn, (str, os.PathLike)) else ""
        return mask


def _channels_last(x: Tensor) -> np.ndarray[Any, Any]:
    x = x.detach().as_subclass(Tensor).cpu()
    if (x.ndim == 3 and x.shape[0] in (1, 3, 4) and x.shape[-1] not in (1, 3, 4)) or (
        x.ndim == 3 and x.shape[0] in (1, 3, 4) and x.shape[0] <= x.shape[-1]
    ):
        x = x.permute(1, 2, 0)
    return x.float().numpy() if x.dtype is torch.bfloat16 else x.numpy()


def _from_array(x: np.ndarray[Any, Any]) -> Image.Image:
    if x.ndim == 3 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.dtype.kind == "f":
        x = (x.clip(0, 1) * 255).round().astype(np.uint8)
    elif x.dtype == bool:
        x = x.astype(np.uint8) * 255
    elif x.dtype == np.uint16:
        x = (x >> 8).astype(np.uint8)
    elif x.dtype != np.uint8:
        x = x.clip(0, 255).astype(np.uint8)
    if x.ndim not in (2, 3) or (x.ndim == 3 and x.shape[-1] not in (2, 3, 4)):
        raise ArgumentTypeError(
            f"An array of shape {x.shape} is no picture: (height, width) or (height, width, channels) is needed."
        )
    return Image.fromarray(np.ascontiguousarray(x))


def _converted(image: Image.Image, mode: str | None) -> Image.Image:
    """The picture in this mode (None: as it is); 16-bit values are scaled to 8 bits, where Pillow cuts them off."""
    if mode is None:
        return image
    if image.mode in ("I;16", "I;16L", "I;16B", "I"):
        values = np.asarray(image).astype(np.int64)
        if values.max(initial=0) > 255:
            values = values >> 8
        image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    elif image.mode == "F":
        values = np.asarray(image)
        image = _from_array(values if values.max(initial=0) <= 1 else values / 255)
    elif image.mode == "P" and mode == "RGB" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image if image.mode == mode else image.convert(mode)


class _Decoding(threading.local):
    """How this thread decodes pictures now: (size, cache, then) of `decode_at_least`."""

    how: tuple[tuple[int, int] | None, PictureCache | None, Callable[[Image.Image], Image.Image] | None] = (
        None,
        None,
        None,
    )


_decoding = _Decoding()


class decode_at_least:
    """While this lasts, in this thread, pictures may be decoded smaller, though no smaller than (width, height).

    Args:
        size: (width, height); None: their own size.
        cache: pictures that it keeps are not decoded at all.
        then: what is done to pictures from files; they are kept as it leaves them.
    """

    __slots__ = ("_before", "_how")

    def __init__(
        self,
        size: tuple[int, int] | None,
        cache: PictureCache | None = None,
        then: Callable[[Image.Image], Image.Image] | None = None,
    ) -> None:
        self._how = size, cache, then

    def __enter__(self) -> None:
        self._before = _decoding.how
        _decoding.how = self._how

    def __exit__(self, *error: object) -> None:
        _decoding.how = self._before


def _load_opened(image: Image.Image) -> None:
    """Read the pixels of a picture that `Image.open` has only looked at; others have theirs."""
    try:
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        name = getattr(image, "filename", "") or "A picture"
        raise DataError(f"{name} cannot be decoded ({error}): make it again, or leave it out.") from error


def load_image(fn: Any, mode: str | None = None, needed: tuple[int, int] | None = None) -> Image.Image:
    """Read and decode a picture, upright and in `mode` (None: as stored).

    Args:
        fn: a path, bytes, or a file object.
        mode: Pillow's name of the mode.
        needed: (width, height) that is enough: a JPEG is decoded at the smallest half, quarter or eighth that still
            covers it. By default what `decode_at_least` says, else the picture's own size.

    Raises:
        DataError: see `PILBase.create`.
    """
    name = (
        os.fspath(fn) if isinstance(fn, (str, os.PathLike)) else getattr(fn, "name", None) or f"<{type(fn).__name__}>"
    )
    size, cache, then = _decoding.how
    needed = size if needed is None else needed
    if cache is None or not isinstance(fn, (str, os.PathLike)):
        whole = _decoded(fn, name, mode, needed)
        return whole if then is None else then(whole)
    try:
        status = os.stat(fn)
    except OSError:  # let the usual way say what is wrong
        return _decoded(fn, name, mode, needed)
    key = PictureKey(
        os.path.abspath(name), status.st_size, status.st_mtime_ns, mode, needed, None if then is None else repr(then)
    )
    kept = cache.find(key)
    if kept is None:
        kept = _decoded(fn, name, mode, needed)
        kept = kept if then is None else then(kept)
        cache.keep(key, kept)
    return kept


def _decoded(fn: Any, name: str, mode: str | None, needed: tuple[int, int] | None) -> Image.Image:
    source, size = _opened(fn, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked below
            opened = Image.open(source)
            if opened.size[0] * opened.size[1] > MAX_PIXELS:
                raise DataError(
                    f"{name} has {opened.size[0]}x{opened.size[1]} pixels, more than the {MAX_PIXELS:,} allowed: "
                    "shrink it, or leave it out."
                )
            orientation = (
                opened.getexif().get(_ORIENTATION_TAG, 1)
                if opened.format in ("JPEG", "MPO", "TIFF", "PNG", "WEBP")
                else 1
            )
            if needed is not None and opened.format in ("JPEG", "MPO"):
                width, height = needed[::-1] if orientation >= 5 else needed
                opened.draft(mode if mode in ("L", "RGB") else None, (width, height))
            image = _whole(opened)
    except DataError:
        raise
    except UnidentifiedImageError as error:
        reason = "is empty (0 bytes)" if size == 0 else "is not a picture that Pillow can read"
        raise DataError(f"{name} {reason}: remove it, or find such files with verify_images(files).") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{name} is a decompression bomb or far too large: {error}") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, struct_error) as error:
        raise DataError(
            f"{name} is damaged or incomplete ({error}): remove it, or find such files with verify_images(files)."
        ) from error
    finally:
        if source is not fn and hasattr(source, "close"):
            source.close()
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    return _converted(image, mode)


def _whole(image: ImageFile.ImageFile) -> Image.Image:
    """The opened picture with its pixels."""
    if image.format in ("JPEG", "MPO") and image.mode == "RGB" and image.fp is not None:
        position = image.fp.tell()
        image.fp.seek(0)
        pixels = decode_jpeg(image.fp.read(), image.size)
        if pixels is not None:
            return ArrayBacked.around(pixels, image.info)
        image.fp.seek(position)
    image.load()
    return image


def _opened(fn: Any, name: str) -> tuple[Any, int | None]:
    """A file object to decode from, and its size if that is known."""
    if isinstance(fn, (bytes, bytearray, memoryview)):
        return io.BytesIO(fn), len(fn)
    if hasattr(fn, "read"):
        return fn, None
    if not isinstance(fn, (str, os.PathLike)):
        raise ArgumentTypeError(
            f"A picture is opened from a path, bytes, an array, a tensor or a file, not from {type(fn).__name__}."
        )
    try:
        file = open(fn, "rb")  # noqa: SIM115  (the caller closes it)
    except FileNotFoundError as error:
        raise DataError(f"There is no file {name}.") from error
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error}") from error
    return file, os.fstat(file.fileno()).st_size


def image2tensor(img: Image.Image) -> Tensor:
    """Return a picture's bytes as `(channels, height, width)`, uint8."""
    pixels = torch.from_numpy(np.array(img))
    return (pixels[..., None] if pixels.ndim == 2 else pixels).permute(2, 0, 1)


def to_image(x: Any) -> Image.Image:
    """Return a tensor or array as a Pillow image."""
    if isinstance(x, Image.Image):
        return x
    return _from_array(_channels_last(x) if isinstance(x, Tensor) else np.asarray(x))
