"""Masks that a model draws for images, as picture files."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vivace.core.errors import ArgumentError, DataError

from .files import find_images

__all__ = ["predict_masks"]

_PIECE = 16  # pictures whose masks are in memory at a time
_CODES = "codes.txt"


def predict_masks(
    learn: Any, inputs: Sequence[Path], out: Path | None, *, restart: bool, say: Callable[[str], None]
) -> None:
    """Write the mask of each image to the folder `out`: `NAME.png` with the number of each pixel's class.

    `codes.txt` beside them has a line for each class, from number 0. If the model squishes images to its size, a mask
    has the size of its image; else the size of what the model sees of it. Images that cannot be read are named.

    Args:
        learn: the model.
        inputs: images, or folders of them.
        out: the folder, new or empty.
        restart: throw away what is in it.
        say: called with each line for the person.

    Raises:
        ArgumentError: there is no `out`, or something is in it.
        DataError: there are no images, or two would have masks of one name.
    """
    files = find_images(inputs)
    if out is None:
        raise ArgumentError("This model predicts masks, which go to a folder: name it with -o FOLDER.")
    names = _mask_names(files)
    if out.exists() and not out.is_dir():
        raise ArgumentError(f"This model predicts masks, which go to a folder, and {out} is a file.")
    if out.is_dir() and any(out.iterdir()):
        if not restart:
            raise ArgumentError(f"{out} is not empty. Choose another folder, or replace what is in it with --restart.")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    keeps_size = _squishes(learn)
    failures: list[tuple[Path, str]] = []
    for start in range(0, len(files), _PIECE):
        piece = slice(start, start + _PIECE)
        failures += _write_masks(learn, files[piece], [out / name for name in names[piece]], keeps_size)
    codes = getattr(learn.dls, "vocab", None) or []
    if codes:
        (out / _CODES).write_text("".join(f"{code}\n" for code in codes), "utf-8")
    size = "" if keeps_size else ", of what the model sees of each image"
    say(f"{len(files) - len(failures):,} masks of {len(codes)} classes{size}: {out}")
    if failures:
        say(f"could not be read ({len(failures)}):")
        for file, reason in failures:
            say(f"  {file}: {reason}")


def _mask_names(files: Sequence[Path]) -> list[str]:
    common = Path(os.path.commonpath([file.absolute().parent for file in files]))
    names = [file.absolute().relative_to(common).with_suffix(".png").as_posix() for file in files]
    seen: dict[str, Path] = {}
    for name, file in zip(names, files, strict=True):
        if name in seen:
            raise DataError(f"{seen[name]} and {file} would both have the mask {name}: predict them separately.")
        seen[name] = file
    return names


def _squishes(learn: Any) -> bool:
    """Whether the whole image is in what the model sees, so that the mask can be stretched back over it."""
    from vivace.vision.item_transforms import Resize, ResizeMethod

    resizes = list(learn.dls.loaders[-1].after_item.fs)
    return any(isinstance(t, Resize) and t.method == ResizeMethod.Squish for t in resizes)


def _write_masks(
    learn: Any, files: Sequence[Path], targets: Sequence[Path], keeps_size: bool
) -> list[tuple[Path, str]]:
    """Write the masks of some images; return those that could not be read, with the reason."""
    import numpy as np
    from PIL import Image

    from vivace.core.collection import L
    from vivace.core.files import atomic_write
    from vivace.core.image import PILImage
    from vivace.data.loader import DataWarning

    dl = learn.dls.test_dl(L(files, use_list=True), on_error="skip")
    with warnings.catch_warnings(), learn.no_bar():
        warnings.simplefilter("ignore", DataWarning)  # what cannot be read is named at the end
        decoded = learn.get_preds(dl=dl, with_preds=False, with_decoded=True)[-1]
    failed = {failure.index: " ".join(str(failure.error).split()) for failure in dl.skipped}
    read = [number for number in range(len(files)) if number not in failed]
    for number, numbers in zip(read, [] if decoded is None else decoded, strict=True):
        mask = Image.fromarray(numbers.cpu().numpy().astype(np.uint8))
        if keeps_size:
            mask = mask.resize(PILImage.create(files[number]).size, Image.Resampling.NEAREST)
        with atomic_write(targets[number]) as handle:
            mask.save(handle, format="PNG")
    return [(files[number], reason) for number, reason in failed.items()]
