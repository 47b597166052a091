"""`DataLoaders`: the training and validation loaders of one task, and what the rest of the library asks of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import torch

from vivace.core.device import default_device
from vivace.core.errors import ArgumentError, DataError

from .loader import DataLoader
from .transform import Pipeline, Transform

if TYPE_CHECKING:
    from .single import SingleItems

__all__ = ["DataLoaders", "test_set"]


class DataLoaders:
    """The loaders of one task: `train`, `valid`, and any others by number.

    Args:
        loaders: `DataLoader`s, torch's own loaders, or anything to iterate over; the first one trains.
        path: where a `Learner` on these loaders writes.
        device: where batches go; None: they stay where they are (the `Learner` moves them).
    """

    def __init__(
        self, *loaders: Any, path: str | os.PathLike[str] = ".", device: torch.device | str | None = None
    ) -> None:
        if not loaders:
            raise ArgumentError("DataLoaders needs at least one loader: DataLoaders(train_dl, valid_dl).")
        self.loaders: list[Any] = (
            list(loaders[0]) if len(loaders) == 1 and isinstance(loaders[0], (list, tuple)) else list(loaders)
        )
        self.path = Path(path)
        self._single: SingleItems | None = None
        if device is not None:
            self.to(device)

    # ------------------------------------------------------------------ makers
    @classmethod
    def from_dsets(
        cls,
        *ds: Any,
        path: str | os.PathLike[str] = ".",
        bs: int = 64,
        val_bs: int | None = None,
        device: torch.device | str | None = None,
        shuffle: bool = True,
        drop_last: bool | None = None,
        num_workers: int | None = None,
        after_item: Any = None,
        before_batch: Any = None,
        after_batch: Any = None,
        seed: int | None = None,
        on_error: Literal["raise", "skip"] = "raise",
        pin_memory: bool | None = None,
        dl_type: type[DataLoader] = DataLoader,
        dl_kwargs: Sequence[dict[str, Any]] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Make loaders over data sets; the first is for training: shuffled, without a smaller last batch.

        Args:
            ds: data sets; the first one trains.
            path: where a `Learner` on these loaders writes.
            bs: samples in a batch; `val_bs` those of the other loaders (None: the same).
            device: where batches go (None: the default device).
            shuffle: whether the first loader shuffles.
            drop_last: whether loaders drop a smaller last batch; None: the first one does.
            dl_kwargs: more arguments, one dict for each loader.
            kwargs: more arguments of every loader.
        """
        device = torch.device(device) if device is not None else default_device()
        common = {
            "num_workers": num_workers,
            "before_batch": before_batch,
            "seed": seed,
            "on_error": on_error,
            "pin_memory": device.type == "cuda" if pin_memory is None else pin_memory,
            "device": device,
        } | kwargs
        loaders = []
        for position, dataset in enumerate(ds):
            is_train = position == 0
            own = {
                "bs": bs if is_train else val_bs or bs,
                "shuffle": is_train and shuffle and len(dataset) > 0,
                "drop_last": is_train if drop_last is None else drop_last,
                "split_idx": min(position, 1),
                "after_item": Pipeline(after_item, split_idx=min(position, 1)),
                "after_batch": Pipeline(after_batch, split_idx=min(position, 1)),
            }
            extra = dl_kwargs[position] if dl_kwargs is not None else {}
            loaders.append(dl_type(dataset, **{**common, **own, **extra}))
        dls = cls(*loaders, path=path)
        dls._setup_batch_transforms()
        return dls

    @classmethod
    def from_dblock(cls, dblock: Any, source: Any, path: str | os.PathLike[str] = ".", **kwargs: Any) -> Self:
        """Make loaders from a `DataBlock` and its source."""
        dls = dblock.dataloaders(source, path=path, **kwargs)
        return cls(*dls.loaders, path=path)

    def _setup_batch_transforms(self) -> None:
        """Let batch transforms that learn from data (`Normalize()`) see one training batch, one after the other."""
        train = self.loaders[0]
        transforms = list(train.after_batch.fs)
        if not any(hasattr(t, "setups") for t in transforms) or not len(train.dataset):
            return
        whole = train.after_batch
        for position, transform in enumerate(transforms):
            if hasattr(transform, "setups"):
                train.after_batch = Pipeline(transforms[:position], split_idx=whole.split_idx)
                transform.setup(train)
        train.after_batch = whole

    # ------------------------------------------------------------------ parts
    def __getitem__(self, index: int) -> Any:
        return self.loaders[index]

    def __len__(self) -> int:
        return len(self.loaders)

    def __getattr__(self, name: str) -> Any:
        """What is not here is the training loader's: `dls.bs`, `dls.num_workers`, `dls.items`."""
        if name.startswith("_") or not self.__dict__.get("loaders"):
            raise AttributeError(name)
        if hasattr(type(self), name):  # a property that has nothing to give
            raise AttributeError(f"The training data ({type(self.loaders[0]).__name__}) has no `{name}`.")
        try:
            return getattr(self.loaders[0], name)
        except AttributeError:
            raise AttributeError(f"Neither {type(self).__name__} nor their training loader has `{name}`.") from None

    @property
    def train(self) -> Any:
        """The training loader."""
        return self.loaders[0]

    @property
    def valid(self) -> Any:
        """The validation loader."""
        if len(self.loaders) < 2:
            raise DataError(
                "These DataLoaders have no validation loader: give a second one, DataLoaders(train_dl, valid_dl)."
            )
        return self.loaders[1]

    @property
    def for_prediction(self) -> Any:
        """The loader that those of new items are like: of validation, or the only one."""
        return self.loaders[1] if len(self.loaders) > 1 else self.loaders[0]

    @property
    def train_ds(self) -> Any:
        """The training data set."""
        return self.train.dataset

    @property
    def valid_ds(self) -> Any:
        """The validation data set."""
        return self.valid.dataset

    @property
    def device(self) -> torch.device | None:
        """Where batches go; None: they stay where they are."""
        return getattr(self.loaders[0], "device", None)

    @device.setter
    def device(self, device: torch.device | str | None) -> None:
        self.to(device)

    def to(self, device: torch.device | str | None) -> Self:
        """Send the batches of all loaders to `device`."""
        for dl in self.loaders:
            if isinstance(dl, DataLoader):
                dl.to(device)
        return self

    def cuda(self) -> Self:
        """Send batches to the GPU."""
        return self.to("cuda")

    def cpu(self) -> Self:
        """Keep batches on the CPU."""
        return self.to("cpu")

    # ------------------------------------------------------------------ what the task is
    @property
    def vocab(self) -> Any:
        """The vocabulary of the target (a list of them when several parts have one)."""
        return _of_train(self, "vocab")

    @property
    def c(self) -> int:
        """How many outputs the target needs."""
        return int(_of_train(self, "c"))

    @property
    def n_inp(self) -> int:
        """How many parts of a batch go into the model."""
        return _n_inp(self.train)

    @property
    def kind(self) -> str | None:
        """What the target is: "category", "multi_category", "regression", "mask", "points", … or None."""
        return getattr(self.train_ds, "kind", None)

    @property
    def categorize(self) -> Transform:
        """The transform that turns labels into indices; its `vocab` names the classes."""
        from .category import Categorize

        for dataset in (self.train_ds,):
            for tl in reversed(list(getattr(dataset, "tls", []))):
                for transform in tl.tfms:
                    if isinstance(transform, Categorize):
                        return transform
        raise AttributeError("These DataLoaders have no `Categorize` transform: their target is not a single label.")

    # ------------------------------------------------------------------ transforms
    @property
    def after_item(self) -> Pipeline:
        """The item transforms of the training loader."""
        return self.train.after_item  # type: ignore[no-any-return]

    @property
    def before_batch(self) -> Pipeline:
        """The transforms that see the samples of a batch before they are stacked."""
        return self.train.before_batch  # type: ignore[no-any-return]

    @property
    def after_batch(self) -> Pipeline:
        """The batch transforms of the training loader."""
        return self.train.after_batch  # type: ignore[no-any-return]

    def add_tfms(
        self, tfms: Iterable[Any], event: Literal["after_item", "before_batch", "after_batch"], loaders: Any = None
    ) -> None:
        """Add transforms to an event of all loaders, or of those given by number or name."""
        chosen = (
            self.loaders
            if loaders is None
            else [getattr(self, o) if isinstance(o, str) else self.loaders[o] for o in loaders]
        )
        for dl in chosen:
            old: Pipeline = getattr(dl, event)
            setattr(dl, event, Pipeline([*old.fs, *tfms], split_idx=old.split_idx))

    # ------------------------------------------------------------------ batches
    def one_batch(self) -> Any:
        """Return a training batch. Looking does not change what training sees later."""
        return self.train.one_batch() if isinstance(self.train, DataLoader) else next(iter(self.train))

    def check(self, max_distance: int = 6) -> Any:
        """Look at all picture files of training and validation set, and report what is wrong; nothing is changed.

        Unreadable files, odd ones, copies (also nearly the same), the same picture in both sets or with two labels, and
        classes out of balance.

        Args:
            max_distance: bits in which the perceptual hashes of near duplicates may differ, of 64; -1: exact ones only.

        Returns:
            A `HealthReport`: printed as a table, `to_html(path)`, `to_frame()`, `findings`, `ok`.

        Raises:
            DataError: the pictures do not come from files.
        """
        from .health.sources import check_loaders

        return check_loaders(self, max_distance)

    def show_batch(
        self,
        b: Any = None,
        max_n: int = 9,
        ctxs: Any = None,
        show: bool = True,
        unique: bool = False,
        nrows: int | None = None,
        ncols: int | None = None,
        figsize: tuple[float, float] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Draw up to `max_n` training samples (`unique`: one sample, many times, to see its augmentation)."""
        return self.train.show_batch(b, max_n, ctxs, show, unique, nrows, ncols, figsize, **kwargs)

    def show_results(self, b: Any, out: Any, max_n: int = 9, ctxs: Any = None, show: bool = True, **kwargs: Any) -> Any:
        """Draw up to `max_n` samples of a batch with targets and predictions."""
        return self.train.show_results(b, out, max_n, ctxs, show, **kwargs)

    def decode(self, b: Any) -> Any:
        """Undo the batch transforms as far as they can be undone."""
        return self.train.decode(b)

    def decode_batch(self, b: Any, max_n: int = 9, full: bool = True) -> Any:
        """Return up to `max_n` samples of a batch as people read them."""
        return self.train.decode_batch(b, max_n, full)

    def test_dl(
        self,
        test_items: Any,
        rm_type_tfms: int | None = None,
        with_labels: bool = False,
        bs: int | None = None,
        num_workers: int | None = None,
        **kwargs: Any,
    ) -> DataLoader:
        """Return a loader over new items, prepared as the validation set is.

        Args:
            test_items: paths, pictures, rows, …: what the items of the training set are.
            rm_type_tfms: leave out that many of the first input transforms (items that are opened already).
            with_labels: also make the targets, with the getters that training used.
            bs: samples in a batch (None: as in validation).
            num_workers: None: as in validation.
            kwargs: other settings of the loader. Pictures are not kept (`cache=None`) unless asked for.
        """
        like = self.for_prediction
        if not isinstance(like, DataLoader):
            raise DataError("test_dl needs loaders that vivace made; wrap new data in a DataLoader yourself.")
        dataset = test_set(self.train_ds, test_items, rm_tfms=rm_type_tfms, with_labels=with_labels)
        changes: dict[str, Any] = {
            "bs": bs or like.bs,
            "num_workers": like.num_workers if num_workers is None else num_workers,
        }
        changes |= {"shuffle": False, "drop_last": False, "split_idx": 1, "cache": None}
        return like.new(dataset, **{**changes, **kwargs})

    def single_batch(self, item: Any, rm_type_tfms: int | None = None) -> tuple[DataLoader, Any]:
        """Return a loader over one new item and its only batch: `test_dl([item])`, made quickly again and again."""
        if self._single is None:
            from .single import SingleItems

            self._single = SingleItems()
        return self._single.batch(self, item, rm_type_tfms)

    def new(self, *args: Any, **kwargs: Any) -> Self:
        """Return loaders like these with other settings."""
        return type(self)(*(dl.new(*args, **kwargs) for dl in self.loaders), path=self.path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(dl) for dl in self.loaders)})"


def test_set(dsets: Any, test_items: Any, rm_tfms: int | None = None, with_labels: bool = False) -> Any:
    """Return a data set of new items with the input transforms (and targets if `with_labels`) of `dsets`.

    A data set without transforms of its own is replaced by the items.
    """
    make = getattr(dsets, "new_items", None)
    if make is None:
        return test_items
    return make(test_items, with_labels=with_labels, rm_tfms=rm_tfms or 0)


def _of_train(dls: DataLoaders, name: str) -> Any:
    value = getattr(dls.train_ds, name, None)
    if value is None:
        raise AttributeError(f"The training data ({type(dls.train_ds).__name__}) has no `{name}`.")
    return value


def _n_inp(dl: Any) -> int:
    if isinstance(dl, DataLoader):
        return dl.n_inp
    own = getattr(getattr(dl, "dataset", None), "n_inp", None)
    return int(own) if own is not None else -1


test_set.__test__ = False  # type: ignore[attr-defined]
