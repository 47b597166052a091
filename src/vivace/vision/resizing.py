"""Smaller copies of image files."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from vivace.core.errors import ArgumentError, ArgumentTypeError, DataError, suggest
from vivace.core.files import atomic_write
from vivace.data.items import get_image_files

from .parallel import for_each

__all__ = ["resize_image", "resize_images", "resize_to"]

HERE = Path()
BILINEAR = Image.Resampling.BILINEAR
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
EXIF_ORIENTATION = 0x0112
# Phones put several pictures into one JPEG file, and Pillow calls that by another name.
_FAMILY = {"MPO": "JPEG"}
MAX_NAMES_IN_WARNING = 10
# What Pillow's writers of the common formats understand; it ignores all else silently.
SAVE_OPTIONS = frozenset(
    "alpha_quality append_images bits comment compress_level compression dpi duration exact exif icc_profile "
    "keep_rgb lossless loop method minimize_size optimize pnginfo progressive qtables quality range save_all speed "
    "streamtype subsampling tiffinfo transparency xmp".split()
)


def resize_to(img: Image.Image, targ_sz: int, use_min: bool = False) -> tuple[int, int]:
    """Return the width and height that bring an image's longer side to `targ_sz` pixels and keep its proportions.

    Args:
        img: The image; only its size is looked at.
        targ_sz: Pixels of that side.
        use_min: Bring the shorter side to `targ_sz` instead.
    """
    return _scaled(img.size, targ_sz, use_min)


def _scaled(size: tuple[int, int], side: int, use_min: bool = False) -> tuple[int, int]:
    width, height = size
    reference = min(size) if use_min else max(size)
    return max(1, width * side // reference), max(1, height * side // reference)


def resize_image(
    file: str | Path,
    dest: str | Path,
    src: str | Path = ".",
    max_size: int | None = None,
    n_channels: int = 3,
    ext: str | None = None,
    img_format: str | None = None,
    resample: int = BILINEAR,
    resume: bool = False,
    **save_options: Any,
) -> Path:
    """Write a smaller copy of the image `src/file` to `dest/file`, upright, and return its path.

    An image that needs no change is copied as it is. The file at the destination changes only when the new one is
    complete. If `dest` is `src`, the original is replaced.

    Args:
        file: Its path below `src`.
        dest: Folder; made if missing.
        src: Folder.
        max_size: Pixels that the longer side has at most; smaller images stay. No limit by default.
        n_channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        ext: New ending, such as `".png"`; the old one by default.
        img_format: Pillow's name of the format; what the ending says by default.
        resample: Pillow's number of the filter; bilinear by default.
        resume: Leave it if the destination exists.
        save_options: For Pillow's writer, such as `quality=90`.

    Raises:
        DataError: It cannot be read, or not be written in that format; the message names it.
        ArgumentError: There is no such number of channels or format.
        ArgumentTypeError: There is no such option.
    """
    _check_options(n_channels, ext, img_format, save_options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source, target = Path(src) / file, _destination(file, dest, ext)
        if not (resume and target.exists()):
            _resize(source, target, max_size, n_channels, img_format, resample, save_options)
    return target


def resize_images(
    path: str | Path,
    max_workers: int | None = None,
    max_size: int | None = None,
    recurse: bool = False,
    dest: str | Path = HERE,
    n_channels: int = 3,
    ext: str | None = None,
    img_format: str | None = None,
    resample: int = BILINEAR,
    resume: bool | None = None,
    **save_options: Any,
) -> None:
    """Write smaller copies of the images in a folder to `dest`, in the same sub-folders.

    Originals are replaced only when `dest` names their own folder. Files that cannot be read are left out, and named
    in one warning.

    Args:
        path: Folder with the images.
        max_workers: Threads; one for each core, at most 16, by default, and none for 0.
        max_size: Pixels that the longer side has at most; smaller images stay. No limit by default.
        recurse: Also those in sub-folders (but not in `dest`, should it be one of them).
        dest: Where to; the current folder by default.
        n_channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        ext: New ending, such as `".png"`; the old one by default.
        img_format: Pillow's name of the format; what the ending says by default.
        resample: Pillow's number of the filter; bilinear by default.
        resume: Leave what is at the destination already; not done by default.
        save_options: For Pillow's writer, such as `quality=90`.

    Raises:
        DataError: Two images would become one file, or one would replace another's original.
        ArgumentError: There is no such number of channels or format, or `dest` is not given and the originals are in
            the current folder.
        ArgumentTypeError: There is no such option.

    Warns:
        UserWarning: Some files cannot be read or written.
    """
    _check_options(n_channels, ext, img_format, save_options)
    source_folder, target_folder = Path(path), Path(dest)
    is_in_place = source_folder.resolve() == target_folder.resolve()
    if is_in_place and dest is HERE:
        raise ArgumentError(
            "The images are in the current folder, where the smaller ones would replace them. Give `dest` another "
            "folder, or this one to replace them."
        )
    files = list(get_image_files(source_folder, recurse=recurse))
    inside = target_folder.resolve()
    if not is_in_place and inside.is_relative_to(source_folder.resolve()):
        files = [file for file in files if not file.resolve().is_relative_to(inside)]
    targets = [_destination(file.relative_to(source_folder), target_folder, ext) for file in files]
    _check_targets(files, targets)

    def work(pair: tuple[Path, Path]) -> str | None:
        if resume and pair[1].exists():
            return None
        try:
            _resize(*pair, max_size, n_channels, img_format, resample, save_options)
        except DataError as error:
            return str(error)
        return None

    problems = [p for p in for_each(work, list(zip(files, targets)), max_workers) if p is not None]
    if problems:
        shown = "\n".join(problems[:MAX_NAMES_IN_WARNING])
        more = f"\nand {len(problems) - MAX_NAMES_IN_WARNING} more" if len(problems) > MAX_NAMES_IN_WARNING else ""
        warnings.warn(f"{len(problems)} of {len(files)} images were left out:\n{shown}{more}", stacklevel=2)


def _check_options(n_channels: int, ext: str | None, img_format: str | None, save_options: dict[str, Any]) -> None:
    if n_channels not in MODES:
        raise ArgumentError(f"`n_channels` must be one of {sorted(MODES)}, got {n_channels!r}.")
    for name in save_options:
        if name not in SAVE_OPTIONS:
            raise ArgumentTypeError(f"There is no option {name!r} for saving images.{suggest(name, SAVE_OPTIONS)}")
    Image.init()
    if img_format is not None and img_format.upper() not in Image.SAVE:
        known = sorted(Image.SAVE)
        raise ArgumentError(f"Pillow cannot write {img_format!r}.{suggest(img_format.upper(), known)} Known: {known}.")
    if ext is not None and img_format is None and Image.registered_extensions().get(ext.lower()) not in Image.SAVE:
        raise ArgumentError(f"`ext` must be the ending of an image file, such as '.jpg', got {ext!r}.")


def _check_targets(files: Sequence[Path], targets: Sequence[Path]) -> None:
    """No two images may become one file, and none may replace another one's original."""
    origins = {os.path.realpath(file): file for file in files}
    makers: dict[str, Path] = {}
    for file, target in zip(files, targets):
        place = os.path.realpath(target)
        other = makers.setdefault(place, file)
        if other is file:
            other = origins.get(place, file)
        if other is not file:
            raise DataError(f"{file} and {other} would both become {target}. Rename one, or leave out `ext`.")


