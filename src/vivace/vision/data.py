"""Loaders of pictures made in one call, and the blocks that they are made of."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, Unpack

import torch

from vivace.core.basics import using_attr
from vivace.core.collection import L
from vivace.core.errors import DataError
from vivace.core.image import PILImage
from vivace.data.block import CategoryBlock, DataBlock, MultiCategoryBlock, RegressionBlock, TransformBlock
from vivace.data.columns import as_frame
from vivace.data.items import check_folders, get_image_files
from vivace.data.labels import ColReader, RegexLabeller, parent_label
from vivace.data.loaders import DataLoaders
from vivace.data.options import LoaderOptions, names_unknown_keywords
from vivace.data.splits import ColSplitter, GrandparentSplitter, RandomSplitter
from vivace.data.tables import block_of_columns, read_table

from .blocks import BBoxBlock, BBoxLblBlock, ImageBlock, ImageClass, MaskBlock, PointBlock

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
Device = torch.device | str | None


class ImageDataLoaders(DataLoaders):
    """Loaders of pictures, made in one call.

    All `from_…` share these arguments:
        path: where a `Learner` on the loaders writes; for `from_folder`, `from_df` and `from_csv` also where the
            pictures are. File names in lists are used as they are.
        valid_pct: the fraction of the pictures that validates, chosen at random.
        seed: of that choice; None: `set_seed` governs it.
        item_tfms: transforms of single pictures, on the CPU, such as `Resize(224)`.
        batch_tfms: transforms of batches, on the device, such as `aug_transforms()`.
        img_cls: how pictures are opened.
        bs: samples in a batch; `val_bs`: in one of the validation loader (None: the same).
        shuffle: bring the training pictures into a new order in every epoch.
        device: where batches go; None: the default device.
        options: less common settings, see `LoaderOptions`.
    """

    @classmethod
    @names_unknown_keywords
    def from_folder(
        cls,
        path: PathLike,
        train: str = "train",
        valid: str = "valid",
        valid_pct: float | None = None,
        seed: int | None = None,
        vocab: Any = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: ImageClass = PILImage,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: Device = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Return loaders of pictures that are in a folder for each class.

        Args:
            train: the folder in `path` with the training pictures.
            valid: the folder in `path` with the validation pictures.
            valid_pct: None: use these two; otherwise this fraction of all pictures in `path` validates.
            vocab: the classes; None: those of the training pictures.

        Raises:
            DataError: a folder is missing, or has no pictures.
        """
        if valid_pct is None:
            check_folders(Path(path), train, valid, kind="pictures")
        block = DataBlock(
            blocks=(ImageBlock(img_cls), CategoryBlock(vocab=vocab)),
            get_items=get_image_files if valid_pct is not None else partial(get_image_files, folders=[train, valid]),
            splitter=GrandparentSplitter(train, valid) if valid_pct is None else RandomSplitter(valid_pct, seed),
            get_y=parent_label,
            item_tfms=item_tfms,
            batch_tfms=batch_tfms,
        )
        return cls.from_dblock(block, path, path=path, bs=bs, val_bs=val_bs, shuffle=shuffle, device=device, **options)

    @classmethod
    @names_unknown_keywords
    def from_path_func(
        cls,
        path: PathLike,
        fnames: Sequence[Any],
        label_func: Callable[[Any], Any],
        valid_pct: float = 0.2,
        seed: int | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: ImageClass = PILImage,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: Device = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Return loaders of pictures whose label is a function of their path.

        Args:
            fnames: the pictures.
            label_func: takes an entry of `fnames`.
        """
        block = DataBlock(
            blocks=(ImageBlock(img_cls), CategoryBlock),
            splitter=RandomSplitter(valid_pct, seed),
            get_y=label_func,
            item_tfms=item_tfms,
            batch_tfms=batch_tfms,
        )
        return cls.from_dblock(
            block, fnames, path=path, bs=bs, val_bs=val_bs, shuffle=shuffle, device=device, **options
        )

    @classmethod
    @names_unknown_keywords
    def from_name_func(
        cls,
        path: PathLike,
        fnames: Sequence[Any],
        label_func: Callable[[str], Any],
        valid_pct: float = 0.2,
        seed: int | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: ImageClass = PILImage,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: Device = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Return loaders of pictures whose label is a function of their file name.

        Args:
            fnames: the paths of the pictures.
            label_func: takes the name, such as `"Cat_01.jpg"`.
        """
        return cls.from_path_func(
            path,
            _as_paths(fnames),
            using_attr(label_func, "name"),
            valid_pct,
            seed,
            item_tfms,
            batch_tfms,
            img_cls,
            bs,
            val_bs,
            shuffle,
            device,
            **options,
        )

    @classmethod
    @names_unknown_keywords
    def from_path_re(
        cls,
        path: PathLike,
        fnames: Sequence[Any],
        pat: str | re.Pattern[str],
        valid_pct: float = 0.2,
        seed: int | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: ImageClass = PILImage,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: Device = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Return loaders of pictures whose label is what the group of a pattern matches in their path.

        Args:
            fnames: the paths of the pictures.
            pat: the pattern; on all systems folders are separated by `/`.
        """
        return cls.from_path_func(
            path,
            fnames,
            RegexLabeller(pat),
            valid_pct,
            seed,
            item_tfms,
            batch_tfms,
            img_cls,
            bs,
            val_bs,
            shuffle,
            device,
            **options,
        )

    @classmethod
    @names_unknown_keywords
    def from_name_re(
        cls,
        path: PathLike,
        fnames: Sequence[Any],
        pat: str | re.Pattern[str],
        valid_pct: float = 0.2,
        seed: int | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: ImageClass = PILImage,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: Device = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Return loaders of pictures whose label is what the group of a pattern matches in their file name.

        Args:
            fnames: the paths of the pictures.
            pat: the pattern, such as `r"^(.*)_\\d+.jpg$"`.
        """
        return cls.from_name_func(
            path,
            fnames,
            RegexLabeller(pat),
            valid_pct,
            seed,
            item_tfms,
            batch_tfms,
            img_cls,
            bs,
            val_bs,
            shuffle,
            device,
            **options,
        )

    @classmethod
    @names_unknown_keywords
    def from_df(
        cls,
        df: Any,
        path: PathLike = ".",
        valid_pct: float = 0.2,
        seed: int | None = None,
        fn_col: Any = 0,
        folder: PathLike | None = None,
        suff: str = "",
        label_col: Any = 1,
        label_delim: str | None = None,
        y_block: Any = None,
        valid_col: Any = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: ImageClass = PILImage,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: Device = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Return loaders of pictures that a table lists.

        Args:
            df: a frame of pandas or polars, or an Arrow table.
            fn_col: number or name of the column of file names, relative to `path`.
            folder: the folder in `path` that they are relative to.
            suff: put after each file name, such as `".jpg"`.
            label_col: number or name of the column of labels, or a list of them.
            label_delim: several labels stand in the column, with this between them.
            y_block: the block of the target; None: one label, several labels (a list of columns or `label_delim`), or
                numbers (a list of columns of floats).
            valid_col: a column that is true for the rows that validate; None: `valid_pct` of them at random.
        """
        df = as_frame(df)
        block = DataBlock(
            blocks=(ImageBlock(img_cls), y_block or block_of_columns(df, label_col, label_delim)),
            get_x=ColReader(fn_col, pref=Path(path) / (folder or ""), suff=suff),
            get_y=ColReader(label_col, label_delim=label_delim),
            splitter=RandomSplitter(valid_pct, seed) if valid_col is None else ColSplitter(valid_col),
            item_tfms=item_tfms,
            batch_tfms=batch_tfms,
        )
        return cls.from_dblock(block, df, path=path, bs=bs, val_bs=val_bs, shuffle=shuffle, device=device, **options)

    @classmethod
    @names_unknown_keywords
    def from_csv(
        cls,
        path: PathLike,
        csv_fname: PathLike = "labels.csv",
        header: Any = "infer",
        delimiter: str | None = None,
        quoting: int = 0,
        valid_pct: float = 0.2,
        seed: int | None = None,
        fn_col: Any = 0,
        folder: PathLike | None = None,
        suff: str = "",
        label_col: Any = 1,
        label_delim: str | None = None,
        y_block: Any = None,
        valid_col: Any = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: ImageClass = PILImage,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: Device = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Return loaders of pictures that a CSV file in `path` lists; see `from_df`.

        Args:
            csv_fname: the file.
            header, delimiter, quoting: as for `pandas.read_csv`.

        Raises:
            DataError: there is no such file.
        """
        df = read_table(path, csv_fname, header=header, delimiter=delimiter, quoting=quoting)
        return cls.from_df(
            df,
            path,
            valid_pct,
            seed,
            fn_col,
            folder,
            suff,
            label_col,
            label_delim,
            y_block,
            valid_col,
            item_tfms,
            batch_tfms,
            img_cls,
            bs,
            val_bs,
            shuffle,
            device,
            **options,
        )

    @classmethod
    @names_unknown_keywords
    def from_lists(
        cls,
        path: PathLike,
        fnames: Sequence[Any],
        labels: Sequence[Any],
        valid_pct: float = 0.2,
        seed: int | None = None,
        y_block: Any = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: ImageClass = PILImage,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: Device = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Return loaders of pictures and their labels, from two lists of one length.

        Args:
            fnames: the pictures.
            labels: their labels.
            y_block: the block of the target; None: several labels if they are lists, numbers if they are floats,
                single labels otherwise.

        Raises:
            DataError: there are more pictures than labels, or the other way round.
        """
        if len(fnames) != len(labels):
            raise DataError(f"There are {len(fnames)} pictures and {len(labels)} labels: one for each is needed.")
        block = DataBlock.from_columns(
            blocks=(ImageBlock(img_cls), y_block or _block_of_label(labels[0] if len(labels) else None)),
            splitter=RandomSplitter(valid_pct, seed),
            item_tfms=item_tfms,
            batch_tfms=batch_tfms,
        )
        return cls.from_dblock(
            block, (fnames, labels), path=path, bs=bs, val_bs=val_bs, shuffle=shuffle, device=device, **options
        )


class SegmentationDataLoaders(DataLoaders):
    """Loaders of pictures and their masks, made in one call."""

    @classmethod
    @names_unknown_keywords
    def from_label_func(
        cls,
        path: PathLike,
        fnames: Sequence[Any],
        label_func: Callable[[Any], Any],
        valid_pct: float = 0.2,
        seed: int | None = None,
        codes: Any = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: ImageClass = PILImage,
        bs: int = 64,
        val_bs: int | None = None,
        shuffle: bool = True,
        device: Device = None,
        **options: Unpack[LoaderOptions],
    ) -> Self:
        """Return loaders of pictures with a function from the path of a picture to that of its mask.

        Args:
            fnames: the pictures.
            label_func: takes an entry of `fnames`, returns what `PILMask.create` opens.
            codes: the names of the classes.

        The other arguments are those of `ImageDataLoaders`.
        """
        block = DataBlock(
            blocks=(ImageBlock(img_cls), MaskBlock(codes=codes)),
            splitter=RandomSplitter(valid_pct, seed),
            get_y=label_func,
            item_tfms=item_tfms,
            batch_tfms=batch_tfms,
        )
        return cls.from_dblock(
            block, fnames, path=path, bs=bs, val_bs=val_bs, shuffle=shuffle, device=device, **options
        )


def _as_paths(fnames: Sequence[Any]) -> Sequence[Any]:
    """Texts as paths, which have a name."""
    if any(isinstance(f, str) for f in fnames):
        return L([Path(f) if isinstance(f, str) else f for f in fnames], use_list=True)
    return fnames


def _block_of_label(label: Any) -> Callable[[], TransformBlock]:
    if isinstance(label, (list, tuple)):
        return MultiCategoryBlock
    return RegressionBlock if isinstance(label, float) else CategoryBlock
