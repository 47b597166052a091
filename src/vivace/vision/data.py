"""Blocks for pictures, masks, points and boxes, and loaders of pictures made in one call."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from vivace.core.basics import using_attr
from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError
from vivace.core.image import PILImage, PILMask
from vivace.data.block import CategoryBlock, DataBlock, MultiCategoryBlock, RegressionBlock, TransformBlock
from vivace.data.category import MultiCategorize
from vivace.data.items import get_image_files
from vivace.data.labels import ColReader, RegexLabeller, parent_label
from vivace.data.loaders import DataLoaders
from vivace.data.splits import ColSplitter, GrandparentSplitter, RandomSplitter
from vivace.data.transforms import IntToFloatTensor

from .points import AddMaskCodes, BBoxLabeler, PointScaler, TensorBBoxCreate, TensorPointCreate, bb_pad

__all__ = [
    "BBoxBlock",
    "BBoxLblBlock",
    "ImageBlock",
    "ImageDataLoaders",
    "MaskBlock",
    "PointBlock",
    "SegmentationDataLoaders",
]

PathLike = str | os.PathLike[str]


def ImageBlock(cls: type[PILImage] = PILImage) -> TransformBlock:  # noqa: N802
    """A picture (`cls=PILImageBW`: grey)."""
    return TransformBlock(type_tfms=cls.create, batch_tfms=IntToFloatTensor)


def MaskBlock(codes: Any = None) -> TransformBlock:  # noqa: N802
    """A mask: a picture whose values are class indices.

    Args:
        codes: the names of the classes.
    """
    return TransformBlock(type_tfms=[PILMask.create, AddMaskCodes(codes=codes)], batch_tfms=IntToFloatTensor)


def PointBlock() -> TransformBlock:  # noqa: N802
    """Points in the picture, in pixels: x, y."""
    return TransformBlock(type_tfms=TensorPointCreate, item_tfms=PointScaler)


def BBoxBlock() -> TransformBlock:  # noqa: N802
    """Boxes in the picture, in pixels: left, top, right, bottom."""
    return TransformBlock(type_tfms=TensorBBoxCreate, item_tfms=PointScaler, dls_kwargs={"before_batch": bb_pad})


def BBoxLblBlock(vocab: Any = None, add_na: bool = True) -> TransformBlock:  # noqa: N802
    """The labels of the boxes.

    Args:
        vocab: the classes; None: those of the training set.
        add_na: make class 0 "#na#", for padding.
    """
    return TransformBlock(type_tfms=MultiCategorize(vocab=vocab, add_na=add_na), item_tfms=BBoxLabeler)


class ImageDataLoaders(DataLoaders):
    """Loaders of pictures, made in one call.

    All makers take `item_tfms` and `batch_tfms`, and what `DataBlock.dataloaders` takes: `bs`, `val_bs`, `shuffle`,
    `device`, `num_workers`, `on_error`, ….
    """

    @classmethod
    def from_folder(
        cls, path: PathLike, train: str = "train", valid: str = "valid", valid_pct: float | None = None, seed: int | None = None,
        vocab: Any = None, item_tfms: Any = None, batch_tfms: Any = None, img_cls: type[PILImage] = PILImage, **kwargs: Any,
    ) -> Self:  # fmt: skip
        """Pictures in one folder a class, below `train` and `valid` (or `valid_pct` of all of them for validation)."""
        splitter = GrandparentSplitter(train, valid) if valid_pct is None else RandomSplitter(valid_pct, seed)
        find = get_image_files if valid_pct is not None else partial(get_image_files, folders=[train, valid])
        block = DataBlock(
            blocks=(ImageBlock(img_cls), CategoryBlock(vocab=vocab)), get_items=find, splitter=splitter, get_y=parent_label,
            item_tfms=item_tfms, batch_tfms=batch_tfms,
        )  # fmt: skip
        return cls.from_dblock(block, path, path=path, **kwargs)

    @classmethod
    def from_path_func(
        cls, path: PathLike, fnames: Sequence[Any], label_func: Callable[[Any], Any], valid_pct: float = 0.2, seed: int | None = None,
        item_tfms: Any = None, batch_tfms: Any = None, img_cls: type[PILImage] = PILImage, **kwargs: Any,
    ) -> Self:  # fmt: skip
        """Pictures with a function from path to label."""
        block = DataBlock(
            blocks=(ImageBlock(img_cls), CategoryBlock), splitter=RandomSplitter(valid_pct, seed), get_y=label_func,
            item_tfms=item_tfms, batch_tfms=batch_tfms,
        )  # fmt: skip
        return cls.from_dblock(block, fnames, path=path, **kwargs)

    @classmethod
    def from_name_func(cls, path: PathLike, fnames: Sequence[Any], label_func: Callable[[str], Any], **kwargs: Any) -> Self:
        """Pictures with a function from file name (a str) to label."""
        if os.name == "nt" and getattr(label_func, "__name__", "") == "<lambda>":
            raise ArgumentError("label_func is a lambda, which worker processes on Windows cannot receive: write a function with def.")
        return cls.from_path_func(path, fnames, using_attr(label_func, "name"), **kwargs)

    @classmethod
    def from_path_re(cls, path: PathLike, fnames: Sequence[Any], pat: str | re.Pattern[str], **kwargs: Any) -> Self:
        """Pictures labelled by the group of a pattern in their path."""
        return cls.from_path_func(path, fnames, RegexLabeller(pat), **kwargs)

    @classmethod
    def from_name_re(cls, path: PathLike, fnames: Sequence[Any], pat: str | re.Pattern[str], **kwargs: Any) -> Self:
        """Pictures labelled by the group of a pattern in their file name."""
        return cls.from_name_func(path, fnames, RegexLabeller(pat), **kwargs)

    @classmethod
    def from_df(
        cls, df: Any, path: PathLike = ".", valid_pct: float = 0.2, seed: int | None = None, fn_col: Any = 0, folder: Any = None, suff: str = "",
        label_col: Any = 1, label_delim: str | None = None, y_block: Any = None, valid_col: Any = None, item_tfms: Any = None,
        batch_tfms: Any = None, img_cls: type[PILImage] = PILImage, **kwargs: Any,
    ) -> Self:  # fmt: skip
        """Pictures listed in a table.

        Args:
            df: the table.
            path: the folder that file names are relative to, together with `folder`.
            valid_pct: the fraction for validation, unless `valid_col` names a column that says so.
            seed: of the random split.
            fn_col: the column (number or name) of file names; `suff` is added to each.
            label_col: the column of labels, or a list of columns.
            label_delim: several labels stand in the column with this between them.
            y_block: the target's block (None: one label, several labels, or numbers, as the column is).
        """
        prefix = f"{Path(path) if folder is None else Path(path) / folder}{os.path.sep}"
        if y_block is None:
            several = isinstance(label_col, (list, tuple, L)) and len(label_col) > 1
            y_block = (MultiCategoryBlock if label_delim is not None else RegressionBlock if several and _is_numeric(df, label_col) else MultiCategoryBlock if several else CategoryBlock)  # fmt: skip
        splitter = RandomSplitter(valid_pct, seed) if valid_col is None else ColSplitter(valid_col)
        block = DataBlock(
            blocks=(ImageBlock(img_cls), y_block), get_x=ColReader(fn_col, pref=prefix, suff=suff),
            get_y=ColReader(label_col, label_delim=label_delim), splitter=splitter, item_tfms=item_tfms, batch_tfms=batch_tfms,
        )  # fmt: skip
        return cls.from_dblock(block, df, path=path, **kwargs)

    @classmethod
    def from_csv(
        cls, path: PathLike, csv_fname: PathLike = "labels.csv", header: Any = "infer", delimiter: str | None = None, quoting: int = 0, **kwargs: Any
    ) -> Self:  # fmt: skip
        """Pictures listed in a CSV file in `path`; see `from_df`."""
        import pandas as pd

        file = Path(path) / csv_fname
        if not file.exists():
            raise DataError(f"There is no table {file}.")
        df = pd.read_csv(file, header=header, delimiter=delimiter, quoting=quoting)
        return cls.from_df(df, path=path, **kwargs)

    @classmethod
    def from_lists(
        cls, path: PathLike, fnames: Sequence[Any], labels: Sequence[Any], valid_pct: float = 0.2, seed: int | None = None, y_block: Any = None,
        item_tfms: Any = None, batch_tfms: Any = None, img_cls: type[PILImage] = PILImage, **kwargs: Any,
    ) -> Self:  # fmt: skip
        """Pictures and their labels in two lists of one length."""
        if len(fnames) != len(labels):
            raise DataError(f"There are {len(fnames)} files and {len(labels)} labels: one label for each file is needed.")
        if y_block is None:
            first = labels[0]
            y_block = MultiCategoryBlock if isinstance(first, (list, tuple, L)) else RegressionBlock if isinstance(first, float) else CategoryBlock
        block = DataBlock.from_columns(
            blocks=(ImageBlock(img_cls), y_block), splitter=RandomSplitter(valid_pct, seed), item_tfms=item_tfms, batch_tfms=batch_tfms
        )
        return cls.from_dblock(block, (fnames, labels), path=path, **kwargs)


def _is_numeric(df: Any, columns: Sequence[Any]) -> bool:
    return all((df.iloc[:, c] if isinstance(c, int) else df[c]).dtype.kind == "f" for c in columns)


class SegmentationDataLoaders(DataLoaders):
    """Loaders of pictures and their masks, made in one call."""

    @classmethod
    def from_label_func(
        cls, path: PathLike, fnames: Sequence[Any], label_func: Callable[[Any], Any], valid_pct: float = 0.2, seed: int | None = None,
        codes: Any = None, item_tfms: Any = None, batch_tfms: Any = None, img_cls: type[PILImage] = PILImage, **kwargs: Any,
    ) -> Self:  # fmt: skip
        """Pictures with a function from path to the mask's path; `codes` names the classes."""
        block = DataBlock(
            blocks=(ImageBlock(img_cls), MaskBlock(codes=codes)), splitter=RandomSplitter(valid_pct, seed), get_y=label_func,
            item_tfms=item_tfms, batch_tfms=batch_tfms,
        )  # fmt: skip
        return cls.from_dblock(block, fnames, path=path, **kwargs)