def _destination(file: str | Path, dest: str | Path, ext: str | None) -> Path:
    target = Path(dest) / file
    return target if ext is None else target.with_suffix(ext)


def _resize(
    source: Path,
    target: Path,
    max_size: int | None,
    n_channels: int,
    img_format: str | None,
    resample: int,
    save_options: dict[str, Any],
) -> None:
    format_name = (img_format or Image.registered_extensions().get(target.suffix.lower(), "")).upper()
    if format_name not in Image.SAVE:
        raise DataError(f"{source}: Pillow cannot write {target.suffix!r} files. Give `ext` or `img_format`.")
    try:
        with Image.open(source) as image:
            changed = _changed(
                image,
                max_size,
                n_channels,
                resample,
                must_encode=_FAMILY.get(image.format or "", image.format) != format_name,
            )
    except Exception as error:  # broken files make decoders raise anything, even SyntaxError
        raise DataError(f"{source} cannot be read as an image: {error or type(error).__name__}") from error
    try:
        if changed is not None:
            with atomic_write(target) as handle:
                changed.save(handle, format=format_name, **save_options)
        elif not (target.exists() and target.samefile(source)):
            with source.open("rb") as original, atomic_write(target) as handle:
                shutil.copyfileobj(original, handle)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{source} cannot be written as {format_name} to {target}: {error}") from error


def _changed(
    image: Image.Image, max_size: int | None, n_channels: int, resample: int, *, must_encode: bool
) -> Image.Image | None:
    """The image as wanted, or None if it is so already. Decoded to the end in either case."""
    size = image.size
    is_too_large = max_size is not None and max(size) > max_size
    has_channels = image.mode == MODES[n_channels] or (n_channels == 1 and image.mode in ("1", "I", "I;16", "F"))
    if has_channels and not is_too_large and not must_encode:
        image.load()
        return None
    if image.getexif().get(EXIF_ORIENTATION, 1) >= 5:
        size = size[1], size[0]  # lies on its side
    if is_too_large and max_size is not None:
        # JPEG files can be decoded at a half, a quarter, ... of their size: twice what is wanted is plenty.
        image.draft(None, (2 * max_size, 2 * max_size))
    upright = ImageOps.exif_transpose(image)
    upright.load()
    if not has_channels or upright.mode not in ("L", "RGB", "RGBA"):
        upright = _with_mode(upright, MODES[n_channels])
    if is_too_large and max_size is not None:
        upright = upright.resize(_scaled(size, max_size), Image.Resampling(resample))
    return upright


def _with_mode(image: Image.Image, mode: str) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits: Pillow would cut off what is above 255
        high = np.asarray(image).astype(np.int64).clip(0, 2**16 - 1)
        image = Image.fromarray((high // 257).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert(mode)
