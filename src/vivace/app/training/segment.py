"""`--task segment`: a class for each pixel, from the folders `images/` and `masks/` with files of the same names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from vivace.core.errors import DataError, suggest

from .images import ImageTask, Sample, standard_drawings
from .learners import history_in
from .report import listed
from .settings import TaskName, TrainSettings
from .task import Results

__all__ = ["IMAGES", "MASKS", "MaskOpener", "SegmentTask", "find_codes", "mask_values", "pair_masks", "pixel_accuracy"]

IMAGES, MASKS, CODES = "images", "masks", "codes.txt"


def pair_masks(source: Path) -> list[Sample]:
    """Return each picture in `images/` with the file in `masks/` of the same name, whatever its ending.

    Raises:
        DataError: a folder is missing or empty, or a picture or a mask has no partner.
    """
    images, masks = _files_by_name(source, IMAGES), _files_by_name(source, MASKS)
    _check_partners("images have no mask", images, source / MASKS, masks)
    _check_partners("masks have no image", masks, source / IMAGES, images)
    return [Sample(file, masks[name]) for name, file in images.items()]


def _check_partners(what: str, files: dict[str, Path], other: Path, partners: dict[str, Path]) -> None:
    alone = [name for name in files if name not in partners]
    if alone:
        raise DataError(
            f"{len(alone)} of {len(files)} {what} of the same name in {other}, first {files[alone[0]]}."
            f"{suggest(alone[0], partners)} Rename, add or remove files."
        )


def _files_by_name(source: Path, name: str) -> dict[str, Path]:
    from vivace.data.items import get_image_files

    folder = source / name
    if not folder.is_dir():
        raise DataError(f"{source} holds no folder {name}/: pictures go into {IMAGES}/, their masks into {MASKS}/.")
    files = [Path(file) for file in get_image_files(folder)]
    if not files:
        raise DataError(f"{folder} holds no images.")
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}


class MaskOpener:
    """Open a mask and number its values.

    Args:
        values: the values of the files in the order of their classes.
    """

    def __init__(self, values: list[int]) -> None:
        self.numbers = np.zeros(256, np.uint8)
        self.numbers[values] = np.arange(len(values))

    def __call__(self, sample: Sample) -> npt.NDArray[np.uint8]:
        """Return the mask of a sample as numbers of classes, `(height, width)`."""
        return self.numbers[mask_values(sample.target)]


def mask_values(file: Path) -> npt.NDArray[np.uint8]:
    """Return the values of a mask's pixels, `(height, width)`.

    Raises:
        DataError: it cannot be opened, or has colours instead of one value for each class.
    """
    from vivace.core.image import PILImage, PILMask

    mask = PILMask.create(file)
    colours = np.asarray(PILImage.create(file))
    if np.ptp(colours, axis=-1).any() and not _has_palette(file):
        raise DataError(f"The mask {file} is a picture in colour; a mask has one value for each class.")
    return np.asarray(mask)


def _has_palette(file: Path) -> bool:
    from PIL import Image

    with Image.open(file) as image:
        return image.mode == "P"


def find_codes(source: Path, samples: Sequence[Sample]) -> tuple[list[str], list[int]]:
    """Return the names of the classes and their values in the masks.

    With `codes.txt`, a line for each class, a mask's values are numbers of lines, from 0. Without it the values that
    occur are the classes, in their order; all masks are opened to find them.

    Raises:
        DataError: a mask has a value without a name, or all pixels of all masks are of one class.
    """
    found: dict[int, Path] = {}
    for sample in samples:
        for value in np.unique(mask_values(sample.target)).tolist():
            found.setdefault(value, sample.target)
    if len(found) < 2:
        raise DataError(f"All pixels of all masks in {source / MASKS} have the value {min(found)}: one class only.")
    file = source / CODES
    if not file.is_file():
        return [str(value) for value in sorted(found)], sorted(found)
    codes = [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
    highest = max(found)
    if highest >= len(codes):
        raise DataError(
            f"{file} names {len(codes)} classes, for the values 0 to {len(codes) - 1}, and {found[highest]} has the "
            f"value {highest}. Without {CODES} the values are the classes' names."
        )
    return codes, list(range(len(codes)))


class SegmentTask(ImageTask):
    """Pictures with a mask each."""

    name: ClassVar[TaskName] = "segment"

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings)
        if not settings.source.is_dir():
            raise DataError(f"There is no folder {settings.source} with {IMAGES}/ and {MASKS}/ in it.")
        self.samples = pair_masks(settings.source)
        self.codes, self.values = find_codes(settings.source, self.samples)

    def summary(self) -> str:
        return f"{len(self.samples):,} images with masks of {len(self.codes)} classes ({listed(self.codes)})"

    def make_loaders(self, num_workers: int | None = None) -> Any:
        from vivace.vision.all import MaskBlock

        # Squished, not cropped: then a predicted mask can be brought back to the size of any picture.
        return self.loaders_of(MaskBlock(self.codes), "squish", num_workers, get_y=MaskOpener(self.values))

    def make_learner(self, dls: Any) -> Any:
        from vivace.vision.all import DiceMulti, JaccardCoeffMulti, unet_learner

        return unet_learner(
            dls,
            self.arch,
            n_out=len(self.codes),
            pretrained=self.is_pretrained,
            metrics=[DiceMulti(), JaccardCoeffMulti(), pixel_accuracy],
            path=self.settings.out,
            cbs=history_in(self.settings),
        )

    def results(self, learn: Any) -> Results:
        dice, jaccard, accuracy = list(learn.validate())[1:]
        measures = {"dice": float(dice), "jaccard": float(jaccard), "pixel accuracy": float(accuracy)}
        n_valid = len(learn.dls.valid_ds) - len(learn.dls.valid.skipped)
        return Results(measures, n_valid, standard_drawings(learn, n_results=4, results_size=(6, 12)))


def pixel_accuracy(inp: Any, targ: Any) -> Any:
    """The share of pixels whose class was predicted rightly."""
    return (inp.argmax(1) == targ).float().mean()
